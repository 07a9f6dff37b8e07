"""The real kernel: XFRM, network and what they tell, behind one object."""

from __future__ import annotations

import select
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from itertools import groupby
from typing import TypeAlias, TypeVar

from edgevpn.kernel import connections, ethtool, network_codec, nft_events, statistics, sysctl, xfrm
from edgevpn.kernel.contract import Features, Flushed, require_all_ours
from edgevpn.kernel.crypto_api import Driver, driver_of
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import Event, EventsLost
from edgevpn.kernel.faults import reading, telling
from edgevpn.kernel.firewall import FirewallSpec, table
from edgevpn.kernel.netlink import (
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    NETLINK_XFRM,
    EventSocket,
    Message,
    NetlinkError,
    Opener,
    open_socket,
)
from edgevpn.kernel.network import Network
from edgevpn.kernel.network_codec import RtGroup
from edgevpn.kernel.network_spec import OURS_LINK_PREFIX, LinkSpec, LinkState, ProxySpec
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import Command, difference
from edgevpn.kernel.operations import Add, Delete, Operation, Update
from edgevpn.kernel.spec import OURS_IF_ID, DeviceFeatures, IpNetwork, PolicyKey, PolicySpec, SaKey, SaSpec
from edgevpn.kernel.sysctl import Setting
from edgevpn.kernel.xfrm import Xfrm

T = TypeVar("T")
Reader: TypeAlias = Callable[[Message], Event | None]

TRIAL_LINK = LinkSpec(f"{OURS_LINK_PREFIX}trial", OURS_IF_ID[-1])


class Stage(Enum):
    """What goes out together."""

    XFRM = auto()
    NEW_LINKS = auto()
    NEW_PROXIES = auto()
    OLD_LINKS = auto()
    NETWORK = auto()


class NetlinkKernel(Xfrm, Network):
    """`contract.Kernel` over netlink, in the network namespace of the thread that makes it and calls it."""

    def __init__(self, opened: Opener = open_socket, nft: Nft | None = None) -> None:
        Xfrm.__init__(self, opened)
        Network.__init__(self, opened)
        self._nft = nft or Nft()
        with telling("open", "event sockets", {}):
            self._sources: list[tuple[EventSocket, Reader]] = [
                (EventSocket(NETLINK_XFRM, xfrm.EVENT_GROUPS, opened), self._read_xfrm_event),
                (EventSocket(NETLINK_ROUTE, tuple(RtGroup), opened), network_codec.read_event),
            ]
        with suppress(NetlinkError):  # a kernel without netfilter has no table that could be lost
            tables = EventSocket(NETLINK_NETFILTER, (nft_events.NFT_GROUP,), opened)
            self._sources.append((tables, nft_events.read_event))
        self._poll = select.epoll()
        for source, _ in self._sources:
            self._poll.register(source.fileno(), select.EPOLLIN)

    def close(self) -> None:
        self._poll.close()
        for source, _ in self._sources:
            source.close()
        self._xfrm.close()
        self._route.close()

    def apply(self, operations: Sequence[Operation]) -> tuple[KernelError | None, ...]:
        require_all_ours(operations)
        runs = groupby(operations, key=stage_of)
        return tuple(fate for stage, run in runs for fate in self._apply(stage, tuple(run)))

    def _apply(self, stage: Stage, operations: Sequence[Operation]) -> tuple[KernelError | None, ...]:
        match stage:
            case Stage.XFRM:
                return self.change_xfrm(operations)
            case Stage.NEW_LINKS:
                return self.add_links(named(operations, LinkSpec))
            case Stage.NEW_PROXIES:
                return self.add_proxies(named(operations, ProxySpec))
            case Stage.OLD_LINKS:
                return self.delete_links(named(operations, LinkState))
            case Stage.NETWORK:
                return self.change_network(operations)

    def features(self) -> Features:
        return Features(
            esp4=self.has_esp(4),
            esp6=self.has_esp(6),
            xfrm_interface=self.has_xfrm_interface(TRIAL_LINK),
            migrate=self.has_migrate(),
        )

    def flush_ours(self, if_id: int | None = None) -> Flushed:
        """Policies go first, so that no packet asks for the SAs just removed."""
        links = [link for link in self.list_links() if if_id is None or link.if_id == if_id]
        policies, sas = self.flush_policies(if_id), self.flush_sas(if_id)
        routes = self.flush_routes(None) if if_id is None else sum(self.flush_routes(link.name) for link in links)
        proxies, rules = (self.flush_proxies(), self.flush_rules()) if if_id is None else (0, 0)
        self.delete_links(links)
        return Flushed(sas, policies, routes, len(links), proxies, rules)

    def device_features(self, interface: str) -> DeviceFeatures:
        return ethtool.device_features(interface, self._opened)

    def crypto_driver(self, algorithm: str) -> Driver | None:
        return driver_of(algorithm)

    def read_setting(self, setting: Setting) -> int:
        return sysctl.read_setting(setting)

    def change_settings(self, values: Mapping[Setting, int]) -> dict[Setting, int]:
        return sysctl.change_settings(values)

    def statistics(self) -> Mapping[str, int]:
        return statistics.read_statistics()

    def forget_connections(self, pairs: Collection[tuple[IpNetwork, IpNetwork]]) -> int:
        return connections.forget_connections(pairs, self._opened)

    def firewall_changes(self, wanted: FirewallSpec | None) -> tuple[str, ...]:
        return tuple(map(str, self._firewall_commands(wanted)))

    def set_firewall(self, wanted: FirewallSpec | None) -> tuple[str, ...]:
        commands = self._firewall_commands(wanted)
        self._nft.change(commands)
        return tuple(map(str, commands))

    def _firewall_commands(self, wanted: FirewallSpec | None) -> tuple[Command, ...]:
        return difference(None if wanted is None else table(wanted), self._nft.present())

    def fileno(self) -> int:
        return self._poll.fileno()

    def read_events(self) -> tuple[Event, ...]:
        events: list[Event] = []
        for source, read in self._sources:
            messages, lost = source.read()
            events += understood(messages, read)
            events += [EventsLost()] if lost else []
        return tuple(events)

    def _read_xfrm_event(self, message: Message) -> Event | None:
        """What we have done ourselves is no news."""
        return None if message.port == self._xfrm.port else xfrm.read_event(message)


def understood(messages: Sequence[Message], read: Reader) -> Iterator[Event]:
    """What messages say; one that makes no sense is one that was lost."""
    for message in messages:
        try:
            with reading("an event"):
                event = read(message)
        except KernelError:
            event = EventsLost()
        if event is not None:
            yield event


def named(operations: Sequence[Operation], kind: type[T]) -> list[T]:
    """What operations are about, all of the same kind."""
    return [each.what for each in operations if isinstance(each, Add | Delete) and isinstance(each.what, kind)]


def stage_of(operation: Operation) -> Stage:
    match operation:
        case Add(SaSpec() | PolicySpec()) | Update(SaSpec() | PolicySpec()) | Delete(SaKey() | PolicyKey()):
            return Stage.XFRM
        case Add(LinkSpec()):
            return Stage.NEW_LINKS
        case Add(ProxySpec()):
            return Stage.NEW_PROXIES
        case Delete(LinkState()):
            return Stage.OLD_LINKS
    return Stage.NETWORK
