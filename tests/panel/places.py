"""The web process as it is started on a router, before a stand-in daemon or the real one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgevpn.web import passwords
from tests.support.panel import PASSWORD, free_port
from tests.support.panel_certificate import certificate
from tests.support.stand_in import Daemon, StandIn, stand_in

T = TypeVar("T")
START = "import sys; from edgevpn.cli import main; sys.exit(main())"
HASH = passwords.hashed(PASSWORD, b"salt" * 4, passwords.Cost(4))


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Any) -> Any:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of a function, called there."""

        async def called() -> T:
            return work(*arguments)

        result: T = self.run(called())
        return result

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Served:
    """A stand-in that comes and goes."""

    def __init__(self, loop: Loop, socket: Path, daemon: StandIn) -> None:
        self._loop, self._socket, self._daemon = loop, socket, daemon
        self.begin()

    def begin(self) -> None:
        self._opened = stand_in(self._socket, self._daemon)
        self.control: Daemon = self._loop.run(self._opened.__aenter__())

    def end(self) -> None:
        self._loop.run(self._opened.__aexit__(None, None, None))


@dataclass
class Staged:
    """A panel before a stand-in. `daemon` is what it shows."""

    daemon: StandIn
    base: str
    pid: int
    socket: Path
    _loop: Loop
    _served: Served

    def say(self, topic: str, data: object) -> None:
        """Something happens; whoever looks is told."""
        self._loop.run(self._served.control.subscribed())
        self._loop.call(self._served.control.say, topic, data)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Without a daemon, as while it starts anew."""
        self._served.end()
        yield
        self._served.begin()


@contextmanager
def staged(folder: Path, **settings: object) -> Iterator[Staged]:
    """With HTTPS and a password that is set, unless the settings say otherwise."""
    pem, key = certificate()
    usual = {"https": True, "certificate": pem, "key": key, "port": free_port(), "password_hash": HASH}
    daemon, loop, socket = StandIn(**{**usual, **settings}), Loop(), folder / "control.sock"
    try:
        served = Served(loop, socket, daemon)
        try:
            with web_process(socket) as (base, pid):
                yield Staged(daemon, base, pid, socket, loop, served)
        finally:
            served.end()
    finally:
        loop.close()


@contextmanager
def process(*words: str, until: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`edgevpn WORDS`, once it has said a line with `until` in it, and that line. Told to stop at the end."""
    command = [sys.executable, "-c", START, *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as started:
        assert started.stderr is not None
        told = [started.stderr.readline()]
        while until not in told[-1]:
            assert told[-1], "".join(told)
            told.append(started.stderr.readline())
        draining = threading.Thread(target=started.stderr.read)
        draining.start()
        try:
            yield started, told[-1].strip()
        finally:
            started.terminate()
            started.wait()
            draining.join()


@contextmanager
def web_process(socket: Path, *words: str) -> Iterator[tuple[str, int]]:
    """`edgevpn web`: the address that it is at, and which process it is."""
    with process("web", "--socket", str(socket), *words, until="listening url=") as (started, line):
        yield line.partition("url=")[2].rstrip("/"), started.pid
