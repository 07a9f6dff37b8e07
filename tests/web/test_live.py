from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgevpn.web.live import MOST_UNREAD, Listener, Live, event_text
from tests.support.stand_in import StandIn, session, stand_in
from tests.support.stand_in import device as a_device

LINE = {"at": 1.0, "level": "info", "text": "started"}


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """It asks without a pause, so that no test waits."""
    made = Live(tmp_path / "s", 8443, retry=0)
    running = asyncio.ensure_future(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def heard(listener: Listener) -> tuple[str, object]:
    message = await listener.queue.get()
    assert message is not None
    return message


async def connected(listener: Listener) -> None:
    """Until the daemon is there."""
    while await heard(listener) != ("daemon", {"reachable": True}):
        pass


async def test_events_reach_every_listener(tmp_path: Path, live: Live) -> None:
    phone = a_device("phone", sessions=[session()])
    async with stand_in(tmp_path / "s", StandIn()) as daemon:
        with live.listening() as one, live.listening() as other:
            await connected(one)
            await daemon.subscribed()
            daemon.say("device", phone)
            assert await heard(one) == ("device", phone)
            await connected(other)
            assert await heard(other) == ("device", phone)


async def test_a_daemon_is_told_where_the_panel_listens(tmp_path: Path, live: Live) -> None:
    """One that was started anew does not know."""
    daemon = StandIn()
    async with stand_in(tmp_path / "s", daemon):
        with live.listening() as listener:
            await connected(listener)
    assert daemon.listening_at == 8443


async def test_who_has_gone_is_told_nothing(live: Live) -> None:
    with live.listening() as listener:
        pass
    live.publish("log", LINE)
    assert listener.queue.empty()


async def test_a_daemon_that_goes_and_comes_back(tmp_path: Path, live: Live) -> None:
    with live.listening() as listener:
        assert await heard(listener) == ("daemon", {"reachable": False})
        async with stand_in(tmp_path / "s", StandIn()):
            await connected(listener)
        assert await heard(listener) == ("daemon", {"reachable": False})
        async with stand_in(tmp_path / "s", StandIn()) as daemon:
            await connected(listener)
            await daemon.subscribed()
            daemon.say("log", LINE)
            assert await heard(listener) == ("log", LINE)


async def test_a_browser_that_does_not_read_is_cut_off(live: Live) -> None:
    with live.listening() as slow:
        for number in range(MOST_UNREAD + 1):
            live.publish("log", number)
        assert [message async for message in slow.messages()] == []
        live.publish("log", "more")
        assert slow.queue.empty()


async def test_all_streams_end_with_the_process(live: Live) -> None:
    with live.listening() as before:
        live.close()
        assert [message async for message in before.messages()] == []
    with live.listening() as after:
        assert [message async for message in after.messages()] == []


def test_an_event_is_one_line() -> None:
    """Whatever is in it: an end of line would begin another field."""
    octets = event_text(("device", {"name": "a\nevent: logged_out\r\n\u2028é"}))
    assert octets == b'event: device\ndata: {"name":"a\\nevent: logged_out\\r\\n\\u2028\\u00e9"}\n\n'
    assert event_text(None) == b":\n\n"
