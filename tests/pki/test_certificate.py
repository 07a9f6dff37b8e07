from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.pki.certificate import (
    LARGEST,
    extension,
    fingerprint,
    is_self_issued,
    not_after,
    not_before,
    pem_of,
    read_certificate,
    subject_of,
)
from edgevpn.pki.errors import CertificateRefused, Reason
from tests.support.certificates import ca, certificate, leaf, name

VECTORS = Path(cryptography_vectors.__file__).parent / "x509" / "custom"
ROOT = ca("root")
PHONE = leaf("phone", ROOT, x509.DNSName("phone.example.org"))


def test_read() -> None:
    read = read_certificate(PHONE.der)
    assert read == PHONE.certificate
    assert subject_of(read) == "CN=phone"
    assert len(fingerprint(read)) == 64
    assert pem_of(read).startswith(b"-----BEGIN CERTIFICATE-----")
    assert not is_self_issued(read)
    assert is_self_issued(ROOT.certificate)


def test_times_are_aware_and_know_no_2038() -> None:
    for_ever = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = certificate("gw", begins=datetime(2039, 1, 1, tzinfo=UTC), ends=for_ever).certificate
    assert not_before(made) == datetime(2039, 1, 1, tzinfo=UTC)
    assert not_after(made) == for_ever


def test_extension() -> None:
    assert extension(PHONE.certificate, x509.ExtendedKeyUsage) is None
    found = extension(PHONE.certificate, x509.SubjectAlternativeName)
    assert found is not None
    assert found.get_values_for_type(x509.DNSName) == ["phone.example.org"]


def test_without_a_subject_the_serial_number_tells() -> None:
    made = certificate(x509.Name([]), ROOT).certificate
    assert subject_of(made) == f"serial number {made.serial_number:x}"


def test_too_long() -> None:
    with pytest.raises(CertificateRefused) as refusal:
        read_certificate(bytes(LARGEST + 1))
    assert refusal.value.reason is Reason.TOO_MUCH


@given(st.integers(0, len(PHONE.der) - 1), st.integers(1, 255), st.integers(0, 4))
def test_damaged(at: int, change: int, cut: int) -> None:
    """Damage is refused, or gives a certificate that can be worked with."""
    der = bytearray(PHONE.der)
    der[at] ^= change
    with suppress(CertificateRefused):
        read = read_certificate(bytes(der[: len(der) - cut]))
        assert subject_of(read).isprintable()
        assert not_after(read).tzinfo is UTC


def test_damaged_extension_is_found_at_once() -> None:
    """Not later, when somebody asks for it."""
    malformed = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x03\x82\x05a")
    with pytest.raises(CertificateRefused) as refusal:
        read_certificate(certificate("gw", extensions=[(malformed, False)]).der)
    assert refusal.value.reason is Reason.UNREADABLE
    assert refusal.value.field == "extensions"


@pytest.mark.parametrize("serial", [b"\0", b"\xff"])
def test_serial_number_is_positive(serial: bytes) -> None:
    """RFC 5280 §4.1.2.2. cryptography warns of it, and a stranger would fill the log; warnings are errors here."""
    one = certificate("gw", serial=1).der
    head = bytes.fromhex("a003020102 0201")
    assert one.count(head + b"\1") == 1
    with pytest.raises(CertificateRefused) as refusal:
        read_certificate(one.replace(head + b"\1", head + serial))
    assert refusal.value.field == "serialNumber"


def test_string_type_that_there_is_not() -> None:
    strange = PHONE.der.replace(b"\x0c\x05phone", b"\x0d\x05phone")
    assert strange != PHONE.der
    with pytest.raises(CertificateRefused) as refusal:
        read_certificate(strange)
    assert refusal.value.reason is Reason.UNREADABLE


def test_extension_that_is_there_twice() -> None:
    """RFC 5280 §4.2: a published one."""
    octets = (VECTORS / "two_basic_constraints.pem").read_bytes()
    der = x509.load_pem_x509_certificate(octets).public_bytes(Encoding.DER)
    with pytest.raises(CertificateRefused) as refusal:
        read_certificate(der)
    assert refusal.value.detail == "2.5.29.19 is there twice"


def test_subject_is_one_line() -> None:
    assert subject_of(certificate(name("a\nb")).certificate) == "CN=a\\nb"
