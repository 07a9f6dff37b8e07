"""What happens when something of ours goes wrong while one conversation is worked on: the others are to go on.

Who catches that is decided where everything is put together (`service`); here is how it is asked to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Guard(Protocol):
    """Takes faults that nobody foresaw, and says so. `what` was being done; `spi` tells which IKE SA it was about."""

    def call(self, work: Callable[[], None], what: str, spi: Callable[[], bytes] = lambda: b"") -> bool:
        """Do the work; whether that went well."""

    async def wait(self, work: Awaitable[None], what: str) -> bool:
        """Wait for the work; whether that went well."""

    async def keep(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        """Work that goes on for ever: after a fault it is begun again."""


class Unguarded:
    """Lets every fault pass: for tests, which are to see it."""

    def call(self, work: Callable[[], None], what: str, spi: Callable[[], bytes] = lambda: b"") -> bool:
        work()
        return True

    async def wait(self, work: Awaitable[None], what: str) -> bool:
        await work
        return True

    async def keep(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        await work()


UNGUARDED = Unguarded()
