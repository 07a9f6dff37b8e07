"""The process of the panel: what it is made of, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from edgevpn.api import RpcError
from edgevpn.api.records import WebSettings
from edgevpn.client import DaemonUnreachable
from edgevpn.secrecy import keep_memory_private
from edgevpn.web import pages
from edgevpn.web.app import Panel, make_panel
from edgevpn.web.calls import Calls
from edgevpn.web.entrance import World
from edgevpn.web.gate import PATIENCE, Gate, ProtocolFactory
from edgevpn.web.listening import CannotListen, Place, fingerprint, place_of, sockets, tls
from edgevpn.web.pages import Page

log = logging.getLogger("edgevpn.web")

RETRY = 2.0
"""Seconds until a daemon that does not answer is asked again."""
KEEP_ALIVE = 75.0
LINGER = 1.0
"""Seconds that a connection may idle between requests, and that it may go on sending what is not read any more."""
SHUTDOWN = 2.0
"""Seconds in which requests may end when the process does."""
LONGEST_LINE, LONGEST_FIELD = 4096, 4096
STOPPING = (signal.SIGTERM, signal.SIGINT)


def run(path: Path, port: int | None) -> int:
    """Serve the panel until SIGTERM or SIGINT; `path` is the control socket. The exit status."""
    keep_memory_private()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        asyncio.run(_serve(path, port))
    except CannotListen as error:
        log.error("not_started: %s", error)
        return 1
    return 0


async def _serve(path: Path, port: int | None) -> None:
    folder = pages.home()
    if folder is None:
        raise CannotListen("the panel's pages are not installed; install edgevpn-web anew")
    stopping = asyncio.Event()
    for stop in STOPPING:
        asyncio.get_running_loop().add_signal_handler(stop, stopping.set)
    calls = Calls(path)
    settings = await _settings(calls, stopping)
    if settings is None:
        return
    if not settings["enabled"]:
        raise CannotListen("the panel is switched off by web.enabled")
    place = place_of(settings, port, socket.gethostname())
    world = World(time.monotonic, time.time, os.urandom)
    async with served(calls, settings, place, pages.read(folder), world):
        with suppress(DaemonUnreachable, RpcError):  # it is told again by whoever looks on
            await calls("web.listening", port=place.port)
        _say_where(settings, place)
        await stopping.wait()
    log.info("stopped")


@asynccontextmanager
async def served(
    calls: Calls, settings: WebSettings, place: Place, files: Mapping[str, Page], world: World, gate: Gate | None = None
) -> AsyncIterator[Panel]:
    """The panel, answering at its place until the end of the block. Raises CannotListen."""
    gate = gate or Gate()
    panel = make_panel(calls, settings, place, files, world, gate.spoke)
    runner = _runner(panel)
    await runner.setup()
    assert runner.server is not None
    servers: list[asyncio.Server] = []
    try:
        context = tls(settings["certificate"], settings["key"]) if place.https else None
        await _open(servers, gate.before(runner.server), place, context)
        async with asyncio.TaskGroup() as tasks:
            passing = tasks.create_task(panel.live.run())
            yield panel
            panel.live.close()
            passing.cancel()
    finally:
        for server in servers:
            server.close()
        await runner.server.shutdown(SHUTDOWN)
        await runner.cleanup()


async def _open(
    servers: list[asyncio.Server], made: ProtocolFactory, place: Place, context: ssl.SSLContext | None
) -> None:
    loop, patience = asyncio.get_running_loop(), PATIENCE if context else None
    for each in sockets(place):
        servers.append(await loop.create_server(made, sock=each, ssl=context, ssl_handshake_timeout=patience))


def _runner(panel: Panel) -> web.AppRunner:
    return web.AppRunner(
        panel.app,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE,
        lingering_time=LINGER,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_FIELD,
    )


async def _settings(calls: Calls, stopping: asyncio.Event) -> WebSettings | None:
    """What the daemon says, once it answers; None if we are told to stop before."""
    told = ""
    while not stopping.is_set():
        try:
            settings: WebSettings = await calls("web.settings")
        except (DaemonUnreachable, RpcError) as error:
            if str(error) != told:
                log.warning("waiting: %s", error)
            told = str(error)
        else:
            return settings
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY):
                await stopping.wait()
    return None


def _say_where(settings: WebSettings, place: Place) -> None:
    for address in place.addresses:
        host = f"[{address}]" if address.version == 6 else str(address)
        log.info("listening url=%s", place.origin(f"{host}:{place.port}/"))
    if place.https:
        log.info("certificate sha256=%s", fingerprint(settings["certificate"]))
    else:
        log.warning("without HTTPS: everybody in the LAN can read what the panel shows")
    if not settings["password_hash"]:
        log.warning("no password is set; open the panel within 15 minutes, or run: edgevpn setup-token")
