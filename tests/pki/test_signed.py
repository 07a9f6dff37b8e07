from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from edgevpn.pki.keys import PrivateKey, PublicKey, is_public
from edgevpn.pki.signed import is_signed_by, weak_hash
from tests.support.certificates import certificate, ed, p256, rsa_key

VECTORS = Path(cryptography_vectors.__file__).parent / "x509" / "custom"
KEYS: dict[str, PrivateKey] = {
    "RSA": rsa_key(2048),
    "P-256": p256(),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed(),
}


@pytest.mark.parametrize("kind", KEYS)
def test_each_kind_of_key(kind: str) -> None:
    made = certificate("ca", key=KEYS[kind])
    for other, key in KEYS.items():
        assert is_signed_by(made.certificate, key.public_key()) == (other == kind)


@pytest.mark.parametrize("kind", KEYS)
def test_one_bit_less(kind: str) -> None:
    made = certificate("ca", key=KEYS[kind])
    signature = bytearray(made.der)
    signature[-1] ^= 1
    assert not is_signed_by(x509.load_der_x509_certificate(bytes(signature)), KEYS[kind].public_key())


def test_pss() -> None:
    assert is_signed_by(*self_signed("rsa_pss_cert.pem"))
    assert not is_signed_by(*self_signed("rsa_pss_cert_unsupported_mgf_hash.der"))


def test_the_two_algorithm_fields_are_the_same() -> None:
    """RFC 5280 §4.1.1.2."""
    assert not is_signed_by(*self_signed("mismatch_inner_outer_sig_algorithm.der"))


def test_weak_hashes() -> None:
    assert weak_hash(certificate("ca").certificate) == ""
    assert weak_hash(certificate("ca", key=ed()).certificate) == ""
    assert weak_hash(certificate("ca", key=rsa_key(2048), algorithm=hashes.SHA224()).certificate) == "sha224"
    assert weak_hash(self_signed("bc_path_length_zero.pem")[0]) == "sha1"


def self_signed(file: str) -> tuple[x509.Certificate, PublicKey]:
    """A published certificate and its own key."""
    load = x509.load_pem_x509_certificate if file.endswith(".pem") else x509.load_der_x509_certificate
    certificate = load((VECTORS / file).read_bytes())
    key = certificate.public_key()
    assert is_public(key)
    return certificate, key
