"""Certificates to order, as tests need them: short keys' worth of time (P-256), any extension, any date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from edgevpn.pki.keys import PrivateKey

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY

_serials = count(1000)
_numbers = count(1)

Extensions = Sequence[tuple[x509.ExtensionType, bool]]
"""Values, each with whether it is critical."""


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def name(self) -> x509.Name:
        return self.certificate.subject


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def ed() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@cache
def rsa_key(bits: int, which: int = 0) -> rsa.RSAPrivateKey:
    """One key of this size, the same for the whole run: making them takes long, and nothing depends on which it is."""
    return rsa.generate_private_key(65537, bits)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: str | x509.Name,
    issuer: Made | None = None,
    extensions: Extensions = (),
    *,
    key: PrivateKey | None = None,
    begins: datetime = NOW - YEAR,
    ends: datetime = NOW + YEAR,
    algorithm: hashes.SHA224 | hashes.SHA256 | None = None,
    issuer_name: x509.Name | None = None,
    serial: int = 0,
) -> Made:
    """A certificate with exactly these extensions; signed by itself if nobody else does."""
    key = key or p256()
    subject = name(subject) if isinstance(subject, str) else subject
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or (issuer.name if issuer else subject))
        .public_key(key.public_key())
        .serial_number(serial or next(_serials))
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    own_hash = isinstance(signer, ed25519.Ed25519PrivateKey)
    return Made(builder.sign(signer, None if own_hash else algorithm or hashes.SHA256()), key)


def ca(
    subject: str | x509.Name,
    issuer: Made | None = None,
    extensions: Extensions = (),
    *,
    path_length: int | None = None,
    key: PrivateKey | None = None,
    begins: datetime = NOW - YEAR,
    ends: datetime = NOW + YEAR,
) -> Made:
    """A CA, a root unless somebody else signs it."""
    basic = (x509.BasicConstraints(ca=True, path_length=path_length), True)
    return certificate(
        subject, issuer, (basic, (usage(sign=True), True), *extensions), key=key, begins=begins, ends=ends
    )


def leaf(
    subject: str | x509.Name, issuer: Made, *names: x509.GeneralName, eku: Sequence[ObjectIdentifier] = ()
) -> Made:
    """A peer's certificate."""
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if names:
        extensions.append((x509.SubjectAlternativeName(names), False))
    if eku:
        extensions.append((x509.ExtendedKeyUsage(eku), False))
    return certificate(subject, issuer, extensions)


def usage(*, sign: bool = False, digital: bool = False, encipher: bool = False, crl: bool = True) -> x509.KeyUsage:
    """keyUsage: of a CA with `sign`, of a peer with `digital`."""
    return x509.KeyUsage(digital, False, encipher, False, False, sign, crl and sign, False, False)


def listed_at(uri: str) -> tuple[x509.CRLDistributionPoints, bool]:
    """The extension that says where the list of a certificate's CA is."""
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(uri)], None, None, None)
    return x509.CRLDistributionPoints([point]), False


def crl(
    issuer: Made,
    *revoked: Made,
    issued: datetime = NOW - DAY,
    due: datetime = NOW + DAY,
    extensions: Extensions = (),
    entry_extensions: Extensions = (),
) -> bytes:
    """A CRL, DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.name).last_update(issued).next_update(due)
    for value, critical in ((x509.CRLNumber(next(_numbers)), False), *extensions):
        builder = builder.add_extension(value, critical)
    for each in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(each.certificate.serial_number)
            .revocation_date(issued)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), False)
        )
        for value, critical in entry_extensions:
            entry = entry.add_extension(value, critical)
        builder = builder.add_revoked_certificate(entry.build())
    own_hash = isinstance(issuer.key, ed25519.Ed25519PrivateKey)
    return builder.sign(issuer.key, None if own_hash else hashes.SHA256()).public_bytes(Encoding.DER)
