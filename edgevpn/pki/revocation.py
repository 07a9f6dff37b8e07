"""Whether a certificate has been revoked: complete CRLs of its own issuer (RFC 5280 §5, §6.3).

Not used, and so as if they were not there: indirect CRLs, delta CRLs, CRLs for some reasons only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from edgevpn.dn import CanonicalName
from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import UNREADABLE, extension, next_update, quietly, this_update
from edgevpn.pki.clock import Moment
from edgevpn.pki.errors import CertificateRefused, Reason, shown
from edgevpn.pki.keys import is_public
from edgevpn.pki.names import canonical
from edgevpn.pki.signed import weak_hash

LARGEST_CRL = 8 * 1024 * 1024

KNOWN_CRL_EXTENSIONS = {
    x509.AuthorityKeyIdentifier.oid,
    x509.CRLNumber.oid,
    x509.IssuerAlternativeName.oid,
    x509.IssuingDistributionPoint.oid,
    x509.AuthorityInformationAccess.oid,
    x509.FreshestCRL.oid,
}
KNOWN_ENTRY_EXTENSIONS = {x509.CRLReason.oid, x509.InvalidityDate.oid}


class Revocation(Enum):
    """How much is asked of a certificate."""

    STRICT = "strict"
    SOFT = "soft"
    OFF = "off"


class Status(Enum):
    """What CRLs say of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Crl:
    """A CRL, read once: whose it is, and why it can say of nothing that it is good, or "".

    `signers` are those whose signature it has been found to bear: a long list takes its time to be checked.
    """

    issuer: CanonicalName
    value: x509.CertificateRevocationList
    fault: str = ""
    signers: set[x509.Certificate] = field(default_factory=set, compare=False, repr=False)


def read_crl(octets: bytes) -> Crl:
    """Read a CRL, DER or PEM. Raises CertificateRefused. Its signature is checked when it is used."""
    if len(octets) > LARGEST_CRL:
        raise CertificateRefused(Reason.TOO_MUCH, "the CRL", detail=f"{len(octets)} octets, {LARGEST_CRL} are read")
    try:
        load = x509.load_pem_x509_crl if b"-----BEGIN" in octets[:1024] else x509.load_der_x509_crl
        with quietly():
            crl = load(octets)
            _ = this_update(crl), next_update(crl)
            return Crl(canonical(crl.issuer), crl, _fault(crl))
    except (*UNREADABLE, x509.DuplicateExtension) as error:
        raise CertificateRefused(Reason.UNREADABLE, "the CRL", detail="no valid X.509 CRL in DER or PEM") from error


def distribution_points(certificate: x509.Certificate) -> tuple[str, ...]:
    """Where a certificate says that its CRL is to be had: the http URIs, at most four of 255 characters each."""
    points = extension(certificate, x509.CRLDistributionPoints) or ()
    uris = (name.value for point in points if not point.reasons and not point.crl_issuer for name in _full_name(point))
    return tuple(uri for uri in uris if uri.startswith("http://") and len(uri) < 256 and uri.isprintable())[:4]


def status(
    certificate: x509.Certificate, signers: Iterable[x509.Certificate], crls: Iterable[Crl], now: Moment
) -> tuple[Status, str]:
    """What the CRLs of a certificate's issuer say of it, and which field of which CRL says so.

    `signers` are certificates that bear the issuer's name and are trusted to sign its CRLs. An entry counts even where
    the CRL is out of date or has parts that are not understood: what is revoked does not come back.
    """
    issuer, signers = canonical(certificate.issuer), tuple(signers)
    verdict, why = Status.UNKNOWN, "no CRL of its issuer"
    for crl in crls:
        if crl.issuer != issuer or not _is_about(crl.value, certificate):  # §6.3.3 (b)
            continue
        if not _is_signed(crl, signers):
            why = "the CRL is not signed by its issuer"
            continue
        entry = crl.value.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None:
            return Status.REVOKED, _told(entry)
        if fault := crl.fault or _out_of_date(crl.value, now):
            why = fault
        else:
            verdict, why = Status.GOOD, ""
    return verdict, why


def _fault(crl: x509.CertificateRevocationList) -> str:
    """What there is in a CRL that must be understood and is not (§5.2, §5.3), or ""."""
    for each in crl.extensions:
        if each.critical and each.oid not in KNOWN_CRL_EXTENSIONS:
            return f"the CRL has the unknown critical extension {each.oid.dotted_string}"
    for entry in crl:
        for each in entry.extensions:
            if each.critical and each.oid not in KNOWN_ENTRY_EXTENSIONS:
                return f"an entry of the CRL has the unknown critical extension {each.oid.dotted_string}"
    return "" if next_update(crl) else "the CRL has no nextUpdate"


def _out_of_date(crl: x509.CertificateRevocationList, now: Moment) -> str:
    """Why a CRL is not about now, or ""."""
    due = next_update(crl)
    if due is not None and now.is_after(due):
        return f"the CRL's nextUpdate was {due:%Y-%m-%d}"
    return f"the CRL's thisUpdate is {this_update(crl):%Y-%m-%d}" if now.is_before(this_update(crl)) else ""


def _is_about(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """True for a complete CRL whose scope has this certificate (§5.2.5, §6.3.3 (b))."""
    if any(each.oid == x509.DeltaCRLIndicator.oid for each in crl.extensions):
        return False
    try:
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    basic = extension(certificate, x509.BasicConstraints)
    is_ca = basic is not None and basic.ca
    if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs:
        return False
    if (scope.only_contains_user_certs and is_ca) or (scope.only_contains_ca_certs and not is_ca):
        return False
    return _names_one_point(scope, certificate, crl)


def _names_one_point(
    scope: x509.IssuingDistributionPoint, certificate: x509.Certificate, crl: x509.CertificateRevocationList
) -> bool:
    """True if a CRL for one distribution point is for one that the certificate names."""
    ours = set(_point_names(scope.full_name, scope.relative_name, crl.issuer))
    if not ours:
        return True
    points = extension(certificate, x509.CRLDistributionPoints) or ()
    return any(
        ours & set(_point_names(point.full_name, point.relative_name, certificate.issuer))
        for point in points
        if not point.crl_issuer
    )


def _point_names(
    full: Iterable[x509.GeneralName] | None, relative: x509.RelativeDistinguishedName | None, issuer: x509.Name
) -> Iterable[object]:
    """The names of a distribution point, fit to be compared: a relative one is below its issuer's (§4.2.1.13)."""
    if relative is not None:
        yield canonical(x509.Name([*issuer.rdns, relative]))
    for name in full or ():
        yield canonical(name.value) if isinstance(name, x509.DirectoryName) else name


def _full_name(point: x509.DistributionPoint) -> Iterable[x509.UniformResourceIdentifier]:
    return (name for name in point.full_name or () if isinstance(name, x509.UniformResourceIdentifier))


def _is_signed(crl: Crl, signers: tuple[x509.Certificate, ...]) -> bool:
    if not crl.signers.isdisjoint(signers):
        return True
    if weak_hash(crl.value):
        return False
    signer = next((each for each in signers if _may_sign(each) and _signed_by(crl.value, each)), None)
    if signer is None:
        return False
    crl.signers.add(signer)
    return True


def _may_sign(signer: x509.Certificate) -> bool:
    usage = extension(signer, x509.KeyUsage)
    return usage is None or usage.crl_sign


def _signed_by(crl: x509.CertificateRevocationList, signer: x509.Certificate) -> bool:
    try:
        key = signer.public_key()
        return is_public(key) and crl.is_signature_valid(key)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _told(entry: x509.RevokedCertificate) -> str:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except (x509.ExtensionNotFound, ValueError):
        reason = "no reason given"
    return f"in the CRL of its issuer: {shown(reason)}"
