"""What MSCHAPv2 computes, RFC 2759 §8, and the MSK that EAP-MSCHAPv2 makes of it, RFC 3079 §3.4.

The NT hash of a password is as good as the password. User names are octets as they were sent, without a domain.
"""

from __future__ import annotations

from hashlib import sha1

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

from edgevpn.ike.crypto.md4 import md4

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # before cryptography 43
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

CHALLENGE_SIZE = 16
NT_HASH_SIZE = 16
NT_RESPONSE_SIZE = 24
MSK_SIZE = 64

MAGIC_1 = b"Magic server to client signing constant"  # RFC 2759 §8.7
MAGIC_2 = b"Pad to make it do more than one iteration"

MASTER_KEY_MAGIC = b"This is the MPPE Master Key"  # RFC 3079 §3.4
CLIENT_SENDS = b"On the client side, this is the send key; on the server side, it is the receive key."
SERVER_SENDS = b"On the client side, this is the receive key; on the server side, it is the send key."
PAD_1, PAD_2 = bytes(40), b"\xf2" * 40


def nt_password_hash(password: str) -> bytes:
    """What is kept of a password, RFC 2759 §8.3."""
    return md4(password.encode("utf-16-le", "surrogatepass"))


def nt_response(authenticator_challenge: bytes, peer_challenge: bytes, user: bytes, nt_hash: bytes) -> bytes:
    """The peer's proof that it knows the password, RFC 2759 §8.1."""
    challenge = _challenge_hash(peer_challenge, authenticator_challenge, user)
    padded = nt_hash.ljust(21, b"\0")
    return b"".join(_des(padded[start : start + 7], challenge) for start in (0, 7, 14))


def authenticator_response(
    nt_hash: bytes, response: bytes, peer_challenge: bytes, authenticator_challenge: bytes, user: bytes
) -> bytes:
    """The authenticator's proof that it knows the password, 20 octets, RFC 2759 §8.7."""
    digest = _sha1(md4(nt_hash), response, MAGIC_1)
    return _sha1(digest, _challenge_hash(peer_challenge, authenticator_challenge, user), MAGIC_2)


def msk(nt_hash: bytes, response: bytes) -> bytes:
    """The Master Session Key: the keys for what the client sends and for what the server sends, and zeros."""
    master_key = _sha1(md4(nt_hash), response, MASTER_KEY_MAGIC)[:16]
    keys = (_sha1(master_key, PAD_1, magic, PAD_2)[:16] for magic in (CLIENT_SENDS, SERVER_SENDS))
    return b"".join(keys).ljust(MSK_SIZE, b"\0")


def _challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, user: bytes) -> bytes:
    return _sha1(peer_challenge, authenticator_challenge, user)[:8]


def _des(key: bytes, block: bytes) -> bytes:
    """One block under DES, which is Triple DES with one key three times; the parity bits are not looked at."""
    bits = int.from_bytes(key, "big")
    expanded = bytes(bits >> shift << 1 & 0xFE for shift in range(49, -1, -7))
    encryptor = Cipher(TripleDES(expanded * 3), ECB()).encryptor()  # noqa: S305 - one block, as the RFC says
    return encryptor.update(block) + encryptor.finalize()


def _sha1(*parts: bytes) -> bytes:
    return sha1(b"".join(parts), usedforsecurity=False).digest()
