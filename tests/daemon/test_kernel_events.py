"""What the kernel tells comes to those whom it concerns; whole gateways hear more in test_gateway."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from typing import Any, cast

import pytest

from edgevpn.daemon.dataplane.homes import site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.kernel_events import KernelEvents
from edgevpn.ike.contract import ChildExpired, Input, MappingChanged
from edgevpn.ike.state import Address
from edgevpn.kernel.events import (
    Acquire,
    AddressChanged,
    Event,
    EventsLost,
    Expire,
    FirewallRemoved,
    SaMappingChanged,
)
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.spec import SaKey, Selector
from tests.daemon.dataplane.test_tunnels import ELSEWHERE, HERE, THERE, child, ends
from tests.support.configs import office

SITE = office(start="traffic")
INBOUND, NOBODYS = SaKey(HERE, 0x696E2D31), SaKey(HERE, 0x999)
PACKET = Selector(ip_network("10.1.0.7"), ip_network("10.2.0.7"))


class World:
    """A site with a child and a trap; it notes who was told what."""

    def __init__(self) -> None:
        self.kernel = MemoryKernel()
        dataplane = Dataplane(self.kernel)
        dataplane.add(site_home(SITE))
        dataplane.set_traps("office", HERE, THERE)
        self.reqid = self.kernel.list_policies()[0].spec.templates[0].reqid
        dataplane.install_inbound(child(1, SITE), ends())
        self.kernel.read_events()
        self.wanted: list[list[str]] = []
        self.fed: list[Input] = []
        self.told_to_all: list[Event] = []
        self.touched = 0
        anybody = cast(Any, self)
        self.events = KernelEvents(
            self.kernel, dataplane, {"office": anybody}, anybody, anybody, self.fed.append, self._touch
        )

    def want(self, children: list[str]) -> None:
        self.wanted.append(children)

    def changed(self, events: tuple[Event, ...]) -> None:
        """As `Ways` is told."""
        self.told_to_all += events

    heard = changed  # as `Upholding` is told

    def _touch(self) -> None:
        self.touched += 1

    def tell(self, event: Event) -> None:
        self.kernel.emit(event)
        self.events.read()


@pytest.fixture
def world() -> World:
    return World()


def test_a_packet_wants_a_child(world: World) -> None:
    world.tell(Acquire(PACKET, HERE, THERE, world.reqid, 0, 0))
    world.tell(Acquire(PACKET, HERE, THERE, 1, 0, 0))
    assert world.wanted == [["office"]]


def test_what_concerns_one_child_goes_to_the_core(world: World) -> None:
    world.tell(Expire(INBOUND, world.reqid, hard=True))
    world.tell(SaMappingChanged(INBOUND, world.reqid, ELSEWHERE, 61000, THERE, 4500))
    assert world.fed == [ChildExpired(b"in-1", hard=True), MappingChanged(b"in-1", Address(ELSEWHERE, 61000))]


def test_what_concerns_nobody(world: World) -> None:
    world.tell(Expire(NOBODYS, 1, hard=True))
    world.tell(SaMappingChanged(NOBODYS, 1, ELSEWHERE, 61000, THERE, 4500))
    assert world.fed == []
    assert world.touched == 0


@pytest.mark.parametrize(
    "event", [EventsLost(), FirewallRemoved(), AddressChanged("lan", ip_interface("10.1.0.1/24"), gone=True)]
)
def test_what_may_change_the_firewall(world: World, event: Event) -> None:
    world.tell(event)
    assert (world.touched, world.told_to_all) == (1, [event, event])
