"""A clock that only the test moves."""

from __future__ import annotations


class Clock:
    """Monotonic and Unix time in one."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
