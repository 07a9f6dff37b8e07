"""Private keys of every kind that signs in IKE, the same ones through a whole run."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgevpn.ike.crypto.signature import KeyKind, PrivateKey


@cache
def _rsa(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def private_key(kind: KeyKind, number: int = 1) -> PrivateKey:
    """The key of that kind and number; RSA keys are made anew in each run."""
    match kind:
        case KeyKind.RSA:
            return _rsa(number)
        case KeyKind.P256:
            return ec.derive_private_key(number, ec.SECP256R1())
        case KeyKind.P384:
            return ec.derive_private_key(number, ec.SECP384R1())
        case KeyKind.P521:
            return ec.derive_private_key(number, ec.SECP521R1())
        case KeyKind.ED25519:
            return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        case KeyKind.ED448:
            return ed448.Ed448PrivateKey.from_private_bytes(bytes([number]) * 57)


def public_key(kind: KeyKind, number: int = 1) -> bytes:
    """Its SubjectPublicKeyInfo in DER."""
    return private_key(kind, number).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
