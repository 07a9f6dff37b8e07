from itertools import count
from pathlib import Path

import pytest

from edgevpn.pki.bundle import Bundle, bundle_of, read_parts
from edgevpn.pki.container import ALPHABET, Container, make_password, pkcs12_file
from edgevpn.pki.errors import WishRefused
from edgevpn.pki.keys import spki
from tests.support.certificates import ca, certificate, leaf, rsa_key
from tests.support.x509_tools import OpensslFailed, openssl

PASSWORD = "k3vxq-99abc"
ROOT = ca("root")
PHONE = certificate("phone", ROOT, key=rsa_key(2048))
BUNDLE = Bundle(PHONE.key, PHONE.certificate, (ROOT.certificate,))

WRAPPING = {
    Container.OLD: ["MAC: sha1,", "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 10000"],
    Container.MODERN: [
        "MAC: sha256,",
        "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256",
    ],
}


@pytest.mark.parametrize("container", Container)
def test_openssl_opens(container: Container, tmp_path: Path) -> None:
    file = tmp_path / "phone.p12"
    file.write_bytes(pkcs12_file(BUNDLE, "Annas Telefon 電話", PASSWORD, container))
    shown = openssl("pkcs12", "-in", file, "-passin", f"pass:{PASSWORD}", "-info", "-nodes", "-legacy")
    for wrapping in WRAPPING[container]:
        assert wrapping in shown
    assert shown.count("BEGIN CERTIFICATE") == 2
    assert shown.count("BEGIN PRIVATE KEY") == 1
    assert "friendlyName: Annas Telefon" in shown
    with pytest.raises(OpensslFailed, match="invalid password"):
        openssl("pkcs12", "-in", file, "-passin", "pass:wrong", "-noout")


def test_modern_one_needs_nothing_legacy(tmp_path: Path) -> None:
    file = tmp_path / "phone.p12"
    file.write_bytes(pkcs12_file(BUNDLE, "phone", PASSWORD, Container.MODERN))
    openssl("pkcs12", "-in", file, "-passin", f"pass:{PASSWORD}", "-noout")


@pytest.mark.parametrize("container", Container)
@pytest.mark.parametrize("made", [PHONE, leaf("phone", ROOT)], ids=["RSA", "ECDSA"])
def test_we_read_it_back(container: Container, made: object) -> None:
    bundle = Bundle(made.key, made.certificate, (ROOT.certificate,))  # type: ignore[attr-defined]
    read = bundle_of(read_parts(pkcs12_file(bundle, "phone", PASSWORD, container), PASSWORD))
    assert (read.certificate, read.chain) == (bundle.certificate, bundle.chain)
    assert spki(read.key.public_key()) == spki(bundle.key.public_key())


def test_short_password() -> None:
    with pytest.raises(WishRefused) as refusal:
        pkcs12_file(BUNDLE, "phone", "short12", Container.OLD)
    assert "short12" not in str(refusal.value)


def test_passwords() -> None:
    octets = count()
    made = make_password(lambda length: bytes(next(octets) % 256 for _ in range(length)))
    assert made == "abcde-fghij-kmnop-qrstu"
    assert not set("lo10") & set(ALPHABET) - {"o"}


def test_passwords_are_evenly_distributed() -> None:
    """Every octet from 0 to 255 once: each letter comes equally often, the octets beyond are left out."""
    made = make_password(lambda _: bytes(range(256)), 7 * len(ALPHABET)).replace("-", "")
    assert {made.count(letter) for letter in ALPHABET} == {7}
