"""How many connections there may be, and how long one may take to say what it wants: a router has little memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from aiohttp import web

ProtocolFactory: TypeAlias = Callable[[], asyncio.BaseProtocol]

MOST_CONNECTIONS = 128
PATIENCE = 10.0
"""Seconds for the whole head of a connection's first request."""


class Turned(asyncio.Protocol):
    """A connection too many: closed at once."""

    def connection_made(self, transport: Any) -> None:
        """It came in time to be sent away."""
        transport.abort()


class Gate:
    """Lets connections in to a server of aiohttp."""

    def __init__(self, most: int = MOST_CONNECTIONS, patience: float = PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._silent: set[Any] = set()

    def before(self, server: web.Server) -> ProtocolFactory:
        """Makes the protocol of each connection that has just been accepted."""

        def make() -> asyncio.BaseProtocol:
            if len(server.connections) >= self._most:
                return Turned()
            protocol = server()
            self._silent.add(protocol)
            asyncio.get_running_loop().call_later(self._patience, self._look_at, protocol)
            return protocol

        return make

    def spoke(self, protocol: object) -> None:
        """A connection has sent a whole head; from now on HTTP's own keep-alive time holds."""
        self._silent.discard(protocol)

    def _look_at(self, protocol: Any) -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            if protocol.transport is not None:
                protocol.transport.abort()
