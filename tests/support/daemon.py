"""A daemon without a gateway: the real control server, on a socket, with methods that a test gives it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgevpn.api import RpcError
from edgevpn.daemon.control.server import ControlServer, Limits, Method, Params, Peer, listen


def answering(result: object) -> Method:
    """A method that takes anything and answers this."""

    async def method(params: Params) -> object:
        return result

    return method


def refusing(code: int, message: str, data: object = None) -> Method:
    """A method that refuses."""

    async def method(params: Params) -> object:
        raise RpcError(code, message, data)

    return method


def everybody(peer: Peer) -> bool:
    """Admits any process."""
    return True


class Faults:
    """What a control server has reported: the method's name and the exception."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, BaseException]] = []

    def __call__(self, method: str, fault: BaseException) -> None:
        self.seen.append((method, fault))


@contextmanager
def control_server(path: Path, methods: Mapping[str, Method], limits: Limits | None = None) -> Iterator[None]:
    """The server in a thread of its own, for clients that block."""
    faults = Faults()
    listener = listen(path)
    loop = asyncio.new_event_loop()
    server = ControlServer(methods, frozenset({"site"}), everybody, faults, limits or Limits())
    serving = loop.create_task(server.serve(listener))
    thread = threading.Thread(target=run_until_cancelled, args=(loop, serving))
    thread.start()
    try:
        yield
    finally:
        wait_for_turn(path)
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()
    assert not faults.seen


def wait_for_turn(path: Path) -> None:
    """Until the server has taken in all who came before: a connection that it is just accepting would be nobody's."""
    with socket.socket(socket.AF_UNIX) as last:
        last.connect(str(path))
        last.sendall(b"\n")
        last.recv(1)


def run_until_cancelled(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    loop.run_until_complete(asyncio.wait({task}))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
