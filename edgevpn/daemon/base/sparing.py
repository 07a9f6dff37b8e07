"""Keeps the log readable, and the flash of a router alive, when strangers repeat themselves.

A few lines about the same event come at once, so that whoever looks for the fault of a device finds it; after that one
line every few seconds says how many there were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

AT_ONCE = 20
"""Lines of one event that are never held back."""
EVERY = 5.0
"""Seconds after which there may be one more."""


@dataclass(slots=True)
class _Event:
    """How many lines there may be at a time, and how many were left out since the last one."""

    lines: float
    at: float
    left_out: int = 0


class Sparing:
    """Says for each event whether it may be logged now. Events are named by us, so there are only so many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._events: dict[str, _Event] = {}

    def left_out(self, event: str) -> int | None:
        """How many were left out since the last line, if this one may be logged; else None, and it is left out, too."""
        now = self._clock()
        known = self._events.setdefault(event, _Event(AT_ONCE, now))
        known.lines, known.at = min(AT_ONCE, known.lines + (now - known.at) / EVERY), now
        if known.lines < 1:
            known.left_out += 1
            return None
        known.lines -= 1
        before, known.left_out = known.left_out, 0
        return before
