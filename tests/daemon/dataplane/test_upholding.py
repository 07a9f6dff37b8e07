"""What somebody takes away comes back, and nothing happens without a reason: the kernel in memory tells."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.daemon.dataplane import upholding
from edgevpn.daemon.dataplane.homes import site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.dataplane.upholding import CALM, MOST_LINES, QUIET, Mended, Step, Upholding
from edgevpn.ike.contract import ChildExpired, Input
from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.events import (
    AddressChanged,
    Event,
    EventsLost,
    FirewallRemoved,
    LinkChanged,
    PolicyRemoved,
    RouteChanged,
    SaRemoved,
)
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, RouteSpec
from edgevpn.kernel.reconcile import Plan
from edgevpn.kernel.spec import OURS_IF_ID, Direction, SaKey
from tests.daemon.dataplane.test_tunnels import HERE, SITE, THERE, child, ends
from tests.support.gateways import until

INBOUND, OUTBOUND = SaKey(HERE, 0x696E2D31), SaKey(THERE, 0x6F757431)
LENT = AddressSpec("evpn-office", ip_interface("10.9.0.7/32"))
FAULT = "cannot add route: there is no such interface (ENODEV)"
ROUTE = "ip route add 10.2.0.0/24 dev evpn-office proto 101 src 10.9.0.7 metric 1024"


class World:
    """A site with a child that is up and an address lent, and who upholds it. Time passes when a test says so."""

    def __init__(self) -> None:
        self.kernel = MemoryKernel()
        self.dataplane = Dataplane(self.kernel)
        self.dataplane.add(site_home(SITE))
        self.dataplane.install_inbound(child(1), ends())
        self.dataplane.install_outbound(child(1), ends())
        self.dataplane.lend("office", [LENT.address.ip])
        self.fed: list[Input] = []
        self.now = 1000.0
        self.upholding = Upholding(self.kernel, self.dataplane, self.fed.append, lambda: self.now)
        self.kernel.read_events()

    @property
    def route(self) -> RouteSpec:
        return self.kernel.list_routes()[0]

    @property
    def is_whole(self) -> bool:
        return self.upholding.plan() == Plan()

    def hear(self) -> None:
        self.upholding.heard(self.kernel.read_events())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(upholding, "QUIET", 0.001)
    return World()


def outward(world: World) -> None:
    (key,) = [each.spec.key for each in world.kernel.list_policies() if each.spec.direction is Direction.OUT]
    world.kernel.delete_policy(key)
    world.kernel.emit(PolicyRemoved(key))


def flush_policies(world: World) -> None:
    for each in world.kernel.list_policies():
        world.kernel.delete_policy(each.spec.key)
    world.kernel.emit(PolicyRemoved(None))


def rule(world: World) -> None:
    world.dataplane.meet("office", [ip_address("10.2.0.9")])
    world.kernel.read_events()
    world.kernel.delete_rule(world.kernel.list_rules()[0])


def silently(world: World) -> None:
    world.kernel.delete_route(world.route)
    world.kernel.read_events()
    world.kernel.emit(EventsLost())


DAMAGE: dict[str, Callable[[World], None]] = {
    "link": lambda world: world.kernel.delete_link("evpn-office"),
    "link is down": lambda world: world.kernel.set_link("evpn-office", up=False),
    "address": lambda world: world.kernel.delete_address(LENT),
    "route": lambda world: world.kernel.delete_route(world.route),
    "policy": outward,
    "policies": flush_policies,
    "rule": rule,
    "nobody knows": silently,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_what_is_taken_away_comes_back(world: World, damage: Callable[[World], None]) -> None:
    damage(world)
    assert not world.is_whole
    world.hear()
    await until(lambda: world.is_whole)
    assert world.fed == []


def test_would_mend_says_it_and_does_nothing(world: World) -> None:
    world.kernel.delete_route(world.route)
    world.kernel.delete_sa(OUTBOUND)
    assert world.upholding.would_mend() == Mended((Step(ROUTE),), (OUTBOUND,))
    assert world.kernel.list_routes() == ()
    assert world.fed == []


async def test_what_others_leave_here_with_our_tags_goes(world: World) -> None:
    """A predecessor's, as a rule."""
    world.kernel.add_link(LinkSpec("evpn-old", OURS_IF_ID[9]))
    assert world.upholding.mend() == Mended((Step("ip link delete dev evpn-old"),))


OURS_ALL_RIGHT = LinkChanged(World().kernel.get_link("evpn-office"))
NO_REASON: dict[str, tuple[Event, ...]] = {
    "an SA of nobody": (SaRemoved(SaKey(THERE, 0x999)),),
    "our interface is there": (OURS_ALL_RIGHT,),
    "our interface is there again": (LinkChanged(OURS_ALL_RIGHT.link, gone=True), OURS_ALL_RIGHT),
    "another interface is gone": (LinkChanged(MemoryKernel().get_link("uplink"), gone=True),),
    "a route of others": (RouteChanged(RouteSpec(destination=ip_network("10.4.0.0/24"), protocol=3), gone=True),),
    "an address more on our interface": (AddressChanged("evpn-office", ip_interface("10.9.0.9/32")),),
    "an address of nobody on it is gone": (AddressChanged("evpn-office", ip_interface("10.9.0.9/32"), gone=True),),
    "the firewall": (FirewallRemoved(),),
}


@pytest.mark.parametrize("events", NO_REASON.values(), ids=NO_REASON)
async def test_no_reason_to_look(world: World, events: tuple[Event, ...]) -> None:
    """What would fail is not asked: nobody looks."""
    world.kernel.fail_next("list_sas", AssertionError("looked"))  # type: ignore[arg-type]
    world.upholding.heard(events)
    await asyncio.sleep(0.01)


async def test_our_own_changes_are_no_reason(world: World) -> None:
    world.dataplane.take_back("office")
    world.dataplane.remove_child(child(1))
    world.dataplane.remove(site_home(SITE))
    world.dataplane.add(site_home(SITE))
    world.kernel.fail_next("list_sas", AssertionError("looked"))  # type: ignore[arg-type]
    world.hear()
    await asyncio.sleep(0.01)


async def test_sources_are_renewed(world: World) -> None:
    """The LAN got its address after the tunnel, and the kernel took the route with it when that went."""
    lan = AddressSpec("uplink", ip_interface("10.1.0.1/24"))
    world.dataplane.take_back("office")
    world.kernel.add_address(lan)
    world.hear()
    await until(lambda: world.route.source == lan.address.ip)

    world.kernel.delete_address(lan)
    world.kernel.delete_route(world.route)
    world.hear()
    await until(lambda: world.kernel.list_routes() != () and world.route.source is None)


async def test_a_route_that_somebody_has_put_in_place_of_ours(world: World) -> None:
    theirs = RouteSpec(destination=ip_network("10.2.0.0/24"), interface="uplink", protocol=4)
    world.kernel.fail_next("list_sas", KernelError("looked", 1))
    world.upholding.heard([RouteChanged(theirs)])
    await until(lambda: not world.kernel._failures["list_sas"])


@pytest.mark.parametrize("key", [INBOUND, OUTBOUND])
async def test_a_lost_sa_means_new_keys(world: World, key: SaKey, caplog: pytest.LogCaptureFixture) -> None:
    """They are asked for at once; who has got none half a minute later is given up."""
    world.kernel.delete_sa(key)
    world.kernel.emit(SaRemoved(key))
    world.hear()
    await until(lambda: bool(world.fed))
    assert world.fed == [ChildExpired(b"in-1", hard=False)]
    assert "sa_lost" in caplog.text

    world.upholding.mend()
    assert world.fed[1:] == [ChildExpired(b"in-1", hard=True)]
    world.upholding.close()


async def test_both_lost_at_once_is_one_child(world: World) -> None:
    world.kernel.delete_sa(INBOUND)
    world.kernel.delete_sa(OUTBOUND)
    world.upholding.heard([SaRemoved(None)])
    await until(lambda: bool(world.fed))
    assert world.fed == [ChildExpired(b"in-1", hard=False)]
    world.dataplane.remove_child(child(1))
    assert world.upholding.mend() == Mended()
    world.upholding.close()


async def test_who_undoes_it_again_and_again_is_answered_ever_more_slowly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upholding, "QUIET", QUIET)
    waits: list[float] = []
    monkeypatch.setattr(world.upholding, "_look_in", waits.append)
    for _ in range(10):
        world.kernel.delete_route(world.route)
        world.hear()
        world.upholding.mend()
    world.now += CALM + 1
    world.upholding.touch()
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 0.2]


async def test_what_cannot_be_done_is_said_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.kernel.delete_route(world.route)
    for _ in range(2):
        world.kernel.fail_next("add_route", NotFound("add route", errno.ENODEV, "there is no such interface"))
        assert world.upholding.mend() == Mended((Step(ROUTE, FAULT),))
    assert caplog.text.count("not_repaired") == 1
    assert world.upholding.mend() == Mended((Step(ROUTE),))
    assert caplog.text.count("repaired command") == 2


async def test_the_log_is_not_flooded(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(MOST_LINES + 5):
        world.kernel.add_link(LinkSpec(f"evpn-{number}", OURS_IF_ID[100 + number]))
    assert len(world.upholding.mend().steps) == MOST_LINES + 5
    assert caplog.text.count("repaired") == MOST_LINES + 1
    assert "repaired more=5" in caplog.text


async def test_a_kernel_that_does_not_answer(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    world.kernel.fail_next("list_sas", KernelError("list SAs", 1))
    world.upholding.touch()
    await until(lambda: "not_upheld" in caplog.text)
    world.upholding.touch()
    world.upholding.close()
