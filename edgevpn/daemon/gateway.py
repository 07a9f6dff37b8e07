"""The working parts of a gateway, put together: sockets, core, kernel, certificates, keepers of sites, visitors."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any

from edgevpn.config.diff import difference
from edgevpn.config.model import Config
from edgevpn.config.model import Gateway as GatewaySettings
from edgevpn.daemon.addresses.prefixes import follows, resolved
from edgevpn.daemon.attempts.witness import Witness
from edgevpn.daemon.base.guard import UNGUARDED, Guard
from edgevpn.daemon.base.limits import SMALL, Limits
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.news import News
from edgevpn.daemon.base.options import Ports, StartFailed
from edgevpn.daemon.census import Census
from edgevpn.daemon.ciphers.speeds import Speeds, Trial
from edgevpn.daemon.dataplane.detours import Detours
from edgevpn.daemon.dataplane.homes import homes, site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.dataplane.upholding import Upholding
from edgevpn.daemon.dataplane.wall import Wall, is_managed, lans, uplinks
from edgevpn.daemon.dataplane.wall import wanted as wanted_firewall
from edgevpn.daemon.estate import Estate
from edgevpn.daemon.figures.meter import Meter, Owner
from edgevpn.daemon.figures.tally import Tally
from edgevpn.daemon.figures.usage import Amount
from edgevpn.daemon.health.patient import Patient
from edgevpn.daemon.kernel_events import KernelEvents
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.certificates import NONE, Certificates, needs_certificates
from edgevpn.daemon.login.keyring import Keyring
from edgevpn.daemon.login.withdrawing import Withdrawing
from edgevpn.daemon.peers import peers
from edgevpn.daemon.reception import Reception
from edgevpn.daemon.runner import Runner
from edgevpn.daemon.sites.keeper import Keeper, NotCalled
from edgevpn.daemon.sites.surroundings import Surroundings
from edgevpn.daemon.sites.ways import Ways
from edgevpn.daemon.transport import Transport
from edgevpn.daemon.visitors.informing import Informer, doors
from edgevpn.daemon.visitors.visitors import Visitors
from edgevpn.diagnosis.attempts import Attempts
from edgevpn.frozen import dataclass
from edgevpn.ike.contract import (
    Datagram,
    Effect,
    FindPath,
    Input,
    KeysDerived,
    Limit,
    Reconfigure,
    Settings,
    Shed,
    Terminate,
)
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.errors import Cause
from edgevpn.ike.peer import NEVER
from edgevpn.ike.questions import Question
from edgevpn.ike.state import Path
from edgevpn.ike.table import WithPeer
from edgevpn.kernel.contract import Features, Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.firewall import FirewallSpec
from edgevpn.kernel.nft import Nft
from edgevpn.pki.office import Standing

GOODBYE_PATIENCE = 1.0
"""Seconds in which peers may answer our Deletes."""
SHARE_OF_ONE = 4
"""One peer under one identity may have this part of all IKE SAs, as 1/n."""
TICK = 60.0
"""Seconds between two looks at whose time is over and what was used."""

log = logging.getLogger("edgevpn")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where keys and certificates are kept, and what is worth keeping over a restart."""

    pki: FilePath
    state: FilePath


class Gateway:
    """Keeps what a configuration asks for. Everything happens in the event loop's thread."""

    def __init__(
        self,
        kernel: Kernel,
        ports: Ports,
        folders: Folders,
        timing: GatewaySettings,
        key_log: Callable[[KeysDerived], None] | None = None,
        nft: Nft | None = None,
        guard: Guard = UNGUARDED,
        trial: Trial | None = None,
        limits: Limits = SMALL,
    ) -> None:
        """`nft` None: the firewall is somebody else's. `guard` takes our own faults. `trial` tries ciphers."""
        self._kernel = kernel
        self._ports = ports
        self._config: Config | None = None
        self._written: Config | None = None  # the same as its owner has written it; see `prefixes`
        self._known = frozenset[str]()
        self.wall = Wall(nft, self._firewall) if nft else None
        self._one_less = asyncio.Event()
        self._clock = time.monotonic
        self._guard = guard
        self.news = News()
        self.tally = Tally(self._clock)
        self.meter = Meter(self._count)
        self._dataplane = Dataplane(kernel, self._clock)
        self._detours = Detours(kernel)
        self.limits = limits
        self.settings = _settings(timing, ports, limits, export_keys=key_log is not None)
        self._endpoint = Endpoint((), os.urandom, self.settings)
        self._transport = Transport(kernel, ports, self._endpoint, self._on_datagram, self._on_crowd, limits.buffer)
        self.certificates = Certificates(folders.pki, self._on_keyring)
        self.surroundings = Surroundings(
            self._dataplane, self._transport, self.certificates.settled, self.news.site, self._not_called
        )
        self._estate = Estate(self._dataplane, self, self.surroundings, ports, self._go_on)
        self._ways = Ways(kernel, self._transport, self._estate.keepers, self._estate.homes, self.sas_of, self.feed)
        self.upholding = Upholding(kernel, self._dataplane, self.feed, self._clock)
        self._kernel_events = KernelEvents(
            kernel,
            self._dataplane,
            self._estate.keepers,
            self._ways,
            self.upholding,
            self.feed,
            self._touch_wall,
            self._follow_prefixes,
        )
        self._answers = Answers(self.feed, self._begin)
        self._answers.keyring = NONE
        self._withdrawing = Withdrawing(
            self._answers.vouched,
            self._answers.fetcher,
            lambda: self._answers.keyring,
            self._begin,
            self._withdraw,
            self._clock,
        )
        self.attempts = Attempts()
        self._witness = Witness(self.attempts, ports.nat, self._clock, self._device_of)
        self._answers.on_refused = self._witness.refused
        self.visitors = Visitors(folders.state, self._answers, self.feed, self._touch_wall, self.news)
        self._informer = Informer(self.visitors.sessions.at)
        self.speeds = Speeds(folders.state, trial, self._reconfigure)
        self.census = Census(
            lambda: self._config,
            self._estate.keepers,
            self._endpoint,
            self._dataplane,
            self.visitors,
            self._answers,
            self._clock,
        )
        self.patient = Patient(
            kernel,
            self._dataplane,
            self.upholding,
            self.wall,
            self._ways,
            ports,
            self.census,
            self.surroundings,
            self.speeds,
            self.uplinks,
        )
        reception = Reception(
            self._estate.keepers,
            self.visitors,
            self._dataplane,
            key_log,
            self._one_less.set,
            self.meter,
            self.news,
            self._detours.close,
            self._answers.vouched,
        )
        self._runner = Runner(
            self._endpoint,
            self._transport,
            self._dataplane,
            reception,
            self,
            self._clock,
            observe=self._observe,
            guard=guard,
        )

    # --- life ---

    async def run(self, config: Config, started: asyncio.Event) -> None:
        """Until cancelled; then tell the peers and take everything of ours out of the kernel. Raises StartFailed."""
        loop = asyncio.get_running_loop()
        _check_features(self._kernel.features(), config)
        self._transport.listen(config.gateway.listen)
        try:
            async with asyncio.TaskGroup() as self._group:
                loop.add_reader(self._kernel.fileno(), self._on_kernel_events)
                self.apply(config)
                self._go_on(self.certificates.run, "certificates")
                self._go_on(self._withdrawing.run, "revocation")
                self._go_on(self._detours.run, "connections")
                if self.wall:
                    await self.wall.settle()  # it stands before anybody is told that we are there
                    self._go_on(self.wall.run, "firewall")
                started.set()
                self._go_on(self.speeds.run, "trial of ciphers")
                while True:
                    await asyncio.sleep(TICK)
                    self._guard.call(self.tick, "tick")
        finally:
            self._guard.call(self.tick, "tick")
            await self._say_goodbye()
            loop.remove_reader(self._kernel.fileno())
            self._ways.close()
            self.upholding.close()
            self._runner.stop()
            self._transport.close()
            self._informer.close()
            self.visitors.close()
            self._dataplane.close()
            if self.wall:
                self.wall.close()
            self._kernel.flush_ours()
            self._kernel.close()

    def _go_on(self, work: Callable[[], Awaitable[None]], what: str) -> asyncio.Task[None]:
        return self._group.create_task(self._guard.keep(work, what))

    async def _say_goodbye(self) -> None:
        for sa in self._endpoint.sas:
            if isinstance(sa, WithPeer):
                self.feed(Terminate(sa.spi))
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_PATIENCE):
                while any(isinstance(sa, WithPeer) for sa in self._endpoint.sas):
                    self._one_less.clear()
                    await self._one_less.wait()

    def tick(self) -> None:
        """Once in a while: count what has gone through, and show out whose time is over."""
        with suppress(KernelError):
            self.meter.look(self.census.survey())
        self._dataplane.early.tidy()
        self.visitors.tick()

    # --- configuration ---

    def apply(self, config: Config) -> None:
        """Make the difference to what was before. Who has not changed does not notice. Raises StartFailed."""
        self._written, config = config, self._whole(config)
        old = self._config
        self._transport.listen(config.gateway.listen)
        self._config = config
        wanted = {home.name: home for home in homes(config, ipv6=self._has_ipv6())}
        sites = {site_home(site).name: site for site in config.sites}
        self._estate.reduce(wanted, _dropped(old, config) if old else ())
        self.visitors.apply(config)
        self.speeds.apply(config)
        self._reconfigure()
        self._estate.complete(wanted, sites, anew=old is None)
        self._informer.serve(doors(config))
        self._answers.fetcher.expire()
        self.certificates.apply(config)
        self.upholding.touch()
        self._touch_wall()

    def _has_ipv6(self) -> bool:
        """Whether IPv6 is switched on here: then the loopback has an address, at the least. Raises StartFailed."""
        try:
            return any(each.address.version == 6 for each in self._kernel.list_all_addresses(foreign=True))
        except KernelError as error:
            raise StartFailed(f"the addresses of this machine: {error}") from error

    def _whole(self, config: Config) -> Config:
        """With the prefixes that the provider has given us. Raises StartFailed."""
        try:
            return resolved(config, self._kernel.list_all_addresses(foreign=True)) if follows(config) else config
        except KernelError as error:
            raise StartFailed(f"the addresses of this machine: {error}") from error

    def _follow_prefixes(self) -> None:
        """The provider may have given us other prefixes: devices whose addresses begin so get new ones."""
        if self._written is None or not follows(self._written):
            return
        try:
            if (config := self._whole(self._written)) != self._config:
                prefixes = ", ".join(str(each) for pool in config.pools if pool.v6_prefix_of for each in pool.v6)
                note(log, logging.INFO, "prefix_changed", v6=prefixes or "none")
                self.apply(self._written)
        except StartFailed as error:
            note(log, logging.ERROR, "prefix_not_followed", why=error)

    def reopen(self) -> None:
        """Certificates and what is kept have been replaced on the disk: they are read again."""
        self.certificates.reopen()
        self.visitors.reload()

    def would_drop(self, config: Config) -> tuple[str, ...]:
        """The sites and devices whose tunnels would go if this were the configuration."""
        config = self._whole(config)
        dropped = _dropped(self._config, config) if self._config else set()
        stay = {home.name for home in homes(config)} - dropped
        gone = [home for name, home in self._estate.homes.items() if name not in stay]
        without_home = {peer for home in gone for peer in home.peers}
        sites = [name for name in self.census.site_names if name in without_home and self.census.is_up(name)]
        devices = [visit.device for visit in self.visitors.sessions if visit.device and visit.peer in without_home]
        return tuple(dict.fromkeys((*sites, *devices, *self.visitors.leaving(config))))

    def _reconfigure(self) -> None:
        assert self._config is not None
        known = [
            each
            for each in peers(self._config, self._answers.keyring.proofs, self.speeds.ciphers)
            if each.name not in self._estate.closed
        ]
        self._known = frozenset(peer.name for peer in known)
        self.feed(Reconfigure(tuple(known)))

    def _on_keyring(self, keyring: Keyring) -> None:
        """There are new certificates, or others are refused by now."""
        self._answers.keyring = keyring
        self._reconfigure()
        self._withdrawing.look()

    def _withdraw(self, spi: bytes) -> None:
        """End what stands on a certificate that is revoked by now."""
        if self.visitors.sessions.get(spi):
            self.visitors.withdraw(spi)
        else:
            self.feed(Terminate(spi, "its certificate was revoked", Cause.CERTIFICATE_REFUSED))

    # --- what the owner asks ---

    def keeper(self, name: str) -> Keeper | None:
        """The keeper of that site, if it is configured."""
        return self._estate.keepers.get(name)

    @property
    def kernel(self) -> Kernel:
        """What carries the traffic."""
        return self._kernel

    def uplinks(self) -> frozenset[str]:
        """The interfaces to the Internet. Raises KernelError."""
        assert self._config is not None
        return uplinks(self._config, self._kernel)

    @property
    def repeated(self) -> int:
        """How many datagrams came again at once, and were not looked at."""
        return self._transport.repeated

    async def standing(self) -> tuple[Standing, ...]:
        """How our certificates stand; none if nobody needs any. Raises PkiError."""
        if self._config is None or not needs_certificates(self._config):
            return ()
        return await self.certificates.ask(lambda office, at: office.standing(at))

    def _device_of(self, peers: tuple[str, ...], identity: str) -> str:
        return self._answers.devices.name_of(peers, identity)

    # --- what keepers and the core ask ---

    def feed(self, event: Input) -> None:
        """Give the core an input."""
        self._witness.saw(event)
        self._runner.feed(event)

    def _observe(self, effect: Effect) -> None:
        self.tally.hear(effect)
        self._witness.did(effect)

    def ask(self, question: Question) -> None:
        """Answer the core, now or later."""
        self._answers.ask(question)

    def find_path(self, wanted: FindPath) -> None:
        """Another way to a peer, if there is one."""
        self._ways.find(wanted)

    def allow(self, peer: str, allowed: bool) -> None:
        """Let a site's peer in from now on, or no longer."""
        self._estate.closed = self._estate.closed - {peer} if allowed else self._estate.closed | {peer}
        self._reconfigure()

    def knows(self, peer: str) -> bool:
        """Whether the core may speak to a peer."""
        return peer in self._known

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        """All IKE SAs with a peer, those under way included."""
        return self._endpoint.sas_of(peer)

    def _not_called(self, site: str, why: NotCalled) -> None:
        """A site's peer cannot be called."""
        self._witness.not_called(site, why.hindrance, why.where, why.local)

    def _count(self, owner: Owner, amount: Amount) -> None:
        if owner.device:
            self.visitors.count(owner.device, amount)

    def _touch_wall(self) -> None:
        if self.wall:
            self.wall.touch()

    def _firewall(self) -> FirewallSpec | None:
        """What the firewall shall do now. Raises KernelError."""
        config = self._config
        if config is None or not is_managed(config):
            return None
        mtus = {link.name: link.mtu for link in self._kernel.list_links()}
        wan = uplinks(config, self._kernel)
        devices = {
            device.name: [
                address for visit in self.visitors.sessions.of(device.name) for address in visit.ike.lent.addresses
            ]
            for device in config.devices
        }
        return wanted_firewall(config, lans(config, self._kernel, wan, self._ways.inside), wan, mtus, devices)

    def _begin(self, work: Coroutine[Any, Any, None]) -> object:
        return self._group.create_task(self._guard.wait(work, "answer"))

    # --- what comes from outside ---

    def _on_datagram(self, path: Path, octets: bytes) -> None:
        self.feed(Datagram(path, octets))

    def _on_crowd(self, count: int) -> None:
        self._runner.shed(Shed(Limit.FIRST_MESSAGES, count=count))

    def _on_kernel_events(self) -> None:
        self._guard.call(self._kernel_events.read, "kernel events")


def _settings(timing: GatewaySettings, ports: Ports, limits: Limits, *, export_keys: bool) -> Settings:
    """What the core goes by."""
    return Settings(
        half_open_limit=limits.half_open,
        half_open_near=limits.half_open // 3,
        cookie_threshold=limits.half_open // 10,
        held_limit=limits.held,
        session_limit=limits.sessions,
        sessions_of_one=limits.sessions // SHARE_OF_ONE,
        ike_port=ports.ike,
        nat_port=ports.nat,
        export_keys=export_keys,
        keepalive=float(timing.nat_keepalive) or NEVER,
        retransmit_first=float(timing.retransmit_time),
        retransmit_tries=timing.retransmit_tries,
    )


def _dropped(old: Config, new: Config) -> set[str]:
    """The names of homes whose tunnels do not outlive the change."""
    return {f"{path[0]} {path[1]}" for path in difference(old, new).drops if path[0] in ("site", "pool")}


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
