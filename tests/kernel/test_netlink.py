"""edgevpn.kernel.netlink."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.kernel.netlink import (
    BATCH,
    DUMP_ATTEMPTS,
    EVENT_DATAGRAMS,
    HEADER,
    MAX_SEQUENCE,
    NETLINK_ROUTE,
    NETLINK_XFRM,
    NLMSG_DONE,
    NLMSG_ERROR,
    EventSocket,
    Flag,
    Message,
    NetlinkError,
    NetlinkSocket,
    Request,
    attribute,
    attributes,
    messages,
    open_socket,
    refusal,
    request,
)
from edgevpn.kernel.network_codec import RtMsg
from edgevpn.kernel.xfrm_wire import XfrmMsg, usersa_id
from tests.support.netlink import Wire, Wires, ack, done, message
from tests.support.rights import without_rights

ASK = Request(XfrmMsg.GETSA, b"abcde")


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def sock(wires: Wires) -> NetlinkSocket:
    return NetlinkSocket(NETLINK_XFRM, wires.open)


@pytest.fixture
def wire(wires: Wires, sock: NetlinkSocket) -> Wire:
    """The kernel's end of `sock`."""
    return wires.opened[0]


# Octets


def test_request_octets() -> None:
    """struct nlmsghdr, the body, padding that the length does not count."""
    octets = Request(XfrmMsg.GETSA, b"abcde", Flag.CREATE).octets(Flag.REQUEST | Flag.ACK, 7)
    assert octets == struct.pack("=IHHII", 21, 0x12, 0x405, 7, 0) + b"abcde\0\0\0"


def test_request_keeps_its_body_to_itself() -> None:
    """It may hold keys."""
    assert "secret" not in repr(Request(XfrmMsg.NEWSA, b"secret"))


def test_request_of_a_framework_message() -> None:
    body = usersa_id()
    body["spi"] = b"spi1"
    assert request(XfrmMsg.GETSA, body, Flag.CREATE) == Request(
        XfrmMsg.GETSA, bytes(16) + b"spi1" + bytes(4), Flag.CREATE
    )


def test_messages_of_a_datagram() -> None:
    first, second = message(1, 7, b"abcde", 2), message(2, 8)
    assert list(messages(first + second)) == [Message(1, 2, 7, first[:21]), Message(2, 0, 8, second)]


INCOMPLETE = {
    "nothing": b"",
    "less than a header": message(1, 7)[:-1],
    "less than it says": message(1, 7, b"abcd")[:-1],
    "a length below its header": struct.pack("=IHHII", 15, 1, 0, 7, 0),
    "no length": bytes(64),
}


@pytest.mark.parametrize("octets", INCOMPLETE.values(), ids=INCOMPLETE)
def test_incomplete_message_ends_a_datagram(octets: bytes) -> None:
    whole = message(1, 7)
    assert [found.octets for found in messages(whole + octets)] == [whole]


def test_attributes() -> None:
    octets = attribute(1, b"abcde") + attribute(0x8002, b"") + attribute(3, b"abcd")
    assert octets == bytes.fromhex("0900 0100 6162636465 000000  0400 0280  0800 0300 61626364")
    assert list(attributes(octets)) == [(1, b"abcde"), (2, b""), (3, b"abcd")]


@pytest.mark.parametrize("octets", ["", "04", "0300 0100", "0000 0000", "0900 0100 61626364"])
def test_incomplete_attribute_is_the_end(octets: str) -> None:
    assert list(attributes(attribute(1, b"abcd") + bytes.fromhex(octets))) == [(1, b"abcd")]


@given(st.binary(max_size=200))
def test_any_octets_are_taken_apart(octets: bytes) -> None:
    """Every turn consumes octets: what is found is no more than what there was."""
    assert sum(len(found.octets) for found in messages(octets)) <= len(octets)
    assert sum(4 + len(value) for _, value in attributes(octets)) <= len(octets)


def test_refusals() -> None:
    def only(octets: bytes) -> NetlinkError | None:
        (found,) = messages(octets)
        return refusal(found)

    assert only(ack(7)) is None
    assert only(done(7)) is None
    silent, worded, late = (
        only(ack(7, errno.ESRCH)),
        only(ack(7, errno.EINVAL, "no such thing")),
        only(done(7, errno.EIO)),
    )
    assert silent is not None
    assert (silent.errno, silent.has_text) == (errno.ESRCH, False)
    assert worded is not None
    assert (worded.errno, worded.strerror, worded.has_text) == (errno.EINVAL, "no such thing", True)
    assert late is not None
    assert late.errno == errno.EIO


@pytest.mark.parametrize(("kind", "size"), [(NLMSG_ERROR, 19), (NLMSG_DONE, 3)])
def test_short_refusal(kind: int, size: int) -> None:
    (found,) = messages(message(kind, 7) + b"")
    cut = Message(kind, 0, 7, found.octets + bytes(size))
    error = refusal(cut)
    assert error is not None
    assert error.errno == errno.EBADMSG


# Requests


def test_do(sock: NetlinkSocket, wire: Wire) -> None:
    wire.answer(ack(1))
    sock.do(ASK)
    assert wire.sent() == [
        Message(XfrmMsg.GETSA, Flag.REQUEST | Flag.ACK, 1, ASK.octets(Flag.REQUEST | Flag.ACK, 1)[:21])
    ]


def test_do_is_refused(sock: NetlinkSocket, wire: Wire) -> None:
    wire.answer(ack(1, errno.EEXIST, "taken"))
    with pytest.raises(NetlinkError, match="taken") as caught:
        sock.do(ASK)
    assert caught.value.errno == errno.EEXIST


def test_ask(sock: NetlinkSocket, wire: Wire) -> None:
    reply = message(XfrmMsg.NEWSA, 1, b"abcd")
    wire.answer(reply, ack(1))
    assert sock.ask(ASK) == reply


@pytest.mark.parametrize(("code", "expected"), [(0, errno.EBADMSG), (errno.ESRCH, errno.ESRCH)])
def test_ask_without_a_reply(sock: NetlinkSocket, wire: Wire, code: int, expected: int) -> None:
    wire.answer(ack(1, code))
    with pytest.raises(NetlinkError) as caught:
        sock.ask(ASK)
    assert caught.value.errno == expected


def test_silence(sock: NetlinkSocket, wire: Wire) -> None:
    with pytest.raises(NetlinkError) as caught:
        sock.do(ASK)
    assert caught.value.errno == errno.ETIMEDOUT
    wire.answer(ack(1, errno.EIO), ack(2))
    sock.do(ASK)


def test_overrun(sock: NetlinkSocket, wire: Wire) -> None:
    wire.failures.append(OSError(errno.ENOBUFS, "no buffer space"))
    with pytest.raises(NetlinkError) as caught:
        sock.do(ASK)
    assert caught.value.errno == errno.ENOBUFS


def test_batch(sock: NetlinkSocket, wire: Wire) -> None:
    """Some system calls for many requests; each has its own fate: the kernel tells of failures, and of the last."""
    count = 2 * BATCH + 3
    told = {0: errno.EEXIST, BATCH - 1: 0, BATCH: errno.EEXIST, 2 * BATCH - 1: 0, count - 1: 0}
    wire.answer(*(ack(1 + number, code) for number, code in told.items()))
    fates = sock.batch([ASK] * count)

    assert [number for number, fate in enumerate(fates) if fate] == [0, BATCH]
    datagrams = []
    while select.select([wire.far], [], [], 0)[0]:
        datagrams.append(wire.far.recv(1 << 20))
    sent = [list(messages(datagram)) for datagram in datagrams]
    assert [len(part) for part in sent] == [BATCH, BATCH, 3]
    assert [[bool(each.flags & Flag.ACK) for each in part].index(True) for part in sent] == [BATCH - 1, BATCH - 1, 2]
    assert sock.batch([]) == ()


def test_sequence_numbers_start_again(sock: NetlinkSocket, wire: Wire) -> None:
    """0 is not among them: what the kernel sends unasked has it."""
    numbers = [MAX_SEQUENCE - 1, MAX_SEQUENCE, 1]
    sock._next_sequence = numbers[0]
    wire.answer(*map(ack, numbers))
    for _ in numbers:
        sock.do(ASK)
    assert [sent.sequence for sent in wire.sent()] == numbers


# Dumps


def part(sequence: int, number: int, flags: int = 0) -> bytes:
    return message(XfrmMsg.NEWSA, sequence, struct.pack("=I", number), 2 | flags)


def test_dump(sock: NetlinkSocket, wire: Wire) -> None:
    wire.answer(part(1, 1) + part(1, 2), part(1, 3), done(1))
    assert [found.octets[16] for found in sock.dump(ASK)] == [1, 2, 3]
    assert wire.sent()[0].flags == Flag.REQUEST | Flag.DUMP


@pytest.mark.parametrize("end", [ack(1, errno.EPERM), done(1, errno.EPERM)])
def test_dump_is_refused(sock: NetlinkSocket, wire: Wire, end: bytes) -> None:
    wire.answer(part(1, 1), end)
    with pytest.raises(NetlinkError) as caught:
        sock.dump(ASK)
    assert caught.value.errno == errno.EPERM


def test_dump_is_read_again_where_it_changed(sock: NetlinkSocket, wire: Wire) -> None:
    wire.answer(part(1, 1, Flag.DUMP_INTERRUPTED), done(1), part(2, 2), done(2))
    assert [found.octets[16] for found in sock.dump(ASK)] == [2]


def test_dump_that_always_changes(sock: NetlinkSocket, wire: Wire) -> None:
    for sequence in range(1, DUMP_ATTEMPTS + 1):
        wire.answer(part(sequence, sequence, Flag.DUMP_INTERRUPTED), done(sequence))
    assert [found.octets[16] for found in sock.dump(ASK)] == [DUMP_ATTEMPTS]
    assert len(wire.sent()) == DUMP_ATTEMPTS


# Events


@pytest.fixture
def events(wires: Wires) -> EventSocket:
    return EventSocket(NETLINK_ROUTE, (1, 5), wires.open)


def test_events(wires: Wires, events: EventSocket) -> None:
    (wire,) = wires.opened
    assert wire.groups == [1, 5]
    assert events.read() == ((), False)

    wire.answer(message(1, 0), message(2, 0) + message(3, 0))
    assert select.select([events.fileno()], [], [], 0)[0]
    found, lost = events.read()
    assert ([each.type for each in found], lost) == ([1, 2, 3], False)
    events.close()


def test_events_are_lost(wires: Wires, events: EventSocket) -> None:
    (wire,) = wires.opened
    wire.answer(message(1, 0))
    wire.failures.append(OSError(errno.ENOBUFS, "no buffer space"))
    found, lost = events.read()
    assert ([each.type for each in found], lost) == ([1], True)


def test_event_socket_breaks(wires: Wires, events: EventSocket) -> None:
    wires.opened[0].failures.append(OSError(errno.EBADF, "bad file descriptor"))
    with pytest.raises(OSError, match="bad file"):
        events.read()


def test_no_flood_of_events_keeps_us_for_ever(wires: Wires, events: EventSocket) -> None:
    (wire,) = wires.opened
    for _ in range(2):
        wire.answer(*[message(1, 0)] * (EVENT_DATAGRAMS // 2))
    wire.answer(message(2, 0))
    assert len(events.read()[0]) == EVENT_DATAGRAMS
    assert [found.type for found in events.read()[0]] == [2]


# The real thing: what needs no rights


def test_the_kernel_answers() -> None:
    """Interfaces may be listed by anybody; there is `lo` everywhere."""
    sock = NetlinkSocket(NETLINK_ROUTE, open_socket)
    dump = sock.dump(Request(RtMsg.GETLINK, bytes(16)))
    assert any(dict(attributes(found.octets[HEADER.size + 16 :]))[3] == b"lo\0" for found in dump)
    sock.close()


def test_no_such_family() -> None:
    with pytest.raises(NetlinkError) as caught:
        open_socket(31, 1 << 16)
    assert caught.value.errno == errno.EPROTONOSUPPORT


def test_receive_buffer_without_rights() -> None:
    """As large as anybody may have it."""
    with without_rights(open_socket, NETLINK_ROUTE, 1 << 30) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < 1 << 30


def test_socket_is_not_inherited() -> None:
    with open_socket(NETLINK_ROUTE, 1 << 16) as sock:
        assert not sock.get_inheritable()
        assert sock.family == socket.AF_NETLINK
