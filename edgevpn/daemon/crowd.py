"""First messages that wait to be heard: so many, and no more.

While more come than can be heard, only a share of them is to be let in, each as likely as any other whenever it comes:
to let in all who come in some moments, and nobody in others, would favour those who come by hundreds.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

# Our own choices.
ROOM = 256  # what a slow router deals with in a quarter of a second
MANY, FEW = ROOM // 2, ROOM // 4  # the rest is for those who come by hundreds
LESS, MORE = 0.8, 1.2  # what the share is multiplied by
LEAST = 0.001


class Crowd(Generic[T]):
    """Those of one kind, in their order. `share`: the part of those who come that is to be let in."""

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self._before = 0
        self.share = 1.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def many(self) -> bool:
        """Whether so many wait that not all who come should be let in."""
        return len(self._waiting) >= MANY

    def add(self, message: T) -> bool:
        """Whether there was room for it."""
        if len(self._waiting) >= ROOM:
            return False
        self._waiting.append(message)
        return True

    def take(self) -> T:
        """The one that has waited longest. IndexError if there is none."""
        return self._waiting.popleft()

    def adjust(self) -> None:
        """A moment has passed: less are to be let in where many wait and not less than before, more where few do."""
        waiting = len(self._waiting)
        if waiting >= MANY and waiting >= self._before:
            self.share = max(self.share * LESS, LEAST)
        elif waiting <= FEW:
            self.share = min(self.share * MORE, 1.0)
        self._before = waiting

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self._before, self.share = 0, 1.0
