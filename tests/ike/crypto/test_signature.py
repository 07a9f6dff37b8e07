from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgevpn.ike.crypto.signature import (
    IDENTIFIERS,
    OFFERED_HASHES,
    OLD_ECDSA,
    RSA_SHA1,
    SCHEMES,
    Algorithm,
    KeyKind,
    SignatureScheme,
    auth_data,
    kind_of,
    load_public_key,
    read_auth_data,
    schemes,
    sign,
    verify,
)
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.iana import AuthMethod, HashAlgorithm
from tests.support.keys import private_key, public_key
from tests.support.vectors import Vector, each_vector

SIGNED = b"what both sides have said"
SHA1, SHA256, SHA384, SHA512 = (HashAlgorithm(number) for number in range(1, 5))
DIGITAL = AuthMethod.DIGITAL_SIGNATURE

EVERY_WAY = [
    (kind, scheme)
    for kind in KeyKind
    for hashes in (OFFERED_HASHES, None)
    for scheme in schemes(kind, hashes, sha1=True)
]


def spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(("kind", "scheme"), EVERY_WAY, ids=[f"{kind.value}, {scheme}" for kind, scheme in EVERY_WAY])
def test_there_and_back(kind: KeyKind, scheme: SignatureScheme) -> None:
    data = auth_data(scheme, sign(private_key(kind), scheme, SIGNED))

    read, signature = read_auth_data(scheme.method, data)
    assert read == scheme
    assert verify(public_key(kind), read, signature, SIGNED) is kind
    with pytest.raises(AuthenticationFailed) as failed:
        verify(public_key(kind), read, signature, SIGNED + b"!")
    assert failed.value.cause is Cause.SIGNATURE_WRONG
    if kind is not KeyKind.RSA:
        with pytest.raises(AuthenticationFailed):
            verify(public_key(kind, 2), read, signature, SIGNED)


# RFC 4754 §8: public key, method, and Authentication Data over "abc".
RFC_4754: dict[str, tuple[ec.EllipticCurve, str, str, AuthMethod, str]] = {
    "ECDSA-256": (
        ec.SECP256R1(),
        "2442A5CC 0ECD015F A3CA31DC 8E2BBC70 BF42D60C BCA20085 E0822CB0 4235E970",
        "6FC98BD7 E50211A4 A27102FA 3549DF79 EBCB4BF2 46B80945 CDDFE7D5 09BBFD7D",
        AuthMethod.ECDSA_SHA256_P256,
        "CB28E099 9B9C7715 FD0A80D8 E47A7707 9716CBBF 917DD72E 97566EA1 C066957C 86FA3BB4 E26CAD5B F90B7F81 899256CE"
        "7594BB1E A0C89212 748BFF3B 3D5B0315",
    ),
    "ECDSA-384": (
        ec.SECP384R1(),
        "96281BF8 DD5E0525 CA049C04 8D345D30 82968D10 FEDF5C5A CA0C64E6 465A97EA 5CE10C9D FEC21797 41571072 1F437922",
        "447688BA 94708EB6 E2E4D59F 6AB6D7ED FF9301D2 49FE49C3 3096655F 5D502FAD 3D383B91 C5E7EDAA 2B714CC9 9D5743CA",
        AuthMethod.ECDSA_SHA384_P384,
        "FB017B91 4E291494 32D8BAC2 9A514640 B46F53DD AB2C6994 8084E293 0F1C8F7E 08E07C9C 63F2D21A 07DCB56A 6AF56EB3"
        "B263A130 5E057F98 4D38726A 1B468741 09F417BC A112674C 528262A4 0A629AF1 CBB9F516 CE0FA7D2 FF630863 A00E8B9F",
    ),
    "ECDSA-521": (
        ec.SECP521R1(),
        "0151518F 1AF0F563 517EDD54 85190DF9 5A4BF57B 5CBA4CF2 A9A3F647 4725A35F 7AFE0A6D DEB8BEDB CD6A197E 592D4018"
        "8901CECD 650699C9 B5E456AE A5ADD190 52A8",
        "006F3B14 2EA1BFFF 7E2837AD 44C9E4FF 6D2D34C7 3184BBAD 90026DD5 E6E85317 D9DF45CA D7803C6C 20035B2F 3FF63AFF"
        "4E1BA64D 1C077577 DA3F4286 C58F0AEA E643",
        AuthMethod.ECDSA_SHA512_P521,
        "0154FD38 36AF92D0 DCA57DD5 341D3053 988534FD E8318FC6 AAAAB68E 2E6F4339 B19F2F28 1A7E0B22 C269D93C F8794A92"
        "78880ED7 DBB8D936 2CAEACEE 54432055 2251"
        "017705A7 030290D1 CEB605A9 A1BB03FF 9CDD521E 87A696EC 926C8C10 C8362DF4 97536710 1F67D1CF"
        "9BCCBF2F 3D239534 FA509E70 AAC851AE 01AAC68D 62F86647 2660",
    ),
}


@pytest.mark.parametrize("name", RFC_4754)
def test_rfc_4754(name: str) -> None:
    curve, x, y, method, data = RFC_4754[name]
    key = spki(ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + bytes.fromhex(x + y)))
    scheme, signature = read_auth_data(method, bytes.fromhex(data))
    assert OLD_ECDSA[verify(key, scheme, signature, b"abc")] == scheme
    assert auth_data(scheme, signature) == bytes.fromhex(data)


@each_vector("signature")
def test_wycheproof(vector: Vector) -> None:
    """r and s are read by us, and judged by the library."""

    def check() -> None:
        scheme, signature = read_auth_data(AuthMethod[vector["method"]], vector.octets("signature"))
        verify(vector.octets("key"), scheme, signature, vector.octets("message"))

    if vector["valid"] == "yes":
        check()
        return
    with pytest.raises(AuthenticationFailed):
        check()


# RFC 7427, appendix A.
RFC_7427 = {
    "A.1.2": ("300d 0609 2a86 4886 f70d 0101 0b05 00", Algorithm.PKCS1, SHA256),
    "A.1.3": ("300d 0609 2a86 4886 f70d 0101 0c05 00", Algorithm.PKCS1, SHA384),
    "A.1.4": ("300d 0609 2a86 4886 f70d 0101 0d05 00", Algorithm.PKCS1, SHA512),
    "A.3.2": ("300a 0608 2a86 48ce 3d04 0302", Algorithm.ECDSA, SHA256),
    "A.3.3": ("300a 0608 2a86 48ce 3d04 0303", Algorithm.ECDSA, SHA384),
    "A.3.4": ("300a 0608 2a86 48ce 3d04 0304", Algorithm.ECDSA, SHA512),
    "A.4.3": (
        "3046 0609 2a86 4886 f70d 0101 0a30 39a0 0f30 0d06 0960 8648 0165 0304 0201 0500"
        "a11c 301a 0609 2a86 4886 f70d 0101 0830 0d06 0960 8648 0165 0304 0201 0500 a203 0201 20a3 0302 0101",
        Algorithm.PSS,
        SHA256,
    ),
    "RFC 8420 A.1": ("3005 0603 2b65 70", Algorithm.ED25519, HashAlgorithm.IDENTITY),
    "RFC 8420 A.2": ("3005 0603 2b65 71", Algorithm.ED448, HashAlgorithm.IDENTITY),
}


@pytest.mark.parametrize("name", RFC_7427)
def test_rfc_7427(name: str) -> None:
    octets, algorithm, hash_algorithm = RFC_7427[name]
    identifier = bytes.fromhex(octets)
    data = bytes([len(identifier)]) + identifier + b"signature"
    assert read_auth_data(DIGITAL, data) == (SignatureScheme(DIGITAL, algorithm, hash_algorithm), b"signature")


def test_what_we_write() -> None:
    """The preferred forms: NULL behind the RSA algorithms, no trailer field where it has its default value (DER)."""
    written = {names: ways[0].hex() for names, ways in IDENTIFIERS.items()}
    assert written[Algorithm.PKCS1, SHA256] == "300d06092a864886f70d01010b0500"
    assert written[Algorithm.PSS, SHA256] == (
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
        "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
    )
    assert len(SCHEMES) == sum(map(len, IDENTIFIERS.values()))


REFUSED = {
    "no such method": (AuthMethod.DSS_SIGNATURE, "00"),
    "a MAC": (AuthMethod.SHARED_KEY, "00"),
    "half a signature": (AuthMethod.ECDSA_SHA256_P256, "00" * 63),
    "nothing at all": (DIGITAL, ""),
    "length of nothing": (DIGITAL, "00 00"),
    "identifier cut short": (DIGITAL, "0f 300d"),
    "SHA-1 with RSA (RFC 8247 §3.2)": (DIGITAL, "0f 300d 0609 2a86 4886 f70d 0101 0505 00 00"),
    "SHA-1 with ECDSA": (DIGITAL, "0b 3009 0607 2a86 48ce 3d04 01 00"),
    "PSS with its defaults, which are SHA-1": (DIGITAL, "0f 300d 0609 2a86 4886 f70d 0101 0a30 00 00"),
}


@pytest.mark.parametrize(("method", "octets"), REFUSED.values(), ids=REFUSED)
def test_refused_data(method: AuthMethod, octets: str) -> None:
    with pytest.raises(AuthenticationFailed) as failed:
        read_auth_data(method, bytes.fromhex(octets))
    assert failed.value.cause is Cause.SIGNATURE_UNKNOWN


def test_key_of_another_kind() -> None:
    signature = sign(private_key(KeyKind.ED25519), schemes(KeyKind.ED25519, OFFERED_HASHES, sha1=False)[0], SIGNED)
    with pytest.raises(AuthenticationFailed, match="with a key of kind"):
        verify(public_key(KeyKind.ED448), schemes(KeyKind.ED25519, OFFERED_HASHES, sha1=False)[0], signature, SIGNED)
    old = OLD_ECDSA[KeyKind.P256]  # method 9 means P-256, whatever the signature
    signature = sign(private_key(KeyKind.P384), old, SIGNED)
    with pytest.raises(AuthenticationFailed, match="with a key of kind"):
        verify(public_key(KeyKind.P384), old, signature, SIGNED)


def test_key_does_not_fit_the_scheme() -> None:
    with pytest.raises(ValueError, match="does not make"):
        sign(private_key(KeyKind.P256), RSA_SHA1, SIGNED)


def test_damaged_ecdsa_signature() -> None:
    """A DER signature that is none is a wrong signature, not an error of ours."""
    scheme = schemes(KeyKind.P256, OFFERED_HASHES, sha1=False)[0]
    for signature in (b"", b"\x30\x00", bytes(70)):
        with pytest.raises(AuthenticationFailed):
            verify(public_key(KeyKind.P256), scheme, signature, SIGNED)


WEAK = {
    "no key": b"no key",
    "RSA of 1024 bits": spki(rsa.RSAPublicNumbers(65537, (1 << 1023) + 1155).public_key()),
    "RSA of 9000 bits": spki(rsa.RSAPublicNumbers(65537, (1 << 8999) + 1155).public_key()),
    "RSA with a huge exponent": spki(rsa.RSAPublicNumbers((1 << 40) + 1, (1 << 2047) + 1155).public_key()),
    "a curve that IKE does not use": spki(ec.derive_private_key(1, ec.SECP256K1()).public_key()),
    "a key that does not sign": spki(x25519.X25519PrivateKey.from_private_bytes(bytes(32)).public_key()),
}


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_key_that_we_do_not_use(key: bytes) -> None:
    with pytest.raises(AuthenticationFailed) as failed:
        load_public_key(key)
    assert failed.value.cause is Cause.WEAK_KEY


@pytest.mark.parametrize("kind", KeyKind)
def test_kinds(kind: KeyKind) -> None:
    assert kind_of(private_key(kind)) is kind
    assert load_public_key(public_key(kind))[0] is kind


def test_scheme_follows_what_the_peer_knows() -> None:
    """The hash is one of the peer's (RFC 7427 §4); without RFC 7427 each key has one old method, or none."""
    assert [s.hash_algorithm for s in schemes(KeyKind.P384, (SHA256, SHA512), sha1=False)] == [SHA512, SHA256]
    assert schemes(KeyKind.RSA, (SHA1,), sha1=True) == ()
    assert schemes(KeyKind.ED25519, (SHA256,), sha1=True) == ()
    assert schemes(KeyKind.RSA, None, sha1=True) == (RSA_SHA1,)
    assert schemes(KeyKind.RSA, None, sha1=False) == ()
    assert schemes(KeyKind.P256, None, sha1=False) == (OLD_ECDSA[KeyKind.P256],)
    assert schemes(KeyKind.ED25519, None, sha1=True) == ()


def test_rsa_signs_by_pkcs1_first() -> None:
    """Android verifies nothing else."""
    assert [s.algorithm for s in schemes(KeyKind.RSA, (SHA256,), sha1=False)] == [Algorithm.PKCS1, Algorithm.PSS]
