"""Traffic selectors and their arithmetic, RFC 7296 §3.13.1 and RFC 4301 §4.4.1."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    summarize_address_range,
)
from itertools import islice
from struct import Struct
from typing import Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax, TsUnacceptable
from edgevpn.ike.iana import TsType
from edgevpn.ike.wire.buffer import Reader, member

# From the RFC.
ANY_PROTOCOL = 0
ANY_PORTS = (0, 0xFFFF)  # "ANY" includes "OPAQUE"
OPAQUE_PORTS = (0xFFFF, 0)  # only packets whose ports cannot be seen, such as later fragments
HEAD = Struct(">BBHHH")

# Our own bounds.
MAX_NETWORKS = 64  # of one selector: any IPv4 range needs 62 at most; each may become a route and a policy
KEPT_RANGES = 32  # with their networks: the side that is ours is the same in all sessions

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ADDRESSES: dict[TsType, tuple[type[IPv4Address] | type[IPv6Address], int]] = {
    TsType.IPV4_ADDR_RANGE: (IPv4Address, 4),
    TsType.IPV6_ADDR_RANGE: (IPv6Address, 16),
}
TS_TYPES = {4: TsType.IPV4_ADDR_RANGE, 6: TsType.IPV6_ADDR_RANGE}


def icmp_ports(icmp_type: int, code: int | None = None) -> tuple[int, int]:
    """The port range that stands for an ICMP type, with one code or any; RFC 4301 §4.4.1.1."""
    if code is None:
        return icmp_type << 8, icmp_type << 8 | 0xFF
    return icmp_type << 8 | code, icmp_type << 8 | code


@dataclass(frozen=True, slots=True)
class TrafficSelector:
    """One range of addresses, a protocol (0: any) and a range of its ports, all ends inclusive."""

    ts_type: TsType
    protocol: int
    start_port: int
    end_port: int
    start_address: Address
    end_address: Address

    def __hash__(self) -> int:
        """By what nearly always differs: the hash of an address takes long."""
        return hash((int(self.start_address), int(self.end_address), self.protocol))

    @classmethod
    def from_network(cls, network: Network, protocol: int = ANY_PROTOCOL, ports: tuple[int, int] = ANY_PORTS) -> Self:
        """The selector of every address in `network`."""
        return cls(TS_TYPES[network.version], protocol, *ports, network.network_address, network.broadcast_address)

    @classmethod
    def of_host(cls, address: Address) -> Self:
        """The selector of one address."""
        return cls(TS_TYPES[address.version], ANY_PROTOCOL, *ANY_PORTS, address, address)

    @classmethod
    def decode(cls, body: Reader) -> Self:
        number, protocol, length, start_port, end_port = body.unpack(HEAD)
        ts_type = member(TsType, number)
        address, size = ADDRESSES[ts_type]
        if length != HEAD.size + 2 * size:
            raise InvalidSyntax(f"{ts_type.name} selector of {length} octets")
        start, end = body.take(size), body.take(size)
        if start > end:
            raise InvalidSyntax(f"selector from {start.hex()} to {end.hex()}")
        _check_ports(protocol, (start_port, end_port))
        return cls(ts_type, protocol, start_port, end_port, address(start), address(end))

    def encode(self) -> bytes:
        addresses = self.start_address.packed + self.end_address.packed
        length = HEAD.size + len(addresses)
        return HEAD.pack(self.ts_type, self.protocol, length, self.start_port, self.end_port) + addresses

    @property
    def ports(self) -> tuple[int, int]:
        """First and last port; `ANY_PORTS` and `OPAQUE_PORTS` have their own meaning."""
        return self.start_port, self.end_port

    def intersection(self, other: TrafficSelector) -> TrafficSelector | None:
        """The packets that both selectors match, if any; RFC 7296 §2.9. It is one of the two where it can be."""
        if self.ts_type != other.ts_type:
            return None
        if self.contains(other):
            return other
        if other.contains(self):
            return self
        if self.protocol != other.protocol and ANY_PROTOCOL not in (self.protocol, other.protocol):
            return None
        ports = _common_ports(self.ports, other.ports)
        start = max(self.start_address, other.start_address, key=int)
        end = min(self.end_address, other.end_address, key=int)
        if ports is None or int(start) > int(end):
            return None
        return TrafficSelector(self.ts_type, self.protocol or other.protocol, *ports, start, end)

    def contains(self, other: TrafficSelector) -> bool:
        """Whether every packet that `other` matches is matched by this one."""
        return (
            self.ts_type == other.ts_type
            and self.protocol in (ANY_PROTOCOL, other.protocol)
            and _common_ports(self.ports, other.ports) == other.ports
            and int(self.start_address) <= int(other.start_address)
            and int(other.end_address) <= int(self.end_address)
        )

    def networks(self) -> tuple[Network, ...]:
        """The fewest networks that make up the address range; TsUnacceptable for more than `MAX_NETWORKS`."""
        return _networks(self.start_address, self.end_address)


@lru_cache(KEPT_RANGES)
def _networks(start: Address, end: Address) -> tuple[Network, ...]:
    networks: tuple[Network, ...] = tuple(islice(summarize_address_range(start, end), MAX_NETWORKS + 1))
    if len(networks) > MAX_NETWORKS:
        raise TsUnacceptable(f"{start}-{end} is more than {MAX_NETWORKS} networks")
    for network in networks:
        if network.prefixlen == network.max_prefixlen:  # a function of its own takes more than all else of it
            del network.hosts
    return networks


def _check_ports(protocol: int, ports: tuple[int, int]) -> None:
    if ports in (ANY_PORTS, OPAQUE_PORTS):
        return
    if ports[0] > ports[1]:
        raise InvalidSyntax(f"selector from port {ports[0]} to {ports[1]}")
    if protocol == ANY_PROTOCOL:
        raise InvalidSyntax(f"selector of ports {ports[0]} to {ports[1]} of no protocol")


def _common_ports(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int] | None:
    if OPAQUE_PORTS in (one, other):
        return OPAQUE_PORTS if {one, other} <= {OPAQUE_PORTS, ANY_PORTS} else None
    start, end = max(one[0], other[0]), min(one[1], other[1])
    return (start, end) if start <= end else None
