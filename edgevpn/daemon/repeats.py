"""Datagrams that come again at once. Nobody who means it sends one so soon again: a peer waits for its answer first.

So they are a network's doing, or somebody's who has overheard one. To look at each of them, and to answer each, would
take the time that others need.
"""

from __future__ import annotations

from collections.abc import Callable

# Our own choices.
MOMENT = 0.05  # seconds; peers wait half a second at the least
MOST = 1024  # datagrams that are known at a time


class Repeats:
    """Knows the datagrams of the last moment. `count`: how many came again within it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: set[int] = set()
        self._until = 0.0
        self.count = 0

    def has(self, octets: bytes, sender: object) -> bool:
        """Whether these octets have just come from there; from now on they have."""
        now = self._clock()
        if now >= self._until or len(self._known) >= MOST:
            self._known.clear()
            self._until = now + MOMENT
        key = hash((octets, sender))  # keyed, so that nobody can make two that are taken for the same
        if key in self._known:
            self.count += 1
            return True
        self._known.add(key)
        return False
