"""IKE identities and certificates: what a certificate proves (RFC 4945 §3.1).

It is an identity that the certificate contains, octet by octet but for case; wildcards in it mean nothing (§3.1.2).
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509

from edgevpn.dn import canonical_of_der, text_of_der
from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import extension, subject_of
from edgevpn.pki.errors import CertificateRefused, Reason, shown
from edgevpn.pki.names import canonical


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
                    return shown(text_of_der(self.data))
                case Kind.KEY_ID:
                    return f"@#{shown(self.data.hex())}"
                case _:
                    return shown(self.data.decode())
        except ValueError:
            return f"{self.kind.name} {shown(self.data.hex())}"


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
            case x509.DNSName(value=value) if "*" not in value and not is_address(value):
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


def is_address(text: str) -> bool:
    """Whether a name is an IP address."""
    try:
        return "%" not in text and bool(ip_address(text).packed)
    except ValueError:
        return False


def _names_told(certificate: x509.Certificate) -> str:
    return ", ".join(map(str, ids_of(certificate)[:4])) or "nobody"
