"""Signatures in AUTH: the methods of RFC 7296 §3.8 and RFC 4754, and RFC 7427 with its names of algorithms.

The old methods 9 to 11 name curve and hash, and carry r and s side by side; method 1 names RSA and means SHA-1. Method
14 names everything in an AlgorithmIdentifier, which for so small a set of algorithms is an octet string to compare with
(RFC 7427 §3). Where RFC 4055 and RFC 7427 leave more than one way to write the same parameters, all are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from itertools import product

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import load_der_public_key

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.iana import AuthMethod, HashAlgorithm

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey

# Our own bounds: below them a key can be broken, above them a stranger's key costs us time.
RSA_BITS = range(2048, 8193)
MAX_RSA_EXPONENT = 2**32

SHA2 = (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512)

HASHES: Mapping[HashAlgorithm, type[SHA1 | SHA256 | SHA384 | SHA512]] = {
    HashAlgorithm.SHA1: SHA1,
    HashAlgorithm.SHA2_256: SHA256,
    HashAlgorithm.SHA2_384: SHA384,
    HashAlgorithm.SHA2_512: SHA512,
}

OFFERED_HASHES = (*SHA2, HashAlgorithm.IDENTITY)
"""What we say in SIGNATURE_HASH_ALGORITHMS; SHA-1 must not be there (RFC 8247 §3.2)."""


class KeyKind(Enum):
    """Kinds of key that can sign an AUTH payload."""

    RSA = "RSA"
    P256 = "ECDSA P-256"
    P384 = "ECDSA P-384"
    P521 = "ECDSA P-521"
    ED25519 = "Ed25519"
    ED448 = "Ed448"


CURVES = {"secp256r1": KeyKind.P256, "secp384r1": KeyKind.P384, "secp521r1": KeyKind.P521}
EC_KINDS = frozenset(CURVES.values())
EDWARDS_KINDS = frozenset({KeyKind.ED25519, KeyKind.ED448})


class Algorithm(Enum):
    """What a signature is computed with, apart from the hash."""

    PKCS1 = "RSASSA-PKCS1-v1_5"
    PSS = "RSASSA-PSS"
    ECDSA = "ECDSA"
    ED25519 = "Ed25519"
    ED448 = "Ed448"


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """How a signature in AUTH is made and written; the hash of Ed25519 and Ed448 is IDENTITY (RFC 8420)."""

    method: AuthMethod
    algorithm: Algorithm
    hash_algorithm: HashAlgorithm

    def __str__(self) -> str:
        return f"{self.algorithm.value} {self.hash_algorithm.name} ({self.method.name})"


RSA_SHA1 = SignatureScheme(AuthMethod.RSA_SIGNATURE, Algorithm.PKCS1, HashAlgorithm.SHA1)

OLD_ECDSA: Mapping[KeyKind, SignatureScheme] = {
    KeyKind.P256: SignatureScheme(AuthMethod.ECDSA_SHA256_P256, Algorithm.ECDSA, HashAlgorithm.SHA2_256),
    KeyKind.P384: SignatureScheme(AuthMethod.ECDSA_SHA384_P384, Algorithm.ECDSA, HashAlgorithm.SHA2_384),
    KeyKind.P521: SignatureScheme(AuthMethod.ECDSA_SHA512_P521, Algorithm.ECDSA, HashAlgorithm.SHA2_512),
}
INTEGER_SIZES: Mapping[AuthMethod, int] = {  # octets of r and of s, RFC 4754 §7
    AuthMethod.ECDSA_SHA256_P256: 32,
    AuthMethod.ECDSA_SHA384_P384: 48,
    AuthMethod.ECDSA_SHA512_P521: 66,
}
SIGNATURE_METHODS = frozenset({AuthMethod.RSA_SIGNATURE, *INTEGER_SIZES, AuthMethod.DIGITAL_SIGNATURE})

PREFERRED_HASHES: Mapping[KeyKind, tuple[HashAlgorithm, ...]] = {
    KeyKind.RSA: SHA2,
    KeyKind.P256: SHA2,
    KeyKind.P384: (HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512, HashAlgorithm.SHA2_256),
    KeyKind.P521: (HashAlgorithm.SHA2_512, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_256),
    KeyKind.ED25519: (HashAlgorithm.IDENTITY,),
    KeyKind.ED448: (HashAlgorithm.IDENTITY,),
}
ALGORITHMS: Mapping[KeyKind, tuple[Algorithm, ...]] = {
    # PKCS#1 v1.5 comes first: Android verifies nothing else.
    KeyKind.RSA: (Algorithm.PKCS1, Algorithm.PSS),
    KeyKind.P256: (Algorithm.ECDSA,),
    KeyKind.P384: (Algorithm.ECDSA,),
    KeyKind.P521: (Algorithm.ECDSA,),
    KeyKind.ED25519: (Algorithm.ED25519,),
    KeyKind.ED448: (Algorithm.ED448,),
}


def schemes(kind: KeyKind, hashes: tuple[HashAlgorithm, ...] | None, sha1: bool) -> tuple[SignatureScheme, ...]:
    """How a key of this kind may sign for a peer that knows these hashes, the best first.

    `hashes` is None for a peer that does not speak RFC 7427: RSA then goes with SHA-1 alone, if `sha1` allows that.
    """
    if hashes is not None:
        known = [each for each in PREFERRED_HASHES[kind] if each in hashes]
        pairs = product(ALGORITHMS[kind], known)
        return tuple(SignatureScheme(AuthMethod.DIGITAL_SIGNATURE, *pair) for pair in pairs)
    if kind is KeyKind.RSA:
        return (RSA_SHA1,) if sha1 else ()
    return (OLD_ECDSA[kind],) if kind in OLD_ECDSA else ()


# --- keys ----------------------------------------------------------------------------------------------------------


def load_public_key(spki: bytes) -> tuple[KeyKind, PublicKey]:
    """A key from its SubjectPublicKeyInfo in DER; AuthenticationFailed for one that is too weak or of another kind."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AuthenticationFailed("the public key cannot be read", Cause.WEAK_KEY) from error
    kind = kind_of(key)
    if kind is None or not isinstance(key, PublicKey):
        raise AuthenticationFailed(f"a key of kind {type(key).__name__} cannot be used", Cause.WEAK_KEY)
    if isinstance(key, RSAPublicKey):
        exponent = key.public_numbers().e
        if key.key_size not in RSA_BITS or exponent > MAX_RSA_EXPONENT:
            raise AuthenticationFailed(f"RSA key of {key.key_size} bits, exponent {exponent}", Cause.WEAK_KEY)
    return kind, key


def kind_of(key: object) -> KeyKind | None:
    """The kind of a public or private key of cryptography; None for one that IKE has no use for."""
    match key:
        case RSAPublicKey() | RSAPrivateKey():
            return KeyKind.RSA
        case EllipticCurvePublicKey(curve=curve) | EllipticCurvePrivateKey(curve=curve):
            return CURVES.get(curve.name)
        case Ed25519PublicKey() | Ed25519PrivateKey():
            return KeyKind.ED25519
        case Ed448PublicKey() | Ed448PrivateKey():
            return KeyKind.ED448
        case _:
            return None


# --- making --------------------------------------------------------------------------------------------------------


def sign(key: PrivateKey, scheme: SignatureScheme, octets: bytes) -> bytes:
    """The signature as cryptography gives it, which for ECDSA is DER. ValueError if key and scheme do not fit."""
    match key, scheme.algorithm:
        case RSAPrivateKey(), Algorithm.PKCS1:
            return key.sign(octets, PKCS1v15(), _hash(scheme))
        case RSAPrivateKey(), Algorithm.PSS:
            return key.sign(octets, _pss(scheme), _hash(scheme))
        case EllipticCurvePrivateKey(), Algorithm.ECDSA:
            return key.sign(octets, ECDSA(_hash(scheme)))
        case Ed25519PrivateKey(), Algorithm.ED25519:
            return key.sign(octets)
        case Ed448PrivateKey(), Algorithm.ED448:
            return key.sign(octets)
        case _:
            raise ValueError(f"{type(key).__name__} does not make {scheme}")


def auth_data(scheme: SignatureScheme, signature: bytes) -> bytes:
    """Authentication Data with a signature that `sign` made."""
    if scheme.method == AuthMethod.DIGITAL_SIGNATURE:
        identifier = IDENTIFIERS[scheme.algorithm, scheme.hash_algorithm][0]
        return bytes([len(identifier)]) + identifier + signature
    if (size := INTEGER_SIZES.get(scheme.method)) is not None:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return signature


# --- checking ------------------------------------------------------------------------------------------------------


def read_auth_data(method: AuthMethod, data: bytes) -> tuple[SignatureScheme, bytes]:
    """Scheme and signature, as `sign` would give it; AuthenticationFailed for what we do not know or accept."""
    if method == AuthMethod.RSA_SIGNATURE:
        return RSA_SHA1, data
    if (size := INTEGER_SIZES.get(method)) is not None:
        if len(data) != 2 * size:
            raise AuthenticationFailed(f"{method.name} signature of {len(data)} octets", Cause.SIGNATURE_UNKNOWN)
        scheme = next(scheme for scheme in OLD_ECDSA.values() if scheme.method == method)
        return scheme, encode_dss_signature(*(int.from_bytes(half, "big") for half in (data[:size], data[size:])))
    if method != AuthMethod.DIGITAL_SIGNATURE:
        raise AuthenticationFailed(f"{method.name} is no signature that we know", Cause.SIGNATURE_UNKNOWN)
    end = 1 + (data[0] if data else 0)
    known = SCHEMES.get(data[1:end])
    if known is None:
        raise AuthenticationFailed(f"algorithm {data[1:end].hex()} is not known", Cause.SIGNATURE_UNKNOWN)
    return known, data[end:]


def verify(spki: bytes, scheme: SignatureScheme, signature: bytes, octets: bytes) -> KeyKind:
    """The kind of the key, if the signature is its; else AuthenticationFailed."""
    kind, key = load_public_key(spki)
    old_curve = INTEGER_SIZES.keys() & {scheme.method}
    if scheme.algorithm not in ALGORITHMS[kind] or (old_curve and scheme != OLD_ECDSA.get(kind)):
        raise AuthenticationFailed(f"{scheme} with a key of kind {kind.value}", Cause.SIGNATURE_WRONG)
    try:
        _verify(key, scheme, signature, octets)
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise AuthenticationFailed(f"{scheme}: the signature is wrong", Cause.SIGNATURE_WRONG) from error
    return kind


def _verify(key: PublicKey, scheme: SignatureScheme, signature: bytes, octets: bytes) -> None:
    match key:
        case RSAPublicKey():
            padding = _pss(scheme) if scheme.algorithm is Algorithm.PSS else PKCS1v15()
            key.verify(signature, octets, padding, _hash(scheme))
        case EllipticCurvePublicKey():
            key.verify(signature, octets, ECDSA(_hash(scheme)))
        case _:
            key.verify(signature, octets)


def _hash(scheme: SignatureScheme) -> SHA1 | SHA256 | SHA384 | SHA512:
    return HASHES[scheme.hash_algorithm]()


def _pss(scheme: SignatureScheme) -> PSS:
    """The salt is as long as the hash, and MGF1 uses the same hash: what RFC 4055 §3.1 recommends."""
    return PSS(MGF1(_hash(scheme)), _hash(scheme).digest_size)


# --- AlgorithmIdentifiers in DER -----------------------------------------------------------------------------------

_NULL = bytes.fromhex("0500")
_PKCS1_OIDS = {
    HashAlgorithm.SHA2_256: "2a864886f70d01010b",
    HashAlgorithm.SHA2_384: "2a864886f70d01010c",
    HashAlgorithm.SHA2_512: "2a864886f70d01010d",
}
_ECDSA_OIDS = {
    HashAlgorithm.SHA2_256: "2a8648ce3d040302",
    HashAlgorithm.SHA2_384: "2a8648ce3d040303",
    HashAlgorithm.SHA2_512: "2a8648ce3d040304",
}
_HASH_OIDS = {
    HashAlgorithm.SHA2_256: "608648016503040201",
    HashAlgorithm.SHA2_384: "608648016503040202",
    HashAlgorithm.SHA2_512: "608648016503040203",
}
_PSS_OID, _MGF1_OID, _ED25519_OID, _ED448_OID = "2a864886f70d01010a", "2a864886f70d010108", "2b6570", "2b6571"


def _der(tag: int, content: bytes) -> bytes:
    """One DER value; none of ours is longer than 127 octets."""
    return bytes([tag, len(content)]) + content


def _identifier(oid: str, parameters: bytes = b"") -> bytes:
    return _der(0x30, _der(0x06, bytes.fromhex(oid)) + parameters)


def _pss_identifiers(hash_algorithm: HashAlgorithm) -> list[bytes]:
    """All ways to say RSASSA-PSS with this hash: NULL may stand in either hash or not, the trailer field likewise."""
    salt = _der(0xA2, _der(0x02, bytes([HASHES[hash_algorithm].digest_size])))
    written = []
    for trailer, null, null_in_mgf in product((b"", _der(0xA3, bytes.fromhex("020101"))), (_NULL, b""), (_NULL, b"")):
        hashed = _der(0xA0, _identifier(_HASH_OIDS[hash_algorithm], null))
        masked = _der(0xA1, _identifier(_MGF1_OID, _identifier(_HASH_OIDS[hash_algorithm], null_in_mgf)))
        written.append(_identifier(_PSS_OID, _der(0x30, hashed + masked + salt + trailer)))
    return written


_WRITERS: Mapping[Algorithm, Callable[[HashAlgorithm], list[bytes]]] = {
    Algorithm.PKCS1: lambda each: [_identifier(_PKCS1_OIDS[each], _NULL), _identifier(_PKCS1_OIDS[each])],
    Algorithm.PSS: _pss_identifiers,
    Algorithm.ECDSA: lambda each: [_identifier(_ECDSA_OIDS[each])],
    Algorithm.ED25519: lambda _: [_identifier(_ED25519_OID)],
    Algorithm.ED448: lambda _: [_identifier(_ED448_OID)],
}

IDENTIFIERS: Mapping[tuple[Algorithm, HashAlgorithm], list[bytes]] = {
    (algorithm, hash_algorithm): write(hash_algorithm)
    for algorithm, write in _WRITERS.items()
    for hash_algorithm in ((HashAlgorithm.IDENTITY,) if algorithm.value.startswith("Ed") else SHA2)
}
"""How each algorithm is written: first the way that we write it."""

SCHEMES: Mapping[bytes, SignatureScheme] = {
    written: SignatureScheme(AuthMethod.DIGITAL_SIGNATURE, *names)
    for names, ways in IDENTIFIERS.items()
    for written in ways
}
