"""The process: `edgevpn web` before a stand-in daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from edgevpn.web.listening import fingerprint
from tests.support.panel import HASH, PASSWORD, Browser, free_port
from tests.support.panel_certificate import certificate
from tests.support.stand_in import StandIn, stand_in

ROOT = Path(__file__).parent.parent.parent
FLOOR = ROOT / ".venv/web-floor"
"""The oldest aiohttp that is to do, with what it needs; see tests/web/floor.txt."""

START = "import sys; from edgevpn.cli import main; sys.exit(main())"
AS_IT_IS: dict[str, str] = {}
PURE = dict.fromkeys(("AIOHTTP_NO_EXTENSIONS", "MULTIDICT_NO_EXTENSIONS", "YARL_NO_EXTENSIONS"), "1")
OLDEST = PURE | {"PYTHONPATH": os.pathsep.join((str(FLOOR), str(ROOT)))}


@asynccontextmanager
async def process(folder: Path, *words: str, **environ: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`edgevpn web`, told to stop at the end of the block if it has not ended by then."""
    command = [sys.executable, "-c", START, "web", "--socket", str(folder / "control.sock"), *words]
    started = await asyncio.create_subprocess_exec(
        *command, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environ}
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
        assert started.stderr is not None
        await started.stderr.read()
        await started.wait()


async def line(started: asyncio.subprocess.Process) -> str:
    assert started.stderr is not None
    return (await started.stderr.readline()).decode().strip()


def browser(base: str, pem: str) -> Browser:
    """One that trusts this certificate and no other."""
    context = ssl.create_default_context(cadata=pem)
    connector = aiohttp.TCPConnector(ssl=context)
    return Browser(aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)), base)


@pytest.mark.parametrize("environ", [AS_IT_IS, PURE, OLDEST], ids=["as it is", "pure Python", "oldest, pure Python"])
async def test_rule_9_https_whose_fingerprint_is_told_on_the_console(tmp_path: Path, environ: dict[str, str]) -> None:
    pem, key = certificate()
    daemon = StandIn(https=True, certificate=pem, key=key, port=free_port(), password_hash=HASH)
    base = f"https://127.0.0.1:{daemon.web['port']}"
    async with stand_in(tmp_path / "control.sock", daemon), process(tmp_path, **environ) as web:
        assert await line(web) == f"listening url={base}/"
        assert await line(web) == f"certificate sha256={fingerprint(pem)}"
        owner = browser(base, pem)
        async with owner.client:
            cookie = (await owner.log_in()).headers["Set-Cookie"]
            assert cookie.startswith("__Host-edgevpn=")
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
            assert (await owner.get("/status")).json["version"] == "0.1.0"
            assert (await owner.get("/")).body.startswith(b"<!doctype html>")
            link = (await owner.post("/devices/phone/link", {"form": "sswan"})).json["url"]
            assert link.startswith(f"{base}/d/")
        web.send_signal(signal.SIGTERM)
        assert await line(web) == 'audit event=login address=127.0.0.1 detail=""'
        assert await web.wait() == 0


async def test_it_waits_for_the_daemon(tmp_path: Path) -> None:
    async with process(tmp_path) as web:
        assert (await line(web)).startswith("waiting: the daemon is not running")
        async with stand_in(tmp_path / "control.sock", StandIn(port=free_port())):
            assert (await line(web)).startswith("listening url=http://127.0.0.1:")
            assert (await line(web)).startswith("without HTTPS: everybody")
            assert (await line(web)).startswith("no password is set; open the panel within 15 minutes")


async def test_it_stops_while_it_waits(tmp_path: Path) -> None:
    async with process(tmp_path) as web:
        await line(web)
        web.send_signal(signal.SIGTERM)
        assert await web.wait() == 0


async def test_a_port_that_was_chosen(tmp_path: Path) -> None:
    """The daemon is told, as it says to others where the panel is."""
    port, daemon = free_port(), StandIn(port=free_port())
    async with stand_in(tmp_path / "control.sock", daemon), process(tmp_path, "--port", str(port)) as web:
        assert await line(web) == f"listening url=http://127.0.0.1:{port}/"
    assert daemon.listening_at == port


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"enabled": False}, "not_started: the panel is switched off by web.enabled"),
        ({"listen": []}, "not_started: this machine has no LAN address"),
        ({"listen": ["203.0.113.1"]}, "not_started: 203.0.113.1 is not a LAN address"),
        ({"https": True}, "not_started: the panel's certificate is no good"),
    ],
)
async def test_it_says_why_it_cannot(tmp_path: Path, settings: dict[str, object], sentence: str) -> None:
    daemon = stand_in(tmp_path / "control.sock", StandIn(port=free_port(), **settings))
    async with daemon, process(tmp_path) as web:
        assert (await line(web)).startswith(sentence)
        assert await web.wait() == 1


async def test_open_streams_do_not_hold_it_up(tmp_path: Path) -> None:
    daemon = StandIn(port=free_port(), password_hash=HASH)
    base = f"http://127.0.0.1:{daemon.web['port']}"
    async with stand_in(tmp_path / "control.sock", daemon), process(tmp_path) as web:
        await line(web)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            assert (await Browser(client, base).post("/login", {"password": PASSWORD})).status == 200
            async with client.get(f"{base}/api/v1/events") as response:
                assert await response.content.readline() == b"event: hello\n"
                web.send_signal(signal.SIGTERM)
                await response.content.read()
        assert await web.wait() == 0
