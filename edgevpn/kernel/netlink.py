"""A netlink socket: requests with their answers, and another for what the kernel tells by itself.

A request is a local system call: the kernel has done the work, and queued the answer, when `sendmsg` returns.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import field
from enum import IntEnum, IntFlag
from typing import TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.kernel.framework import nlmsg

# <linux/netlink.h>
NETLINK_ROUTE, NETLINK_XFRM, NETLINK_NETFILTER, NETLINK_GENERIC = 0, 6, 12, 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 1, 10, 11, 12
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG = 1

# <asm/socket.h>, the same on all that OpenWrt runs on
SO_RCVBUFFORCE = 33

# struct nlmsghdr { __u32 nlmsg_len; __u16 nlmsg_type, nlmsg_flags; __u32 nlmsg_seq, nlmsg_pid; };
HEADER = struct.Struct("=IHHII")
# struct nlmsgerr { int error; struct nlmsghdr msg; }; then attributes
ERROR = struct.Struct("=i16x")
# int error; then attributes
DONE = struct.Struct("=i")
# struct nlattr { __u16 nla_len, nla_type; };
ATTRIBUTE = struct.Struct("=HH")
NLA_TYPE_MASK = 0x3FFF
NLA_F_NESTED = 0x8000

# Our own choices.
BATCH = 64  # requests per system call; their answers fit any receive buffer
ANSWER_TIMEOUT = 10  # seconds; only a kernel fault makes us wait at all
RECEIVE_SIZE = 1 << 16
REQUEST_BUFFER = 1 << 20
EVENT_BUFFER = 4 << 20
EVENT_DATAGRAMS = 256
DUMP_ATTEMPTS = 5
MAX_SEQUENCE = 1 << 30  # 0 is for what nobody asked for


class Flag(IntFlag):
    """NLM_F_*"""

    REQUEST = 0x1
    ACK = 0x4
    DUMP_INTERRUPTED = 0x10
    ACK_TLVS = 0x200
    DUMP = 0x300
    REPLACE = 0x100
    EXCLUSIVE = 0x200
    CREATE = 0x400


NO_FLAGS = Flag(0)

# Opens a socket of a netlink family, with a receive buffer of so many octets.
Opener: TypeAlias = Callable[[int, int], socket.socket]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the kernel: the message without its header, which is written when it is sent."""

    type: int
    body: bytes = field(repr=False)
    flags: Flag = NO_FLAGS

    def octets(self, flags: Flag, sequence: int) -> bytes:
        """The message, padded so that another may follow."""
        padded = self.body + bytes(-len(self.body) % 4)
        return HEADER.pack(HEADER.size + len(self.body), self.type, self.flags | flags, sequence, 0) + padded


def request(kind: IntEnum, message: nlmsg, flags: Flag = NO_FLAGS) -> Request:
    """A request whose body is a message of pyroute2's framework."""
    message.encode()
    return Request(kind, bytes(message.data[HEADER.size :]), flags)


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the kernel, header included in `octets`. `port` is of the socket that gave rise to it, 0: none."""

    type: int
    flags: int
    sequence: int
    octets: bytes
    port: int = 0


class NetlinkError(OSError):
    """The kernel's refusal: an errno, and the text of its extended ack, or the errno's own."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text or os.strerror(code))
        self.has_text = bool(text)


def messages(octets: bytes) -> Iterator[Message]:
    """Split a datagram into its messages."""
    offset = 0
    while offset + HEADER.size <= len(octets):
        length, kind, flags, sequence, port = HEADER.unpack_from(octets, offset)
        if not HEADER.size <= length <= len(octets) - offset:
            return
        yield Message(kind, flags, sequence, octets[offset : offset + length], port)
        offset += (length + 3) & ~3


def attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes that follow one another, as numbers and values; an incomplete one ends them."""
    offset = 0
    while offset + ATTRIBUTE.size <= len(octets):
        length, kind = ATTRIBUTE.unpack_from(octets, offset)
        if not ATTRIBUTE.size <= length <= len(octets) - offset:
            return
        yield kind & NLA_TYPE_MASK, octets[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded so that another may follow."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def refusal(message: Message) -> NetlinkError | None:
    """What an NLMSG_ERROR or NLMSG_DONE says; None for success."""
    fixed = HEADER.size + (ERROR.size if message.type == NLMSG_ERROR else DONE.size)
    if len(message.octets) < fixed:
        return NetlinkError(errno.EBADMSG)
    (code,) = DONE.unpack_from(message.octets, HEADER.size)
    if not code:
        return None
    extended = dict(attributes(message.octets[fixed:])) if message.flags & Flag.ACK_TLVS else {}
    return NetlinkError(-code, extended.get(NLMSGERR_ATTR_MSG, b"").rstrip(b"\0").decode(errors="replace"))


class NetlinkSocket:
    """Requests to one netlink family and their answers."""

    def __init__(self, family: int, opened: Opener) -> None:
        self._socket = opened(family, REQUEST_BUFFER)
        self._socket.settimeout(ANSWER_TIMEOUT)
        self._next_sequence = 1

    def close(self) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        """What messages bear that we gave rise to by this socket."""
        port: int = self._socket.getsockname()[0]
        return port

    def do(self, request: Request) -> None:
        """Have one thing done; raises NetlinkError."""
        (result,) = self.batch((request,))
        if result is not None:
            raise result

    def ask(self, request: Request) -> bytes:
        """Have one thing done and return the message that answers it; raises NetlinkError."""
        first = self._send((request,))
        error, replies = self._answer(first)
        if error is not None:
            raise error
        if not replies:
            raise NetlinkError(errno.EBADMSG)
        return replies[0].octets

    def batch(self, requests: Sequence[Request]) -> tuple[NetlinkError | None, ...]:
        """Have many things done, in order, failures in between or not; None stands for a success."""
        results: list[NetlinkError | None] = []
        for start in range(0, len(requests), BATCH):
            part = requests[start : start + BATCH]
            first = self._send(part)
            results += self._outcomes(range(first, first + len(part)))
        return tuple(results)

    def _outcomes(self, sequences: range) -> list[NetlinkError | None]:
        """What has become of requests. The kernel tells of each that fails; of successes only the last, which asked."""
        failed: dict[int, NetlinkError | None] = {}
        while sequences[-1] not in failed:
            told = self._receive(sequences)
            failed |= {message.sequence: refusal(message) for message in told if message.type == NLMSG_ERROR}
        return [failed.get(sequence) for sequence in sequences]

    def dump(self, request: Request) -> tuple[Message, ...]:
        """Everything of a kind; read again where it changed in between. Raises NetlinkError."""
        for _ in range(DUMP_ATTEMPTS):
            found = self._dump_once(request)
            if not any(message.flags & Flag.DUMP_INTERRUPTED for message in found):
                break
        return found

    def _dump_once(self, request: Request) -> tuple[Message, ...]:
        sequence = self._send((request,), Flag.DUMP)
        found: list[Message] = []
        while True:
            for message in self._receive((sequence,)):
                if message.type not in (NLMSG_DONE, NLMSG_ERROR):
                    found.append(message)
                elif error := refusal(message):
                    raise error
                else:
                    return tuple(found)

    def _send(self, requests: Sequence[Request], flags: Flag = Flag.ACK) -> int:
        """Send, the last one with these flags; returns the first one's sequence number, the others count up from it."""
        first = self._next_sequence
        flags_of = [*[Flag.REQUEST] * (len(requests) - 1), Flag.REQUEST | flags]
        numbered = enumerate(zip(requests, flags_of, strict=True), first)
        self._socket.send(b"".join(wanted.octets(each, sequence) for sequence, (wanted, each) in numbered))
        self._next_sequence = (first + len(requests) - 1) % MAX_SEQUENCE + 1
        return first

    def _answer(self, sequence: int) -> tuple[NetlinkError | None, tuple[Message, ...]]:
        """The acknowledgement of a request, and what the kernel answered before it."""
        replies: list[Message] = []
        while True:
            for message in self._receive((sequence,)):
                if message.type == NLMSG_ERROR:
                    return refusal(message), tuple(replies)
                replies.append(message)

    def _receive(self, sequences: Container[int]) -> Iterator[Message]:
        """The messages of the next datagram that answer these requests; left-overs of failed ones are dropped."""
        try:
            octets = self._socket.recv(RECEIVE_SIZE)
        except OSError as error:  # TimeoutError is one, without a number
            raise NetlinkError(error.errno or errno.ETIMEDOUT) from error
        return (message for message in messages(octets) if message.sequence in sequences)


class EventSocket:
    """What the kernel sends to multicast groups of one netlink family."""

    def __init__(self, family: int, groups: Sequence[int], opened: Opener) -> None:
        self._socket = opened(family, EVENT_BUFFER)
        self._socket.setblocking(False)
        for group in groups:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> tuple[tuple[Message, ...], bool]:
        """The messages that wait, a bounded number of them, and whether the kernel had to drop some."""
        found: list[Message] = []
        lost = False
        for _ in range(EVENT_DATAGRAMS):
            try:
                found += messages(self._socket.recv(RECEIVE_SIZE))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
        return tuple(found), lost


def open_socket(family: int, receive_buffer: int) -> socket.socket:
    """A bound netlink socket that says in words what was wrong. Raises NetlinkError."""
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
    except OSError as error:
        raise NetlinkError(error.errno or errno.EIO) from error
    for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
        sock.setsockopt(SOL_NETLINK, option, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.bind((0, 0))
    return sock
