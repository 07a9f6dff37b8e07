"""Name constraints: which names a CA may give (RFC 5280 §4.2.1.10, §6.1.3 (b)(c), §6.1.4 (g))."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import extension, subject_of
from edgevpn.pki.errors import CertificateRefused, Reason, shown
from edgevpn.pki.names import canonical, text_of

Limits = tuple[x509.GeneralName, ...]


@dataclass(frozen=True, slots=True)
class NameLimits:
    """What the CAs down to here allow: a name has to fit what each of them permits, and nothing that one excludes."""

    permitted: tuple[Limits, ...] = ()
    excluded: Limits = ()

    def narrowed(self, certificate: x509.Certificate) -> NameLimits:
        """These limits and those of one more CA."""
        limits = extension(certificate, x509.NameConstraints)
        if limits is None:
            return self
        permitted = (*self.permitted, tuple(limits.permitted_subtrees)) if limits.permitted_subtrees else self.permitted
        return NameLimits(permitted, (*self.excluded, *(limits.excluded_subtrees or ())))

    def check(self, certificate: x509.Certificate) -> None:
        """Raise CertificateRefused for the first name that is outside the limits."""
        if not self.permitted and not self.excluded:
            return
        for field, name in _names(certificate):
            if any(_outside(name, limits) for limits in self.permitted):
                detail = f"{_told(name)} is not among what a CA above it may name"
            elif any(_inside(name, limit) for limit in self.excluded if _same_kind(name, limit)):
                detail = f"{_told(name)} is among what a CA above it may not name"
            else:
                continue
            raise CertificateRefused(Reason.NAME_NOT_PERMITTED, subject_of(certificate), field, detail)


NO_LIMITS = NameLimits()


def _names(certificate: x509.Certificate) -> Iterator[tuple[str, x509.GeneralName]]:
    """All names that limits apply to, each with the field that it stands in."""
    if certificate.subject.rdns:
        yield "subject", x509.DirectoryName(certificate.subject)
    alternative = extension(certificate, x509.SubjectAlternativeName)
    if alternative is not None:
        yield from (("subjectAltName", name) for name in alternative)
        return
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        yield "subject.emailAddress", x509.RFC822Name(str(attribute.value))


def _outside(name: x509.GeneralName, limits: Limits) -> bool:
    """True if limits speak of this kind of name, and none of them has room for it."""
    of_kind = [limit for limit in limits if _same_kind(name, limit)]
    return bool(of_kind) and not any(_inside(name, limit) for limit in of_kind)


def _same_kind(name: x509.GeneralName, limit: x509.GeneralName) -> bool:
    return type(name) is type(limit)


def _inside(name: x509.GeneralName, limit: x509.GeneralName) -> bool:
    """True if a name is in a subtree of its kind. Raises CertificateRefused for kinds that cannot be compared."""
    match name, limit:
        case x509.DNSName(value=value), x509.DNSName(value=base):
            return _below(value, base, itself=True)
        case x509.RFC822Name(value=value), x509.RFC822Name(value=base):
            return _mailbox_inside(value, base)
        case x509.UniformResourceIdentifier(value=value), x509.UniformResourceIdentifier(value=base):
            return _host_inside(_host(value), base)
        case x509.DirectoryName(value=value), x509.DirectoryName(value=base):
            prefix = canonical(base)
            return canonical(value)[: len(prefix)] == prefix
        case x509.IPAddress(value=value), x509.IPAddress(value=base):
            return isinstance(base, IPv4Network | IPv6Network) and value in base
        case _:
            raise CertificateRefused(
                Reason.NAME_NOT_PERMITTED, "the certificate", "nameConstraints", f"{_told(name)} cannot be compared"
            )


def _below(name: str, base: str, *, itself: bool) -> bool:
    """True for a domain name that ends in the labels of another, or, with `itself`, is that one."""
    name, base = name.lower().rstrip("."), base.lower().rstrip(".")
    if base.startswith("."):
        return name.endswith(base)
    return not base or (itself and name == base) or name.endswith(f".{base}")


def _host_inside(host: str, base: str) -> bool:
    """As limits of mail and URI say it: "host" is one host, ".domain" all that are below it."""
    return _below(host, base, itself=True) if base.startswith(".") else host.lower() == base.lower()


def _mailbox_inside(value: str, base: str) -> bool:
    local, _, host = value.rpartition("@")
    base_local, at, base_host = base.rpartition("@")
    if at:
        return local == base_local and host.lower() == base_host.lower()
    return _host_inside(host, base)


def _host(uri: str) -> str:
    """The host of a URI. Raises CertificateRefused where there is none that a limit could be held against."""
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        host = ""
    if not host or ":" in host or host.replace(".", "").isdigit():
        detail = f"{shown(uri)} has no domain name, and a CA above it limits those"
        raise CertificateRefused(Reason.NAME_NOT_PERMITTED, "the certificate", "subjectAltName", detail)
    return host


def _told(name: x509.GeneralName) -> str:
    match name:
        case x509.DirectoryName(value=value):
            return text_of(value)
        case x509.OtherName(type_id=oid):
            return f"otherName {oid.dotted_string}"
        case _:
            return shown(name.value)
