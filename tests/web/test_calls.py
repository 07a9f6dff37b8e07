from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgevpn.api import METHODS, ErrorCode, RpcError
from edgevpn.client import DaemonUnreachable
from edgevpn.web.calls import MOST_CALLS, SLOW, Calls
from tests.support.stand_in import StandIn, stand_in


async def test_the_daemon_is_asked(tmp_path: Path) -> None:
    daemon = StandIn()
    async with stand_in(tmp_path / "s", daemon):
        calls = Calls(tmp_path / "s")
        assert await calls("version") == {"version": "0.1.0", "api": 1}
        with pytest.raises(RpcError) as refused:
            await calls("device.show", name="nobody")
    assert refused.value.code == ErrorCode.NOT_FOUND
    assert daemon.asked == [("version", {}), ("device.show", {"name": "nobody"})]


async def test_a_slow_call_holds_up_no_other(tmp_path: Path) -> None:
    """Each has a connection of its own: a site that comes up may take minutes."""
    daemon, methods = StandIn(), asyncio.Event()

    class Slow(StandIn):
        def methods(self):  # type: ignore[no-untyped-def]
            async def up(params: object) -> object:
                await methods.wait()
                return daemon.sites["office"]

            return {**super().methods(), "site.up": up}

    async with stand_in(tmp_path / "s", Slow()):
        calls = Calls(tmp_path / "s")
        slow = asyncio.ensure_future(calls("site.up", name="office"))
        for _ in range(3):
            await calls("version")
        assert not slow.done()
        methods.set()
        assert (await slow)["name"] == "office"


async def test_not_more_than_the_daemon_takes(tmp_path: Path) -> None:
    """It has room for 32 clients, and the command line is to get in too."""
    async with stand_in(tmp_path / "s", StandIn()):
        calls = Calls(tmp_path / "s")
        answers = await asyncio.gather(*(calls("version") for _ in range(5 * MOST_CALLS)))
    assert len(answers) == 5 * MOST_CALLS


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match="the daemon is not running"):
        await Calls(tmp_path / "s")("version")


def test_slow_methods_are_methods() -> None:
    assert SLOW.keys() <= METHODS.keys()
