from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.api import ErrorCode, RpcError
from edgevpn.daemon.base.sparing import AT_ONCE
from edgevpn.daemon.control.server import (
    DIRECTORY_MODE,
    SOCKET_MODE,
    ControlError,
    ControlServer,
    Limits,
    Method,
    Pace,
    Params,
    Peer,
    Request,
    listen,
    may_control,
    parse_request,
    peer_of,
)
from tests.support.daemon import Faults, answering, refusing

VERSION = b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'


async def echo(params: Params) -> object:
    return dict(params)


async def broken(params: Params) -> object:
    raise RuntimeError("a fault with a secret in it")


async def unspeakable(params: Params) -> object:
    return {1, 2}


METHODS: dict[str, Method] = {
    "version": answering({"version": "1", "api": 1}),
    "echo": echo,
    "broken": broken,
    "unspeakable": unspeakable,
    "site.up": refusing(ErrorCode.NOT_FOUND, "there is no site x"),
}


class Line:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, line: bytes) -> Any:
        """Send octets and read one answer."""
        self.writer.write(line)
        return await self.hear()

    async def hear(self) -> Any:
        """The next line, decoded; None when the server has closed."""
        line = await self.reader.readline()
        return json.loads(line) if line else None

    async def error(self, line: bytes) -> tuple[int, str]:
        answer = await self.ask(line)
        return answer["error"]["code"], answer["error"]["message"]


class Service:
    """A running server."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.faults = Faults()
        self.strangers: set[int] = set()
        self.kept_out: set[int] = set()
        self.listening: list[bool] = []
        self.server = ControlServer(
            METHODS,
            frozenset({"log", "site"}),
            self.admits,
            self.faults,
            limits,
            {"echo": lambda peer: peer.uid not in self.kept_out},
            lambda: self.listening.append(self.server.hears("log")),
        )

    def admits(self, peer: Peer) -> bool:
        return peer.uid not in self.strangers

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Line]:
        reader, writer = await asyncio.open_unix_connection(self.path, limit=1 << 24)
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()


@asynccontextmanager
async def serving(path: Path, limits: Limits) -> AsyncIterator[Service]:
    service = Service(path, limits)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(service.server.serve(listen(path)))
        yield service
        task.cancel()


Serve = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    return lambda **limits: serving(tmp_path / "control.sock", Limits(**limits))


async def test_answers(serve: Serve) -> None:
    async with serve() as service, service.client() as client:
        assert await client.ask(VERSION) == {"jsonrpc": "2.0", "id": 1, "result": {"version": "1", "api": 1}}
        line = b'{"jsonrpc":"2.0","id":"a","method":"echo","params":{"name":"x"}}\n'
        assert await client.ask(line) == {"jsonrpc": "2.0", "id": "a", "result": {"name": "x"}}


async def test_answers_in_order_what_comes_at_once(serve: Serve) -> None:
    async with serve() as service, service.client() as client:
        client.writer.write(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"echo"}\n' % number for number in range(100)))
        assert [(await client.hear())["id"] for _ in range(100)] == list(range(100))


async def test_notifications_are_done_and_not_answered(serve: Serve) -> None:
    async with serve() as service, service.client() as client:
        client.writer.write(b'{"jsonrpc":"2.0","method":"broken"}\n')
        assert (await client.ask(VERSION))["id"] == 1
        assert await client.error(b'{"jsonrpc":"2.0","method":"nothing"}\n' + b"x\n") == (
            ErrorCode.PARSE_ERROR,
            "the line is not JSON",
        )


async def test_refusals_go_to_the_caller(serve: Serve) -> None:
    async with serve() as service, service.client() as client:
        line = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{}}\n'
        assert await client.error(line % b"site.up") == (ErrorCode.NOT_FOUND, "there is no site x")
        assert await client.error(line % b"none") == (ErrorCode.METHOD_NOT_FOUND, "there is no method 'none'")


@pytest.mark.parametrize("method", ["broken", "unspeakable"])
async def test_faults_are_reported_and_not_shown(serve: Serve, method: str) -> None:
    """The caller learns that there was a fault, the log which; the server goes on."""
    async with serve() as service, service.client() as client:
        line = b'{"jsonrpc":"2.0","id":1,"method":"%s"}\n' % method.encode()
        assert await client.error(line) == (ErrorCode.INTERNAL_ERROR, "internal error; see the log")
        assert (await client.ask(VERSION))["id"] == 1
        ((name, fault),) = service.faults.seen
        assert (name, type(fault)) == (method, RuntimeError if method == "broken" else TypeError)


REFUSED = {
    "text": (b"status", ErrorCode.PARSE_ERROR),
    "binary": (bytes(range(11, 256)), ErrorCode.PARSE_ERROR),
    "cut": (VERSION[:-4], ErrorCode.PARSE_ERROR),
    "nothing": (b"", ErrorCode.PARSE_ERROR),
    "deep": (b"[" * 60_000, ErrorCode.PARSE_ERROR),
    "deep and closed": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ErrorCode.PARSE_ERROR),
    "long number": (b"1" * 9999, ErrorCode.PARSE_ERROR),
    "no number": (b'{"jsonrpc":"2.0","id":NaN,"method":"version"}', ErrorCode.PARSE_ERROR),
    "number": (b"1", ErrorCode.INVALID_REQUEST),
    "batch": (b"[%s]" % VERSION.strip(), ErrorCode.INVALID_REQUEST),
    "no version": (b'{"id":1,"method":"version"}', ErrorCode.INVALID_REQUEST),
    "other version": (b'{"jsonrpc":"1.0","id":1,"method":"version"}', ErrorCode.INVALID_REQUEST),
    "no method": (b'{"jsonrpc":"2.0","id":1}', ErrorCode.INVALID_REQUEST),
    "method of no name": (b'{"jsonrpc":"2.0","id":1,"method":7}', ErrorCode.INVALID_REQUEST),
    "something more": (b'{"jsonrpc":"2.0","id":1,"method":"version","x":1}', ErrorCode.INVALID_REQUEST),
    "id of a list": (b'{"jsonrpc":"2.0","id":[1],"method":"version"}', ErrorCode.INVALID_REQUEST),
    "id of a fraction": (b'{"jsonrpc":"2.0","id":1.5,"method":"version"}', ErrorCode.INVALID_REQUEST),
    "id of a truth": (b'{"jsonrpc":"2.0","id":true,"method":"version"}', ErrorCode.INVALID_REQUEST),
    "parameters by place": (b'{"jsonrpc":"2.0","id":1,"method":"version","params":[1]}', ErrorCode.INVALID_PARAMS),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_request_is_answered_with_an_error(serve: Serve, name: str) -> None:
    line, code = REFUSED[name]
    async with serve() as service, service.client() as client:
        answer = await client.ask(line + b"\n")
        assert (answer["id"], answer["error"]["code"]) == (None, code)
        assert (await client.ask(VERSION))["id"] == 1


async def test_a_line_that_is_too_long_is_the_last(serve: Serve) -> None:
    """Its sender hears why, even while it is still sending."""
    async with serve(line=1000) as service, service.client() as client:
        assert await client.error(b"x" * 500_000) == (ErrorCode.INVALID_REQUEST, "a line may have 1000 octets")
        assert await client.hear() is None
        async with service.client() as other:
            assert (await other.ask(VERSION))["id"] == 1


@pytest.mark.parametrize("seed", range(5))
async def test_a_stream_of_junk_is_survived(serve: Serve, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    """Each line of it has an error for an answer, and nothing of it reaches the log."""
    octets = Random(seed).randbytes(100_000)
    junk = octets.replace(b"\n", VERSION[: seed * 9] + b"\n") + b"\n"
    async with serve() as service, service.client() as client:
        client.writer.write(junk)
        client.writer.write_eof()
        answers = 0
        while answer := await client.hear():
            assert answer["error"]["code"] in (ErrorCode.PARSE_ERROR, ErrorCode.INVALID_REQUEST)
            answers += 1
        assert answers == junk.count(b"\n")
        async with service.client() as other:
            assert (await other.ask(VERSION))["id"] == 1
        assert service.faults.seen == []
    assert caplog.records == []


async def test_one_client_more_than_there_may_be(serve: Serve) -> None:
    async with serve(clients=2) as service, service.client() as one, service.client() as two:
        await one.ask(VERSION)
        await two.ask(VERSION)
        async with service.client() as three:
            assert await three.hear() == {
                "jsonrpc": "2.0",
                "id": None,
                "error": {"code": ErrorCode.TOO_MANY_CLIENTS, "message": "2 clients are connected already"},
            }
            assert await three.hear() is None


async def test_a_crowd_of_clients_leaves_a_few_lines(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """All of them are counted."""
    async with serve(clients=1) as service, service.client() as one:
        await one.ask(VERSION)
        for _ in range(AT_ONCE + 5):
            async with service.client() as other:
                await other.hear()
        assert service.server.refused == AT_ONCE + 5
    assert [record.getMessage().split()[0] for record in caplog.records] == ["client_refused"] * AT_ONCE


async def test_a_stranger_is_told_so(serve: Serve) -> None:
    async with serve() as service:
        service.strangers.add(os.getuid())
        async with service.client() as client:
            message = f"user {os.getuid()} may not control edgevpn"
            assert await client.error(VERSION) == (ErrorCode.NOT_PERMITTED, message)
            assert await client.hear() is None


async def test_some_methods_are_not_for_everybody(serve: Serve) -> None:
    async with serve() as service, service.client() as client:
        line = b'{"jsonrpc":"2.0","id":1,"method":"echo"}\n'
        assert (await client.ask(line))["result"] == {}
        service.kept_out.add(os.getuid())
        assert await client.error(line) == (ErrorCode.NOT_PERMITTED, f"user {os.getuid()} may not call echo")
        assert (await client.ask(VERSION))["id"] == 1


def test_pace() -> None:
    """A stock of calls, then so many a second; who waits gets what has grown meanwhile."""
    now = 0.0
    pace = Pace(Limits(rate=10, burst=3), lambda: now)
    assert [pace.take() for _ in range(5)] == [0, 0, 0, pytest.approx(0.1), pytest.approx(0.2)]
    now = 0.2
    assert pace.take() == pytest.approx(0.1)
    now = 1000.0
    assert [pace.take() for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]


async def test_a_client_in_a_hurry_waits(serve: Serve) -> None:
    """Its next call is not made yet, while others are answered."""
    async with serve(burst=1, rate=1e-6) as service, service.client() as hasty, service.client() as other:
        assert (await hasty.ask(VERSION))["id"] == 1
        hasty.writer.write(VERSION)
        assert (await other.ask(VERSION))["id"] == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await hasty.hear()


async def test_connections_wait_while_no_file_descriptor_is_free(serve: Serve) -> None:
    async with serve(pause=0.001) as service:
        waiting = socket.socket(socket.AF_UNIX)
        with waiting, no_file_descriptors():
            waiting.connect(str(service.path))
            for _ in range(10):
                await asyncio.sleep(0)
        async with service.client() as client:
            assert (await client.ask(VERSION))["id"] == 1


@contextmanager
def no_file_descriptors() -> Iterator[None]:
    """This process can open no more files in here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_client_that_goes_makes_room(serve: Serve) -> None:
    async with serve(clients=1) as service:
        for _ in range(5):
            async with service.client() as client:
                await client.ask(VERSION)
                client.writer.write_eof()
                assert await client.hear() is None


async def test_events_go_to_those_who_asked_for_them(serve: Serve) -> None:
    subscribe = b'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":%s}}\n'
    async with serve() as service, service.client() as logs, service.client() as both:
        assert (await logs.ask(subscribe % b'["log"]'))["result"] == {"topics": ["log"]}
        assert (await both.ask(subscribe % b'["site","log"]'))["result"] == {"topics": ["log", "site"]}
        service.server.publish("site", {"name": "office"})
        service.server.publish("log", "up")
        up = {"jsonrpc": "2.0", "method": "event", "params": {"topic": "log", "data": "up"}}
        assert await logs.hear() == up
        assert (await both.hear())["params"] == {"topic": "site", "data": {"name": "office"}}
        assert await both.hear() == up
        assert (await both.ask(subscribe % b"[]"))["result"] == {"topics": []}
        assert service.listening == [True, True, True]
        service.server.publish("log", "down")
        assert (await both.ask(VERSION))["id"] == 1


@pytest.mark.parametrize(
    "params", ["{}", '{"topics":"log"}', '{"topics":["rain"]}', '{"topics":[1]}', '{"topics":[],"x":1}']
)
async def test_subscriptions_that_are_refused(serve: Serve, params: str) -> None:
    async with serve() as service, service.client() as client:
        line = b'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":%s}\n' % params.encode()
        assert await client.error(line) == (ErrorCode.INVALID_PARAMS, "subscribe takes topics, a list of: log, site")


async def test_a_subscriber_that_does_not_read_is_cut_off(serve: Serve) -> None:
    """The daemon neither waits for it nor keeps what it has not read."""
    subscribe = b'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":["log"]}}\n'
    async with serve(unsent=50_000) as service, service.client() as slow, service.client() as quick:
        await slow.ask(subscribe)
        await quick.ask(subscribe)
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(2000):
            service.server.publish("log", f"{number:1000}")
            assert (await quick.hear())["params"]["data"] == f"{number:1000}"
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        heard = 0
        while await slow.hear():
            heard += 1
        assert heard < 2000
        assert service.server.refused == 1


async def test_a_caller_that_does_not_read_is_cut_off(serve: Serve) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"name":"%s"}}\n' % (b"x" * 60_000)
    async with serve(patience=0.01) as service, service.client() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(line * 200)
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                await client.writer.drain()
                await client.writer.wait_closed()
        assert client.writer.transport.is_closing()


async def test_the_socket_goes_with_the_server(serve: Serve) -> None:
    async with serve() as service, service.client() as client:
        await client.ask(VERSION)
        assert service.path.is_socket()
    assert not service.path.exists()


def test_parse_request() -> None:
    assert parse_request(VERSION) == Request("version", {}, 1, notification=False)
    line = b'{"jsonrpc":"2.0","method":"echo","params":{"a":1}}'
    assert parse_request(line) == Request("echo", {"a": 1}, None, notification=True)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)
NEAR_REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": JSON,
        "method": st.just("version") | JSON,
        "params": JSON,
        "more": JSON,
    },
)


@given(
    st.one_of(
        st.binary(max_size=60), JSON.map(json.dumps).map(str.encode), NEAR_REQUESTS.map(json.dumps).map(str.encode)
    )
)
def test_any_line_is_a_request_or_an_error(line: bytes) -> None:
    with suppress(RpcError):
        assert isinstance(parse_request(line).method, str)


def test_socket_is_for_its_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "run" / "edgevpn" / "control.sock"
    with listen(path, os.getgid()):
        assert stat.S_IMODE(path.stat().st_mode) == SOCKET_MODE
        assert stat.S_IMODE(path.parent.stat().st_mode) == DIRECTORY_MODE
        assert path.stat().st_gid == path.parent.stat().st_gid == os.getgid()


def test_a_directory_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    with listen(tmp_path / "control.sock"):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o711


def test_socket_of_a_dead_daemon_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    listen(path).close()
    assert path.is_socket()
    with listen(path):
        assert path.is_socket()


def test_socket_of_a_living_daemon_is_not(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with listen(path), pytest.raises(ControlError) as error:
        listen(path)
    assert str(error.value) == (f"another edgevpn answers on {path}; stop it, or choose another socket with --socket")


def test_files_are_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("dear")
    with pytest.raises(ControlError, match="is there already and is no socket"):
        listen(path)
    assert path.read_text() == "dear"


@pytest.mark.parametrize("path", ["/proc/edgevpn/control.sock", f"/run/{'x' * 200}.sock"])
def test_places_where_no_socket_can_be(path: str) -> None:
    with pytest.raises(ControlError, match=r"cannot be opened: .+; choose another with --socket"):
        listen(Path(path))


def test_peer_is_known_with_its_groups() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert peer.gids == {os.getgid(), *os.getgroups()}


def test_who_may_control() -> None:
    stranger = Peer(1, os.geteuid() + 12345, frozenset({7, 8}))
    assert may_control(Peer(1, 0, frozenset()), None)
    assert may_control(Peer(1, os.geteuid(), frozenset()), None)
    assert may_control(stranger, 8)
    assert not may_control(stranger, 9)
    assert not may_control(stranger, None)
