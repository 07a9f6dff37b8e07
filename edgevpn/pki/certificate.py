"""Reading certificates: bounded, completely, and with what the installed cryptography offers (41.0.7 and later)."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from edgevpn.pki.errors import CertificateRefused, Reason
from edgevpn.pki.names import canonical, text_of

LARGEST = 16 * 1024
"""Octets. A certificate has one to three thousand; post-quantum ones stay below this as well."""

UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises for octets that are not what they should be; KeyError is 41's for a strange string type."""

Extension = TypeVar("Extension", bound=x509.ExtensionType)


def read_certificate(der: bytes) -> x509.Certificate:
    """Read one certificate with all its extensions. Raises CertificateRefused."""
    if len(der) > LARGEST:
        raise CertificateRefused(Reason.TOO_MUCH, "the certificate", detail=f"{len(der)} octets, {LARGEST} are read")
    try:
        with quietly():
            certificate = x509.load_der_x509_certificate(der)
    except UNREADABLE as error:
        raise CertificateRefused(Reason.UNREADABLE, "the certificate", detail="no valid X.509 in DER") from error
    return complete(certificate)


@contextmanager
def quietly() -> Iterator[None]:
    """Without cryptography's warnings of serial numbers that are not positive: a stranger would fill our log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


def complete(certificate: x509.Certificate) -> x509.Certificate:
    """Read what cryptography reads only when asked: names, times and extensions. Raises CertificateRefused."""
    with quietly():
        serial = certificate.serial_number
    if serial <= 0:  # RFC 5280 §4.1.2.2
        raise CertificateRefused(Reason.UNREADABLE, "the certificate", "serialNumber", f"{serial}")
    try:
        _ = certificate.subject, certificate.issuer, not_before(certificate), not_after(certificate)
        _ = certificate.extensions
    except x509.DuplicateExtension as error:
        detail = f"{error.oid.dotted_string} is there twice"
        raise CertificateRefused(Reason.UNREADABLE, "the certificate", "extensions", detail) from error
    except UNREADABLE as error:
        raise CertificateRefused(Reason.UNREADABLE, "the certificate", "extensions", "malformed") from error
    return certificate


def der_of(certificate: x509.Certificate) -> bytes:
    """The octets that were signed and their signature."""
    return certificate.public_bytes(Encoding.DER)


def pem_of(certificate: x509.Certificate) -> bytes:
    """The same as text."""
    return certificate.public_bytes(Encoding.PEM)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the DER, in hexadecimal: what the block list and the records know a certificate by."""
    return hashlib.sha256(der_of(certificate)).hexdigest()


def subject_of(certificate: x509.Certificate) -> str:
    """The subject for people; the serial number where there is none."""
    return text_of(certificate.subject) if certificate.subject.rdns else f"serial number {certificate.serial_number:x}"


def not_before(certificate: x509.Certificate) -> datetime:
    """When it begins to be valid."""
    return _utc(certificate, "not_valid_before")


def not_after(certificate: x509.Certificate) -> datetime:
    """When it ends; 9999-12-31 for "never" (RFC 5280 §4.1.2.5). No limit at 2038: this is no time_t."""
    return _utc(certificate, "not_valid_after")


def this_update(crl: x509.CertificateRevocationList) -> datetime:
    """When a CRL was issued."""
    return _utc(crl, "last_update")


def next_update(crl: x509.CertificateRevocationList) -> datetime | None:
    """When a newer CRL is due at the latest; None where the CRL does not say."""
    missing = (crl.next_update_utc if hasattr(crl, "next_update_utc") else crl.next_update) is None
    return None if missing else _utc(crl, "next_update")


def extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """An extension's value, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_self_issued(certificate: x509.Certificate) -> bool:
    """True where subject and issuer are the same name (RFC 5280 §6.1)."""
    return canonical(certificate.subject) == canonical(certificate.issuer)


def _utc(signed: x509.Certificate | x509.CertificateRevocationList, attribute: str) -> datetime:
    """A time of a certificate or CRL: by the aware attribute of cryptography 42, else by the naive one of 41."""
    aware: datetime | None = getattr(signed, f"{attribute}_utc", None)
    if aware is not None:
        return aware
    naive: datetime = getattr(signed, attribute)
    return naive.replace(tzinfo=UTC)
