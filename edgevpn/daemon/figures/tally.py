"""Counts what the core does: handshakes and how long they took, what was refused and why, how IKE SAs ended.

Everything is counted by what we define ourselves, never by what a peer sends, so there is only so much of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from edgevpn.ike.contract import Effect, IkeSaDown, IkeSaUp, Limit, Report, SetTimer, Shed, StopTimer
from edgevpn.ike.errors import Cause

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: what a handshake takes on a LAN, over the Internet, with a slow CPU, and with a person who types."""


@dataclass(slots=True)
class Histogram:
    """How many took up to each of `BOUNDS`, or longer than all of them; and all of it together."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    @property
    def cumulated(self) -> list[int]:
        """How many took up to each bound, and how many there were."""
        return [sum(self.counts[: index + 1]) for index in range(len(self.counts))]


class Tally:
    """Hears every effect of the core. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: dict[bytes, float] = {}  # by our SPI: IKE SAs that are not up yet
        self._up: set[bytes] = set()
        self.handshakes = Histogram()
        self.rekeyed = 0
        self.discarded = 0
        self.refused: Counter[Cause] = Counter()
        self.ended: Counter[Cause] = Counter()
        self.shed: Counter[Limit] = Counter()

    def hear(self, effect: Effect) -> None:
        """Count an effect."""
        match effect:
            case SetTimer(spi) if spi not in self._up:  # an IKE SA waits for something from its first moment on
                self._begun.setdefault(spi, self._clock())
            case StopTimer(spi):  # the last that is heard of an IKE SA, however it has ended
                self._begun.pop(spi, None)
                self._up.discard(spi)
            case IkeSaUp(spi=spi, replaces=replaces):
                begun = self._begun.pop(spi, None)
                self._up.add(spi)
                if replaces is not None:
                    self.rekeyed += 1
                elif begun is not None:
                    self.handshakes.add(self._clock() - begun)
            case IkeSaDown(cause=Cause() as cause):
                self.ended[cause] += 1
            case Shed(limit, count=count):
                self.shed[limit] += count
            case Report(event="discarded"):
                self.discarded += 1
            case Report(cause=Cause() as cause):
                self.refused[cause] += 1
