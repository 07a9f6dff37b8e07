"""The panel on loopback before a stand-in daemon, and browsers that look at it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from edgevpn.web.app import Panel
from edgevpn.web.calls import Calls
from edgevpn.web.entrance import World
from edgevpn.web.gate import Gate
from edgevpn.web.guard import API, CSRF
from edgevpn.web.listening import Place, place_of
from edgevpn.web.pages import Page
from edgevpn.web.passwords import Cost, hashed
from edgevpn.web.serve import served
from tests.support.clock import Clock
from tests.support.stand_in import Daemon, StandIn, stand_in

PASSWORD = "correct horse"
HASH = hashed(PASSWORD, b"salt" * 4, Cost(4))
"""Cheap: what is tested is not how dear it is."""
INDEX = {"/": Page("text/html; charset=utf-8", '"1"', b""), "/app.js": Page("text/javascript", '"2"', b"")}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal; empty for what went well."""
        return str(self.json["error"]["code"]) if self.status >= 400 else ""


@dataclass
class Browser:
    """One browser: it keeps cookies, and sends our token once it has it."""

    client: aiohttp.ClientSession
    base: str
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, verb: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request. A path that begins with /api is taken as it is, others are below the API."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.csrf:
            sent = {CSRF: self.csrf} | sent
        url = self.base + (path if path.startswith(("/api", "/d/")) or path == "/" else API + path)
        async with self.client.request(verb, url, json=body, headers=self.headers | sent) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return await self.ask("POST", path, {} if body is None else body, **headers)

    async def put(self, path: str, body: object, **headers: str) -> Answer:
        return await self.ask("PUT", path, body, **headers)

    async def log_in(self, **more: str) -> Answer:
        answer = await self.post("/login", {"password": PASSWORD, **more})
        if answer.status == 200:
            self.csrf = answer.json["csrf"]
        return answer


@dataclass
class Stage:
    """Everything that a test of the panel plays with."""

    daemon: StandIn
    socket: Daemon
    panel: Panel
    place: Place
    clock: Clock
    base: str
    browsers: list[aiohttp.ClientSession] = field(default_factory=list)

    def browser(self, **headers: str) -> Browser:
        """A browser that nobody has used before."""
        client = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.browsers.append(client)
        return Browser(client, self.base, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def owner(self) -> Browser:
        """A browser that is logged in."""
        browser = self.browser()
        assert (await browser.log_in()).status == 200
        return browser

    async def raw(self, octets: bytes) -> bytes:
        """What is answered to these octets, until the panel closes; for what no client would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.place.port)
        try:
            writer.write(octets)
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.transport.abort()


class Afar(Gate):
    """A gate behind which everybody comes from this address, as the sockets say it."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._peername = (address, 40000)

    def before(self, server: Any) -> Any:
        """Makes protocols that are told of another end."""
        make = super().before(server)
        return lambda: _Told(make(), self._peername)


class _Told:
    """The protocol of a connection, which it hears of with this name of its other end."""

    def __init__(self, protocol: Any, peername: tuple[str, int]) -> None:
        self._protocol = protocol
        self._peername = peername

    def connection_made(self, transport: Any) -> None:
        self._protocol.connection_made(_Named(transport, self._peername))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)


class _Named:
    """A transport whose other end has this name."""

    def __init__(self, transport: Any, peername: tuple[str, int]) -> None:
        self._transport = transport
        self._peername = peername

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peername if name == "peername" else self._transport.get_extra_info(name, default)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def free_port() -> int:
    """A TCP port that nobody has on loopback."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def entropy() -> Any:
    """Octets that are never the same twice, and always the same in the next run."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


@asynccontextmanager
async def stage(
    folder: Path,
    files: Mapping[str, Page] | None = None,
    gate: Gate | None = None,
    place: Mapping[str, Any] | None = None,
    **settings: object,
) -> AsyncIterator[Stage]:
    """A panel whose password is set, unless the settings say otherwise. `place` replaces parts of where it is."""
    daemon, clock = StandIn(**{"password_hash": HASH, **settings}), Clock(1_700_000_000.0)
    path = folder / "control.sock"
    async with stand_in(path, daemon) as control:
        where = place_of(daemon.web, free_port(), "router")  # type: ignore[arg-type]
        calls, world = Calls(path), World(clock, clock, entropy())
        async with served(calls, daemon.web, where, files or INDEX, world, gate) as panel:  # type: ignore[arg-type]
            made = Stage(daemon, control, panel, where, clock, where.origin(f"127.0.0.1:{where.port}"))
            try:
                yield made
            finally:
                for client in made.browsers:
                    await client.close()
