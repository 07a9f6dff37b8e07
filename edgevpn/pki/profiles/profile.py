"""What is known of a device and its gateway, for every kind of profile. All that is in here has been judged."""

from __future__ import annotations

import re
import uuid
from dataclasses import field
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from cryptography import x509

from edgevpn.frozen import dataclass
from edgevpn.pki import wishes
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.names import common_name

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

OURS = uuid.UUID("8d0c6f0e-4a52-4f0b-9d53-2f3f8f1c7f6a")
"""The namespace of our UUIDs: the same device always gets the same, so that a new profile replaces the old one."""


class Media(Enum):
    """What an artefact is, as HTTP says it."""

    MOBILECONFIG = "application/x-apple-aspen-config"
    SSWAN = "application/vnd.strongswan.profile"
    PKCS12 = "application/x-pkcs12"
    CERTIFICATE = "application/x-x509-ca-cert"
    TEXT = "text/plain; charset=utf-8"
    HTML = "text/html; charset=utf-8"
    SVG = "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file to hand over. One that is `secret` is given out once, and not kept.

    One that has a `folder` goes out in an archive, which is unpacked where that folder is.
    """

    name: str
    media: Media
    octets: bytes = field(repr=False)
    secret: bool = False
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway as devices see it.

    `address` is what they connect to and `identity` what it proves to be: the same, unless the owner knows better.
    `ca` is the root that they have to trust, None where that is a public one; `issuer` is the CA that has signed the
    gateway's certificate, None where it is not known.
    """

    name: str
    address: str
    identity: str
    ca: x509.Certificate | None
    issuer: x509.Certificate | None

    def __post_init__(self) -> None:
        wishes.name(self.name, "name of the gateway")
        host_or_address(self.address, "public name")
        host_or_address(self.identity, "identity of the gateway")

    @property
    def issuer_name(self) -> str:
        """The common name of the CA that has signed the gateway's certificate, or ""."""
        return common_name(self.issuer.subject) if self.issuer else ""


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """EAP-MSCHAPv2. Without a password the device asks its user."""

    user: str
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        wishes.line(self.user, "user name", 64)
        if self.password:
            wishes.line(self.password, "password", 128)


@dataclass(frozen=True, slots=True)
class CertificateLogin:
    """A certificate of the device, and the password that its PKCS #12 file opens with. `within_eap`: by EAP-TLS."""

    bundle: Bundle
    password: str = field(repr=False)
    within_eap: bool = False


@dataclass(frozen=True, slots=True)
class PskLogin:
    """A pre-shared key of this device alone."""

    psk: str = field(repr=False)

    def __post_init__(self) -> None:
        wishes.line(self.psk, "pre-shared key", 128)


Login = PasswordLogin | CertificateLogin | PskLogin


@dataclass(frozen=True, slots=True)
class Ppk:
    """A post-quantum pre-shared key beside the login (RFC 8784), by the name that both ends have for it."""

    name: str
    octets: bytes = field(repr=False)
    required: bool = True

    def __post_init__(self) -> None:
        wishes.line(self.name, "name of the post-quantum pre-shared key", 64)

    @property
    def text(self) -> str:
        """The key as one types it."""
        return key_text(self.octets)


@dataclass(frozen=True, slots=True)
class Profile:
    """One device and its way to the gateway. Without `networks` everything goes through the tunnel.

    `ml_kem` are post-quantum key exchanges that the gateway takes after the classic one, by their numbers at IANA.
    """

    device: str
    identity: str
    gateway: Gateway
    login: Login
    networks: tuple[Network, ...] = ()
    dns: tuple[Address, ...] = ()
    domains: tuple[str, ...] = ()
    ends: datetime | None = None
    ppk: Ppk | None = field(default=None, repr=False)
    ml_kem: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wishes.name(self.device, "name of the device")
        if isinstance(self.login, CertificateLogin):
            wishes.identity(self.identity, "identity of the device")
        else:
            wishes.line(self.identity, "identity of the device")
        for domain in self.domains:
            wishes.host(domain, "domain")

    @property
    def connection(self) -> str:
        """What the connection is called on the device."""
        return self.gateway.name

    @property
    def title(self) -> str:
        """What stands above what is read by people."""
        return f"{self.device}: VPN {self.gateway.name}"

    def uuid(self, part: str) -> str:
        """A UUID of a part of this profile, the same every time."""
        return str(uuid.uuid5(OURS, f"{self.gateway.address}\n{self.identity}\n{part}")).upper()

    def file_name(self, extension: str) -> str:
        """A name that every file system takes: the gateway's and the device's, in ASCII."""
        return f"{slug(self.gateway.name)}-{slug(self.device)}.{extension}"


def host_or_address(value: str, field: str) -> str:
    """What can be connected to. Raises WishRefused."""
    try:
        return str(IPv6Address(value) if ":" in value else IPv4Address(value))
    except ValueError:
        return wishes.host(value, field)


def slug(text: str) -> str:
    """Letters and digits of a name; what is neither becomes a hyphen, and a name of nothing else a checksum."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()[:40]
    return plain or f"{uuid.uuid5(OURS, text).hex[:8]}"


def key_text(octets: bytes) -> str:
    """A shared key as one types it; what is no text is written as strongSwan and RouterOS read it."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = "\n"
    return text if text.isprintable() else f"0x{octets.hex()}"


def unsupported(what: str, cure: str) -> WishRefused:
    """The refusal of a login that a platform does not have."""
    return WishRefused(Reason.NOT_ALLOWED, what, detail="the platform has no such login", cure=cure)
