from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edgevpn.web.gate import Gate, Turned
from tests.support.panel import stage

BEGUN = b"GET /api/v1/panel HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


class Connection:
    """A connection as a server of aiohttp has it, and its transport in one."""

    def __init__(self) -> None:
        self.transport: Connection | None = self
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Server:
    """A server of aiohttp, as far as the gate looks at it."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []

    def __call__(self) -> Connection:
        self.connections.append(Connection())
        return self.connections[-1]


async def some_turns() -> None:
    """All that is due at once has been done after these."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_time_for_the_first_head() -> None:
    server: Any = Server()
    gate = Gate(8, patience=0)
    make = gate.before(server)
    silent, heard, gone = make(), make(), make()
    gate.spoke(heard)
    server.connections[2].transport = None
    await some_turns()
    assert [each.aborted for each in server.connections] == [True, False, False]
    assert (silent, heard, gone) == tuple(server.connections)


async def test_a_connection_too_many() -> None:
    server: Any = Server()
    make = Gate(2).before(server)
    make(), make()
    turned = make()
    assert isinstance(turned, Turned)
    turned.connection_made(transport := Connection())
    assert transport.aborted
    server.connections.pop()
    assert not isinstance(make(), Turned)


@pytest.mark.parametrize("octets", [b"", BEGUN], ids=["nothing", "half a head"])
async def test_who_is_slow_is_cut_off(tmp_path: Path, octets: bytes) -> None:
    async with stage(tmp_path, gate=Gate(8, patience=0.01)) as made:
        assert await made.raw(octets) == b""


async def test_who_is_too_many_is_cut_off(tmp_path: Path) -> None:
    async with stage(tmp_path, gate=Gate(0)) as made:
        assert await made.raw(BEGUN) == b""
