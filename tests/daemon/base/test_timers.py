"""Each rings once, at its last time, and in the order of the times."""

from __future__ import annotations

import asyncio

import pytest

from edgevpn.daemon.base.timers import SPARE, Timers

SOON = 0.01


class Bell:
    """Timers, what has rung, and an end to wait for."""

    def __init__(self) -> None:
        self.rung: list[bytes] = []
        self.timers = Timers(self.now, self.ring)
        self._end = asyncio.Event()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def ring(self, key: bytes) -> None:
        if key == b"end":
            self._end.set()
        else:
            self.rung.append(key)

    async def until(self, at: float) -> list[bytes]:
        """What has rung by then."""
        self.timers.set(b"end", at)
        async with asyncio.timeout(5):
            await self._end.wait()
        return self.rung


async def test_in_the_order_of_their_times() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    for place in (3, 1, 2):
        bell.timers.set(b"%d" % place, now + place * SOON)
    assert await bell.until(now + 4 * SOON) == [b"1", b"2", b"3"]


async def test_what_was_over_long_ago_rings_at_once() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    bell.timers.set(b"late", now - 1000.0)
    assert await bell.until(now) == [b"late"]


@pytest.mark.parametrize("again", [0.5, 1.5], ids=["sooner", "later"])
async def test_set_anew_it_rings_once(again: float) -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    bell.timers.set(b"moved", now + SOON)
    bell.timers.set(b"moved", now + again * SOON)
    assert await bell.until(now + 2 * SOON) == [b"moved"]


async def test_stopped_it_does_not_ring() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    bell.timers.set(b"stopped", now + SOON)
    bell.timers.stop(b"stopped")
    bell.timers.stop(b"never set")
    assert await bell.until(now + 2 * SOON) == []


async def test_after_the_end_nothing_rings() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    bell.timers.set(b"closed", now + SOON)
    bell.timers.close()
    assert await bell.until(now + 2 * SOON) == []


async def test_one_that_sets_itself_again() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()

    def again(key: bytes) -> None:
        bell.ring(key)
        if len(bell.rung) < 3:
            timers.set(key, bell.now())

    timers = Timers(bell.now, again)
    timers.set(b"again", now)
    assert await bell.until(now + 2 * SOON) == [b"again"] * 3


async def test_a_fault_keeps_no_other_from_ringing() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def ring(key: bytes) -> None:
        if key == b"bad":
            raise ValueError(key)
        bell.ring(key)

    timers = Timers(bell.now, ring)
    timers.set(b"bad", now)
    timers.set(b"good", now)
    assert await bell.until(now + 2 * SOON) == [b"good"]
    assert [type(fault) for fault in faults] == [ValueError]


async def test_what_is_set_anew_very_often_takes_no_more_room() -> None:
    bell, now = Bell(), asyncio.get_running_loop().time()
    for count in range(10_000):
        bell.timers.set(b"busy", now + 1000.0 + count)
    assert len(bell.timers._queue) <= 2 + SPARE
    bell.timers.set(b"busy", now + SOON)
    assert await bell.until(now + 2 * SOON) == [b"busy"]
