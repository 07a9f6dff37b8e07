"""Keying material and what is computed with it, RFC 7296 §2.13 to §2.18, §2.23, RFC 8784 §3."""

from __future__ import annotations

from dataclasses import field
from hashlib import sha1
from ipaddress import IPv4Address, IPv6Address

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.crypto.mac import PRFS
from edgevpn.ike.crypto.suite import PRF_KEY_LENGTHS, ChildSuite, IkeSuite
from edgevpn.ike.iana import Prf

KEY_PAD = b"Key Pad for IKEv2"
FIXED_KEY_PRFS = (Prf.AES128_XCBC, Prf.AES128_CMAC)
PRF_PLUS_ROUNDS = 255  # the counter is a single octet


@dataclass(frozen=True, slots=True)
class IkeKeys:
    """The seven secrets of an IKE SA, RFC 7296 §2.14; SK_ei and SK_er end in the salt of ciphers that have one."""

    sk_d: bytes = field(repr=False)
    sk_ai: bytes = field(repr=False)
    sk_ar: bytes = field(repr=False)
    sk_ei: bytes = field(repr=False)
    sk_er: bytes = field(repr=False)
    sk_pi: bytes = field(repr=False)
    sk_pr: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChildKeys:
    """The keys of a CHILD SA by direction, RFC 7296 §2.17; an encryption key ends in its salt, as the kernel wants."""

    encr_i: bytes = field(repr=False)
    integ_i: bytes = field(repr=False)
    encr_r: bytes = field(repr=False)
    integ_r: bytes = field(repr=False)


def prf(prf_id: Prf, key: bytes, data: bytes) -> bytes:
    """The negotiated pseudorandom function; keys of any length."""
    return PRFS[prf_id](key, data)


def prf_plus(prf_id: Prf, key: bytes, seed: bytes, length: int) -> bytes:
    """`length` octets of the stream prf+, RFC 7296 §2.13; ValueError if it does not reach so far."""
    mac, block, stream = PRFS[prf_id], b"", bytearray()
    for counter in range(1, PRF_PLUS_ROUNDS + 1):
        if len(stream) >= length:
            return bytes(stream[:length])
        block = mac(key, block + seed + bytes([counter]))
        stream += block
    raise ValueError(f"prf+ with {prf_id.name} does not reach {length} octets")


def derive_ike_keys(suite: IkeSuite, ni: bytes, nr: bytes, shared_secret: bytes, spi_i: bytes, spi_r: bytes) -> IkeKeys:
    """The keys of a new IKE SA, RFC 7296 §2.14."""
    # For historical reasons these two take 64 bits of each nonce, though their keys may have any length.
    part = 8 if suite.prf in FIXED_KEY_PRFS else None
    skeyseed = prf(suite.prf, ni[:part] + nr[:part], shared_secret)
    return _expand_ike_keys(suite, skeyseed, ni, nr, spi_i, spi_r)


def derive_rekeyed_ike_keys(
    suite: IkeSuite,
    old_prf: Prf,
    old_sk_d: bytes,
    ni: bytes,
    nr: bytes,
    shared_secret: bytes,
    spi_i: bytes,
    spi_r: bytes,
    additional: bytes = b"",
) -> IkeKeys:
    """The keys of an IKE SA that replaces an older one, RFC 7296 §2.18; `suite` and SPIs are those of the new one.

    `additional` are the secrets of further key exchanges, one after the other (RFC 9370 §2.2.4).
    """
    skeyseed = prf(old_prf, old_sk_d, shared_secret + ni + nr + additional)
    return _expand_ike_keys(suite, skeyseed, ni, nr, spi_i, spi_r)


def derive_updated_ike_keys(
    suite: IkeSuite, sk_d: bytes, ni: bytes, nr: bytes, shared_secret: bytes, spi_i: bytes, spi_r: bytes
) -> IkeKeys:
    """The keys of an IKE SA after one more key exchange, RFC 9370 §2.2.2; `sk_d` is the one before it."""
    skeyseed = prf(suite.prf, sk_d, shared_secret + ni + nr)
    return _expand_ike_keys(suite, skeyseed, ni, nr, spi_i, spi_r)


def mix_ppk(suite: IkeSuite, keys: IkeKeys, ppk: bytes) -> IkeKeys:
    """The keys of a new IKE SA with a post-quantum pre-shared key in those that others follow from, RFC 8784 §3."""
    sk_d, sk_pi, sk_pr = (prf_plus(suite.prf, ppk, key, len(key)) for key in (keys.sk_d, keys.sk_pi, keys.sk_pr))
    return replace(keys, sk_d=sk_d, sk_pi=sk_pi, sk_pr=sk_pr)


def derive_child_keys(
    suite: ChildSuite,
    prf_id: Prf,
    sk_d: bytes,
    ni: bytes,
    nr: bytes,
    shared_secret: bytes = b"",
    additional: bytes = b"",
) -> ChildKeys:
    """The keys of a CHILD SA, RFC 7296 §2.17; `prf_id` and `sk_d` of its IKE SA, `shared_secret` if there is PFS.

    `additional` is as in `derive_rekeyed_ike_keys`.
    """
    encr, integ = suite.encr_key_length, suite.integ_key_length
    keymat = prf_plus(prf_id, sk_d, shared_secret + ni + nr + additional, 2 * (encr + integ))
    return ChildKeys(*_cut(keymat, encr, integ, encr, integ))


def signed_octets(
    message: bytes, peer_nonce: bytes, prf_id: Prf, sk_p: bytes, id_payload_body: bytes, int_auth: bytes = b""
) -> bytes:
    """What AUTH covers, RFC 7296 §2.15: our first message, the other side's nonce, and our identity under SK_p.

    `message` is without non-ESP marker; `id_payload_body` is the ID payload without its generic header; `int_auth` is
    what stands for the IKE_INTERMEDIATE exchanges, if there were any (RFC 9242 §3.3.2).
    """
    return message + peer_nonce + prf(prf_id, sk_p, id_payload_body) + int_auth


def psk_auth(prf_id: Prf, psk: bytes, octets: bytes) -> bytes:
    """AUTH by shared key over the signed octets, RFC 7296 §2.15; `psk` is the MSK after EAP (§2.16)."""
    return prf(prf_id, prf(prf_id, psk, KEY_PAD), octets)


def nat_detection_hash(spi_i: bytes, spi_r: bytes, address: IPv4Address | IPv6Address, port: int) -> bytes:
    """The data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP, RFC 7296 §2.23."""
    return sha1(spi_i + spi_r + address.packed + port.to_bytes(2, "big"), usedforsecurity=False).digest()


def _expand_ike_keys(suite: IkeSuite, skeyseed: bytes, ni: bytes, nr: bytes, spi_i: bytes, spi_r: bytes) -> IkeKeys:
    own, integ, encr = PRF_KEY_LENGTHS[suite.prf], suite.integ_key_length, suite.encr_key_length
    lengths = (own, integ, integ, encr, encr, own, own)
    return IkeKeys(*_cut(prf_plus(suite.prf, skeyseed, ni + nr + spi_i + spi_r, sum(lengths)), *lengths))


def _cut(octets: bytes, *lengths: int) -> list[bytes]:
    """Pieces of these lengths, one after the other."""
    pieces, at = [], 0
    for length in lengths:
        pieces.append(octets[at : at + length])
        at += length
    return pieces
