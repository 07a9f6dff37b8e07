"""Pings from inside the tunnel: a few requests one after the other, and how long their answers took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from edgevpn.frozen import dataclass
from edgevpn.ike.peer import IpAddress
from edgevpn.simulate import echo

# Our own choices: a far host over a satellite is still in time, and who waits for a dead one does not wait long.
COUNT = 3
PATIENCE = 2.0
NUMBERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Echoes:
    """What became of pings to one address. `times` of those answered, in seconds; `refused`: who said that none gets
    there.
    """

    target: IpAddress
    sent: int
    times: tuple[float, ...] = ()
    refused: IpAddress | None = None

    @property
    def answered(self) -> int:
        return len(self.times)

    @property
    def round_trip(self) -> float | None:
        """The median, in seconds; of two in the middle the longer."""
        return sorted(self.times)[len(self.times) // 2] if self.times else None


class Pinger:
    """Sends requests by `carry` and is told by `take` of all packets that come; `identifier` is 16 bits of chance."""

    def __init__(self, carry: Callable[[bytes], None], identifier: int, patience: float = PATIENCE) -> None:
        self._carry = carry
        self._identifier = identifier
        self._patience = patience
        self._number = 0
        self._waiting: dict[int, tuple[IpAddress, asyncio.Future[echo.Heard]]] = {}

    def take(self, packet: bytes) -> None:
        """A packet has come out of the tunnel."""
        came = echo.heard(packet)
        if came is None or came.identifier != self._identifier:
            return
        target, waiting = self._waiting.get(came.number, (None, None))
        if waiting is None or waiting.done() or (came.answers and came.sender != target):
            return
        waiting.set_result(came)

    async def ping(self, source: IpAddress, target: IpAddress, count: int = COUNT) -> Echoes:
        """One request after the other, each when the one before it was answered or is given up."""
        times: list[float] = []
        refused: IpAddress | None = None
        loop = asyncio.get_running_loop()
        for _ in range(count):
            begin = loop.time()
            came = await self._once(source, target)
            if came is None:
                continue
            if came.answers:
                times.append(loop.time() - begin)
            else:
                refused = came.sender
        return Echoes(target, count, tuple(times), refused)

    async def _once(self, source: IpAddress, target: IpAddress) -> echo.Heard | None:
        self._number = number = (self._number + 1) % NUMBERS
        waiting: asyncio.Future[echo.Heard] = asyncio.get_running_loop().create_future()
        self._waiting[number] = target, waiting
        try:
            self._carry(echo.request(source, target, self._identifier, number))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    return await waiting
            return None
        finally:
            del self._waiting[number]
