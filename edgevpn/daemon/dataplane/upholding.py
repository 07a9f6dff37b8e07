"""Keeps what is ours in the kernel as it shall be, whoever meddles with it: at the start, after a change of the
configuration, when the kernel tells that something is gone, and on demand. What is not ours is never touched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from edgevpn.daemon.base.logs import note
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.frozen import dataclass
from edgevpn.ike.contract import ChildExpired, Input
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import (
    AddressChanged,
    Event,
    EventsLost,
    LinkChanged,
    PolicyRemoved,
    RouteChanged,
    RuleRemoved,
    SaRemoved,
)
from edgevpn.kernel.ip_words import ip_words
from edgevpn.kernel.network_spec import AddressSpec
from edgevpn.kernel.reconcile import Plan, find, reconcile
from edgevpn.kernel.spec import SaKey

# Our own choices, in seconds.
QUIET = 0.2
"""In which several changes become one look."""
LONGEST_QUIET = 30.0
"""The same where somebody undoes again and again what we have done."""
CALM = 60.0
"""After which nobody does so any more."""
RENEWAL = 30.0
"""In which a child must have got new keys that has lost an SA; else it is given up, and made anew."""

MOST_LINES = 20
"""Of the log, for one look."""

log = logging.getLogger("edgevpn")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in the words of ip(8); and why it could not be done, "" if it could."""

    command: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Mended:
    """What a look has led to: the steps, and the SAs that are gone, whose children get new keys."""

    steps: tuple[Step, ...] = ()
    lost: tuple[SaKey, ...] = ()


class Upholding:
    """Looks when there is a reason to. `feed` takes what the core is to know."""

    def __init__(
        self,
        kernel: Kernel,
        dataplane: Dataplane,
        feed: Callable[[Input], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kernel = kernel
        self._dataplane = dataplane
        self._feed = feed
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._struggle = 0  # how many looks in a row had something to do
        self._last_done = float("-inf")
        self._renewing: frozenset[SaKey] = frozenset()
        self._told: frozenset[Step] = frozenset()

    def close(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()

    def touch(self) -> None:
        """Look soon."""
        if self._clock() - self._last_done > CALM:
            self._struggle = 0
        self._look_in(min(LONGEST_QUIET, QUIET * 2**self._struggle))

    def heard(self, events: Sequence[Event]) -> None:
        """The kernel has told of these: what has become of each thing in the end is what counts."""
        if any(map(self._matters, last_of_each(events))):
            self.touch()

    def plan(self) -> Plan:
        """What differs now from what shall be. Raises KernelError."""
        return reconcile(self._dataplane.desired(), find(self._kernel))

    def would_mend(self) -> Mended:
        """What `mend` would do. Raises KernelError."""
        plan = self.plan()
        return Mended(tuple(Step(ip_words(each)) for each in plan.operations), in_order(plan.lost))

    def mend(self) -> Mended:
        """Put back what is missing, take away what is too much, have new keys made for what cannot be put back.

        Raises KernelError if it cannot be found out what differs.
        """
        plan = self.plan()
        fates = self._kernel.apply(plan.operations) if plan.operations else ()
        steps = tuple(Step(ip_words(each), str(fate or "")) for each, fate in zip(plan.operations, fates, strict=True))
        self._renew(plan.lost)
        self._tell(steps)
        if plan.operations or plan.lost:
            self._struggle, self._last_done = self._struggle + 1, self._clock()
        return Mended(steps, in_order(plan.lost))

    # --- below ---

    def _matters(self, event: Event) -> bool:
        """Whether something may be missing, or addresses of this machine have changed that routes have as sources."""
        dataplane = self._dataplane
        match event:
            case SaRemoved(key):
                return key is None or dataplane.spi_in_of(key) is not None
            case PolicyRemoved(key):
                return key is None or dataplane.policy(key) is not None
            case LinkChanged(link, gone):
                return (gone or not link.up) and dataplane.has_link(link.name)
            case AddressChanged(interface, address, gone):
                spec = AddressSpec(interface, address)
                return dataplane.has_address(spec) if gone else not dataplane.has_link(interface)
            case RouteChanged(route, gone):
                return (gone or not route.ours) and dataplane.has_route(route)
            case RuleRemoved(rule):
                return dataplane.has_rule(rule)
            case EventsLost():
                return True
        return False

    def _look_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        try:
            self.mend()
        except KernelError as error:
            note(log, logging.ERROR, "not_upheld", why=error)

    def _renew(self, lost: frozenset[SaKey]) -> None:
        """Children that have lost an SA get new keys; those that have got none in time are given up."""
        for spi_in, hard in {self._dataplane.spi_in_of(key): key in self._renewing for key in in_order(lost)}.items():
            if spi_in is not None:
                note(log, logging.WARNING, "sa_lost", spi_in=spi_in, meaning="somebody has removed it from the kernel")
                self._feed(ChildExpired(spi_in, hard))
        self._renewing = lost
        if lost:
            self._look_in(RENEWAL)

    def _tell(self, steps: tuple[Step, ...]) -> None:
        """What was done; what could not be done once, until it is something else."""
        done = [step for step in steps if not step.fault]
        for step in done[:MOST_LINES]:
            note(log, logging.WARNING, "repaired", command=step.command)
        if len(done) > MOST_LINES:
            note(log, logging.WARNING, "repaired", more=len(done) - MOST_LINES)
        failed = frozenset(step for step in steps if step.fault)
        for step in sorted(failed - self._told, key=str)[:MOST_LINES]:
            note(log, logging.ERROR, "not_repaired", command=step.command, why=step.fault)
        self._told = failed


def last_of_each(events: Iterable[Event]) -> Iterable[Event]:
    """Of several that tell of the same thing the last."""
    return {subject_of(event): event for event in events}.values()


def subject_of(event: Event) -> object:
    match event:
        case LinkChanged(link=link):
            return LinkChanged, link.name
        case AddressChanged(interface=interface, address=address):
            return AddressChanged, interface, address
        case RouteChanged(route=route):
            return RouteChanged, route.place
    return event


def in_order(lost: Iterable[SaKey]) -> tuple[SaKey, ...]:
    return tuple(sorted(lost, key=str))
