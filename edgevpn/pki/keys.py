"""Keys: the kinds that we make and accept, and how strong they have to be."""

from __future__ import annotations

from enum import Enum
from typing import TypeGuard

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edgevpn.pki.errors import PkiError, Reason

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

# NIST SP 800-131A: less than 112 bits of strength is gone. The upper bounds keep a stranger's key from costing us time.
SMALLEST_RSA = 2048
LARGEST_RSA = 8192
LARGEST_EXPONENT = 2**32
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class KeyKind(Enum):
    """Kinds of key that we make."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    ED25519 = "ed25519"


RSA_SIZES = {KeyKind.RSA_2048: 2048, KeyKind.RSA_3072: 3072, KeyKind.RSA_4096: 4096}
EC_CURVES = {KeyKind.ECDSA_P256: ec.SECP256R1, KeyKind.ECDSA_P384: ec.SECP384R1}


def make_key(kind: KeyKind) -> PrivateKey:
    """A new key of a kind; its randomness is the system's. RSA-3072 takes a slow router many seconds."""
    if kind in RSA_SIZES:
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_SIZES[kind])
    if kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(EC_CURVES[kind]())


def is_kind(key: PublicKey, kind: KeyKind) -> bool:
    """True for a public key of this kind."""
    match key:
        case rsa.RSAPublicKey():
            return key.key_size == RSA_SIZES.get(kind)
        case ec.EllipticCurvePublicKey():
            return isinstance(key.curve, EC_CURVES.get(kind, ()))
        case _:
            return isinstance(key, ed25519.Ed25519PublicKey) and kind is KeyKind.ED25519


def is_public(key: object) -> TypeGuard[PublicKey]:
    """True for a public key of a kind that IKE signs with here."""
    return isinstance(key, PublicKey)


def is_private(key: object) -> TypeGuard[PrivateKey]:
    """True for a private key of a kind that IKE signs with here."""
    return isinstance(key, PrivateKey)


def weakness(key: object) -> str:
    """What is wrong with a public key, or "" for one that may be used."""
    match key:
        case rsa.RSAPublicKey():
            return _rsa_weakness(key)
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, CURVES):
            return ""
        case ec.EllipticCurvePublicKey():
            return f"curve {key.curve.name}; P-256, P-384 and P-521 are used"
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return ""
        case _:
            return "neither RSA nor ECDSA, Ed25519 or Ed448"


def hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """The hash that a signature by this key goes with; None where the algorithm brings its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    return hashes.SHA256()


def spki(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key: PrivateKey) -> bytes:
    """A key in the clear as PEM, for a file of mode 0600."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_of(key: PrivateKey) -> PublicKey:
    """The public half. Raises PkiError for one too weak to be used."""
    public = key.public_key()
    if fault := weakness(public):
        raise PkiError(Reason.WEAK_KEY, "the key", detail=fault, cure="make a new one")
    return public


def _rsa_weakness(key: rsa.RSAPublicKey) -> str:
    if not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
        return f"RSA of {key.key_size} bits; {SMALLEST_RSA} to {LARGEST_RSA} are used"
    exponent = key.public_numbers().e
    return "" if exponent <= LARGEST_EXPONENT else f"RSA with an exponent of {exponent.bit_length()} bits"
