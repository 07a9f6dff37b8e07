"""Has each site as its owner wants it: comes up, stays up, comes back by itself.

A keeper is asked for children (by the configuration, by a packet, by the owner), tries the peer's addresses in order,
and after a failure tries again later, for ever if the site starts by itself. Names are resolved anew at each try.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeAlias

from edgevpn.config.model import Action, Site, Start
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.options import Ports
from edgevpn.frozen import dataclass
from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    ChildFailed,
    IkeSaDown,
    IkeSaUp,
    Initiate,
    Input,
    Redirected,
    Terminate,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.state import (
    Address,
    Authenticating,
    Closing,
    CreateChild,
    Established,
    Initiating,
    Path,
    Phase,
    Probe,
    RekeyChild,
    RekeyIke,
)
from edgevpn.ike.table import WithPeer

IpAddress: TypeAlias = IPv4Address | IPv6Address

IKE_SA = ""
"""Stands among the names of children for the IKE SA itself."""

log = logging.getLogger("edgevpn.sites")


@dataclass(frozen=True, slots=True)
class Patience:
    """Our own choices, in seconds. `answer` is longer than all retransmissions of both exchanges."""

    first_pause: float = 1.0
    longest_pause: float = 60.0
    resolve: float = 10.0
    answer: float = 240.0
    look_again: float = 60.0

    def pause(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures: longer each time, and never the same for two gateways."""
        longest = min(self.longest_pause, self.first_pause * float(2 ** min(failures - 1, 10)))
        return longest * (0.5 + chance / 2)


class Core(Protocol):
    """The part of the protocol core that a keeper talks to."""

    def feed(self, event: Input) -> None: ...

    def allow(self, peer: str, allowed: bool) -> None:
        """Let a peer in from now on, or no longer."""

    def knows(self, peer: str) -> bool:
        """Whether the core may speak to a peer: not before the certificates that takes are there."""

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        """All IKE SAs with a peer, those under way included."""


class World(Protocol):
    """What a keeper asks of the machine."""

    async def resolve(self, name: str) -> tuple[IpAddress, ...]:
        """The addresses of a name; OSError if there are none."""

    def source_for(self, remote: IpAddress) -> IpAddress | None:
        """The address that packets to `remote` leave from."""

    def serves(self, local: IpAddress) -> bool:
        """Whether we speak IKE from this address."""

    def chance(self) -> float:
        """A number from 0 to 1."""

    async def certificates_read(self) -> None:
        """Wait until all certificates that there are have been read."""

    def met(self, site: str, addresses: tuple[IpAddress, ...]) -> None:
        """The site's peer will be called at these addresses: no route of its tunnel may lead there."""

    def set_traps(self, site: str, local: IpAddress, remote: IpAddress) -> None:
        """Have the kernel tell of packets for the site's children."""

    def changed(self, site: str) -> None:
        """What the keeper knows of the site is not what it was."""

    def not_called(self, site: str, why: NotCalled) -> None:
        """The site's peer would have been called, and could not be."""


DEFAULT_PATIENCE = Patience()


class NotUp(Exception):  # noqa: N818 - what is the case
    """The site did not come up; the text says why."""


class Hindrance(Enum):
    """Why a peer cannot even be called."""

    NO_NAME = "no-name"
    NO_WAY = "no-way"
    NOT_SERVED = "not-served"


class NotCalled(NotUp):
    """There is nothing to call: what was looked for, why it was not found, and from which of our addresses if any."""

    def __init__(self, text: str, hindrance: Hindrance, where: str, local: str = "") -> None:
        super().__init__(text)
        self.hindrance = hindrance
        self.where = where
        self.local = local


class Keeper:
    """One site, which its owner may have closed. `run` does the work; all else only tells it something."""

    def __init__(
        self,
        site: Site,
        core: Core,
        world: World,
        ports: Ports,
        patience: Patience = DEFAULT_PATIENCE,
        *,
        closed: bool = False,
    ) -> None:
        self.site = site
        self._core = core
        self._world = world
        self._ports = ports
        self._patience = patience
        self._ikes: dict[bytes, None] = {}  # established IKE SAs by our SPI, the newest last
        self._wanted: dict[str, None] = {}  # children to bring up, in order
        self.why = ""  # the last try failed, if it did
        self._asked: tuple[str, ...] = ()  # those of them that the core is busy with
        self._asked_of: bytes | None = None  # the IKE SA over which they were asked for, if one stood
        self._by_itself = any(child.start is Start.LOAD for child in site.children)
        self._closed = closed
        self._call = asyncio.Event()
        self._resolved = frozenset[IpAddress]()  # what the peer's names led to when we looked last
        self._redirect: Redirected | None = None
        self._redirects = 0
        self._answer: asyncio.Future[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._renewals: list[tuple[set[str], asyncio.Future[None]]] = []

    # --- what the owner and the kernel want ---

    def start(self) -> None:
        """As the configuration says: children that start at load."""
        self.want(child.name for child in self.site.children if child.start is Start.LOAD)

    def want(self, children: Iterable[str]) -> None:
        """Bring these up, if they are not; but nothing of a site that its owner has closed."""
        if self._closed:
            return
        self._wanted |= dict.fromkeys(children)
        if self._wanted:
            self._call.set()
            self._world.changed(self.site.name)

    async def up(self) -> None:
        """Bring all children up; raises NotUp if the first try fails."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._closed = False
        self._core.allow(self.site.name, True)
        self._by_itself = self._by_itself or any(child.start is Start.LOAD for child in self.site.children)
        self.want(child.name for child in self.site.children)
        await waiting

    def down(self) -> None:
        """Close the site, and leave it closed: the peer cannot bring it up either."""
        self._closed = True
        self.why = ""
        self._by_itself = False
        self._core.allow(self.site.name, False)
        self._wanted.clear()
        self._finish(NotUp("the site was taken down"))
        self._world.changed(self.site.name)
        for sa in self._core.sas_of(self.site.name):
            self._core.feed(Terminate(sa.spi))

    async def rekey(self, ike: bool) -> None:
        """New keys for the IKE SA, else for all children; raises NotUp if the site is down or the peer disagrees."""
        sas = [sa for sa in self._core.sas_of(self.site.name) if isinstance(sa, Established)]
        if not sas:
            raise NotUp("the site is down")
        sa = sas[-1]
        children = [child for child in sa.children if child.phase is Phase.ACTIVE]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._renewals.append(({IKE_SA} if ike else {child.name for child in children}, done))
        for task in [RekeyIke()] if ike else [RekeyChild(child.spi_in) for child in children]:
            self._core.feed(Ask(sa.spi, task))
        try:
            async with asyncio.timeout(self._patience.answer):
                await done
        except TimeoutError:
            raise NotUp("the peer has not agreed to new keys; the log says why") from None

    @property
    def is_trying(self) -> bool:
        """Whether children are wanted that are not up yet."""
        return bool(self._wanted)

    # --- what the core tells ---

    def ike_up(self, up: IkeSaUp) -> None:
        if up.replaces is not None:
            self._ikes.pop(up.replaces, None)
            if self._asked_of == up.replaces:
                self._asked_of = up.spi
            self._renewed(IKE_SA)
        self._ikes[up.spi] = None

    def ike_down(self, down: IkeSaDown) -> None:
        was_up = down.spi in self._ikes
        self._ikes.pop(down.spi, None)
        if not was_up or down.spi == self._asked_of:
            self._fail(down.reason)
        if was_up and not self._ikes:
            self._broken(down.reason)
        if was_up and not self._ikes and not down.asked:
            self._act(down)

    def redirected(self, redirected: Redirected) -> None:
        """The peer wants to be called at another gateway (RFC 5685)."""
        self._redirect = redirected
        self.want(redirected.children)

    def child_up(self, child: str) -> None:
        self._renewed(child)
        self._wanted.pop(child, None)
        self.why = ""
        if self._wanted.keys().isdisjoint(self._asked) and self._answer and not self._answer.done():
            self._answer.set_result(None)

    def child_failed(self, failed: ChildFailed) -> None:
        self._fail(f"child {failed.child}: {failed.reason}")

    def child_closed(self, closed: ChildClosed) -> None:
        """The peer closed a child and kept the IKE SA."""
        for child in self.site.children:
            if child.name == closed.child and child.close_action is Action.RESTART:
                self.want([child.name])

    def _renewed(self, what: str) -> None:
        for left, done in self._renewals:
            left.discard(what)
            if not left and not done.done():
                done.set_result(None)
        self._renewals = [(left, done) for left, done in self._renewals if left]

    def _act(self, down: IkeSaDown) -> None:
        """All IKE SAs are gone without our asking: closed by the peer, or because nothing came of it any more."""
        note(log, logging.WARNING, "site_down", site=self.site.name, why=down.reason)
        closed = down.cause is Cause.DELETED_BY_PEER
        actions = ((c.name, c.close_action if closed else c.dpd_action) for c in self.site.children)
        self.want(name for name, action in actions if action is Action.RESTART)

    def _broken(self, reason: str) -> None:
        """Who waits for new keys of what is gone waits in vain."""
        for _, done in self._renewals:
            if not done.done():
                done.set_exception(NotUp(reason))
        self._renewals.clear()

    def _fail(self, reason: str) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(NotUp(reason))

    # --- the work ---

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        await self._trap()
        while True:
            if not self._wanted:
                self._call.clear()
                await self._idle()
                failures = 0
                continue
            try:
                await self._bring_up()
            except NotUp as reason:
                if self._redirect is not None:
                    continue
                failures += 1
                self._give_up(reason)
                if self._wanted:
                    await self._pause(failures)
            else:
                self._redirects = 0
                self._finish(None)

    async def _idle(self) -> None:
        """Nothing is wanted. While a tunnel is up, look now and then whether the peer's name leads elsewhere."""
        while not self._call.is_set():
            try:
                async with asyncio.timeout(self._patience.look_again):
                    await self._call.wait()
            except TimeoutError:
                await self._look_again()

    async def _look_again(self) -> None:
        """A peer that has another address may be gone from the one that it had: ask whether it lives, at once."""
        names = any(isinstance(host, str) for host in self.site.remote)
        sa = next((sa for sa in self._core.sas_of(self.site.name) if isinstance(sa, Established)), None)
        if not names or sa is None:
            return
        with suppress(NotUp):
            now = frozenset(path.remote.host for path in await self._paths(self.site.remote))
            if self._resolved and now != self._resolved and sa.path.remote.host not in now:
                note(log, logging.INFO, "name_moved", site=self.site.name, to=",".join(map(str, now)))
                self._core.feed(Ask(sa.spi, Probe()))
            self._resolved = now

    async def _trap(self) -> None:
        """Traps need the peer's address, so they wait for its name to resolve."""
        failures = 0
        while any(child.start is Start.TRAFFIC for child in self.site.children):
            try:
                path = (await self._paths(self.site.remote))[0]
            except NotUp as reason:
                failures += 1
                note(log, logging.WARNING, "site_not_trapped", site=self.site.name, why=reason)
                await self._pause(failures)
            else:
                return self._world.set_traps(self.site.name, path.local.host, path.remote.host)
        return None

    async def _bring_up(self) -> None:
        """Ask for what is wanted, over the IKE SA that stands, else at each of the peer's addresses. Raises NotUp."""
        sas = self._core.sas_of(self.site.name)
        stands = [sa for sa in sas if isinstance(sa, Established) and not sa.is_ending]
        up = {child.name for sa in stands for child in sa.children if child.lives}
        self._wanted = {child: None for child in self._wanted if child not in up}
        if not self._wanted:
            return None
        # as when the peer has sent us elsewhere, or the site's settings have changed
        closing = {sa.spi for sa in sas if isinstance(sa, Closing) or (isinstance(sa, Established) and sa.is_ending)}
        if asked := next((spi for spi in reversed(self._ikes) if spi not in closing), None):
            return await self._answered(partial(self._ask, asked))
        if not self._core.knows(self.site.name):
            await self._world.certificates_read()
        if not self._core.knows(self.site.name):
            raise NotUp("the certificates that it takes are missing or of no use; the log says which")
        failure, redirect = NotUp("it has no address"), self._take_redirect()
        for path in await self._paths((redirect.gateway,) if redirect else self.site.remote):
            try:
                return await self._answered(partial(self._initiate, path, redirect.came_from if redirect else None))
            except NotUp as reason:
                failure = reason
            if not self._wanted:
                return None
        raise failure

    def _ask(self, spi: bytes) -> None:
        self._asked_of = spi
        for child in self._asked:
            self._core.feed(Ask(spi, CreateChild(child)))

    def _take_redirect(self) -> Redirected | None:
        """Where the peer has sent us, once; the core counts how often, and ends it."""
        redirect, self._redirect = self._redirect, None
        self._redirects = self._redirects + 1 if redirect else 0
        return redirect

    def _initiate(self, path: Path, came_from: IpAddress | None) -> None:
        note(log, logging.INFO, "initiating", site=self.site.name, remote=path.remote.host)
        self._core.feed(Initiate(self.site.name, path, self._asked, came_from, self._redirects))

    async def _answered(self, question: Callable[[], None]) -> None:
        """Put a question to the core and wait until the wanted children are up; raises NotUp with the reason if not."""
        self._asked = tuple(self._wanted)
        self._answer = asyncio.get_running_loop().create_future()
        try:
            question()
            async with asyncio.timeout(self._patience.answer):
                await self._answer
        except TimeoutError:
            raise NotUp("the peer has not answered in time") from None
        finally:
            self._answer.cancel()
            self._answer, self._asked, self._asked_of = None, (), None
            for sa in self._core.sas_of(self.site.name):
                if isinstance(sa, Initiating | Authenticating):  # the peer was faster, or nobody is to wait any more
                    self._core.feed(Terminate(sa.spi))

    def _give_up(self, reason: NotUp) -> None:
        """After a failed try: go on wanting only what comes up by itself."""
        self.why = str(reason)
        if isinstance(reason, NotCalled):
            self._world.not_called(self.site.name, reason)
        note(log, logging.WARNING, "site_not_up", site=self.site.name, why=reason)
        self._finish(reason)
        kept = {child.name for child in self.site.children if self._by_itself and child.start is Start.LOAD}
        self._wanted = {child: None for child in self._wanted if child in kept}
        self._world.changed(self.site.name)

    def _finish(self, failure: NotUp | None) -> None:
        """Tell those who wait how it went."""
        for waiting in (each for each in self._waiting if not each.done()):
            waiting.set_exception(failure) if failure else waiting.set_result(None)
        self._waiting.clear()

    async def _paths(self, hosts: Iterable[IpAddress | str]) -> list[Path]:
        """From where to where the peer may be asked, in order. Raises NotUp if there is no way at all."""
        paths: list[Path] = []
        failure = NotUp("nobody is to be called")
        for host in hosts:
            try:
                async with asyncio.timeout(self._patience.resolve):
                    addresses = await self._world.resolve(host) if isinstance(host, str) else (host,)
            except (OSError, TimeoutError) as error:
                why = f"{host} does not resolve: {getattr(error, 'strerror', None) or 'no answer'}"
                failure = NotCalled(why, Hindrance.NO_NAME, str(host))
                continue
            self._world.met(self.site.name, addresses)
            for address in addresses:
                local = self.site.local or self._world.source_for(address)
                if local is None or local.version != address.version:
                    failure = NotCalled(f"no way leads to {address}", Hindrance.NO_WAY, str(address))
                    continue
                if not self._world.serves(local):
                    why = f"gateway.listen lacks {local}, which packets to {address} leave from"
                    failure = NotCalled(why, Hindrance.NOT_SERVED, str(address), str(local))
                    continue
                paths.append(Path(Address(local, self._ports.ike), Address(address, self._ports.ike)))
        if not paths:
            raise failure
        return paths

    async def _pause(self, failures: int) -> None:
        """Wait before the next try; a new wish ends it."""
        self._call.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.pause(failures, self._world.chance())):
                await self._call.wait()
