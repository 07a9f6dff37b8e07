"""The working parts of a gateway, put together: sockets, core, kernel, and a keeper for each site."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from edgevpn.api import SiteStatus
from edgevpn.config.model import Config, Site
from edgevpn.daemon.dataplane import Dataplane
from edgevpn.daemon.keeper import IpAddress, Keeper
from edgevpn.daemon.logs import note
from edgevpn.daemon.options import Ports, StartFailed
from edgevpn.daemon.peers import peer_of
from edgevpn.daemon.runner import Runner
from edgevpn.daemon.status import place, site_status
from edgevpn.daemon.transport import Transport, source_for
from edgevpn.ike.contract import (
    ChildClosed,
    ChildExpired,
    ChildFailed,
    Datagram,
    Endpoints,
    IkeSaDown,
    IkeSaUp,
    Input,
    KeysDerived,
    Reconfigure,
    Settings,
    Terminate,
)
from edgevpn.ike.endpoint import Endpoint, WithPeer
from edgevpn.ike.state import ChildSa, Established, Path
from edgevpn.kernel.contract import Features, Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import Acquire, Event, Expire

GOODBYE_PATIENCE = 1.0
"""Seconds in which peers may answer our Deletes."""

log = logging.getLogger("edgevpn")


class Gateway:
    """Keeps what a configuration asks for. Everything happens in the event loop's thread."""

    def __init__(self, kernel: Kernel, ports: Ports, key_log: Callable[[KeysDerived], None] | None = None) -> None:
        self._kernel = kernel
        self._ports = ports
        self._key_log = key_log
        self._clock = time.monotonic
        self._dataplane = Dataplane(kernel, self._clock)
        self._transport = Transport(kernel, ports, self._on_datagram)
        settings = Settings(ike_port=ports.ike, nat_port=ports.nat, export_keys=key_log is not None)
        self._endpoint = Endpoint((), os.urandom, settings)
        self._runner = Runner(self._endpoint, self._transport, self._dataplane, self, self._clock)
        self._config: Config | None = None
        self._one_less = asyncio.Event()
        self._keepers: dict[str, Keeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # --- life ---

    async def run(self, config: Config, started: asyncio.Event) -> None:
        """Until cancelled; then tell the peers and take everything of ours out of the kernel. Raises StartFailed."""
        loop = asyncio.get_running_loop()
        _check_features(self._kernel.features(), config)
        self._transport.listen(config.gateway.listen)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._kernel.flush_ours()  # what a predecessor has left that was killed
                loop.add_reader(self._kernel.fileno(), self._on_kernel_events)
                self.apply(config)
                started.set()
                await asyncio.Event().wait()
        finally:
            await self._say_goodbye()
            loop.remove_reader(self._kernel.fileno())
            self._runner.stop()
            self._transport.close()
            self._kernel.flush_ours()
            self._kernel.close()

    async def _say_goodbye(self) -> None:
        for name in self.site_names:
            for sa in self.sas_of(name):
                self.feed(Terminate(sa.spi))
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_PATIENCE):
                while any(isinstance(sa, WithPeer) for sa in self._endpoint.sas):
                    self._one_less.clear()
                    await self._one_less.wait()

    # --- configuration ---

    def apply(self, config: Config) -> None:
        """Make the difference to what was before. Sites that have not changed do not notice. Raises StartFailed."""
        old = self._config
        self._transport.listen(config.gateway.listen)
        self._config = config
        changed = [site for site in config.sites if old is None or not _is_same(site, old, config)]
        kept = {site.name for site in config.sites} - {site.name for site in changed}
        for name in [name for name in self._keepers if name not in kept]:
            self._remove(name)
        self.feed(Reconfigure(tuple(peer_of(site, config.gateway) for site in config.sites)))
        for site in changed:
            self._add(site)

    def _add(self, site: Site) -> None:
        try:
            self._dataplane.add_site(site)
        except KernelError as error:
            raise StartFailed(f"site {site.name}: {error}") from error
        keeper = self._keepers[site.name] = Keeper(site, self, self, self._ports)
        self._tasks[site.name] = self._group.create_task(keeper.run())
        keeper.start()

    def _remove(self, name: str) -> None:
        self._keepers.pop(name).down()
        self._tasks.pop(name).cancel()
        self._dataplane.remove_site(name)

    # --- what the owner asks ---

    def keeper(self, name: str) -> Keeper | None:
        """The keeper of that site, if it is configured."""
        return self._keepers.get(name)

    def site_status(self, name: str) -> SiteStatus:
        """The state of one site. KeyError if there is none. Raises KernelError."""
        keeper = self._keepers[name]
        epoch = time.time() - self._clock()
        return site_status(keeper.site, self._established(name), keeper.is_trying, self._dataplane.traffic, epoch)

    @property
    def site_names(self) -> tuple[str, ...]:
        """All sites, in the order of the file."""
        return tuple(site.name for site in self._config.sites) if self._config else ()

    # --- what keepers ask ---

    def feed(self, event: Input) -> None:
        """Give the core an input."""
        self._runner.feed(event)

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        """All IKE SAs with a peer, those under way included."""
        return self._endpoint.sas_of(peer)

    async def resolve(self, name: str) -> tuple[IpAddress, ...]:
        """The addresses of a name, of the IP versions that we serve; OSError if there are none."""
        assert self._config is not None
        versions = {address.version for address in self._config.gateway.listen}
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        addresses = dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found)
        usable = tuple(address for address in addresses if address.version in versions)
        if not usable:
            raise OSError(errno.EAFNOSUPPORT, "no address of an IP version that gateway.listen has")
        return usable

    def source_for(self, remote: IpAddress) -> IpAddress | None:
        """The address that packets to `remote` leave from."""
        return source_for(remote)

    def chance(self) -> float:
        """A number from 0 to 1."""
        return random.random()  # noqa: S311 - spreads retries, keeps nothing secret

    def set_traps(self, site: str, local: IpAddress, remote: IpAddress) -> None:
        """Have the kernel tell of packets for the site's children."""
        try:
            self._dataplane.set_traps(site, local, remote)
        except KernelError as error:
            note(log, logging.ERROR, "site_not_trapped", site=site, why=error)

    # --- what the core tells ---

    def ike_up(self, up: IkeSaUp) -> None:
        event = "ike_rekeyed" if up.replaces else "ike_up"
        note(log, logging.INFO, event, peer=up.peer, id=up.remote_id, remote=place(up.path.remote), spi=up.spi)
        if keeper := self._keepers.get(up.peer):
            keeper.ike_up(up)

    def ike_down(self, down: IkeSaDown) -> None:
        note(log, logging.INFO, "ike_down", peer=down.peer, why=down.reason, spi=down.spi)
        self._one_less.set()
        if keeper := self._keepers.get(down.peer):
            keeper.ike_down(down)

    def child_up(self, child: ChildSa, ends: Endpoints) -> None:
        note(log, logging.INFO, "child_up", peer=ends.peer, child=child.name, spi_in=child.spi_in)
        if keeper := self._keepers.get(ends.peer):
            keeper.child_up(child.name)

    def child_failed(self, failed: ChildFailed) -> None:
        if keeper := self._keepers.get(failed.peer):
            keeper.child_failed(failed)

    def child_closed(self, closed: ChildClosed) -> None:
        if keeper := self._keepers.get(closed.peer):
            keeper.child_closed(closed)

    def keys_derived(self, keys: KeysDerived) -> None:
        if self._key_log:
            self._key_log(keys)

    # --- what comes from outside ---

    def _on_datagram(self, path: Path, octets: bytes) -> None:
        self.feed(Datagram(path, octets))

    def _on_kernel_events(self) -> None:
        for event in self._kernel.read_events():
            self._on_kernel_event(event)

    def _on_kernel_event(self, event: Event) -> None:
        match event:
            case Acquire(reqid=reqid):
                site, child = self._dataplane.child_asked(reqid) or ("", "")
                if keeper := self._keepers.get(site):
                    keeper.want([child])
            case Expire(key=key, hard=hard):
                if spi_in := self._dataplane.spi_in_of(key):
                    self.feed(ChildExpired(spi_in, hard))

    def _established(self, peer: str) -> list[Established]:
        return [sa for sa in self.sas_of(peer) if isinstance(sa, Established)]


def _is_same(site: Site, old: Config, new: Config) -> bool:
    """Whether nothing that this site is made of has changed."""
    return site in old.sites and old.gateway.id == new.gateway.id


def _check_features(features: Features, config: Config) -> None:
    """Raise StartFailed if this kernel cannot carry the traffic."""
    versions = {address.version for address in config.gateway.listen}
    for version, present in ((4, features.esp4), (6, features.esp6)):
        if version in versions and not present:
            raise StartFailed(
                f"this kernel has no ESP for IPv{version}: load module esp{version}"
                f" (OpenWrt: install kmod-ipsec{version}), or take IPv{version} out of gateway.listen"
            )
    if not features.xfrm_interface:
        raise StartFailed(
            "this kernel has no XFRM interfaces: load module xfrm_interface (OpenWrt: install kmod-xfrm-interface)"
        )
