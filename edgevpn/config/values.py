"""What a key takes, in this field: addresses, networks, names, identities, algorithms, dates and files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NewType, TypeVar

from edgevpn.config.errors import Refused
from edgevpn.config.identity import Identity, Pattern, identity, pattern
from edgevpn.config.kinds import Kind, Schema, many, number, string, string_schema, text, toml_type, within
from edgevpn.config.proposals import cipher, esp_proposal, ike_proposal
from edgevpn.config.ranges import Address as Address
from edgevpn.config.ranges import AddressRange, address_range, network
from edgevpn.config.ranges import Network as Network
from edgevpn.frozen import dataclass

T = TypeVar("T")

HostName = NewType("HostName", str)
Host = IPv4Address | IPv6Address | HostName

IP_PROTOCOLS: Mapping[str, int] = {
    "any": 0,
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "gre": 47,
    "icmpv6": 58,
    "ospf": 89,
    "sctp": 132,
}
WITH_PORTS = frozenset(IP_PROTOCOLS[name] for name in ("tcp", "udp", "sctp"))

_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_PORTS = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


@dataclass(frozen=True, slots=True)
class Ports:
    """A range of ports, both ends included."""

    first: int = 0
    last: int = 65535

    def __str__(self) -> str:
        if self == Ports():
            return "any"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def printable(longest: int) -> Kind[str]:
    """A line of text without anything in it that a terminal or a page could take for more than text."""

    def read(value: object) -> str:
        if not 0 < len(written := string(value)) <= longest:
            raise Refused("is empty" if not written else "is too long")
        if not written.isprintable():
            raise Refused("holds characters that cannot be shown")
        return written

    return Kind(f"1 to {longest} printable characters", read, str, string_schema(minLength=1, maxLength=longest))


def _address(value: object) -> Address:
    try:
        address = ip_address(string(value))
    except ValueError as error:
        raise error if isinstance(error, Refused) else Refused("is not an IP address") from None
    if address.version == 6 and address.scope_id:
        raise Refused("has a zone index", f'write "{str(address).split("%")[0]}"')
    return address


def _own_address(value: object) -> Address:
    address = _address(value)
    if address.is_unspecified or address.is_multicast:
        raise Refused("is not the address of one host", "leave the key out to use any address of this machine")
    return address


def _host_address(value: object) -> Address:
    address = _address(value)
    if address.is_unspecified or address.is_multicast:
        raise Refused("is not the address of one host")
    return address


def _v4(value: object) -> IPv4Address:
    if not isinstance(address := _host_address(value), IPv4Address):
        raise Refused("is an IPv6 address")
    return address


def _v6(value: object) -> IPv6Address:
    if not isinstance(address := _host_address(value), IPv6Address):
        raise Refused("is an IPv4 address")
    return address


def _host(value: object) -> Host:
    written = string(value)
    try:
        address = _address(written)
    except Refused:
        if not _HOST_NAME.fullmatch(written) or written.replace(".", "").isdigit():
            raise Refused("is neither a host name nor an IP address") from None
        return HostName(written)
    if address.is_unspecified or address.is_multicast:
        raise Refused("is not the address of one host", 'for a peer at an unknown address write "any"')
    return address


def _remotes(value: object) -> tuple[Host, ...]:
    """Where a peer may be; () for anywhere."""
    if value in ("any", ["any"]):
        return ()
    if isinstance(value, list) and "any" in value:
        raise Refused('"any" leaves nothing to try in order', 'write "any" alone, or take it out')
    return many(HOST).read(value)


def _range_of(version: int) -> Callable[[object], AddressRange]:
    def read(value: object) -> AddressRange:
        addresses = address_range(string(value))
        if addresses.version != version:
            raise Refused(f"is of IPv{addresses.version}", f"write it as v{addresses.version}")
        if addresses.first.is_multicast or addresses.first.is_loopback:
            raise Refused("are no addresses that a host can have")
        return addresses

    return read


def _identity(value: object) -> Identity:
    return identity(string(value))


def _meant(value: object) -> Identity | Pattern:
    return pattern(string(value)) or _identity(value)


def _peer_identity(value: object) -> Identity | Pattern | None:
    return None if value == "any" else _meant(value)


def _ports(value: object) -> Ports:
    written = str(value) if isinstance(value, int) and not isinstance(value, bool) else string(value)
    if written == "any":
        return Ports()
    if not (match := _PORTS.fullmatch(written.strip())):
        raise Refused("is not a port")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= 65535:
        raise Refused("is out of range")
    return Ports(first, last)


def _protocol(value: object) -> int:
    if isinstance(value, str):
        if value.lower() not in IP_PROTOCOLS:
            raise Refused("is no protocol that we know by name", "write its number")
        return IP_PROTOCOLS[value.lower()]
    return within(number(value), 0, 255)


def _file(value: object) -> Path:
    path = Path(string(value))
    if not path.is_absolute():
        raise Refused("is not an absolute path", "begin it with /")
    if not str(path).isprintable():
        raise Refused("holds characters that cannot be shown")
    return path


def _order(value: object) -> tuple[str, ...]:
    """Ciphers in order of preference; () for the order of their measured speed."""
    if value in ("measured", ["measured"]):
        return ()
    return many(Kind("", lambda word: cipher(string(word)))).read(value)


def _expiry(value: object) -> datetime:
    """The moment at which a date has passed, in UTC; a time without an offset is taken for UTC."""
    if isinstance(value, str):
        value = _iso(value)
    if not isinstance(value, date):
        raise Refused(f"is {toml_type(value)}, not a date")
    try:
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
        return datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)
    except OverflowError:
        raise Refused("is out of all bounds") from None


def _iso(written: str) -> date:
    for form in (date, datetime):
        try:
            return form.fromisoformat(written)
        except ValueError:
            pass
    raise Refused("is not a date", 'write it as "2027-03-31"')


def _expiry_text(moment: datetime) -> str:
    """The date that ends at this moment, or the moment itself."""
    if moment.time() == datetime.min.time() and moment.date() > date.min:
        return str(moment.date() - timedelta(days=1))
    return moment.isoformat()


def _or_word(word: str, write: Callable[[T], object]) -> Callable[[T], object]:
    """Write nothing at all as this word."""
    return lambda value: write(value) if value else word


def _one_or_many(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


_PROPOSAL = string_schema(pattern="^[A-Za-z0-9_ -]+$")
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_TEXT = string_schema()

ADDRESS = Kind("an IPv4 or IPv6 address", _address)
OWN_ADDRESS = Kind("an IPv4 or IPv6 address of this machine", _own_address)
HOST_ADDRESS = Kind("the IPv4 or IPv6 address of a host", _host_address)
V4 = Kind("an IPv4 address", _v4)
V6 = Kind("an IPv6 address", _v6)
HOST = Kind("a host name or an IP address", _host)
REMOTES = Kind(
    'host names or IP addresses, tried in order, or "any" for a peer that calls us',
    _remotes,
    _or_word("any", many(HOST).write),
    _one_or_many(_TEXT),
)
NETWORK = Kind('an IPv4 or IPv6 network, such as "10.1.0.0/24" or "fd01::/64"', lambda value: network(string(value)))
V4_RANGE = Kind('a network of its own, "10.9.0.0/24", or a part of one, "192.168.1.200-192.168.1.230"', _range_of(4))
V6_RANGE = Kind('a network of its own, "fd09::/64", or a part of one, "fd01::1000-fd01::1fff"', _range_of(6))
DOMAIN = text("a domain name", rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
INTERFACE = text("the name of a network interface", r"(?!\.{1,2}$)[A-Za-z0-9._@-]{1,15}")
IDENTITY = Kind(
    'an address, a domain name, an e-mail address, a Distinguished Name, "keyid:TEXT" or "@#HEX"', _identity
)
MEANT = Kind(IDENTITY.allowed + ', or for several "*.DOMAIN", "*@DOMAIN" or a name with "CN=*"', _meant)
PEER_IDENTITY = Kind(MEANT.allowed + ', or "any"', _peer_identity, _or_word("any", str))
PORTS = Kind('a port, a range such as "5000-5010", or "any"', _ports, str, {"anyOf": [_PORT, _TEXT]})
PROTOCOL = Kind(
    f"a protocol number, or {', '.join(IP_PROTOCOLS)}",
    _protocol,
    int,
    {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 255}, _TEXT]},
)
FILE = Kind("an absolute path", _file, str, string_schema(pattern="^/"))
PPK_ID = printable(64)
EXPIRY = Kind('a date, such as "2027-03-31", or a date and time', _expiry, _expiry_text)
ORDER = Kind(
    '"measured", or ciphers in order of preference, such as ["chacha20poly1305", "aes128gcm16"]',
    _order,
    _or_word("measured", list),
    _one_or_many(_TEXT),
)
IKE_PROPOSAL = Kind(
    "a cipher, an integrity algorithm unless the cipher is an AEAD, a PRF and a key exchange,"
    ' such as "aes256gcm16-prfsha384-x25519"',
    lambda value: ike_proposal(string(value)),
    str,
    _PROPOSAL,
)
ESP_PROPOSAL = Kind(
    "a cipher, an integrity algorithm unless the cipher is an AEAD, and for PFS a key exchange,"
    ' such as "aes256gcm16-x25519"',
    lambda value: esp_proposal(string(value)),
    str,
    _PROPOSAL,
)
