"""edgevpn.daemon.login.withdrawing: who is in goes when its certificate is revoked, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from edgevpn.daemon.login.fetching import AGAIN, KEPT, Fetcher, NotFetched
from edgevpn.daemon.login.keyring import Keyring
from edgevpn.daemon.login.vouched import Shown, Vouched
from edgevpn.daemon.login.withdrawing import Withdrawing
from edgevpn.ike.contract import IkeSaUp
from edgevpn.ike.iana import IdType
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.revocation import read_crl
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Judge, Trust, verify
from tests.support.certificates import NOW, YEAR, Made, ca, certificate, crl, listed_at

PEER, URI = "road/certificate", "http://pki.example.org/root.crl"
ENDS = Path(Address(ip_address("192.0.2.1"), 4500), Address(ip_address("198.51.100.1"), 4500))
ROOT = ca("root")
PHONE, LAPTOP = (certificate(name, ROOT, [listed_at(URI)]) for name in ("phone", "laptop"))


def keyring(*lists: bytes) -> Keyring:
    """Of one who has these lists in files."""
    trust = Trust((ROOT.certificate,), crls=tuple(map(read_crl, lists)))
    return Keyring({}, {}, {PEER: Judge(trust, Purpose.DEVICE)})


class Server:
    """Where the list is to be had, unless it is away."""

    def __init__(self) -> None:
        self.octets: bytes | None = crl(ROOT, due=NOW + YEAR)
        self.asked = 0

    def __call__(self, uri: str) -> bytes:
        self.asked += 1
        if self.octets is None:
            raise NotFetched(uri)
        return self.octets


class World:
    """A phone and a laptop are in by their certificates; `ended` are those that had to go."""

    def __init__(self) -> None:
        self.server, self.at, self.now = Server(), 0.0, NOW
        self.fetcher = Fetcher(self.server)
        self.keyring = keyring()
        self.vouched = Vouched()
        self.ended: list[bytes] = []
        self.gone = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.withdrawing = Withdrawing(
            self.vouched,
            self.fetcher,
            lambda: self.keyring,
            self._begin,
            self._end,
            lambda: self.at,
            lambda: self.now,
        )

    def come(self, spi: bytes, owner: Made) -> None:
        verified = verify((owner.der,), Trust((ROOT.certificate,)), NOW, Purpose.DEVICE)
        self.vouched.note(spi, Shown(None, verified))
        self.vouched.up(IkeSaUp(spi, PEER, Identification(IdType.FQDN, spi), ENDS))

    async def worked(self) -> list[bytes]:
        await asyncio.gather(*self.tasks)
        return self.ended

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    def _end(self, spi: bytes) -> None:
        self.ended.append(spi)
        self.gone.set()
        self.vouched.down(spi)


def both_in() -> World:
    world = World()
    world.come(b"phone", PHONE)
    world.come(b"laptop", LAPTOP)
    return world


async def test_a_list_of_the_owners() -> None:
    """It says all, so that nobody else is asked."""
    world = both_in()
    world.keyring = keyring(crl(ROOT, LAPTOP))
    world.withdrawing.look()
    assert await world.worked() == [b"laptop"]
    assert world.server.asked == 0


async def test_a_list_that_was_fetched() -> None:
    """Once for all who point to it; when it is old it is fetched again, and who is on it by then goes."""
    world = both_in()
    world.withdrawing.look()
    assert await world.worked() == []
    assert world.server.asked == 1

    world.server.octets = crl(ROOT, PHONE, due=NOW + YEAR)
    world.now += KEPT
    world.at += AGAIN.total_seconds() - 1
    world.withdrawing.tick()
    assert await world.worked() == []

    world.at += 1
    world.withdrawing.tick()
    assert await world.worked() == [b"phone"]
    assert world.server.asked == 2


async def test_an_owner_who_wants_to_know_sooner() -> None:
    """By itself, and as often as was said."""
    world = both_in()
    world.fetcher.kept = timedelta(milliseconds=1)
    world.withdrawing.look()
    assert await world.worked() == []

    world.server.octets = crl(ROOT, PHONE, due=NOW + YEAR)
    world.at, world.now = world.at + 1, world.now + timedelta(seconds=1)
    looking = asyncio.ensure_future(world.withdrawing.run())
    async with asyncio.timeout(5):
        await world.gone.wait()
    looking.cancel()
    assert world.ended == [b"phone"]


async def test_the_owner_wants_to_know() -> None:
    """As at a reload: the list is fetched again though it is new."""
    world = both_in()
    world.withdrawing.look()
    await world.worked()
    world.server.octets = crl(ROOT, PHONE, LAPTOP)
    world.fetcher.expire()
    world.withdrawing.look()
    assert set(await world.worked()) == {b"phone", b"laptop"}


async def test_nobody_goes_for_a_server_that_is_away() -> None:
    world = both_in()
    world.server.octets = None
    world.withdrawing.look()
    assert await world.worked() == []
    assert world.server.asked == 1


async def test_where_nobody_is_in_nothing_is_asked() -> None:
    world = World()
    world.withdrawing.look()
    world.withdrawing.tick()
    assert world.tasks == []
