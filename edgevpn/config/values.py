"""The kinds of value that a key can take: what is allowed, and how the TOML value becomes a typed one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Generic, NewType, TypeVar

from edgevpn.config.errors import Refused, RefusedItems
from edgevpn.config.identity import Identity, identity
from edgevpn.config.proposals import esp_proposal, ike_proposal

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
HostName = NewType("HostName", str)
Host = IPv4Address | IPv6Address | HostName

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800
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

_TIME_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_SIZE_UNITS = {"k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_SIZE = re.compile(r"(\d{1,15})\s*([kmgt])(i?)b", re.IGNORECASE)
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_PORTS = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Ports:
    """A range of ports, both ends included."""

    first: int = 0
    last: int = 65535


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`read` makes the typed value of a TOML value, or raises Refused or RefusedItems; `allowed` says what it takes."""

    allowed: str
    read: Callable[[object], T]


def text(allowed: str, pattern: str) -> Kind[str]:
    """A string of which all matches `pattern`."""
    shape = re.compile(pattern)

    def read(value: object) -> str:
        if not shape.fullmatch(string := _string(value)):
            raise Refused("does not look like that")
        return string

    return Kind(allowed, read)


def choice(members: type[E]) -> Kind[E]:
    """One of the values of an enumeration."""
    words = [str(member.value) for member in members]

    def read(value: object) -> E:
        if value not in words:
            raise Refused("is none of the choices")
        return members(value)

    return Kind(" | ".join(f'"{word}"' for word in words), read)


def integer(low: int, high: int, unit: str = "") -> Kind[int]:
    """A whole number within bounds."""
    return Kind(f"{low} to {high} {unit}".rstrip(), lambda value: _within(_int(value), low, high))


def duration(low: int, high: int, *, or_off: bool = False) -> Kind[int]:
    """A time in whole seconds, written "30s", "4h" or as a number of seconds; 0 switches off where `or_off` is set."""

    def read(value: object) -> int:
        seconds = _seconds(value) if isinstance(value, str) else _int(value)
        return seconds if or_off and seconds == 0 else _within(seconds, low, high)

    off = ", or 0 for never" if or_off else ""
    return Kind(f'{_as_time(low)} to {_as_time(high)}, such as "90s", "15m", "4h" or "1d"{off}', read)


def size(low: int) -> Kind[int]:
    """A number of octets, written "500MB", "2GiB" or as a number; 0 means no limit."""

    def read(value: object) -> int:
        octets = _octets(value) if isinstance(value, str) else _int(value)
        return octets if octets == 0 else _within(octets, low, 2**63 - 1)

    return Kind(f'{low} octets and more, such as "500MB" or "2GiB", or 0 for no limit', read)


def many(item: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list without repetition; a single value may stand without brackets."""

    def read(value: object) -> tuple[T, ...]:
        values = value if isinstance(value, list) else [value]
        good: list[T] = []
        bad: list[tuple[object, Refused]] = []
        for each in values:
            try:
                good.append(item.read(each))
            except Refused as refusal:
                bad.append((each, refusal))
        if bad:
            raise RefusedItems(tuple(bad))
        return _distinct(good)

    return Kind(f"one or more of: {item.allowed}", read)


def _distinct(values: list[T]) -> tuple[T, ...]:
    if not values:
        raise Refused("is empty")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise Refused(f"{value} stands twice")
    return tuple(values)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Refused(f"is {_toml_type(value)}, not a string", "put it in quotes")
    return value


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"is {_toml_type(value)}, not a number")
    return value


def _within(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise Refused("is too small" if number < low else "is too large")
    return number


def _seconds(written: str) -> int:
    if not (match := _DURATION.fullmatch(written.strip())):
        raise Refused("is not a time", 'write a whole number and its unit: "30s"')
    return int(match[1]) * _TIME_UNITS[match[2]]


def _as_time(seconds: int) -> str:
    unit = next(unit for unit in reversed(_TIME_UNITS) if seconds % _TIME_UNITS[unit] == 0)
    return f"{seconds // _TIME_UNITS[unit]}{unit}"


def _octets(written: str) -> int:
    if not (match := _SIZE.fullmatch(written.strip())):
        raise Refused("is not a size", 'write a whole number and its unit: "500MB"')
    base = 1024 if match[3] else 1000
    return int(match[1]) * int(base ** _SIZE_UNITS[match[2].lower()])


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"is {_toml_type(value)}", "write true or false, without quotes")
    return value


def _address(value: object) -> Address:
    try:
        address = ip_address(_string(value))
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


def _host(value: object) -> Host:
    written = _string(value)
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
    return many(Kind("", _host)).read(value)


def _network(value: object) -> Network:
    written = _string(value)
    try:
        return ip_network(written)
    except ValueError:
        pass
    try:
        whole = ip_network(written, strict=False)
    except ValueError:
        raise Refused("is not a network") from None
    raise Refused("has bits set behind its prefix", f'did you mean "{whole}"?')


def _identity(value: object) -> Identity:
    return identity(_string(value))


def _peer_identity(value: object) -> Identity | None:
    return None if value == "any" else _identity(value)


def _ports(value: object) -> Ports:
    written = str(value) if isinstance(value, int) and not isinstance(value, bool) else _string(value)
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
    return _within(_int(value), 0, 255)


def _file(value: object) -> Path:
    path = Path(_string(value))
    if not path.is_absolute() or "\0" in str(path):
        raise Refused("is not an absolute path", "begin it with /")
    return path


def _toml_type(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int():
            return "a number"
        case float():
            return "a fraction"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


FLAG = Kind("true | false", _flag)
ADDRESS = Kind("an IPv4 or IPv6 address", _address)
OWN_ADDRESS = Kind("an IPv4 or IPv6 address of this machine", _own_address)
REMOTES = Kind('host names or IP addresses, tried in order, or "any" for a peer that calls us', _remotes)
NETWORK = Kind('an IPv4 or IPv6 network, such as "10.1.0.0/24" or "fd01::/64"', _network)
IDENTITY = Kind('an address, a domain name, an e-mail address, "keyid:TEXT" or "@#HEX"', _identity)
PEER_IDENTITY = Kind(IDENTITY.allowed + ', or "any"', _peer_identity)
PORTS = Kind('a port, a range such as "5000-5010", or "any"', _ports)
PROTOCOL = Kind(f"a protocol number, or {', '.join(IP_PROTOCOLS)}", _protocol)
FILE = Kind("an absolute path", _file)
IKE_PROPOSAL = Kind(
    "a cipher, an integrity algorithm unless the cipher is an AEAD, a PRF and a key exchange,"
    ' such as "aes256gcm16-prfsha384-x25519"',
    lambda value: ike_proposal(_string(value)),
)
ESP_PROPOSAL = Kind(
    "a cipher, an integrity algorithm unless the cipher is an AEAD, and for PFS a key exchange,"
    ' such as "aes256gcm16-x25519"',
    lambda value: esp_proposal(_string(value)),
)
