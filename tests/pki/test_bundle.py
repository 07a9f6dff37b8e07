from base64 import b64decode, b64encode
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.pki.bundle import LARGEST, Bundle, Parts, bundle_of, is_in_order, read_parts
from edgevpn.pki.certificate import der_of, pem_of
from edgevpn.pki.errors import BundleError, PkiError, Reason
from edgevpn.pki.keys import pkcs8, spki
from tests.support.certificates import DAY, NOW, Made, ca, certificate, leaf, rsa_key
from tests.support.x509_tools import openssl

VECTORS = Path(cryptography_vectors.__file__).parent / "x509" / "custom"
PASSWORD = "correct horse"
ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
GW = leaf("gw", MIDDLE, x509.DNSName("gw.example.org"))
KEY = pkcs8(GW.key)
CHAIN = (GW.certificate, MIDDLE.certificate, ROOT.certificate)
ENCRYPTED = GW.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))


def pem(*made: Made) -> bytes:
    return b"".join(pem_of(each.certificate) for each in made)


def pfx(password: str | None) -> bytes:
    wrapping = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    above = [MIDDLE.certificate, ROOT.certificate]
    return pkcs12.serialize_key_and_certificates(b"gw", GW.key, GW.certificate, above, wrapping)


def same(bundle: Bundle) -> bool:
    """True for the gateway's bundle, whole."""
    ours = spki(bundle.key.public_key()) == spki(GW.key.public_key())
    return ours and (bundle.certificate, *bundle.chain) == CHAIN


WAYS = {
    "PEM": [KEY + pem(GW, MIDDLE, ROOT)],
    "PEM out of order": [pem(ROOT, MIDDLE, GW) + KEY],
    "PEM with text around": [b"subject=gw\r\n" + KEY.replace(b"\n", b"\r\n") + b"# chain\n" + pem(GW, MIDDLE, ROOT)],
    "PEM twice": [KEY + pem(GW, MIDDLE, ROOT, GW), KEY],
    "files": [KEY, pem(GW), pem(MIDDLE), pem(ROOT)],
    "DER files": [
        GW.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        *map(der_of, CHAIN),
    ],
    "old kind of PEM": [
        GW.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        pem(GW, MIDDLE, ROOT),
    ],
    "strangers among them": [KEY + pem(ca("stranger"), GW, MIDDLE, ca("middle"), ROOT)],
    "PKCS #12 without a password": [pfx(None)],
}

WITH_PASSWORD = {
    "PKCS #8, PEM": [ENCRYPTED, pem(GW, MIDDLE, ROOT)],
    "PKCS #8, DER": [
        GW.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())),
        pem(GW, MIDDLE, ROOT),
    ],
    "PKCS #12": [pfx(PASSWORD)],
}


@pytest.mark.parametrize("files", WAYS.values(), ids=WAYS)
def test_read(files: list[bytes]) -> None:
    assert same(bundle_of(*map(read_parts, files)))


@pytest.mark.parametrize("files", WITH_PASSWORD.values(), ids=WITH_PASSWORD)
def test_read_with_password(files: list[bytes]) -> None:
    assert same(bundle_of(*(read_parts(each, PASSWORD) for each in files)))
    for wrong in ("", "wrong"):
        with pytest.raises(BundleError) as refusal:
            read_parts(files[0], wrong, "gw.key")
        assert refusal.value.reason is Reason.WRONG_PASSWORD
        assert str(refusal.value).startswith("gw.key does not open with this password")


def test_read_what_openssl_writes(tmp_path: Path) -> None:
    """Its own encrypted kinds: PKCS #8, traditional PEM, and PKCS #12 new and old."""
    key, chain = tmp_path / "key", tmp_path / "chain"
    key.write_bytes(KEY)
    chain.write_bytes(pem(GW, MIDDLE, ROOT))
    out = tmp_path / "out"
    for command in (
        ("pkcs8", "-topk8", "-in", key, "-v2", "aes-256-cbc", "-passout", f"pass:{PASSWORD}", "-out", out),
        ("ec", "-in", key, "-aes128", "-passout", f"pass:{PASSWORD}", "-out", out),
    ):
        openssl(*command)
        assert same(bundle_of(read_parts(out.read_bytes(), PASSWORD), read_parts(chain.read_bytes())))
    old = ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1")
    for kind in ((), old):
        export = ("pkcs12", "-export", *kind, "-inkey", key, "-in", chain, "-passout", f"pass:{PASSWORD}", "-out", out)
        openssl(*export)
        assert same(bundle_of(read_parts(out.read_bytes(), PASSWORD)))
    openssl("pkcs12", "-export", "-inkey", key, "-in", chain, "-passout", "pass:", "-out", out)
    assert same(bundle_of(read_parts(out.read_bytes())))


def test_reads_back_what_we_write() -> None:
    bundle = Bundle(GW.key, GW.certificate, CHAIN[1:])
    assert same(bundle_of(read_parts(bundle.pem())))


def test_root_is_not_sent() -> None:
    assert Bundle(GW.key, GW.certificate, CHAIN[1:]).sent == (GW.der, MIDDLE.der)


def test_newest_certificate_for_the_key() -> None:
    newer = certificate("gw", MIDDLE, key=GW.key, begins=NOW - DAY)
    assert bundle_of(read_parts(KEY + pem(GW, newer, MIDDLE))).certificate == newer.certificate


def of_version(number: int) -> bytes:
    """A certificate in PEM that says so of itself; 2 is version 3 (RFC 5280 §4.1.2.1)."""
    der = der_of(GW.certificate).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01" + bytes([number]), 1)
    return b"-----BEGIN CERTIFICATE-----\n" + b64encode(der) + b"\n-----END CERTIFICATE-----\n"


def pem_body(text: bytes) -> bytes:
    """The DER of a PEM block."""
    return b64decode(text.split(b"-----")[2])


REFUSED = {
    "nothing": ([b""], Reason.UNREADABLE),
    "text": ([b"hello"], Reason.UNREADABLE),
    "half a block": ([KEY[:-20]], Reason.UNREADABLE),
    "damaged certificate": ([pem(GW).replace(b"MII", b"MIA", 1)], Reason.UNREADABLE),
    "certificate of a version that there is not": ([KEY + of_version(1)], Reason.UNREADABLE),
    "the same in DER": ([KEY, pem_body(of_version(1))], Reason.UNREADABLE),
    "damaged key": ([KEY.replace(b"MIG", b"MIA", 1)], Reason.UNREADABLE),
    "other PEM": ([b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"], Reason.UNREADABLE),
    "too long": ([bytes(LARGEST + 1)], Reason.TOO_MUCH),
    "too many": ([pem(ROOT) * 33], Reason.TOO_MUCH),
    "no key": ([pem(GW)], Reason.MISSING),
    "no certificate": ([KEY], Reason.MISSING),
    "two keys": ([KEY, pkcs8(ROOT.key), pem(GW)], Reason.MISMATCH),
    "another's certificate": ([KEY, pem(MIDDLE)], Reason.MISMATCH),
    "weak key": ([pkcs8(rsa_key(1024))], Reason.WEAK_KEY),
}


@pytest.mark.parametrize(("files", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(files: list[bytes], reason: Reason) -> None:
    with pytest.raises(PkiError) as refusal:
        bundle_of(*map(read_parts, files))
    assert refusal.value.reason is reason


def test_other_kinds_of_key() -> None:
    key = dsa.generate_private_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BundleError) as refusal:
        read_parts(key)
    assert refusal.value.reason is Reason.WEAK_KEY


def test_certificate_with_a_strange_key_is_left_out() -> None:
    octets = (VECTORS / "unsupported_subject_public_key_info.pem").read_bytes()
    assert same(bundle_of(read_parts(KEY + octets + pem(GW, MIDDLE, ROOT))))


def test_order() -> None:
    assert is_in_order(CHAIN)
    assert is_in_order(CHAIN[:1])
    assert not is_in_order((CHAIN[0], CHAIN[2], CHAIN[1]))


def test_no_secret_is_shown() -> None:
    """Not in reprs, and not in an error or in what caused it."""
    assert "key" not in repr(Bundle(GW.key, GW.certificate))
    assert "key" not in repr(Parts((GW.key,)))
    broken = KEY.replace(b"MIG", b"MIA", 1)
    for octets, password in ((broken, ""), (ENCRYPTED, "a wrong secret"), (pfx(PASSWORD), "a wrong secret")):
        with pytest.raises(BundleError) as refusal:
            read_parts(octets, password)
        assert refusal.value.__cause__ is None
        assert "secret" not in str(refusal.value)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: pfx(PASSWORD)[:60] + tail))
def test_rubbish(octets: bytes) -> None:
    with pytest.raises(PkiError):
        bundle_of(read_parts(octets, PASSWORD))
