"""First messages that wait to be heard: so many, and no more."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

# Our own choice.
CROWD = 256  # what a slow router deals with in a quarter of a second


class Crowd(Generic[T]):
    """Those of one kind, in their order. `full`: from when there is no more room until half of them have been heard."""

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self.full = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: T) -> bool:
        """Whether there was room for it."""
        if len(self) >= CROWD:
            return False
        self._waiting.append(message)
        self.full = self.full or len(self) == CROWD
        return True

    def take(self) -> T:
        """The one that has waited longest. IndexError if there is none."""
        message = self._waiting.popleft()
        self.full = self.full and len(self) > CROWD // 2
        return message

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self.full = False
