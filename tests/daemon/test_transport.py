"""Two transports on loopback; the kernel's part is in memory, so ESP in UDP stays where it is."""

from __future__ import annotations

import asyncio
import os
import pathlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from edgevpn.daemon.base.options import Ports, StartFailed
from edgevpn.daemon.crowd import ROOM
from edgevpn.daemon.transport import KEEPALIVE, TURN, IpAddress, Transport, source_for
from edgevpn.ike.cookies import Sieve
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.message import MAX_UNPROTECTED
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.memory import MemoryKernel
from tests.support.ports import free_ports

UDP_SOCKETS = pathlib.Path("/proc/net/udp")
LEFT, RIGHT, LEFT6 = ip_address("127.0.0.1"), ip_address("127.0.0.2"), ip_address("::1")
EVERYWHERE = ip_address("0.0.0.0")  # noqa: S104 - what a gateway binds


FIRST = b"initiatr" + bytes(8) + b"\x21\x20\x22\x08" + bytes(8)
"""The header of an IKE_SA_INIT request."""
WITH_COOKIE = b"initiatr" + bytes(8) + b"\x29\x20\x22\x08" + bytes(8) + b"\x21\x00\x00\x2c\x00\x00\x40\x06"
SIEVE = Sieve.of(b"secret")
COOKIE = WITH_COOKIE + SIEVE.tag(LEFT.packed) + bytes(32)
"""The same with a cookie that may be ours."""
MADE_UP = WITH_COOKIE + bytes(36)


class Doorkeeper:
    """Asks those for a cookie whose first message ends like this. `asked`: them, with address and port."""

    def __init__(self) -> None:
        self.suspects = b"suspect"
        self.sieves: tuple[Sieve, ...] = (SIEVE,)
        self.asked: list[tuple[bytes, bytes, int]] = []

    def challenge(self, octets: bytes, host: bytes, port: int, now: float) -> bytes | None:
        if not octets.endswith(self.suspects):
            return None
        self.asked.append((octets, host, port))
        return b"a cookie, please"


class Side:
    """A transport, and what it has delivered."""

    def __init__(self, ports: Ports, buffer: int = 1 << 20) -> None:
        self.ports = ports
        self.kernel = MemoryKernel()
        self.doorkeeper = Doorkeeper()
        self.heard: asyncio.Queue[tuple[Path, bytes]] = asyncio.Queue()
        self.shed = 0
        self.news = asyncio.Event()
        self.on_first: Callable[[], None] = lambda: None
        self.transport = Transport(self.kernel, ports, self.doorkeeper, self.hear, self.lose, buffer)

    def hear(self, path: Path, octets: bytes) -> None:
        act, self.on_first = self.on_first, lambda: None
        act()
        self.heard.put_nowait((path, octets))
        self.news.set()

    def lose(self, count: int) -> None:
        self.shed += count
        self.news.set()

    @property
    def not_read(self) -> int:
        """What the kernel has dropped at the first port."""
        lines = (line.split() for line in UDP_SOCKETS.read_text().splitlines()[1:])
        return sum(int(fields[-1]) for fields in lines if fields[1].endswith(f":{self.ports.ike:04X}"))

    async def next(self) -> tuple[Path, bytes]:
        async with asyncio.timeout(5):
            return await self.heard.get()

    async def all_of(self, sent: int) -> list[bytes]:
        """What is heard of so many messages, once each of them was heard or has been told as shed."""
        while self.heard.qsize() + self.shed < sent:
            self.news.clear()
            await self.news.wait()
        assert self.heard.qsize() + self.shed == sent
        return [self.heard.get_nowait()[1] for _ in range(self.heard.qsize())]


@asynccontextmanager
async def two(
    left: IpAddress = LEFT, right: IpAddress = RIGHT, buffer: int = 1 << 20
) -> AsyncIterator[tuple[Side, Side]]:
    ports = free_ports()
    sides = Side(ports, buffer), Side(ports, buffer)
    try:
        sides[0].transport.listen([left])
        sides[1].transport.listen([right])
        yield sides
    finally:
        for side in sides:
            side.transport.close()


async def flood(left: Side, right: Side, octets: bytes) -> int:
    """Four times as many as can be heard, until the kernel has dropped many; how many were sent."""
    sent, dropped = 0, right.not_read
    while right.not_read < dropped + 500:
        for _ in range(4 * TURN):
            left.transport.send(path(left.ports), octets)
        sent += 4 * TURN
        await asyncio.sleep(0)  # a turn of the loop
    return sent


async def everyone_is_let_in(left: Side, right: Side, octets: bytes) -> None:
    """After a while."""
    heard: list[bytes] = []
    while len(heard) < 100:
        right.shed = 0
        for _ in range(100):
            left.transport.send(path(left.ports), octets)
        heard = await right.all_of(100)
    assert set(heard) == {octets}


def path(ports: Ports, nat: bool = False) -> Path:
    port = ports.nat if nat else ports.ike
    return Path(Address(LEFT, port), Address(RIGHT, port))


@pytest.mark.parametrize("nat", [False, True], ids=["500", "4500"])
async def test_a_datagram_crosses(nat: bool) -> None:
    """It arrives without the marker that it has on the NAT port, and with both its addresses."""
    async with two() as (left, right):
        there = path(left.ports, nat)
        left.transport.send(there, b"IKE")
        assert await right.next() == (Path(there.remote, there.local), b"IKE")


async def test_one_socket_for_all_addresses() -> None:
    """The address that was spoken to is the one that answers."""
    ports = free_ports()
    left, right = Side(ports), Side(ports)
    right.transport.listen([RIGHT])
    left.transport.listen([ip_address("127.0.0.3")])
    try:
        everywhere = Side(free_ports())
        everywhere.transport.listen([EVERYWHERE])
        there = Path(Address(RIGHT, ports.ike), Address(ip_address("127.0.0.9"), everywhere.ports.ike))
        right.transport.send(there, b"question")
        heard, octets = await everywhere.next()
        assert (heard, octets) == (Path(there.remote, there.local), b"question")
        everywhere.transport.send(heard, b"answer")
        assert await right.next() == (there, b"answer")
    finally:
        for side in (left, right, everywhere):
            side.transport.close()


async def test_ipv6() -> None:
    async with two(LEFT6, RIGHT) as (left, _):
        there = Path(Address(LEFT6, left.ports.ike), Address(LEFT6, left.ports.nat))
        left.transport.send(there, bytes(4) + b"IKE")
        heard, octets = await left.next()
        assert (heard.local, octets) == (there.remote, b"IKE")


async def test_what_is_no_ike_is_dropped() -> None:
    """On the NAT port: keepalives and ESP have no marker (RFC 3948 §2.2, §2.3)."""
    async with two() as (left, right):
        there = path(left.ports, nat=True)
        left.transport.send(there, KEEPALIVE)
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.sendto(b"\1\2\3\4ESP", (str(RIGHT), left.ports.nat))
        left.transport.send(there, b"after")
        assert (await right.next())[1] == b"after"
        assert right.heard.empty()


LATER = b"initiatrrespondr" + b"\x2e\x20\x25\x08" + bytes(8)


async def test_who_has_an_ike_sa_goes_first() -> None:
    """Of all that has come since the last look, first messages are heard last, in their order."""
    async with two() as (left, right):
        for octets in (FIRST + b"1", FIRST + b"2", LATER, FIRST + b"3"):
            left.transport.send(path(left.ports), octets)
        assert [(await right.next())[1] for _ in range(4)] == [LATER, FIRST + b"1", FIRST + b"2", FIRST + b"3"]


async def test_who_shows_a_cookie_goes_before_who_does_not() -> None:
    """One that may be ours: one that is made up is none."""
    other = WITH_COOKIE.replace(b"\x40\x06", b"\x40\x04") + SIEVE.tag(LEFT.packed) + bytes(32)
    async with two() as (left, right):
        for octets in (FIRST, other, MADE_UP, COOKIE, LATER):
            left.transport.send(path(left.ports), octets)
        assert [(await right.next())[1] for _ in range(5)] == [LATER, COOKIE, FIRST, other, MADE_UP]


async def test_cookies_keep_nobody_out() -> None:
    """Who has none yet is heard by turns with those who show one: they may have it from us, and be very many."""
    async with two() as (left, right):
        for octets in (*[COOKIE] * TURN, FIRST):
            left.transport.send(path(left.ports), octets)
        heard = [(await right.next())[1] for _ in range(TURN + 1)]
        assert heard.index(FIRST) == 1


async def test_a_flood_waits_its_turn() -> None:
    """Between some first messages and the next ones the sockets are looked at again."""
    async with two() as (left, right):
        right.on_first = lambda: left.transport.send(path(left.ports), LATER)
        for number in range(3 * TURN):
            left.transport.send(path(left.ports), FIRST + bytes([number]))
        heard = [(await right.next())[1] for _ in range(3 * TURN + 1)]
        assert heard.index(LATER) <= 2 * TURN
        assert [octets[-1] for octets in heard if octets != LATER] == list(range(3 * TURN))


async def test_too_many_first_messages_are_shed() -> None:
    """The first ones are kept, what is too much is counted, and later ones find room again."""
    async with two() as (left, right), asyncio.timeout(20):
        for number in range(2 * ROOM):
            left.transport.send(path(left.ports), FIRST + number.to_bytes(2))
        heard = await right.all_of(2 * ROOM)
        assert ROOM <= len(heard) < 2 * ROOM
        assert heard[:ROOM] == [FIRST + number.to_bytes(2) for number in range(ROOM)]
        await everyone_is_let_in(left, right, FIRST + b"later")


@pytest.mark.parametrize(
    ("too_many", "other"),
    [(FIRST, COOKIE), (MADE_UP, COOKIE), (COOKIE, FIRST)],
    ids=["no cookies", "cookies that are made up", "cookies"],
)
async def test_the_kernel_drops_what_is_too_much(too_many: bytes, other: bytes) -> None:
    """Of those who are too many some are heard, and others not even read; whoever else comes is heard."""
    async with two() as (left, right), asyncio.timeout(20):
        sent = await flood(left, right, too_many)
        for octets in (other, LATER):
            left.transport.send(path(left.ports), octets)
        heard = await right.all_of(sent + 2)
        assert [octets for octets in heard if octets != too_many] == [LATER, other]
        assert heard.index(other) < heard.index(LATER) + TURN
        await everyone_is_let_in(left, right, too_many + b"later")


async def test_the_kernel_is_told_of_another_secret() -> None:
    """While too many come without a cookie: all are heard who show one of the new kind, and no more of the old."""
    newer = Sieve.of(b"newer")
    again = WITH_COOKIE + newer.tag(LEFT.packed) + bytes(32)
    async with two() as (left, right), asyncio.timeout(20):
        sent = await flood(left, right, FIRST)
        right.doorkeeper.sieves = (newer,)
        told = right.shed
        while right.shed == told:
            sent += await flood(left, right, FIRST)
        for octets in [COOKIE, again] * 50:
            left.transport.send(path(left.ports), octets)
        heard = await right.all_of(sent + 100)
        assert heard.count(again) == 50
        assert heard.count(COOKIE) < 50


@pytest.mark.parametrize("nat", [False, True], ids=["500", "4500"])
async def test_a_cookie_is_asked_for_at_once(nat: bool) -> None:
    """With the marker where it belongs, and from the address that was spoken to. Nothing of it is delivered."""
    everywhere = Side(free_ports())
    everywhere.transport.listen([EVERYWHERE])
    try:
        async with two() as (left, _):
            here = path(left.ports, nat).local
            there = Path(here, Address(RIGHT, everywhere.ports.nat if nat else everywhere.ports.ike))
            for octets in (FIRST + b"suspect", FIRST + b"other"):
                left.transport.send(there, octets)
            assert (await everywhere.next())[1] == FIRST + b"other"
            assert await left.next() == (there, b"a cookie, please")
            assert everywhere.doorkeeper.asked == [(FIRST + b"suspect", LEFT.packed, here.port)]
            assert everywhere.heard.empty()
    finally:
        everywhere.transport.close()


async def test_a_cookie_is_asked_for_by_ipv6() -> None:
    async with two(LEFT6, RIGHT) as (left, _):
        here = Address(LEFT6, left.ports.ike)
        left.transport.send(Path(here, here), FIRST + b"suspect")
        assert await left.next() == (Path(here, here), b"a cookie, please")
        assert left.doorkeeper.asked == [(FIRST + b"suspect", LEFT6.packed, here.port)]


async def test_what_comes_again_at_once_is_not_looked_at() -> None:
    """What was overheard and is sent again and again; a first message is another one's each time."""
    async with two() as (left, right):
        for octets in (LATER, LATER, LATER, FIRST, FIRST):
            left.transport.send(path(left.ports), octets)
        assert [(await right.next())[1] for _ in range(3)] == [LATER, FIRST, FIRST]
        assert right.transport.repeated == 2


async def test_what_is_too_long_does_not_wait() -> None:
    """It is for the core to refuse, before those that can be read."""
    async with two() as (left, right):
        longest, too_long = FIRST.ljust(MAX_UNPROTECTED, b"x"), FIRST.ljust(MAX_UNPROTECTED + 1, b"x")
        for octets in (longest, too_long):
            left.transport.send(path(left.ports), octets)
        assert [(await right.next())[1] for _ in range(2)] == [too_long, longest]


async def test_as_much_is_kept_as_is_wished() -> None:
    """The kernel doubles it, for what it needs itself."""
    async with two(buffer=50_000) as (left, _):
        (encapsulating,) = left.kernel.encapsulating
        assert encapsulating.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 100_000


async def test_sockets_are_exempt_from_policies_and_take_esp_out() -> None:
    async with two() as (left, _):
        assert len(left.kernel.bypassing) == 2
        (encapsulating,) = left.kernel.encapsulating
        assert encapsulating.getsockname()[1] == left.ports.nat


async def test_listen_makes_the_difference() -> None:
    async with two() as (left, _):
        before = left.kernel.encapsulating[0]
        left.transport.listen([LEFT, ip_address("127.0.0.3")])
        assert before.fileno() != -1
        left.transport.listen([ip_address("127.0.0.3")])
        assert before.fileno() == -1
        with pytest.raises(OSError, match="is not served"):
            left.transport.send(path(left.ports), b"from an address that is gone")


@pytest.mark.parametrize(
    ("before", "after"), [([EVERYWHERE], [LEFT]), ([LEFT, RIGHT], [EVERYWHERE])], ids=["to one", "to all"]
)
async def test_all_addresses_give_way_to_one(before: list[IpAddress], after: list[IpAddress]) -> None:
    """And the other way round. The other family is not touched."""
    other = Side(ports := free_ports())
    other.transport.listen([ip_address("127.0.0.9")])
    side = Side(free_ports())
    try:
        side.transport.listen([*before, LEFT6])
        side.transport.listen([*after, LEFT6])
        here = Address(LEFT, side.ports.ike)
        other.transport.send(Path(Address(ip_address("127.0.0.9"), ports.ike), here), b"to the new one")
        assert (await side.next())[1] == b"to the new one"
    finally:
        for each in (other, side):
            each.transport.close()


async def test_what_had_to_go_first_comes_back() -> None:
    """Where the new addresses cannot be had."""
    async with two() as (left, right):
        with pytest.raises(StartFailed, match=r"is taken by"):
            left.transport.listen([EVERYWHERE])  # the port is the other side's on its address
        left.transport.send(path(left.ports), b"still here")
        assert (await right.next())[1] == b"still here"
        right.transport.send(Path(Address(RIGHT, left.ports.ike), Address(LEFT, left.ports.ike)), b"and heard")
        assert (await left.next())[1] == b"and heard"


async def test_taken_port() -> None:
    """Nothing stays open, and what was served before still is."""
    async with two() as (left, right):
        with pytest.raises(
            StartFailed, match=rf"UDP port {left.ports.ike} of 127.0.0.2 is taken by .*process {os.getpid()}"
        ):
            left.transport.listen([LEFT, RIGHT])
        left.transport.send(path(left.ports), b"still here")
        assert (await right.next())[1] == b"still here"


async def test_address_of_somebody_else() -> None:
    with pytest.raises(StartFailed, match=r"this machine has no address 192\.0\.2\.77: change gateway\.listen"):
        Side(free_ports()).transport.listen([ip_address("192.0.2.77")])


async def test_kernel_that_refuses() -> None:
    side = Side(free_ports())
    side.kernel.fail_next("enable_udp_encapsulation", KernelError("enable ESP in UDP", 92, cure="install kmod-ipsec"))
    with pytest.raises(StartFailed, match="install kmod-ipsec"):
        side.transport.listen([LEFT])


async def test_what_is_served() -> None:
    """An address that is bound by itself; with the unspecified one, all of its version."""
    async with two() as (left, _):
        assert left.transport.served([RIGHT]) == (LEFT,)
        assert left.transport.serves(LEFT)
        assert not left.transport.serves(RIGHT)
        assert left.transport.versions == {4}
        everywhere = Side(free_ports())
        everywhere.transport.listen([EVERYWHERE])
        assert everywhere.transport.served([RIGHT, LEFT6]) == (RIGHT,)
        assert everywhere.transport.serves(RIGHT)
        assert not everywhere.transport.serves(LEFT6)
        everywhere.transport.close()


def test_source() -> None:
    assert source_for(RIGHT) in (LEFT, RIGHT)
