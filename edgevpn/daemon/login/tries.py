"""Nobody may guess passwords and keys for long.

Who guesses from one place does not keep out the owner of the device, who is in another; who has many places may.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from edgevpn.ike.peer import IpAddress
from edgevpn.ike.sa import neighbourhood

MOST, MOST_OF_ALL = 10, 100
"""Wrong ones for one device, from one neighbourhood and from all together."""
WITHIN = 60.0
"""Seconds."""


class Tries:
    """How often somebody has tried lately, by device. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tries: dict[str, deque[tuple[float, IpAddress]]] = {}

    def allow(self, device: str, host: IpAddress) -> bool:
        """Note a try, which is wrong until it turns out to be right; False if it was one too many."""
        now, near = self._clock(), neighbourhood(host)
        tries = self._tries.setdefault(device, deque())
        while tries and now - tries[0][0] > WITHIN:
            tries.popleft()
        if len(tries) == MOST_OF_ALL or sum(each == near for _, each in tries) == MOST:
            return False
        tries.append((now, near))
        return True

    def was_right(self, device: str, host: IpAddress) -> None:
        """The last one from there was no guess."""
        near, tries = neighbourhood(host), self._tries.get(device, deque())
        if last := next((each for each in reversed(tries) if each[1] == near), None):
            tries.remove(last)
        if not tries:
            self._tries.pop(device, None)  # of thousands of devices hardly one is tried at a time

    def forget(self) -> None:
        """All of them."""
        self._tries.clear()
