"""The ways between us and peers: from which of our addresses packets leave, and at which we can be reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from edgevpn.daemon.base.logs import note
from edgevpn.daemon.dataplane.homes import Home
from edgevpn.daemon.sites.keeper import IpAddress, Keeper
from edgevpn.daemon.transport import Transport, source_for
from edgevpn.ike.contract import FindPath, Input, LocalAddresses, MovePath
from edgevpn.ike.state import Established
from edgevpn.ike.table import WithPeer
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import AddressChanged, Event, EventsLost, RouteChanged
from edgevpn.kernel.network_spec import AddressSpec

ROUTES_SETTLE = 0.2
"""Seconds that routes are given to change together."""

log = logging.getLogger("edgevpn")


class Ways:
    """Follows addresses and routes of this machine, and tells the core. Sites and homes are those of now, by name."""

    def __init__(
        self,
        kernel: Kernel,
        transport: Transport,
        sites: Mapping[str, Keeper],
        homes: Mapping[str, Home],
        sas_of: Callable[[str], tuple[WithPeer, ...]],
        feed: Callable[[Input], None],
    ) -> None:
        self._kernel = kernel
        self._transport = transport
        self._sites = sites
        self._homes = homes
        self._sas_of = sas_of
        self._feed = feed
        self._settling: asyncio.TimerHandle | None = None
        self._stranded: frozenset[str] = frozenset()  # sites whose IKE SA has lost its address here

    def close(self) -> None:
        """Follow nothing any more."""
        if self._settling:
            self._settling.cancel()

    @property
    def inside(self) -> set[str]:
        """Our own interfaces, those that tunnels end at."""
        return {home.interface for home in self._homes.values()}

    def served(self) -> tuple[IpAddress, ...]:
        """Our addresses that can be spoken to. Raises KernelError."""
        return self._transport.served(_hosts(self._kernel.list_all_addresses(foreign=True)))

    def find(self, wanted: FindPath) -> None:
        """Another way to a peer: from where packets to it leave now, if that is another place, or to another host."""
        keeper = self._sites.get(wanted.peer)
        for remote in (wanted.path.remote.host, *wanted.others):
            local = source_for(remote)
            if local is None or not self._transport.serves(local) or self._is_inside(remote):
                continue
            if keeper is not None and keeper.site.local not in (None, local):
                continue  # its owner has tied it to one address
            if (local, remote) != (wanted.path.local.host, wanted.path.remote.host):
                self._feed(MovePath(wanted.spi, local, remote))
                return

    def changed(self, events: Sequence[Event]) -> None:
        """The kernel has told of these."""
        if any(isinstance(event, AddressChanged | EventsLost) for event in events):
            self._tell_addresses()
        if any(map(self._is_foreign_route, events)):
            self._follow_routes(self._stranded)  # what they send is lost until then
            if self._settling is None:
                self._settling = asyncio.get_running_loop().call_later(ROUTES_SETTLE, self._settled)

    def _is_foreign_route(self, event: Event) -> bool:
        return isinstance(event, RouteChanged) and event.route.interface not in self.inside

    def _is_inside(self, remote: IpAddress) -> bool:
        """Whether packets to a host would go into one of our own tunnels: while an uplink is away, it may be so."""
        try:
            return self._kernel.path_to(remote).interface in self.inside
        except KernelError:
            return False

    def _settled(self) -> None:
        self._settling = None
        self._follow_routes(self._sites)

    def _follow_routes(self, sites: Iterable[str]) -> None:
        """Packets to peers may leave from another address now: whoever may move does."""
        for name in sites:
            for sa in self._movable(name):
                self.find(FindPath(sa.spi, name, sa.path, ()))

    def _movable(self, site: str) -> list[Established]:
        """The IKE SAs of a site that follow our addresses."""
        sas = [sa for sa in self._sas_of(site) if isinstance(sa, Established)]
        return [sa for sa in sas if sa.began and sa.mobility is not None]

    def _tell_addresses(self) -> None:
        """At which of our addresses peers may reach us: those that are served, and not those inside tunnels."""
        try:
            every = self._kernel.list_all_addresses(foreign=True)
        except KernelError as error:
            note(log, logging.WARNING, "addresses_not_read", why=error)
            return
        inside = self.inside
        hosts = _hosts([each for each in every if each.interface not in inside])
        reachable = [host for host in hosts if not (host.is_loopback or host.is_link_local)]
        served = self._transport.served(reachable)
        self._feed(LocalAddresses(served))
        self._stranded = frozenset(
            name for name in self._sites if any(sa.path.local.host not in served for sa in self._movable(name))
        )


def _hosts(addresses: Sequence[AddressSpec]) -> list[IpAddress]:
    return list(dict.fromkeys(each.address.ip for each in addresses))
