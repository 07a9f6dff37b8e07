import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.keys import KeyKind, hash_for, is_private, is_public, make_key, pkcs8, public_of, spki, weakness
from tests.support.certificates import p256, rsa_key


@pytest.mark.parametrize("kind", set(KeyKind) - {KeyKind.RSA_4096})
def test_what_we_make_is_strong_enough(kind: KeyKind) -> None:
    key = make_key(kind)
    assert is_private(key)
    assert is_public(public_of(key))
    assert weakness(public_of(key)) == ""


def test_weaknesses() -> None:
    assert weakness(rsa_key(1024).public_key()) == "RSA of 1024 bits; 2048 to 8192 are used"
    assert weakness(ec.generate_private_key(ec.SECP256K1()).public_key()).startswith("curve secp256k1")
    assert weakness(dsa.generate_private_key(2048).public_key()) == "neither RSA nor ECDSA, Ed25519 or Ed448"
    assert weakness(None) != ""
    numbers = rsa_key(2048).public_key().public_numbers()
    slow = rsa.RSAPublicNumbers(2**1024 + 1, numbers.n).public_key()
    assert weakness(slow) == "RSA with an exponent of 1025 bits"


def test_a_weak_key_has_no_public_half_for_us() -> None:
    with pytest.raises(PkiError) as refusal:
        public_of(rsa_key(1024))
    assert refusal.value.reason is Reason.WEAK_KEY


def test_hash_goes_with_the_key() -> None:
    assert isinstance(hash_for(p256()), hashes.SHA256)
    assert isinstance(hash_for(ec.generate_private_key(ec.SECP384R1())), hashes.SHA384)
    assert isinstance(hash_for(ec.generate_private_key(ec.SECP521R1())), hashes.SHA512)
    assert hash_for(ed25519.Ed25519PrivateKey.generate()) is None


def test_encodings() -> None:
    key = p256()
    assert pkcs8(key).startswith(b"-----BEGIN PRIVATE KEY-----")
    assert spki(key.public_key())[:2] == b"\x30\x59"
