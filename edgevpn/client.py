"""The control socket's other end, for the CLI and the web process: `Client` blocks, `AsyncClient` awaits."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from edgevpn.api import (
    DEFAULT_SOCKET,
    LONGEST_ANSWER,
    SOCKET_VARIABLE,
    Event,
    Reloaded,
    RpcError,
    SiteStatus,
    Status,
    Version,
)

if TYPE_CHECKING:
    import asyncio

TIMEOUT = 10.0
"""Seconds for an answer that the daemon has at hand."""
UP_TIMEOUT = 300.0
"""Seconds for a site to come up: more than the daemon's own tries take."""


class DaemonUnreachable(Exception):  # noqa: N818 - named for what the user sees
    """Nobody answers. The text is one sentence for the user, with the cure."""


def socket_path(chosen: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the daemon listens: as chosen, else by the environment, else the usual place."""
    return chosen or Path(environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET)


class DaemonAbsent(DaemonUnreachable):
    """Nobody listens there: the daemon does not run."""


class Client:
    """One connection that calls and waits. Methods raise RpcError for a refusal, DaemonUnreachable for silence."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises DaemonUnreachable."""
        self._path = path
        self._last_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise unreachable(path, error) from error
        self._lines = self._socket.makefile("rb")
        self._early: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def call(self, method: str, timeout: float = TIMEOUT, **params: object) -> Any:
        """The result of a method."""
        self._last_id += 1
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(encode_request(self._last_id, method, params))
            while (event := early_event(line := self._line())) is not None:
                self._early.append(event)
            return result_of(line, self._last_id)
        except OSError as error:
            raise unreachable(self._path, error) from error

    def events(self, *topics: str) -> Iterator[Event]:
        """Subscribe, and yield what happens; use the connection for nothing else then."""
        self.call("subscribe", topics=list(topics))
        self._socket.settimeout(None)
        yield from self._early
        try:
            while line := self._line():
                yield event_of(line)
        except OSError as error:
            raise unreachable(self._path, error) from error

    def version(self) -> Version:
        """Which edgevpn answers."""
        result: Version = self.call("version")
        return result

    def status(self) -> Status:
        """Everything that is up, coming up or down."""
        result: Status = self.call("status")
        return result

    def site_up(self, name: str) -> SiteStatus:
        """Bring a site up; returns once it is up."""
        result: SiteStatus = self.call("site.up", UP_TIMEOUT, name=name)
        return result

    def site_down(self, name: str) -> None:
        """Close a site."""
        self.call("site.down", name=name)

    def site_rekey(self, name: str, what: Literal["ike", "child"]) -> SiteStatus:
        """Give a site new keys; returns once they are in use."""
        result: SiteStatus = self.call("site.rekey", UP_TIMEOUT, name=name, what=what)
        return result

    def reload(self) -> Reloaded:
        """Have the configuration read again."""
        result: Reloaded = self.call("reload")
        return result

    def _line(self) -> bytes:
        return self._lines.readline(LONGEST_ANSWER)


class AsyncClient:
    """The same connection for asyncio. Calls may overlap in the caller; they are sent one after the other."""

    def __init__(self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._turn = _asyncio().Lock()
        self._last_id = 0
        self._early: list[Event] = []

    @classmethod
    async def connect(cls, path: Path) -> Self:
        """Raises DaemonUnreachable."""
        try:
            async with _asyncio().timeout(TIMEOUT):
                reader, writer = await _asyncio().open_unix_connection(str(path), limit=LONGEST_ANSWER)
        except OSError as error:
            raise unreachable(path, error) from error
        return cls(path, reader, writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def call(self, method: str, timeout: float = TIMEOUT, **params: object) -> Any:  # noqa: ASYNC109 - see Client
        """The result of a method. After a time-out the connection is of no more use."""
        async with self._turn:
            self._last_id += 1
            try:
                async with _asyncio().timeout(timeout):
                    self._writer.write(encode_request(self._last_id, method, params))
                    await self._writer.drain()
                    while (event := early_event(line := await self._reader.readline())) is not None:
                        self._early.append(event)
                    return result_of(line, self._last_id)
            except OSError as error:
                raise unreachable(self._path, error) from error

    async def events(self, *topics: str) -> AsyncIterator[Event]:
        """Subscribe, and yield what happens; use the connection for nothing else then."""
        await self.call("subscribe", topics=list(topics))
        for event in self._early:
            yield event
        try:
            while line := await self._reader.readline():
                yield event_of(line)
        except OSError as error:
            raise unreachable(self._path, error) from error


def encode_request(identifier: int, method: str, params: Mapping[str, object]) -> bytes:
    """One line that calls a method. JSON has no dates: those of TOML travel as text, by which keys take them too."""
    request = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
    return json.dumps(request, separators=(",", ":"), default=_iso_text).encode() + b"\n"


def _iso_text(value: object) -> str:
    """A date, a time, or both, as ISO 8601 writes them."""
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that can be sent")


def result_of(line: bytes, identifier: int) -> Any:
    """The result in an answer. Raises RpcError for an error, ConnectionError for what is no answer to this request."""
    if not line.endswith(b"\n"):
        raise ConnectionResetError("it closed the connection")
    match _message(line):
        case {"error": {"code": int(code), "message": str(message), **rest}}:
            raise RpcError(code, message, rest.get("data"))
        case {"id": answered, "result": result} if answered == identifier:
            return result
    raise ConnectionAbortedError("it answered another question")


def early_event(line: bytes) -> Event | None:
    """The event that came before the answer that was waited for, if the line is one: a subscription begins at once."""
    if b'"method"' in line and line.endswith(b"\n"):
        match _message(line):
            case {"method": "event"}:
                return event_of(line)
    return None


def event_of(line: bytes) -> Event:
    """The event in a notification."""
    match _message(line):
        case {"method": "event", "params": {"topic": str(topic), "data": data}}:
            return Event(topic=topic, data=data)
    raise ConnectionAbortedError("it sent what is no event")


def _message(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ConnectionAbortedError("it does not speak JSON") from None


def unreachable(path: Path, error: OSError) -> DaemonUnreachable:
    """The sentence for a connection that could not be made, or broke."""
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            return DaemonAbsent(
                f"the daemon is not running (nobody listens on {path}); start it with: edgevpn run -c FILE"
            )
        case PermissionError():
            return DaemonUnreachable(
                f"you may not open {path}; use root, or a member of the group in gateway.control_group"
            )
        case TimeoutError():
            return DaemonUnreachable(f"the daemon on {path} does not answer; its log may say why")
        case _:
            return DaemonUnreachable(f"the connection to {path} broke: {error.strerror or error}; try again")


def _asyncio() -> Any:
    """asyncio, loaded when it is wanted: a CLI verb on a router should not wait for it."""
    import asyncio

    return asyncio
