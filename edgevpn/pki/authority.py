"""Our own CA: what it issues and what stands in it. Nothing here reads a file or a clock.

`issued_at` is best `clock.moment(...).at`: on a device without a clock that is a date in the past, and what is issued
is valid for everybody else at once. Serial numbers are 159 random bits of cryptography's (RFC 5280 §4.1.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from edgevpn.frozen import dataclass
from edgevpn.pki import wishes
from edgevpn.pki.certificate import extension, not_after, subject_of
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.keys import PrivateKey, PublicKey, hash_for, public_of
from edgevpn.pki.rules import IKE_INTERMEDIATE, IPSEC_IKE, check_ca

Address = IPv4Address | IPv6Address

# Apple takes a TLS server's certificate for 825 days at most, public CAs give 397; the CA lives as long as a router.
CA_LIFETIME = timedelta(days=3652)
SERVER_LIFETIME = timedelta(days=397)
DEVICE_LIFETIME = timedelta(days=825)
CRL_LIFETIME = timedelta(days=30)

BACKDATED = timedelta(days=1)
"""Clocks differ, and a phone refuses what is to become valid in a minute."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA's certificate and key, and the CAs above it where it is not the root itself."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def root(self) -> x509.Certificate:
        """What a device has to trust."""
        return self.chain[-1] if self.chain else self.certificate


@dataclass(frozen=True, slots=True)
class ServerNames:
    """How the gateway is reached from outside: what its certificate has to answer for."""

    hosts: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()

    def __post_init__(self) -> None:
        for host in self.hosts:
            wishes.host(host, "public name")
        if not self.hosts and not self.addresses:
            raise PkiError(Reason.MISSING, "the public name", cure="set the name or address that devices connect to")

    @property
    def first(self) -> str:
        """The one that stands in the subject and in profiles."""
        return str((*self.hosts, *self.addresses)[0])

    def general_names(self) -> tuple[x509.GeneralName, ...]:
        """For the SAN: an address also as a dNSName, since that is where Windows looks for what was typed."""
        texts = (*(host.rstrip(".").lower() for host in self.hosts), *map(str, self.addresses))
        return (*map(x509.DNSName, dict.fromkeys(texts)), *map(x509.IPAddress, self.addresses))


@dataclass(frozen=True, slots=True)
class Revoked:
    """An entry of a CRL."""

    serial: int
    at: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


def create_authority(name: str, key: PrivateKey, issued_at: datetime, lifetime: timedelta = CA_LIFETIME) -> Authority:
    """A new root that may issue for peers, and for no other CA."""
    subject = _subject(wishes.name(name, "name of the CA"))
    certificate = _signed_root(subject, key, issued_at, lifetime)
    return Authority(certificate, key)


def renew_authority(authority: Authority, issued_at: datetime, lifetime: timedelta = CA_LIFETIME) -> Authority:
    """The same root, name and key, for longer: what it has issued stays good, and devices may keep the old one."""
    if authority.chain:
        raise PkiError(Reason.NOT_ALLOWED, subject_of(authority.certificate), detail="its own CA has to renew it")
    certificate = _signed_root(authority.certificate.subject, authority.key, issued_at, lifetime)
    return Authority(certificate, authority.key)


def issue_server(
    authority: Authority,
    key: PublicKey,
    names: ServerNames,
    issued_at: datetime,
    lifetime: timedelta = SERVER_LIFETIME,
) -> x509.Certificate:
    """The gateway's certificate, such that Windows, Apple and Android all take it."""
    purposes = (ExtendedKeyUsageOID.SERVER_AUTH, IKE_INTERMEDIATE)
    return _issue(authority, key, names.first, names.general_names(), purposes, issued_at, issued_at + lifetime)


def issue_site(
    authority: Authority, key: PublicKey, names: ServerNames, issued_at: datetime, ends: datetime | None = None
) -> x509.Certificate:
    """A certificate for another gateway, which calls and is called."""
    purposes = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, IPSEC_IKE)
    end = wishes.end(ends or issued_at + DEVICE_LIFETIME, issued_at, "expiry of the site")
    return _issue(authority, key, names.first, names.general_names(), purposes, issued_at, end)


def issue_device(
    authority: Authority, key: PublicKey, name: str, identity: str, issued_at: datetime, ends: datetime | None = None
) -> x509.Certificate:
    """A device's certificate: `name` is the owner's word for it, `identity` what it sends as IDi."""
    wishes.name(name, "name of the device")
    identity = wishes.identity(identity, "identity of the device")
    end = wishes.end(ends or issued_at + DEVICE_LIFETIME, issued_at, "expiry of the device")
    alternative = x509.RFC822Name(identity) if "@" in identity else x509.DNSName(identity)
    purposes = (ExtendedKeyUsageOID.CLIENT_AUTH, IPSEC_IKE)
    return _issue(authority, key, name, (alternative,), purposes, issued_at, end)


def issue_crl(
    authority: Authority,
    number: int,
    revoked: Iterable[Revoked],
    issued_at: datetime,
    lifetime: timedelta = CRL_LIFETIME,
) -> x509.CertificateRevocationList:
    """A complete CRL (RFC 5280 §5); `number` is greater than that of every CRL before it."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(issued_at)
        .next_update(issued_at + lifetime)
        .add_extension(_authority_key_identifier(authority), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(each.at)
        if each.reason is not x509.ReasonFlags.unspecified:  # §5.3.1: absent rather than unspecified
            entry = entry.add_extension(x509.CRLReason(each.reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hash_for(authority.key))


def _signed_root(subject: x509.Name, key: PrivateKey, issued_at: datetime, lifetime: timedelta) -> x509.Certificate:
    public = public_of(key)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        _builder(subject, subject, public, issued_at, issued_at + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None), critical=False)
    )
    return builder.sign(key, hash_for(key))


def _issue(
    authority: Authority,
    key: PublicKey,
    common_name: str,
    names: Sequence[x509.GeneralName],
    purposes: Sequence[ObjectIdentifier],
    issued_at: datetime,
    ends: datetime,
) -> x509.Certificate:
    """A peer's certificate, which ends no later than the CA's own."""
    check_ca(authority.certificate)
    ca_ends = not_after(authority.certificate)
    if ca_ends <= issued_at:
        raise PkiError(Reason.EXPIRED, subject_of(authority.certificate), "validity.notAfter", f"{ca_ends:%Y-%m-%d}")
    issuer = authority.certificate.subject
    builder = (
        _builder(_subject(common_name), issuer, key, issued_at, min(ends, ca_ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_authority_key_identifier(authority), critical=False)
    )
    return builder.sign(authority.key, hash_for(authority.key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, issued_at: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(issued_at - BACKDATED)
        .not_valid_after(ends)
    )


def _subject(common_name: str) -> x509.Name:
    """A common name, cut where a long domain name does not fit: the SAN has all of it."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[: wishes.LONGEST_NAME])])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    """A CA signs certificates and CRLs; a peer signs in AUTH (RFC 4945 §5.1.3.2) and does nothing else."""
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(authority: Authority) -> x509.AuthorityKeyIdentifier:
    own = extension(authority.certificate, x509.SubjectKeyIdentifier)
    if own is not None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_of(authority.key))
