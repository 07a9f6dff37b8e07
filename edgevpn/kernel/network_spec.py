"""What the kernel is asked to hold of the network: XFRM interfaces, addresses, routes, proxies, as plain values."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Interface, IPv6Interface
from typing import TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.kernel.spec import OURS_IF_ID, IpAddress, IpNetwork, Mark

InterfaceAddress: TypeAlias = IPv4Interface | IPv6Interface

# Our own choices; 0x65 is assigned to nobody in rt_protos. It tags proxies and rules, too.
OURS_LINK_PREFIX = "evpn-"
OURS_ROUTE_PROTOCOL = 0x65

# IFNAMSIZ less its final zero.
MAX_LINK_NAME = 15

MAIN_TABLE = 254
# What the kernel takes for IPv6 where nothing is said; we say it for both families.
DEFAULT_METRIC = 1024


class RouteKind(IntEnum):
    """RTN_*: what happens to packets that a route takes."""

    UNICAST = 1
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """An XFRM interface. `underlying` names the device its packets leave by, where that must be fixed; `mtu` in octets.

    Raises ValueError for a name that the kernel cannot hold.
    """

    name: str
    if_id: int
    mtu: int | None = None
    underlying: str | None = None

    def __post_init__(self) -> None:
        octets = self.name.encode()
        if not 0 < len(octets) <= MAX_LINK_NAME or any(octet <= 0x20 or octet in b"/:" for octet in octets):
            raise ValueError(f"{self.name!r} is not an interface name of 1 to {MAX_LINK_NAME} octets")

    def __str__(self) -> str:
        return f"interface {self.name}"

    @property
    def ours(self) -> bool:
        """Whether it bears our tags, both of them."""
        return self.name.startswith(OURS_LINK_PREFIX) and self.if_id in OURS_IF_ID


@dataclass(frozen=True, slots=True)
class LinkState:
    """An interface as the kernel has it.

    `kind` is "xfrm", "veth" and so on, "" for hardware; `if_id` is 0 and `underlying` None for all but XFRM.
    """

    name: str
    index: int
    mtu: int
    up: bool
    kind: str = ""
    if_id: int = 0
    underlying: str | None = None

    def __str__(self) -> str:
        return f"interface {self.name}"

    @property
    def ours(self) -> bool:
        """Whether it is an XFRM interface with our tags."""
        return self.kind == "xfrm" and self.name.startswith(OURS_LINK_PREFIX) and self.if_id in OURS_IF_ID


@dataclass(frozen=True, slots=True)
class AddressSpec:
    """An address, with its prefix, on an interface."""

    interface: str
    address: InterfaceAddress

    def __str__(self) -> str:
        return f"address {self.address} on {self.interface}"


Place: TypeAlias = tuple[IpNetwork, int, int]
"""Of a route: destination, table, metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """A route. `interface` and `gateway` stay None for the kinds that drop packets; `source` is a hint for sockets."""

    destination: IpNetwork
    interface: str | None = None
    gateway: IpAddress | None = None
    source: IpAddress | None = None
    kind: RouteKind = RouteKind.UNICAST
    table: int = MAIN_TABLE
    metric: int = DEFAULT_METRIC
    protocol: int = OURS_ROUTE_PROTOCOL

    def __str__(self) -> str:
        return f"route to {self.destination}" + (f" by {self.interface}" if self.interface else "")

    @property
    def ours(self) -> bool:
        """Whether it bears our tag."""
        return self.protocol == OURS_ROUTE_PROTOCOL

    @property
    def place(self) -> Place:
        """What two routes cannot have in common."""
        return self.destination, self.table, self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """Which routing table packets of an IP version look into, the lowest `priority` first.

    Those that bear the mark `unless` do not; and with `longer_than` only routes to longer prefixes are taken.
    """

    version: int
    priority: int
    table: int
    unless: Mark | None = None
    longer_than: int | None = None
    protocol: int = OURS_ROUTE_PROTOCOL

    def __str__(self) -> str:
        return f"IPv{self.version} rule {self.priority} for table {self.table}"

    @property
    def ours(self) -> bool:
        """Whether it bears our tag."""
        return self.protocol == OURS_ROUTE_PROTOCOL


@dataclass(frozen=True, slots=True)
class ProxySpec:
    """An address that we answer for on an interface, by ARP or neighbour discovery, because we know the way to it.

    The kernel answers while it forwards, for IPv6 also only where `proxy_ndp` is set on the interface.
    """

    interface: str
    address: IpAddress

    def __str__(self) -> str:
        return f"proxy for {self.address} on {self.interface}"


@dataclass(frozen=True, slots=True)
class Path:
    """How the kernel would send to an address: from where, by which interface and gateway, and that interface's MTU."""

    interface: str
    source: IpAddress
    gateway: IpAddress | None
    mtu: int
