"""What happens in the daemon, told to every browser that looks: one subscription for all of them, server-sent events.

There is a subscription only while somebody looks: a router that nobody watches has nothing to do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevpn.api import TOPICS, RpcError
from edgevpn.client import AsyncClient, DaemonUnreachable

MOST_UNREAD = 256
"""Events that may wait for one browser; one that reads no faster is cut off and begins anew."""
RETRY = 2.0
BREATH = 15.0
"""Seconds after which a silent stream shows that it lives."""

Message = tuple[str, object]


class Listener:
    """One browser's queue. None in it ends the stream."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message | None] = asyncio.Queue(MOST_UNREAD)

    def tell(self, message: Message) -> bool:
        """Hand on a message; False if the browser has too much unread."""
        if self.queue.full():
            return False
        self.queue.put_nowait(message)
        return True

    def end(self) -> None:
        """Nothing more comes: what is unread is of no use."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)

    async def messages(self) -> AsyncIterator[Message | None]:
        """What happens; None when nothing did for a while. Ends with the stream."""
        while True:
            try:
                async with asyncio.timeout(BREATH):
                    message = await self.queue.get()
            except TimeoutError:
                yield None
                continue
            if message is None:
                return
            yield message


class Live:
    """Passes events on from the daemon to all listeners."""

    def __init__(self, path: Path, port: int, retry: float = RETRY) -> None:
        self._path = path
        self._port = port
        self._retry = retry
        self._listeners: set[Listener] = set()
        self._wanted = asyncio.Event()
        self._closed = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                async with await AsyncClient.connect(self._path) as client:
                    await client.call("web.listening", port=self._port)
                    await self._pass_on(client)
            except (DaemonUnreachable, RpcError):
                self.publish("daemon", {"reachable": False})
                await asyncio.sleep(self._retry)

    def publish(self, topic: str, data: object) -> None:
        """Tell all listeners."""
        for listener in list(self._listeners):
            if not listener.tell((topic, data)):
                self._remove(listener)
                listener.end()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """A listener, for as long as a browser looks."""
        listener = Listener()
        if self._closed:
            listener.end()
        self._listeners.add(listener)
        self._wanted.set()
        try:
            yield listener
        finally:
            self._remove(listener)

    def close(self) -> None:
        """End all streams: the process is about to stop."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    async def _pass_on(self, client: AsyncClient) -> None:
        """From one subscription to its end, or until nobody listens."""
        self.publish("daemon", {"reachable": True})
        async for event in client.events(*TOPICS):
            self.publish(event["topic"], event["data"])
            if not self._listeners:
                return
        raise DaemonUnreachable("the daemon has closed the connection")

    def _remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners:
            self._wanted.clear()


def event_text(message: Message | None) -> bytes:
    """A message as an event stream has it (WHATWG HTML §9.2.6); None as a comment. JSON in ASCII ends no line."""
    if message is None:
        return b":\n\n"
    topic, data = message
    return f"event: {topic}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
