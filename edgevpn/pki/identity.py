"""IKE identities and certificates: what a certificate proves (RFC 4945 §3.1), and what an owner's pattern means.

A certificate proves an identity that it contains, octet by octet but for case; wildcards in certificates mean nothing
here (§3.1.2). Wildcards in the configuration choose who is meant (§3.1.10), after the certificate has proved who it is.
"""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509

from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import extension, subject_of
from edgevpn.pki.dn import canonical_of_der, name_of_text, text_of_der
from edgevpn.pki.errors import CertificateRefused, Reason, WishRefused, shown
from edgevpn.pki.names import canonical, folded, split

ANY = "*"

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class Kind(Enum):
    """ID types that certificates have to do with, by their names and numbers in the IANA registry."""

    IPV4_ADDR = 1
    FQDN = 2
    RFC822_ADDR = 3
    IPV6_ADDR = 5
    DER_ASN1_DN = 9
    KEY_ID = 11


@dataclass(frozen=True, slots=True)
class IkeId:
    """What an Identification payload says: its type and octets, claimed until a certificate proves it."""

    kind: Kind
    data: bytes

    def __str__(self) -> str:
        """For people; printable, whoever sent it."""
        try:
            match self.kind:
                case Kind.IPV4_ADDR:
                    return str(IPv4Address(self.data))
                case Kind.IPV6_ADDR:
                    return str(IPv6Address(self.data))
                case Kind.DER_ASN1_DN:
                    return text_of_der(self.data)
                case Kind.KEY_ID:
                    return f"@#{shown(self.data.hex())}"
                case _:
                    return shown(self.data.decode())
        except ValueError:
            return f"{self.kind.name} {shown(self.data.hex())}"


@dataclass(frozen=True, slots=True)
class Below:
    """Every domain name below one: *.example.org."""

    domain: str


@dataclass(frozen=True, slots=True)
class MailAt:
    """Every e-mail address of one domain: *@example.org."""

    domain: str


@dataclass(frozen=True, slots=True)
class NameLike:
    """Every Distinguished Name with these attributes in this order; a value of "*" is any: O=Example, CN=*."""

    attributes: tuple[tuple[str, str], ...]


Pattern = IkeId | Below | MailAt | NameLike


def prove(certificate: x509.Certificate, claimed: IkeId) -> None:
    """Raise CertificateRefused unless the certificate, which has been verified, is that of who is claimed."""
    if not _contains(certificate, claimed):
        field = "subject" if claimed.kind is Kind.DER_ASN1_DN else "subjectAltName"
        raise CertificateRefused(
            Reason.WRONG_NAME,
            subject_of(certificate),
            field,
            f"it claims to be {claimed}, and the certificate names {_names_told(certificate)}",
            "set the identity on the peer to one of these, or issue a certificate for that identity",
        )


def ids_of(certificate: x509.Certificate) -> tuple[IkeId, ...]:
    """The identities that a certificate proves, the best first (RFC 4945 §3.1.8): what to send as ours."""
    found = []
    for name in extension(certificate, x509.SubjectAlternativeName) or ():
        match name:
            case x509.DNSName(value=value) if "*" not in value and not _is_address(value):
                found.append(IkeId(Kind.FQDN, value.encode()))
            case x509.RFC822Name(value=value):
                found.append(IkeId(Kind.RFC822_ADDR, value.encode()))
            case x509.IPAddress(value=IPv4Address() as address):
                found.append(IkeId(Kind.IPV4_ADDR, address.packed))
            case x509.IPAddress(value=IPv6Address() as address):
                found.append(IkeId(Kind.IPV6_ADDR, address.packed))
    if certificate.subject.rdns:
        found.append(IkeId(Kind.DER_ASN1_DN, certificate.subject.public_bytes()))
    return tuple(found)


def pattern(text: str) -> Pattern:
    """Read who is meant, as the owner writes it. Raises WishRefused.

    An address, a domain name, an e-mail address, a Distinguished Name (known by its "="), "keyid:TEXT"; with a wildcard
    *.example.org, *@example.org, or "*" for a value of a Distinguished Name.
    """
    if text.startswith("keyid:"):
        return IkeId(Kind.KEY_ID, text.removeprefix("keyid:").encode())
    if "=" in text:
        return _name_pattern(text)
    if text.startswith("*."):
        return Below(_host(text.removeprefix("*."), text))
    if text.startswith("*@"):
        return MailAt(_host(text.removeprefix("*@"), text))
    if _is_address(text):
        packed = ip_address(text).packed
        return IkeId(Kind.IPV4_ADDR if len(packed) == 4 else Kind.IPV6_ADDR, packed)
    local, at, domain = text.rpartition("@")
    if at:
        if not local or "*" in local or not local.isprintable():
            raise _refused(text)
        return IkeId(Kind.RFC822_ADDR, f"{local}@{_host(domain, text)}".encode())
    return IkeId(Kind.FQDN, _host(text, text).encode())


def matches(wanted: Pattern, proved: IkeId) -> bool:
    """True if somebody who has proved an identity is among those that are meant."""
    match wanted:
        case IkeId():
            return _same(wanted, proved)
        case Below(domain=domain):
            return proved.kind is Kind.FQDN and _text(proved).lower().endswith(f".{domain}")
        case MailAt(domain=domain):
            return proved.kind is Kind.RFC822_ADDR and _text(proved).rpartition("@")[2].lower() == domain
        case NameLike(attributes=attributes):
            return proved.kind is Kind.DER_ASN1_DN and _is_like(_attributes(proved.data), attributes)


def _contains(certificate: x509.Certificate, claimed: IkeId) -> bool:
    names = tuple(extension(certificate, x509.SubjectAlternativeName) or ())
    match claimed.kind:
        case Kind.IPV4_ADDR | Kind.IPV6_ADDR:
            return any(_packed(each) == claimed.data for each in names)
        case Kind.FQDN:
            return any(isinstance(each, x509.DNSName) and _same_host(each.value, _text(claimed)) for each in names)
        case Kind.RFC822_ADDR:
            return any(isinstance(each, x509.RFC822Name) and _same_mail(each.value, _text(claimed)) for each in names)
        case Kind.DER_ASN1_DN:
            return _is_subject(certificate, claimed.data)
        case Kind.KEY_ID:
            return _has_key_id(certificate, names, claimed.data)


def _packed(name: x509.GeneralName) -> bytes | None:
    match name:
        case x509.IPAddress(value=IPv4Address() | IPv6Address() as address):
            return address.packed
        case _:
            return None


def _is_subject(certificate: x509.Certificate, der: bytes) -> bool:
    try:
        return bool(certificate.subject.rdns) and canonical_of_der(der) == canonical(certificate.subject)
    except ValueError:
        return False


def _has_key_id(certificate: x509.Certificate, names: tuple[x509.GeneralName, ...], data: bytes) -> bool:
    """The key identifier, or a name of the certificate: Android sends as key ID what it takes for no domain name."""
    own = extension(certificate, x509.SubjectKeyIdentifier)
    if own is not None and own.digest == data:
        return True
    text = IkeId(Kind.KEY_ID, data)
    return any(
        isinstance(each, x509.DNSName | x509.RFC822Name) and bool(each.value) and each.value == _text(text)
        for each in names
    )


def _same(one: IkeId, other: IkeId) -> bool:
    if one.kind is not other.kind:
        return False
    match one.kind:
        case Kind.FQDN:
            return _same_host(_text(one), _text(other))
        case Kind.RFC822_ADDR:
            return _same_mail(_text(one), _text(other))
        case Kind.DER_ASN1_DN:
            return _attributes(one.data) == _attributes(other.data) != ()
        case _:
            return one.data == other.data


def _same_host(one: str, other: str) -> bool:
    return bool(one) and one.rstrip(".").lower() == other.rstrip(".").lower()


def _same_mail(one: str, other: str) -> bool:
    """The part before the @ is the other side's own: its case counts (RFC 5321 §2.4)."""
    (local, _, host), (other_local, _, other_host) = one.rpartition("@"), other.rpartition("@")
    return local == other_local and _same_host(host, other_host)


def _text(claimed: IkeId) -> str:
    """The octets as text; "" for what is none, which equals nothing."""
    try:
        return claimed.data.decode("ascii")
    except UnicodeDecodeError:
        return ""


def _attributes(der: bytes) -> tuple[tuple[str, str], ...]:
    """The attributes of a name, folded; () for what is no name."""
    try:
        return tuple(attribute for rdn in canonical_of_der(der) for attribute in sorted(rdn))
    except ValueError:
        return ()


def _is_like(given: tuple[tuple[str, str], ...], wanted: tuple[tuple[str, str], ...]) -> bool:
    return len(given) == len(wanted) and all(
        oid == wanted_oid and wanted_value in (ANY, value)
        for (oid, value), (wanted_oid, wanted_value) in zip(given, wanted, strict=True)
    )


def _name_pattern(text: str) -> Pattern:
    try:
        attributes = tuple((oid, folded(value)) for oid, value in split(text))
        if any(value == ANY for _, value in attributes):
            return NameLike(attributes)
        return IkeId(Kind.DER_ASN1_DN, name_of_text(text).public_bytes())
    except ValueError as error:
        raise _refused(text) from error


def _host(host: str, text: str) -> str:
    if not _HOST.fullmatch(host):
        raise _refused(text)
    return host.lower()


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ip_address(text).packed)
    except ValueError:
        return False


def _refused(text: str) -> WishRefused:
    allowed = (
        "an address, a domain name, an e-mail address, a Distinguished Name, *.DOMAIN, *@DOMAIN, or CN=* and the like"
    )
    return WishRefused(Reason.NOT_ALLOWED, f'identity "{shown(text)}"', detail=f"allowed: {allowed}")


def _names_told(certificate: x509.Certificate) -> str:
    return ", ".join(map(str, ids_of(certificate)[:4])) or "nobody"
