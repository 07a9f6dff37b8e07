"""One time for each of many things, all by a single timer of the event loop.

Thousands of IKE SAs have one each, and set it anew with every message. A pair in a queue takes a quarter of the room
that a timer of asyncio takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush

SPARE = 64
"""Pairs in the queue that need not mean anything any more, beside as many as there are times."""
NEVER, AT_WORK = float("inf"), float("-inf")


class Timers:
    """`ring` is told each key once, when its time has come. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._times: dict[bytes, float] = {}
        self._queue: list[tuple[float, bytes]] = []  # a time that was set anew, or stopped, stays until it comes
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = NEVER

    def set(self, key: bytes, at: float) -> None:
        """Ring at that time, not at the one that was set before."""
        self._times[key] = at
        heappush(self._queue, (at, key))
        if len(self._queue) > 2 * len(self._times) + SPARE:
            self._queue = [(at, key) for key, at in self._times.items()]
            heapify(self._queue)
        if at < self._alarm_at:
            self._arm()

    def stop(self, key: bytes) -> None:
        """Do not ring for this one."""
        self._times.pop(key, None)

    def close(self) -> None:
        """Ring no more."""
        self._times.clear()
        self._queue.clear()
        self._arm()

    # --- below ---

    def _arm(self) -> None:
        """Be woken for the first in the queue."""
        if self._alarm:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, NEVER
        if self._queue:
            self._alarm_at = self._queue[0][0]
            self._alarm = asyncio.get_running_loop().call_later(self._alarm_at - self._clock(), self._wake)

    def _wake(self) -> None:
        self._alarm_at, now = AT_WORK, self._clock()
        try:
            while self._queue and self._queue[0][0] <= now:
                at, key = heappop(self._queue)
                if self._times.get(key) == at:
                    del self._times[key]
                    self._ring(key)
        finally:
            self._arm()
