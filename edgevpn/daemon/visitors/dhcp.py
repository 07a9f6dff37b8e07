"""DHCPINFORM as Windows sends it through a tunnel, and the answer with its routes: RFC 2131, RFC 3442, RFC 2132.

Windows takes no routes of a split tunnel from traffic selectors. It asks, from the address that it was given, for
option 249, which is Microsoft's name for the classless routes of RFC 3442 (option 121). Octets in, octets out: whoever
listens and sends is elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from edgevpn.frozen import dataclass

# From the RFCs.
BOOTREQUEST, BOOTREPLY, HARDWARE_SIZE = 1, 2, 16
MAGIC_COOKIE = bytes((99, 130, 83, 99))
HEAD = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
PAD, END = 0, 255
DNS_SERVERS, DOMAIN_NAME, MESSAGE_TYPE, SERVER_ID, PARAMETERS = 6, 15, 53, 54, 55
CLASSLESS_ROUTES, MS_CLASSLESS_ROUTES = 121, 249
INFORM, ACK = 8, 5
MAX_OPTION = 255
SERVER_PORT, CLIENT_PORT = 67, 68
SHORTEST = 300  # octets of a BOOTP message, RFC 951; some clients drop shorter ones

# Our own bound.
MAX_OPTIONS = 64


class NotInform(Exception):  # noqa: N818 - mostly no fault
    """The octets are no DHCPINFORM that can be answered: dropped without an answer."""


@dataclass(frozen=True, slots=True)
class Inform:
    """What the client asks, and by what it knows the answer again."""

    transaction: int
    flags: int
    client: IPv4Address
    hardware: bytes
    hardware_type: int
    hardware_size: int
    wants: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a client may hear; an empty field is not told."""

    dns: tuple[IPv4Address, ...] = ()
    domain: str = ""
    networks: tuple[IPv4Network, ...] = ()


def decode(octets: bytes) -> Inform:
    """Read a request. Raises NotInform for anything else."""
    if len(octets) < HEAD.size:
        raise NotInform("shorter than a DHCP message")
    fields = HEAD.unpack_from(octets)
    operation, hardware_type, hardware_size, _hops, transaction, _seconds, flags = fields[:7]
    client, hardware, cookie = fields[7], fields[11], fields[14]
    if operation != BOOTREQUEST or cookie != MAGIC_COOKIE or hardware_size > HARDWARE_SIZE:
        raise NotInform("not a request of a DHCP client")
    options = dict(_options(octets[HEAD.size :]))
    if options.get(MESSAGE_TYPE) != bytes([INFORM]):
        raise NotInform("not a DHCPINFORM")
    address = IPv4Address(client)
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise NotInform("it comes from no address of its own")
    wants = tuple(options.get(PARAMETERS, b""))
    return Inform(transaction, flags, address, hardware, hardware_type, hardware_size, wants)


def encode(asked: Inform, server: IPv4Address, told: Told) -> bytes:
    """The DHCPACK: of what is told that which the client asks for, and no lease (RFC 2131 §4.3.5).

    Routes that do not fit into one option are left out from the end: Windows puts no pieces together.
    """
    head = HEAD.pack(
        BOOTREPLY,
        asked.hardware_type,
        asked.hardware_size,
        0,
        asked.transaction,
        0,
        asked.flags,
        asked.client.packed,
        bytes(4),
        bytes(4),
        bytes(4),
        asked.hardware,
        b"",
        b"",
        MAGIC_COOKIE,
    )
    values = {
        MESSAGE_TYPE: bytes([ACK]),
        SERVER_ID: server.packed,
        DNS_SERVERS: _fitting(each.packed for each in told.dns),
        DOMAIN_NAME: told.domain.encode("ascii", "ignore")[:MAX_OPTION],
        CLASSLESS_ROUTES: _fitting(_route(network, server) for network in told.networks),
    }
    values[MS_CLASSLESS_ROUTES] = values[CLASSLESS_ROUTES]
    sent = [code for code in (MESSAGE_TYPE, SERVER_ID, *dict.fromkeys(asked.wants)) if values.get(code)]
    body = b"".join(bytes([code, len(values[code])]) + values[code] for code in dict.fromkeys(sent))
    return (head + body + bytes([END])).ljust(SHORTEST, b"\0")


def _options(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The options up to the end, none cut off. A second value of the same option is not read."""
    at = 0
    seen: set[int] = set()
    while at < len(octets) and octets[at] != END and len(seen) < MAX_OPTIONS:
        code = octets[at]
        if code == PAD:
            at += 1
            continue
        size = octets[at + 1] if at + 1 < len(octets) else 0
        value = octets[at + 2 : at + 2 + size]
        if at + 2 + size > len(octets):
            raise NotInform("an option is cut off")
        if code not in seen:
            yield code, value
        seen.add(code)
        at += 2 + size


def _route(network: IPv4Network, router: IPv4Address) -> bytes:
    """A destination descriptor and its router, RFC 3442: as many octets of the network as its prefix needs."""
    significant = (network.prefixlen + 7) // 8
    return bytes([network.prefixlen]) + network.network_address.packed[:significant] + router.packed


def _fitting(values: Iterable[bytes]) -> bytes:
    """As many whole values as one option holds."""
    octets = b""
    for value in values:
        if len(octets) + len(value) > MAX_OPTION:
            break
        octets += value
    return octets
