"""The control socket: who may talk, how much, and how a line becomes a call. What the methods do is not known here."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from edgevpn.api import LONGEST_REQUEST, ErrorCode, RpcError
from edgevpn.daemon.base.logs import note_report
from edgevpn.daemon.base.sparing import Sparing
from edgevpn.frozen import dataclass
from edgevpn.ike.contract import Level, report

Params = Mapping[str, object]
Method = Callable[[Params], Awaitable[object]]
"""Takes the named parameters, answers what JSON can hold, raises RpcError for what it refuses."""
FaultReport = Callable[[str, BaseException], None]
"""Told the method's name and what it raised other than RpcError."""

SOCKET_MODE = 0o660
DIRECTORY_MODE = 0o750
BACKLOG = 16
PROBE_PATIENCE = 0.1
"""Seconds for the daemon that may be listening already."""

log = logging.getLogger("edgevpn.control")

_SO_PEERGROUPS = getattr(socket, "SO_PEERGROUPS", 59)
_UCRED = struct.Struct("iII")
_GROUPS_SIZE = 1024  # the most that socket.getsockopt takes: 256 groups


class ControlError(Exception):
    """The control socket cannot be opened. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all together, may take from the daemon. Octets and seconds.

    `unsent` waits for one subscriber at most; `patience` is for a client to read an answer, `linger` for one that has
    been answered for the last time to stop sending, `pause` after a connection that could not be accepted. A client may
    call `burst` times at once, then `rate` times a second: who wants more waits.
    """

    clients: int = 32
    rate: float = 200.0
    burst: int = 500
    line: int = LONGEST_REQUEST
    unsent: int = 1 << 20
    patience: float = 10.0
    linger: float = 1.0
    pause: float = 0.1


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, as the kernel saw it connect."""

    pid: int
    uid: int
    gids: frozenset[int]


NO_GUARDS: Mapping[str, Callable[[Peer], bool]] = {}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is well-formed; a notification wants no answer."""

    method: str
    params: Params
    id: str | int | None
    notification: bool


class Pace:
    """How fast one client may call: it has a stock of calls, which fills up again as time passes."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._stock = float(limits.burst)
        self._counted_at = clock()

    def take(self) -> float:
        """Take a call; the seconds to wait before it is made."""
        now = self._clock()
        grown = self._stock + (now - self._counted_at) * self._limits.rate
        self._stock, self._counted_at = min(float(self._limits.burst), grown) - 1, now
        return max(0.0, -self._stock / self._limits.rate)


def listen(path: Path, gid: int | None = None) -> socket.socket:
    """Open the socket for root, this user and the group. Raises ControlError if the place is taken or not to be had."""
    try:
        _make_directory(path.parent, gid)
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise ControlError(_not_opened(path, error)) from error
    try:
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)
        if gid is not None:
            os.chown(path, -1, gid)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ControlError(_not_opened(path, error)) from error
    return listener


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end, with all its groups. Raises OSError if it has more than 256."""
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    groups = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_SIZE)
    return Peer(pid, uid, frozenset((gid, *(group for (group,) in struct.iter_unpack("I", groups)))))


def may_control(peer: Peer, gid: int | None) -> bool:
    """True for root, the user that the daemon runs as, and members of the group."""
    return peer.uid in (0, os.geteuid()) or gid in peer.gids


class ControlServer:
    """Serves a table of methods, and passes events on to those who subscribed to their topic.

    `guards` say of some methods who may call them, of all who are admitted. `subscribed` is called when others listen.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        topics: frozenset[str],
        admits: Callable[[Peer], bool],
        report: FaultReport,
        limits: Limits = LIMITS,
        guards: Mapping[str, Callable[[Peer], bool]] = NO_GUARDS,
        subscribed: Callable[[], None] = lambda: None,
    ) -> None:
        self._methods = methods
        self._topics = topics
        self._admits = admits
        self._report = report
        self._limits = limits
        self._guards = guards
        self._subscribed = subscribed
        self._clients: dict[asyncio.StreamWriter, frozenset[str]] = {}
        self._sparing = Sparing(time.monotonic)
        self.refused = 0
        """Clients that were one too many, or had too much unread."""

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled; the socket is then gone."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as clients:
                while True:
                    try:
                        connection, _ = await loop.sock_accept(listener)
                    except OSError:  # no file descriptor is free, as a rule; one will be
                        await asyncio.sleep(self._limits.pause)
                    else:
                        clients.create_task(self._attend(connection))
        finally:
            _close(listener)

    def publish(self, topic: str, data: object) -> None:
        """Tell the subscribers. Never waits: who has too much unread is cut off."""
        line = _encoded({"jsonrpc": "2.0", "method": "event", "params": {"topic": topic, "data": data}})
        for writer in [client for client, topics in self._clients.items() if topic in topics]:
            writer.write(line)
            if writer.transport.get_write_buffer_size() > self._limits.unsent:
                writer.transport.abort()
                del self._clients[writer]
                self._tell_refused("it has not read what it has subscribed to")

    def hears(self, topic: str) -> bool:
        """Whether anybody wants to hear of this."""
        return any(topic in topics for topics in self._clients.values())

    async def _attend(self, connection: socket.socket) -> None:
        """One client, from its first line to its last."""
        try:
            peer = peer_of(connection)
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=self._limits.line)
        except OSError:
            connection.close()
            return
        # Draining is to mean that all has been sent: only then may a transport be closed and aborted too.
        writer.transport.set_write_buffer_limits(0)
        try:
            if refusal := self._refusal(peer):
                await self._send(writer, _error(None, refusal))
            else:
                self._clients[writer] = frozenset()
                await self._converse(reader, writer, peer)
            await self._part(reader, writer)
        except OSError:
            pass  # gone, or too slow to read its answers: there is nobody to tell
        finally:
            self._clients.pop(writer, None)
            writer.transport.abort()

    def _refusal(self, peer: Peer) -> RpcError | None:
        if not self._admits(peer):
            return RpcError(ErrorCode.NOT_PERMITTED, f"user {peer.uid} may not control edgevpn")
        if len(self._clients) >= self._limits.clients:
            why = f"{self._limits.clients} clients are connected already"
            self._tell_refused(why)
            return RpcError(ErrorCode.TOO_MANY_CLIENTS, why)
        return None

    def _tell_refused(self, why: str) -> None:
        """Count it, and log it now and then."""
        self.refused += 1
        if (left_out := self._sparing.left_out("client_refused")) is not None:
            note_report(log, report(Level.WARNING, "client_refused", why=why), left_out)

    async def _part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the client read the last answer: a socket closed on what it still sends would take that away."""
        self._clients.pop(writer, None)
        writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.linger):
                while await reader.read(self._limits.line):
                    pass
        async with asyncio.timeout(self._limits.patience):
            await writer.drain()
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        """Answer line by line. Lines are taken one after the other, so a client cannot have more than one call."""
        pace = Pace(self._limits, asyncio.get_running_loop().time)
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                fault = RpcError(ErrorCode.INVALID_REQUEST, f"a line may have {self._limits.line} octets")
                await self._send(writer, _error(None, fault))
                return
            if wait := pace.take():
                await asyncio.sleep(wait)
            answer = await self._answer(line, writer, peer)
            if answer:
                await self._send(writer, answer)

    async def _send(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        writer.write(line)
        async with asyncio.timeout(self._limits.patience):
            await writer.drain()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter, peer: Peer) -> bytes:
        """The line to send back; empty for a notification."""
        try:
            request = parse_request(line)
        except RpcError as error:
            return _error(None, error)
        # What a method raises is the answer to its caller and never ends the server.
        (outcome,) = await asyncio.gather(self._call(request, writer, peer), return_exceptions=True)
        if request.notification:
            return b""
        match outcome:
            case bytes():
                return outcome
            case RpcError():
                return _error(request.id, outcome)
            case fault:
                self._report(request.method, fault)
                return _error(request.id, RpcError(ErrorCode.INTERNAL_ERROR, "internal error; see the log"))

    async def _call(self, request: Request, writer: asyncio.StreamWriter, peer: Peer) -> bytes:
        if (guard := self._guards.get(request.method)) and not guard(peer):
            raise RpcError(ErrorCode.NOT_PERMITTED, f"user {peer.uid} may not call {request.method}")
        if request.method == "subscribe":
            result: object = self._subscribe(request.params, writer)
        elif method := self._methods.get(request.method):
            result = await method(request.params)
        else:
            raise RpcError(ErrorCode.METHOD_NOT_FOUND, f"there is no method {request.method[:40]!r}")
        return _encoded({"jsonrpc": "2.0", "id": request.id, "result": result})

    def _subscribe(self, params: Params, writer: asyncio.StreamWriter) -> object:
        wanted = params.get("topics")
        if params.keys() != {"topics"} or not isinstance(wanted, list) or not self._topics.issuperset(map(str, wanted)):
            known = ", ".join(sorted(self._topics))
            raise RpcError(ErrorCode.INVALID_PARAMS, f"subscribe takes topics, a list of: {known}")
        self._clients[writer] = frozenset(wanted)
        self._subscribed()
        return {"topics": sorted(self._clients[writer])}


def parse_request(line: bytes) -> Request:
    """Read one line. Raises RpcError for what is not a JSON-RPC 2.0 request with named parameters."""
    try:
        content: Any = json.loads(line.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RpcError(ErrorCode.PARSE_ERROR, "the line is not JSON") from None
    match content:
        case {"jsonrpc": "2.0", "method": str(method), **rest} if rest.keys() <= {"id", "params"}:
            return Request(method, _params(rest), _id(rest), "id" not in rest)
        case list():
            raise RpcError(ErrorCode.INVALID_REQUEST, "batches are not taken; send one request a line")
        case _:
            raise RpcError(ErrorCode.INVALID_REQUEST, "the line is no JSON-RPC 2.0 request")


def _params(request: Mapping[object, object]) -> Params:
    match request.get("params", {}):
        case dict() as params:
            return params
        case _:
            raise RpcError(ErrorCode.INVALID_PARAMS, "parameters go by name, in an object")


def _id(request: Mapping[object, object]) -> str | int | None:
    match request.get("id"):
        case bool():
            pass
        case str() | int() | None as identifier:
            return identifier
    raise RpcError(ErrorCode.INVALID_REQUEST, "an id is a string or a whole number")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _error(identifier: str | int | None, error: RpcError) -> bytes:
    content: dict[str, object] = {"code": int(error.code), "message": error.message}
    if error.data is not None:
        content["data"] = error.data
    return _encoded({"jsonrpc": "2.0", "id": identifier, "error": content})


def _encoded(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _make_directory(directory: Path, gid: int | None) -> None:
    """Make the socket's directory; one that is there already is left as its owner made it."""
    if directory.is_dir():
        return
    directory.mkdir(DIRECTORY_MODE, parents=True)
    directory.chmod(DIRECTORY_MODE)
    if gid is not None:
        os.chown(directory, -1, gid)


def _clear(path: Path) -> None:
    """Remove the socket of a daemon that has died. Raises ControlError if one lives, or if something else is there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ControlError(f"{path} is there already and is no socket; remove it, or choose another with --socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_PATIENCE)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ControlError(f"another edgevpn answers on {path}; stop it, or choose another socket with --socket")


def _not_opened(path: Path, error: OSError) -> str:
    return f"the control socket {path} cannot be opened: {error.strerror or error}; choose another with --socket"


def _close(listener: socket.socket) -> None:
    with suppress(OSError):  # without the rights that it was made with, the socket stays and the next start clears it
        Path(listener.getsockname()).unlink()
    listener.close()
