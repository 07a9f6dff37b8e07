"""PKCS #12 files (RFC 7292) for devices, in the two kinds of wrapping that devices read.

Apple's systems and older Windows and Android know only the old one, PBE with SHA-1 and 3DES and a SHA-1 MAC: to them
the modern one looks like a wrong password. The old wrapping is weak, so such a file is as good as the key itself: hand
it over once, keep it nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import KeySerializationEncryption, PrivateFormat, pkcs12

from edgevpn.pki.bundle import Bundle
from edgevpn.pki.errors import Reason, WishRefused

ROUNDS = 10_000
"""Of the key. cryptography gives the MAC 2048 at most, so the strength is to be the password's: `make_password`."""
SHORTEST_PASSWORD = 8

ALPHABET = "abcdefghijkmnopqrstuvwxyz23456789"
"""Without l, 1 and 0: passwords are typed on phones. 33 characters: 5 bits each."""


class Container(Enum):
    """How a file is wrapped."""

    OLD = "3DES and SHA-1"
    MODERN = "AES-256 and SHA-256"


def pkcs12_file(bundle: Bundle, name: str, password: str, container: Container) -> bytes:
    """The file: key, certificate and chain under a friendly name. Raises WishRefused for a password too short."""
    if len(password) < SHORTEST_PASSWORD:
        raise WishRefused(Reason.NOT_ALLOWED, "the password", detail=f"allowed: {SHORTEST_PASSWORD} characters or more")
    wrapping = _wrapping(container, password.encode())
    return pkcs12.serialize_key_and_certificates(
        name.encode(), bundle.key, bundle.certificate, list(bundle.chain) or None, wrapping
    )


def make_password(entropy: Callable[[int], bytes], length: int = 20) -> str:
    """A password of random characters, in groups of five: "k3vxq-...". 20 of them have 100 bits."""
    letters = ""
    while len(letters) < length:
        # Octets from 231 on would make some letters likelier than others.
        letters += "".join(ALPHABET[octet % len(ALPHABET)] for octet in entropy(length) if octet < 7 * len(ALPHABET))
    return "-".join(letters[at : at + 5] for at in range(0, length, 5))


def _wrapping(container: Container, password: bytes) -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    match container:
        case Container.OLD:
            builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())  # noqa: S303
        case Container.MODERN:
            builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).hmac_hash(hashes.SHA256())
    return builder.build(password)
