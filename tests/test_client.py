from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from edgevpn.api import DEFAULT_SOCKET, METHODS, ErrorCode, RpcError
from edgevpn.client import (
    AsyncClient,
    Client,
    DaemonUnreachable,
    encode_request,
    event_of,
    result_of,
    socket_path,
    unreachable,
)
from edgevpn.daemon.control.server import ControlServer, Limits, Method, Params, listen
from tests.support.daemon import Faults, answering, control_server, everybody, refusing
from tests.support.shapes import misfits
from tests.support.statuses import OFFICE, STATUS

SUBSCRIBED = b'{"jsonrpc":"2.0","id":1,"result":{"topics":["site"]}}\n'
RELOADED = {"added": ["new"], "changed": [], "removed": [], "unchanged": ["office"], "others": [], "warnings": []}


async def site_up(params: Params) -> object:
    if params != {"name": "office"}:
        raise RpcError(ErrorCode.NOT_FOUND, f"there is no site {params['name']}")
    return OFFICE


METHODS_HERE: dict[str, Method] = {
    "version": answering({"version": "0.1.0", "api": 1}),
    "status": answering(STATUS),
    "site.up": site_up,
    "site.down": answering(None),
    "reload": answering(RELOADED),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@contextmanager
def saying(path: Path, answer: bytes) -> Iterator[None]:
    """A daemon that sends these octets to its first caller and closes."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


@asynccontextmanager
async def server(path: Path) -> AsyncIterator[ControlServer]:
    control = ControlServer(METHODS_HERE, frozenset({"site"}), everybody, Faults())
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(control.serve(listen(path)))
        yield control
        serving.cancel()


def test_calls(path: Path) -> None:
    with control_server(path, METHODS_HERE), Client(path) as client:
        assert client.version() == {"version": "0.1.0", "api": 1}
        assert client.status() == STATUS
        assert client.site_up("office") == OFFICE
        client.site_down("office")
        assert client.reload() == RELOADED


def test_refusals_are_raised(path: Path) -> None:
    methods = METHODS_HERE | {"reload": refusing(ErrorCode.CONFIG_INVALID, "the file is bad", ["line 1: bad"])}
    with control_server(path, methods), Client(path) as client:
        with pytest.raises(RpcError, match="there is no site x") as error:
            client.site_up("x")
        assert error.value.code == ErrorCode.NOT_FOUND
        with pytest.raises(RpcError) as error:
            client.reload()
        assert error.value.data == ["line 1: bad"]
        assert client.status() == STATUS


def test_one_client_too_many_is_told_so(path: Path) -> None:
    with control_server(path, METHODS_HERE, Limits(clients=1)), Client(path) as first:
        first.version()
        with Client(path) as second, pytest.raises(RpcError, match="1 clients are connected already"):
            second.version()


def test_nobody_there(path: Path) -> None:
    with pytest.raises(DaemonUnreachable) as error:
        Client(path)
    assert str(error.value) == (
        f"the daemon is not running (nobody listens on {path}); start it with: edgevpn run -c FILE"
    )
    listen(path).close()
    with pytest.raises(DaemonUnreachable, match="the daemon is not running"):
        Client(path)


def test_daemon_that_keeps_silent(path: Path) -> None:
    fault = "does not answer; its log may say why"
    with listen(path), Client(path) as client, pytest.raises(DaemonUnreachable, match=fault):
        client.call("status", timeout=0.01)


BROKEN = {
    "nothing": (b"", "it closed the connection"),
    "half a line": (b'{"jsonrpc":"2.0","id":1,', "it closed the connection"),
    "no JSON": (b"HTTP/1.1 400 Bad Request\n", "it does not speak JSON"),
    "deep": (b"[" * 100_000 + b"\n", "it does not speak JSON"),
    "no answer": (b"[]\n", "it answered another question"),
    "another answer": (b'{"jsonrpc":"2.0","id":9,"result":1}\n', "it answered another question"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_daemon_that_answers_amiss(path: Path, name: str) -> None:
    answer, fault = BROKEN[name]
    with saying(path, answer), Client(path) as client, pytest.raises(DaemonUnreachable) as error:
        client.version()
    assert str(error.value) == f"the connection to {path} broke: {fault}; try again"


def test_events(path: Path) -> None:
    event = b'{"jsonrpc":"2.0","method":"event","params":{"topic":"site","data":1}}\n'
    with saying(path, SUBSCRIBED + event + event), Client(path) as client:
        assert list(client.events("site")) == [{"topic": "site", "data": 1}] * 2


def test_events_that_break_off(path: Path) -> None:
    fault = "it sent what is no event"
    with saying(path, SUBSCRIBED + b"[]\n"), Client(path) as client, pytest.raises(DaemonUnreachable, match=fault):
        list(client.events("site"))


async def test_async_events_that_break_off(path: Path) -> None:
    with saying(path, SUBSCRIBED + b"[]\n"):
        async with await AsyncClient.connect(path) as client:
            with pytest.raises(DaemonUnreachable, match="it sent what is no event"):
                await anext(client.events("site"))


EARLY = b'{"jsonrpc":"2.0","method":"event","params":{"topic":"site","data":1}}\n'


def test_an_event_before_the_answer(path: Path) -> None:
    """A subscription begins before its answer is under way."""
    with saying(path, EARLY + SUBSCRIBED + EARLY), Client(path) as client:
        events = client.events("site")
        assert [next(events)["data"], next(events)["data"]] == [1, 1]


async def test_async_event_before_the_answer(path: Path) -> None:
    with saying(path, EARLY + SUBSCRIBED + EARLY):
        async with await AsyncClient.connect(path) as client:
            assert [event["data"] async for event in client.events("site")] == [1, 1]


def test_what_is_no_event() -> None:
    with pytest.raises(ConnectionAbortedError):
        event_of(b'{"jsonrpc":"2.0","id":1,"result":1}\n')


async def test_async_calls(path: Path) -> None:
    async with server(path), await AsyncClient.connect(path) as client:
        assert await client.call("status") == STATUS
        assert await client.call("site.up", name="office") == OFFICE
        with pytest.raises(RpcError, match="there is no site x"):
            await client.call("site.up", name="x")


async def test_async_calls_may_overlap(path: Path) -> None:
    async with server(path), await AsyncClient.connect(path) as client:
        answers = await asyncio.gather(*(client.call(method) for method in ("version", "status", "reload")))
        assert answers == [{"version": "0.1.0", "api": 1}, STATUS, RELOADED]


async def test_async_events(path: Path) -> None:
    async with server(path) as control, await AsyncClient.connect(path) as client:
        events = client.events("site")
        first = asyncio.ensure_future(anext(events))
        async with await AsyncClient.connect(path) as other:
            await other.call("version")  # by then the subscription, sent before, is known
        control.publish("site", {"name": "office"})
        assert await first == {"topic": "site", "data": {"name": "office"}}


async def test_async_nobody_there(path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match="the daemon is not running"):
        await AsyncClient.connect(path)
    with listen(path):
        async with await AsyncClient.connect(path) as client:
            with pytest.raises(DaemonUnreachable, match="does not answer"):
                await client.call("status", timeout=0.01)


def test_socket_path() -> None:
    chosen, named = Path("/tmp/a.sock"), {"EDGEVPN_SOCKET": "/tmp/b.sock"}  # noqa: S108 - nothing is made there
    assert socket_path(chosen, named) == chosen
    assert socket_path(None, named) == Path("/tmp/b.sock")  # noqa: S108
    assert socket_path(None, {"EDGEVPN_SOCKET": ""}) == DEFAULT_SOCKET
    assert socket_path(None, {}) == DEFAULT_SOCKET


def test_lines() -> None:
    assert encode_request(7, "site.up", {"name": "é\n"}) == (
        b'{"jsonrpc":"2.0","id":7,"method":"site.up","params":{"name":"\\u00e9\\n"}}\n'
    )
    assert result_of(b'{"jsonrpc":"2.0","id":7,"result":null}\n', 7) is None
    assert b'{"at":"2099-12-31"}' in encode_request(7, "site.up", {"at": date(2099, 12, 31)})
    with pytest.raises(TypeError, match="set is nothing that can be sent"):
        encode_request(7, "site.up", {"name": {"office"}})


def test_who_may_not_is_told_who_may() -> None:
    sentence = str(unreachable(Path("/run/x"), PermissionError()))
    assert sentence == "you may not open /run/x; use root, or a member of the group in gateway.control_group"


def test_answers_here_keep_the_contract() -> None:
    """So what these tests show holds for a daemon that keeps it too."""
    results: dict[str, Any] = {"version": {"version": "0.1.0", "api": 1}, "status": STATUS, "site.up": OFFICE}
    results |= {"site.down": None, "site.rekey": OFFICE, "reload": RELOADED, "subscribe": {"topics": ["site"]}}
    for name, result in results.items():
        assert misfits(result, METHODS[name].result) == []


def test_misfits_are_found() -> None:
    status = {"version": 1, "started": True, "kernel": "userspace", "sites": [1, OFFICE], "devices": [], "extra": 1}
    assert sorted(misfits(status, METHODS["status"].result)) == [
        "result.extra: is not in the contract",
        "result.kernel: 'userspace' is no typing.Literal['netlink', 'memory']",
        "result.sites[0]: 1 is no object",
        "result.started: True is no <class 'float'>",
        "result.version: 1 is no <class 'str'>",
    ]
    assert misfits({"topics": "log"}, METHODS["subscribe"].result) == ["result.topics: 'log' is no list[str]"]
    assert misfits({"version": "1"}, METHODS["version"].result) == ["result.api: is missing"]
