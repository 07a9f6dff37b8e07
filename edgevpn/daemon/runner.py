"""Carries out what the core wants, in order, and brings back what the world answers.

Nothing here waits: timers, datagrams and the kernel's calls all come and go at once, so one input is dealt with whole
before the next.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, assert_never

from edgevpn.daemon.base.guard import UNGUARDED, Guard
from edgevpn.daemon.base.logs import note, note_report
from edgevpn.daemon.base.sparing import Sparing
from edgevpn.daemon.base.timers import Timers
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.ike.contract import (
    ChildClosed,
    ChildExpired,
    ChildFailed,
    Datagram,
    Effect,
    Endpoints,
    ExpectInbound,
    FindPath,
    IkeSaDown,
    IkeSaMoved,
    IkeSaUp,
    Initiate,
    Input,
    InstallFailed,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    Level,
    LocalAddresses,
    MappingChanged,
    MoveChild,
    QueryTraffic,
    Reconfigure,
    Redirected,
    RemoveChild,
    RemoveOutbound,
    Report,
    Send,
    SetTimer,
    Shed,
    StopTimer,
    Terminate,
    TimerFired,
    Traffic,
    report,
)
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.questions import (
    Configured,
    FindPassword,
    FindPsk,
    Lease,
    Question,
    Release,
    Sign,
    TalkTls,
    VerifyCertificates,
)
from edgevpn.ike.state import ChildSa, Established, Path
from edgevpn.kernel.errors import KernelError

log = logging.getLogger("edgevpn.ike")

AT_WILL = frozenset({"shed", "not_sent"})
"""Events that strangers bring about as often as they like, besides all that is refused."""


class Sender(Protocol):
    """Takes datagrams to the network."""

    def send(self, path: Path, octets: bytes) -> None: ...


class Hearer(Protocol):
    """Wants to know what has become of peers and children."""

    def ike_up(self, up: IkeSaUp) -> None: ...

    def ike_down(self, down: IkeSaDown) -> None: ...

    def ike_moved(self, moved: IkeSaMoved) -> None: ...

    def redirected(self, redirected: Redirected) -> None: ...

    def child_up(self, child: ChildSa, ends: Endpoints) -> None: ...

    def child_going(self, child: ChildSa) -> None: ...

    def child_failed(self, failed: ChildFailed) -> None: ...

    def child_closed(self, closed: ChildClosed) -> None: ...

    def released(self, released: Release) -> None: ...

    def configured(self, configured: Configured) -> None: ...

    def keys_derived(self, keys: KeysDerived) -> None: ...


class World(Protocol):
    """Answers questions of the core, by inputs to it, at once or later."""

    def ask(self, question: Question) -> None: ...

    def find_path(self, wanted: FindPath) -> None: ...


class Runner:
    """The core at work. `observe` is told of every effect once it is carried out; `guard` takes our own faults."""

    def __init__(
        self,
        endpoint: Endpoint,
        sender: Sender,
        dataplane: Dataplane,
        hearer: Hearer,
        world: World,
        clock: Callable[[], float],
        observe: Callable[[Effect], None] = lambda effect: None,
        guard: Guard = UNGUARDED,
    ) -> None:
        self._endpoint = endpoint
        self._sender = sender
        self._dataplane = dataplane
        self._hearer = hearer
        self._world = world
        self._clock = clock
        self._observe = observe
        self._guard = guard
        self._timers = Timers(clock, lambda spi: self.feed(TimerFired(spi)))
        self._inputs: deque[Input] = deque()
        self._busy = False
        self._sparing = Sparing(clock)

    def shed(self, shed: Shed) -> None:
        """Tell what was dropped before the core could see it."""
        self._carry_out(shed)
        self._observe(shed)

    def feed(self, event: Input) -> None:
        """Give the core an input, and carry out all that follows from it."""
        self._inputs.append(event)
        if self._busy:
            return  # we are called by what an effect has set off; the input has its turn after that effect's
        self._busy = True
        try:
            while self._inputs:
                self._take(self._inputs.popleft())
        finally:
            self._busy = False

    def _take(self, event: Input) -> None:
        """One input with all its effects. Where that goes wrong, the IKE SA that it was about is closed."""
        concerned = partial(self._concerned, event)
        if self._guard.call(partial(self._handle, event), type(event).__name__, concerned):
            return
        if (spi := concerned()) and not isinstance(event, Terminate):
            self._guard.call(partial(self._handle, Terminate(spi)), "closing", lambda: spi)

    def _handle(self, event: Input) -> None:
        for effect in self._endpoint.handle(event, self._clock()):
            self._carry_out(effect)
            self._observe(effect)

    def _concerned(self, event: Input) -> bytes:
        """Our SPI of the IKE SA that an input is about; empty if it is about none, or that is not known."""
        match event:
            case Datagram(octets=octets):
                spis = (octets[8:16], octets[:8])
                return next((spi for spi in spis if self._endpoint.sa(spi) is not None), b"")
            case Initiate() | LocalAddresses() | Reconfigure():
                return b""
            case ChildExpired(spi_in=spi_in) | InstallFailed(spi_in=spi_in) | MappingChanged(spi_in=spi_in):
                owners = (sa for sa in self._endpoint.sas if isinstance(sa, Established))
                return next((sa.spi for sa in owners if any(child.spi_in == spi_in for child in sa.children)), b"")
            case _:
                return event.spi

    def stop(self) -> None:
        """No timer fires any more."""
        self._timers.close()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send(path, octets):
                self._send(path, octets)
            case SetTimer(spi, at):
                self._timers.set(spi, at)
            case StopTimer(spi):
                self._timers.stop(spi)
            case ExpectInbound(spi_in, ends):
                self._dataplane.early.expect(spi_in, ends)
            case InstallInbound(child, ends):
                self._install_inbound(child, ends)
            case InstallOutbound(child, ends):
                self._install_outbound(child, ends)
            case RemoveOutbound(child):
                self._remove(child, self._dataplane.remove_outbound)
            case RemoveChild(child):
                self._hearer.child_going(child)
                self._remove(child, self._dataplane.remove_child)
            case MoveChild(child, ends):
                self._move(child, ends)
            case FindPath():
                self._world.find_path(effect)
            case QueryTraffic(spi, spis_in):
                self._inputs.append(Traffic(spi, self._heard(spis_in)))
            case IkeSaUp():
                self._hearer.ike_up(effect)
            case IkeSaMoved():
                self._hearer.ike_moved(effect)
            case IkeSaDown():
                self._hearer.ike_down(effect)
            case Redirected():
                self._hearer.redirected(effect)
            case Sign() | VerifyCertificates() | FindPsk() | FindPassword() | TalkTls() | Lease():
                self._world.ask(effect)
            case Release():
                self._hearer.released(effect)
            case Configured():
                self._hearer.configured(effect)
            case ChildFailed():
                self._hearer.child_failed(effect)
            case ChildClosed():
                self._hearer.child_closed(effect)
            case KeysDerived():
                self._hearer.keys_derived(effect)
            case Report():
                self._tell(effect)
            case Shed(limit, remote, count):
                whose = {} if remote is None else {"remote": remote}
                self._tell(report(Level.WARNING, "shed", limit=limit.value, count=count, **whose))
            case _:
                assert_never(effect)

    def _send(self, path: Path, octets: bytes) -> None:
        try:
            self._sender.send(path, octets)
        except OSError as error:  # as a lost datagram: it will be sent again
            unsent = report(Level.INFO, "not_sent", remote=path.remote.host, why=error.strerror or error)
            self._tell(unsent)
            self._observe(unsent)

    def _tell(self, told: Report) -> None:
        """Log it; what may be one of very many, now and then."""
        if told.cause is None and told.event not in AT_WILL:
            note_report(log, told)
        elif (left_out := self._sparing.left_out(told.event)) is not None:
            note_report(log, told, left_out)

    def _install_inbound(self, child: ChildSa, ends: Endpoints) -> None:
        try:
            self._dataplane.install_inbound(child, ends)
        except KernelError as error:
            self._inputs.append(InstallFailed(child.spi_in, str(error)))

    def _install_outbound(self, child: ChildSa, ends: Endpoints) -> None:
        try:
            if self._dataplane.install_outbound(child, ends):
                self._hearer.child_up(child, ends)
        except KernelError as error:
            self._inputs.append(InstallFailed(child.spi_in, str(error)))

    def _move(self, child: ChildSa, ends: Endpoints) -> None:
        try:
            self._dataplane.move(child, ends)
        except KernelError as error:
            self._inputs.append(InstallFailed(child.spi_in, str(error)))

    def _heard(self, spis_in: tuple[bytes, ...]) -> float | None:
        """When a packet last came in; without an answer of the kernel the core asks the peer."""
        try:
            return self._dataplane.heard(spis_in)
        except KernelError as error:
            note(log, logging.WARNING, "not_counted", why=error)
            return None

    def _remove(self, child: ChildSa, remove: Callable[[ChildSa], None]) -> None:
        try:
            remove(child)
        except KernelError as error:
            note(log, logging.ERROR, "not_removed", spi_in=child.spi_in, child=child.name, why=error)
