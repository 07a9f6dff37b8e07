"""Everything that we ask of a kernel, whether it is the real one or the one in memory."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Interface, IPv6Interface
from typing import Protocol

from edgevpn.frozen import dataclass
from edgevpn.kernel.crypto_api import Driver
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import Event
from edgevpn.kernel.firewall import FirewallSpec
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, Path, ProxySpec, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.spec import (
    SPI_RANGE,
    Aead,
    DeviceFeatures,
    Encryption,
    Integrity,
    IpAddress,
    IpNetwork,
    Migration,
    Mode,
    Offload,
    PolicyKey,
    PolicySpec,
    PolicyState,
    SaCounts,
    SaKey,
    SaSpec,
    SaState,
    UdpEncap,
)
from edgevpn.kernel.sysctl import Setting


@dataclass(frozen=True, slots=True)
class Features:
    """What was tried in this kernel and found to work."""

    esp4: bool
    esp6: bool
    xfrm_interface: bool
    migrate: bool


@dataclass(frozen=True, slots=True)
class Flushed:
    """How many of our objects were removed."""

    sas: int = 0
    policies: int = 0
    routes: int = 0
    links: int = 0
    proxies: int = 0
    rules: int = 0


class Tagged(Protocol):
    """Something that says whether it bears one of our tags."""

    @property
    def ours(self) -> bool: ...


def require_ours(spec: Tagged) -> None:
    """Raise ValueError for what would not be recognised as ours afterwards."""
    if not spec.ours:
        raise ValueError(f"without a tag of ours: {spec!r}")


def require_all_ours(operations: Iterable[Operation]) -> None:
    """Raise ValueError if an operation is about something that bears a tag, and not one of ours."""
    for operation in operations:
        match operation:
            case Add(SaSpec() | PolicySpec() | LinkSpec() | RouteSpec() | RuleSpec() as what):
                require_ours(what)
            case Update(what) | Delete(LinkState() | RouteSpec() | RuleSpec() as what) | SetMtu(what) | SetUp(what):
                require_ours(what)


class Early(Protocol):
    """Keeps what comes for an SA that is not there yet."""

    def deliver(self) -> int:
        """Have the kernel receive what was kept, and keep no more; returns how many packets that were. KernelError."""

    def close(self) -> None:
        """Keep no more."""


class Kernel(Protocol):
    """The kernel's part of a gateway. Calls are local system calls and return when the kernel has done the work.

    Every call may raise `KernelError`, or of its subclasses `NotPermitted`, `NotSupported`, and those named at it.
    What is added must bear one of our tags; ValueError otherwise, and nothing is done.
    """

    def add_sa(self, spec: SaSpec) -> None:
        """Add an SA. AlreadyExists: its key is taken, be it by an SPI that was only allocated."""

    def update_sa(self, spec: SaSpec) -> None:
        """Turn an allocated SPI into an SA; or give an SA new limits or UDP ports. NotFound."""

    def delete_sa(self, key: SaKey) -> None:
        """Remove an SA or an allocated SPI. NotFound."""

    def get_sa(self, key: SaKey) -> SaState:
        """Read an SA. NotFound, also for an SPI that is only allocated."""

    def list_sas(self) -> tuple[SaState, ...]:
        """Our SAs, without SPIs that are only allocated."""

    def count_sas(self) -> Mapping[SaKey, SaCounts]:
        """What our SAs have counted, and no more of them: quickly, for a thousand. SPIs that are allocated count 0."""

    def alloc_spi(
        self,
        source: IpAddress,
        destination: IpAddress,
        reqid: int,
        *,
        if_id: int = 0,
        mode: Mode = Mode.TUNNEL,
        spis: range = SPI_RANGE,
    ) -> int:
        """Reserve an SPI for an inbound SA; it lapses after half a minute unless `update_sa` makes it one."""

    def move_sa(
        self,
        key: SaKey,
        source: IpAddress,
        destination: IpAddress,
        encapsulation: UdpEncap | None,
        offload: Offload | None = None,
    ) -> SaKey:
        """Give an SA other outer addresses, its keys, sequence numbers and counters kept. NotFound, AlreadyExists.

        What worked for it before does not any longer, `offload` does; if that is refused, all is as it was.
        The SA is removed and added anew, so this works without XFRM_MIGRATE; policies stay as they are.
        """

    def migrate(self, migration: Migration) -> None:
        """Give a policy and its SAs other outer addresses in one step. NotFound, NotSupported."""

    def add_policy(self, spec: PolicySpec) -> None:
        """Add a policy. AlreadyExists."""

    def update_policy(self, spec: PolicySpec) -> None:
        """Add a policy, or replace the one with its key."""

    def delete_policy(self, key: PolicyKey) -> None:
        """Remove a policy. NotFound."""

    def get_policy(self, key: PolicyKey) -> PolicyState:
        """Read a policy. NotFound."""

    def list_policies(self, *, foreign: bool = False) -> tuple[PolicyState, ...]:
        """Our policies, or with `foreign` everybody's, without those of sockets."""

    def bypass_socket(self, sock: socket.socket) -> None:
        """Exempt a socket's packets, in and out, from all policies, and give those that it sends our mark."""

    def enable_udp_encapsulation(self, sock: socket.socket) -> None:
        """Let the kernel take the ESP packets (RFC 3948) out of what a UDP socket receives."""

    def keep_early(self, key: SaKey, *, in_udp: bool) -> Early:
        """Keep packets that come for an SA, `in_udp` or not, before it is there. NotSupported."""

    def add_link(self, spec: LinkSpec) -> LinkState:
        """Add an XFRM interface, without a link-local address, and set it up.

        AlreadyExists: its name or if_id is taken.
        """

    def set_mtu(self, name: str, mtu: int) -> None:
        """Give an XFRM interface of ours another MTU. NotFound."""

    def set_up(self, name: str) -> None:
        """Set an XFRM interface of ours up again. NotFound."""

    def delete_link(self, name: str) -> None:
        """Remove an XFRM interface of ours, with its addresses and routes. NotFound."""

    def get_link(self, name: str) -> LinkState:
        """Read any interface. NotFound."""

    def list_links(self, *, foreign: bool = False) -> tuple[LinkState, ...]:
        """Our XFRM interfaces, or with `foreign` all interfaces."""

    def add_address(self, spec: AddressSpec) -> None:
        """Add an address. AlreadyExists; NotFound: no such interface."""

    def delete_address(self, spec: AddressSpec) -> None:
        """Remove an address. NotFound."""

    def list_addresses(self, interface: str) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """All addresses of an interface. NotFound: no such interface."""

    def list_all_addresses(self, *, foreign: bool = False) -> tuple[AddressSpec, ...]:
        """The addresses of our XFRM interfaces, or with `foreign` of all interfaces."""

    def add_route(self, spec: RouteSpec) -> None:
        """Add a route. AlreadyExists; NotFound: no such interface."""

    def replace_route(self, spec: RouteSpec) -> None:
        """Add a route in place of the one with its destination, table and metric, whosever that is. NotFound."""

    def delete_route(self, spec: RouteSpec) -> None:
        """Remove a route. NotFound."""

    def list_routes(self) -> tuple[RouteSpec, ...]:
        """Our routes, of all tables."""

    def add_rule(self, spec: RuleSpec) -> None:
        """Add a rule of policy routing. AlreadyExists."""

    def delete_rule(self, spec: RuleSpec) -> None:
        """Remove a rule. NotFound."""

    def list_rules(self) -> tuple[RuleSpec, ...]:
        """Our rules."""

    def path_to(self, destination: IpAddress, source: IpAddress | None = None) -> Path:
        """How packets of ours, with our mark, leave to an address. NotFound: nothing leads there."""

    def add_proxy(self, spec: ProxySpec) -> None:
        """Answer for an address. AlreadyExists, whosever it is; NotFound: no such interface."""

    def delete_proxy(self, spec: ProxySpec) -> None:
        """Do not answer for an address any longer. NotFound."""

    def list_proxies(self, *, foreign: bool = False) -> tuple[ProxySpec, ...]:
        """The addresses that we answer for, or with `foreign` those that anybody has asked the kernel to."""

    def apply(self, operations: Sequence[Operation]) -> tuple[KernelError | None, ...]:
        """Carry out many operations in order, in few system calls; says of each how it failed, None if it did not."""

    def read_setting(self, setting: Setting) -> int:
        """Read a variable of /proc/sys/net. NotFound."""

    def change_settings(self, values: Mapping[Setting, int]) -> dict[Setting, int]:
        """Set variables of /proc/sys/net, all or none. Returns what restores those that had other values. NotFound."""

    def statistics(self) -> Mapping[str, int]:
        """How many packets XFRM dropped, by reason ("XfrmInNoStates"). NotSupported."""

    def forget_connections(self, pairs: Collection[tuple[IpNetwork, IpNetwork]]) -> int:
        """Make connection tracking forget what is translated or offloaded between a network of ours and one of others.

        Returns how many connections that were. May be called in another thread. NotSupported.
        """

    def firewall_changes(self, wanted: FirewallSpec | None) -> tuple[str, ...]:
        """What `set_firewall` would do, in words. NotSupported: the program nft is missing."""

    def set_firewall(self, wanted: FirewallSpec | None) -> tuple[str, ...]:
        """Have our nft table do what is wanted, None for no table at all; in one transaction, by the program nft.

        Only what differs is changed; what the owner has in it stays. Returns what was done. NotSupported.
        """

    def try_algorithms(self, cipher: Aead | Encryption, integrity: Integrity | None = None) -> None:
        """Add an SA with these algorithms and remove it at once. NotSupported: this kernel lacks one of them."""

    def device_features(self, interface: str) -> DeviceFeatures:
        """What a device's hardware does for ESP. NotFound, NotSupported."""

    def crypto_driver(self, algorithm: str) -> Driver | None:
        """What the crypto API uses for an algorithm, by its name there; None before the first use."""

    def features(self) -> Features:
        """Try what the kernel can do; leaves nothing behind."""

    def flush_ours(self, if_id: int | None = None) -> Flushed:
        """Remove everything that bears our tags, or of it only what belongs to one interface."""

    def fileno(self) -> int:
        """Becomes readable when there are events."""

    def read_events(self) -> tuple[Event, ...]:
        """What happened since the last call; never blocks. A bounded number at a time: `fileno` tells of more."""

    def close(self) -> None:
        """Close the sockets; what the kernel holds stays."""
