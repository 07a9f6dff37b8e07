"""A keeper with a core and a world that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from edgevpn.config.model import Site
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.sites.keeper import Hindrance, Keeper, NotUp, Patience
from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    ChildFailed,
    IkeSaDown,
    IkeSaUp,
    Initiate,
    Redirected,
    Terminate,
)
from edgevpn.ike.iana import IdType
from edgevpn.ike.state import (
    Address,
    Close,
    Closing,
    CreateChild,
    DeleteChild,
    Established,
    Path,
    Phase,
    Probe,
    RekeyChild,
    RekeyIke,
)
from edgevpn.ike.wire.payloads import Identification
from tests.support.configs import office
from tests.support.keepers import HERE, World
from tests.support.pair import Pair, connected
from tests.support.peers import TO_LEFT, TO_RIGHT

THERE, ELSEWHERE = (ip_address(text) for text in ("198.51.100.1", "203.0.113.1"))
PATH = Path(Address(HERE, 500), Address(THERE, 500))
OFFICE = office(remote=["198.51.100.1"])
ID = Identification(IdType.FQDN, b"office.example")


@asynccontextmanager
async def kept(world: World, site: Site = OFFICE, start: bool = True) -> AsyncIterator[Keeper]:
    keeper = Keeper(site, world, world, Ports(), Patience(first_pause=0, look_again=0))
    task = asyncio.create_task(keeper.run())
    try:
        if start:
            keeper.start()
        yield keeper
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def world() -> World:
    return World()


def up(keeper: Keeper, spi: bytes = b"spi", replaces: bytes | None = None) -> None:
    """The core says that the IKE SA stands and its child carries."""
    keeper.ike_up(IkeSaUp(spi, "office", ID, PATH, replaces))
    keeper.child_up("office")


def down(reason: str, spi: bytes = b"spi", asked: bool = False) -> IkeSaDown:
    return IkeSaDown(spi, "office", reason, asked)


async def test_comes_up_at_load(world: World) -> None:
    async with kept(world) as keeper:
        assert await world.next() == Initiate("office", PATH, ("office",))
        assert keeper.is_trying
        up(keeper)
        assert await world.quiet()
        assert not keeper.is_trying


async def test_tries_for_ever(world: World) -> None:
    """Each failure is followed by another try, until one succeeds."""
    async with kept(world) as keeper:
        for _ in range(20):
            assert isinstance(await world.next(), Initiate)
            keeper.ike_down(down("the peer does not answer"))
        assert isinstance(await world.next(), Initiate)
        up(keeper)
        assert await world.quiet()


def test_pauses_grow_and_are_never_the_same() -> None:
    patience = Patience(first_pause=1, longest_pause=60)
    assert [patience.pause(failures, 1.0) for failures in (1, 2, 3, 6, 7, 5000)] == [1, 2, 4, 32, 60, 60]
    assert patience.pause(7, 0.0) == 30


async def test_addresses_in_order(world: World) -> None:
    """Names are asked anew at each try; what cannot be reached is passed over."""
    world.names["office.example.org"] = (ELSEWHERE,)
    async with kept(world, office(remote=["gone.example.org", "198.51.100.1", "office.example.org"])) as keeper:
        for remote in (THERE, ELSEWHERE):
            asked = await world.next()
            assert isinstance(asked, Initiate)
            assert asked.path.remote.host == remote
            keeper.ike_down(down("refused"))


WAYS: dict[str, tuple[Callable[[World], None], dict[str, Any], str]] = {
    "no name": (lambda _: None, {"remote": "gone.example.org"}, "gone.example.org does not resolve: no such name"),
    "no way": (lambda world: setattr(world, "source", None), {}, "no way leads to 198.51.100.1"),
    "not served": (
        lambda world: setattr(world, "served", False),
        {},
        "gateway.listen lacks 192.0.2.1, which packets to 198.51.100.1 leave from",
    ),
    "no certificate": (lambda world: setattr(world, "known", False), {}, "the certificates that it takes are missing"),
    "nobody": (lambda _: None, {"remote": "any", "remote_id": "any", "start": "wait"}, "nobody is to be called"),
}


@pytest.mark.parametrize(("change", "keys", "why"), WAYS.values(), ids=WAYS)
async def test_no_way(world: World, change: Callable[[World], None], keys: dict[str, Any], why: str) -> None:
    change(world)
    async with kept(world, office(**{"remote": ["198.51.100.1"]} | keys), start=False) as keeper:
        with pytest.raises(NotUp, match=why):
            await keeper.up()


UNCALLED = {
    "no name": ("gone.example.org", Hindrance.NO_NAME),
    "no way": ("198.51.100.1", Hindrance.NO_WAY),
}


@pytest.mark.parametrize(("remote", "hindrance"), UNCALLED.values(), ids=UNCALLED)
async def test_what_hinders_is_told(world: World, remote: str, hindrance: Hindrance) -> None:
    """With what was looked for; at each try."""
    world.source = None
    async with kept(world, office(remote=[remote])):
        told = [await world.next_hindrance() for _ in range(2)]
    assert told == [("office", hindrance, remote)] * 2


async def test_owner_waits(world: World) -> None:
    async with kept(world, office(remote=["198.51.100.1"], start="wait")) as keeper:
        waiting = asyncio.create_task(keeper.up())
        assert await world.next() == Initiate("office", PATH, ("office",))
        up(keeper)
        await waiting


async def test_owner_is_told_why(world: World) -> None:
    """A site that does not start by itself is then left alone."""
    async with kept(world, office(remote=["198.51.100.1"], start="wait")) as keeper:
        waiting = asyncio.create_task(keeper.up())
        await world.next()
        keeper.ike_up(IkeSaUp(b"spi", "office", ID, PATH))
        keeper.child_failed(ChildFailed(b"spi", "office", "office", "the peer answered TS_UNACCEPTABLE"))
        with pytest.raises(NotUp, match="child office: the peer answered TS_UNACCEPTABLE"):
            await waiting
        assert await world.quiet()
        assert not keeper.is_trying


def standing() -> Established:
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.left.initiate("right")
    pair.run(1)
    return pair.left.sa


async def test_up_already(world: World) -> None:
    """The peer has brought it up: there is nothing to do."""
    world.sas = (standing(),)
    async with kept(world, office(remote="any", remote_id="any", start="wait")) as keeper:
        keeper.want(["lan"])
        assert await world.quiet()
        assert not keeper.is_trying


async def test_another_child_of_an_ike_sa(world: World) -> None:
    async with kept(world, office(remote=["198.51.100.1"], start="traffic")) as keeper:
        keeper.ike_up(IkeSaUp(b"old", "office", ID, PATH))
        keeper.ike_up(IkeSaUp(b"new", "office", ID, PATH, replaces=b"old"))
        keeper.want(["office"])
        assert await world.next() == Ask(b"new", CreateChild("office"))


async def test_the_ike_sa_goes_while_a_child_is_asked_for(world: World) -> None:
    """Nobody waits for an answer that cannot come."""
    async with kept(world, office(remote=["198.51.100.1"], start="traffic")) as keeper:
        keeper.ike_up(IkeSaUp(b"old", "office", ID, PATH))
        waiting = asyncio.create_task(keeper.up())
        assert await world.next() == Ask(b"old", CreateChild("office"))
        keeper.ike_up(IkeSaUp(b"new", "office", ID, PATH, replaces=b"old"))
        assert not waiting.done()
        keeper.ike_down(down("the peer does not answer", b"new"))
        with pytest.raises(NotUp, match="the peer does not answer"):
            await waiting


async def test_the_peer_was_faster(world: World) -> None:
    """Its IKE SA carries the child, so ours is given up."""
    pair = Pair((TO_RIGHT,), ())
    pair.left.initiate("right")
    async with kept(world) as keeper:
        await world.next()
        world.sas = pair.left.endpoint.sas_of("right")
        up(keeper, b"theirs")
        assert await world.next() == Terminate(world.sas[0].spi)


@pytest.mark.parametrize("known", [False, True])
async def test_up_and_to_be_closed(world: World, known: bool) -> None:
    """What stands was told to close while it was being rekeyed, and the peer does not answer: that is no tunnel."""
    old = replace(standing(), todo=(Close("closed"),))
    world.sas = (old,)
    async with kept(world, office(remote=["198.51.100.1"], start="wait")) as keeper:
        if known:
            keeper.ike_up(IkeSaUp(old.spi, "office", ID, PATH))
        keeper.want(["lan"])
        assert await world.next() == Initiate("office", PATH, ("lan",))


async def test_a_name_that_moves(world: World) -> None:
    """While the tunnel is up: the peer is asked at once whether it is still there."""
    world.names["office.example.org"] = (ELSEWHERE,)
    world.sas = (sa,) = (standing(),)
    async with kept(world, office(start="wait")):
        assert await world.quiet()
        world.names["office.example.org"] = (ip_address("203.0.113.2"),)
        assert await world.next() == Ask(sa.spi, Probe())
        assert await world.quiet()


async def test_a_name_that_stays(world: World) -> None:
    """Or that gets another address beside the one in use, or does not resolve for a while."""
    world.sas = (sa,) = (standing(),)
    world.names["office.example.org"] = (sa.path.remote.host,)
    async with kept(world, office(start="wait")):
        assert await world.quiet()
        world.names["office.example.org"] = (sa.path.remote.host, ELSEWHERE)
        assert await world.quiet()
        world.names.clear()
        assert await world.quiet()


async def test_sent_elsewhere(world: World) -> None:
    """The peer names another gateway: it is called at once, and told who sent us (RFC 5685)."""
    world.names["other.example.org"] = (ELSEWHERE,)
    async with kept(world) as keeper:
        await world.next()
        keeper.ike_down(down("redirected", asked=True))
        keeper.redirected(Redirected("office", "other.example.org", THERE, ("office",)))
        path = Path(PATH.local, Address(ELSEWHERE, 500))
        assert await world.next() == Initiate("office", path, ("office",), THERE, 1)
        keeper.ike_down(down("the peer does not answer"))
        assert await world.next() == Initiate("office", PATH, ("office",))


async def test_sent_elsewhere_from_a_tunnel(world: World) -> None:
    """The IKE SA waits for the end of its end, and can be asked for nothing any more; nobody waits for it."""
    async with kept(world, office(remote=["198.51.100.1"], start="wait")) as keeper:
        old = standing()
        keeper.ike_up(IkeSaUp(old.spi, "office", ID, PATH))
        world.sas = (Closing(old.secured, old.peer, old.path),)
        keeper.redirected(Redirected("office", ELSEWHERE, THERE, ("office",)))
        path = Path(PATH.local, Address(ELSEWHERE, 500))
        assert await world.next() == Initiate("office", path, ("office",), THERE, 1)
        keeper.ike_down(down("redirected", old.spi))
        assert await world.quiet()


async def test_packet_brings_it_up(world: World) -> None:
    world.names["office.example.org"] = (THERE,)
    async with kept(world, office(start="traffic")) as keeper:
        assert await world.quiet()
        assert world.traps == [("office", HERE, THERE)]
        keeper.want(["office"])
        assert isinstance(await world.next(), Initiate)


async def test_trap_waits_for_the_name(world: World) -> None:
    async with kept(world, office(start="traffic")):
        assert await world.quiet()
        assert world.traps == []
        world.names["office.example.org"] = (THERE,)
        for _ in range(50):
            await asyncio.sleep(0)
        assert world.traps == [("office", HERE, THERE)]


ENDS = {
    "dead peer": ({"close_action": "clear"}, True),
    "only closed": ({"dpd_action": "clear", "close_action": "clear"}, False),
}


@pytest.mark.parametrize(("keys", "again"), ENDS.values(), ids=ENDS)
async def test_comes_back_by_itself(world: World, keys: dict[str, str], again: bool) -> None:
    async with kept(world, office(remote=["198.51.100.1"], **keys)) as keeper:
        await world.next()
        up(keeper)
        assert await world.quiet()
        keeper.ike_down(down("the peer does not answer"))
        assert await world.quiet() is not again


async def test_one_of_two_ike_sas_goes(world: World) -> None:
    async with kept(world) as keeper:
        await world.next()
        up(keeper, b"one")
        up(keeper, b"two")
        keeper.ike_down(down("deleted by peer", b"one"))
        assert await world.quiet()


async def test_closed_child_comes_back(world: World) -> None:
    async with kept(world) as keeper:
        await world.next()
        up(keeper)
        assert await world.quiet()
        keeper.child_closed(ChildClosed(b"spi", "office", "office"))
        assert await world.next() == Ask(b"spi", CreateChild("office"))


async def test_closed_child_comes_back_while_the_old_one_takes_late_packets(world: World) -> None:
    """For a moment the core still has it, for what is under way; that carries nothing any more."""
    pair = connected()
    async with kept(world, office(remote="any", remote_id="any", start="wait")) as keeper:
        keeper.ike_up(IkeSaUp(pair.left.sa.spi, "right", ID, PATH))
        pair.right.ask(DeleteChild(pair.right.child.spi_in))
        pair.run(1)
        (gone,) = pair.left.sa.children
        assert gone.phase is Phase.LINGERING
        world.sas = (pair.left.sa,)
        keeper.want(["lan"])
        assert await world.next() == Ask(pair.left.sa.spi, CreateChild("lan"))


async def test_taken_down(world: World) -> None:
    """It stays down, whatever becomes of its IKE SAs."""
    async with kept(world) as keeper:
        await world.next()
        up(keeper)
        world.sas = (standing(),)
        keeper.down()
        assert not world.allowed
        assert await world.next() == Terminate(world.sas[0].spi)
        keeper.ike_down(down("closed", asked=True))
        assert await world.quiet()


async def test_taken_down_for_good(world: World) -> None:
    """Neither other settings nor packets for it bring it up again, nor are they a failure; its owner does."""
    async with kept(world) as keeper:
        await world.next()
        up(keeper)
        keeper.down()
        keeper.ike_down(down("closed", asked=True))
        world.known = False
        keeper.site = office(remote=["198.51.100.1"], mtu=1300)
        keeper.start()
        keeper.want(["office"])
        assert await world.quiet()
        assert not keeper.is_trying
        assert keeper.why == ""
        world.known = True
        waiting = asyncio.create_task(keeper.up())
        assert isinstance(await world.next(), Initiate)
        up(keeper)
        await waiting


async def test_taken_down_while_trying(world: World) -> None:
    async with kept(world, office(remote=["198.51.100.1"], start="wait")) as keeper:
        waiting = asyncio.create_task(keeper.up())
        await world.next()
        keeper.down()
        with pytest.raises(NotUp, match="taken down"):
            await waiting


async def test_rekeying(world: World) -> None:
    world.sas = (sa,) = (standing(),)
    async with kept(world, start=False) as keeper:
        waiting = asyncio.create_task(keeper.rekey(ike=False))
        assert await world.next() == Ask(sa.spi, RekeyChild(sa.children[0].spi_in))
        keeper.child_up("another")
        assert not waiting.done()
        keeper.child_up("lan")
        await waiting

        waiting = asyncio.create_task(keeper.rekey(ike=True))
        assert await world.next() == Ask(sa.spi, RekeyIke())
        keeper.ike_up(IkeSaUp(b"new", "office", ID, PATH, replaces=sa.spi))
        await waiting


async def test_rekeying_what_is_not_there(world: World) -> None:
    async with kept(world, start=False) as keeper:
        with pytest.raises(NotUp, match="the site is down"):
            await keeper.rekey(ike=True)


async def test_down_while_rekeying(world: World) -> None:
    world.sas = (standing(),)
    async with kept(world, start=False) as keeper:
        keeper.ike_up(IkeSaUp(b"spi", "office", ID, PATH))
        waiting = asyncio.create_task(keeper.rekey(ike=True))
        await world.next()
        keeper.ike_down(down("the peer does not answer"))
        with pytest.raises(NotUp, match="does not answer"):
            await waiting
