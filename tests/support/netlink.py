"""The kernel's end of netlink sockets, for tests without rights: answers are laid ready before they are asked for."""

from __future__ import annotations

import errno
import select
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from edgevpn.kernel.netlink import (
    ATTRIBUTE,
    DONE,
    HEADER,
    NLMSG_DONE,
    NLMSG_ERROR,
    Flag,
    Message,
    NetlinkError,
    messages,
    request,
)
from edgevpn.kernel.sa_codec import sa_values
from edgevpn.kernel.xfrm_wire import XfrmMsg, usersa_info
from tests.support.kernel import HERE, REQID, THERE, sa

MULTIPART = 2  # NLM_F_MULTI
PORT = 4711
"""Of the sockets that ask."""


def message(kind: int, sequence: int, body: bytes = b"", flags: int = 0, port: int = 0) -> bytes:
    """One message of the kernel; `port` is of the socket that gave rise to it."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, port) + body + bytes(-len(body) % 4)


def ack(sequence: int, code: int = 0, text: str = "") -> bytes:
    """The end of a request: success, or an errno, perhaps with the kernel's words."""
    words = text.encode() + b"\0"
    extended = ATTRIBUTE.pack(ATTRIBUTE.size + len(words), 1) + words if text else b""
    flags = Flag.ACK_TLVS if text else 0
    return message(NLMSG_ERROR, sequence, DONE.pack(-code) + bytes(HEADER.size) + extended, flags)


def done(sequence: int, code: int = 0) -> bytes:
    """The end of a dump."""
    return message(NLMSG_DONE, sequence, DONE.pack(-code), MULTIPART)


def larval_sa(spi: int, reqid: int = REQID, sequence: int = 1) -> bytes:
    """What the kernel says of an SPI that is allocated and no more."""
    larva = usersa_info()
    larva.update({**sa_values(sa(spi, source=THERE, destination=HERE)), "reqid": reqid})
    return message(XfrmMsg.NEWSA, sequence, request(XfrmMsg.NEWSA, larva).body, MULTIPART)


class Wire(socket.socket):
    """Our end of a socket to a kernel that is not there: it can also fail as the system's sockets do.

    With `obliging`, the kernel consents to whatever it is asked, has nothing to list, and counts the `calls`.
    """

    family_opened: int
    far: socket.socket

    def __init__(self, family: int) -> None:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(fileno=near.detach())
        self.family_opened, self.far = family, far
        self.failures: deque[OSError] = deque()
        self.groups: list[int] = []
        self.obliging = False
        self.calls = 0
        self._pending: deque[Message] = deque()

    def setsockopt(self, level: int, option: int, value: object, *rest: object) -> None:
        assert isinstance(value, int)
        self.groups.append(value)

    def getsockname(self) -> tuple[int, int]:
        return PORT, 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.failures:
            raise self.failures.popleft()
        if self.obliging:
            return self._consent()
        if self.gettimeout() and not select.select([self], [], [], 0)[0]:
            raise TimeoutError  # at once: what is not there will never come
        return super().recv(size, flags)

    def _consent(self) -> bytes:
        if not self._pending:
            self._pending.extend(messages(self.far.recv(1 << 20)))
            self.calls += 1
        asked = self._pending.popleft()
        return done(asked.sequence) if asked.flags & Flag.DUMP == Flag.DUMP else ack(asked.sequence)

    # The kernel's side

    def answer(self, *datagrams: bytes) -> None:
        """Lay datagrams ready."""
        for datagram in datagrams:
            self.far.send(datagram)

    def sent(self) -> list[Message]:
        """The requests that have been sent since the last call."""
        return list(self._sent())

    def _sent(self) -> Iterator[Message]:
        with suppress(BlockingIOError):
            while octets := self.far.recv(1 << 20, socket.MSG_DONTWAIT):
                yield from messages(octets)


class Wires:
    """Opens sockets to a kernel that is not there, and keeps them in the order of opening.

    `laid[n]` are the answers that the n-th finds ready; families in `refused` cannot be opened.
    """

    def __init__(self) -> None:
        self.opened: list[Wire] = []
        self.laid: dict[int, tuple[bytes, ...]] = {}
        self.refused: set[int] = set()

    def open(self, family: int, receive_buffer: int) -> socket.socket:
        """What `NetlinkSocket` and `EventSocket` are given."""
        if family in self.refused:
            raise NetlinkError(errno.EPROTONOSUPPORT)
        wire = Wire(family)
        wire.answer(*self.laid.get(len(self.opened), ()))
        self.opened.append(wire)
        return wire

    def close(self) -> None:
        for wire in self.opened:
            wire.far.close()
            wire.close()
