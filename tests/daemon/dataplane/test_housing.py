"""edgevpn.daemon.dataplane.housing; what goes with children is in test_tunnels."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.daemon.dataplane.homes import Home, Route, site_home
from edgevpn.daemon.dataplane.housing import MOST_OUTSIDE, Housing, Numbers
from edgevpn.daemon.dataplane.routing import TABLES, rules_for
from edgevpn.kernel.errors import AlreadyExists
from edgevpn.kernel.events import RouteChanged
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import MAIN_TABLE, AddressSpec, LinkSpec, Path, RouteSpec
from edgevpn.kernel.sysctl import Setting
from tests.support.configs import office

OFFICE = site_home(office())
LAN = AddressSpec("uplink", ip_interface("10.1.0.1/24"))


@pytest.fixture
def kernel() -> MemoryKernel:
    return MemoryKernel()


@pytest.fixture
def housing(kernel: MemoryKernel) -> Housing:
    housing = Housing(kernel)
    housing.add([OFFICE])
    return housing


def test_numbers_come_back() -> None:
    numbers = Numbers(range(5, 9))
    assert [numbers.take(), numbers.take(), numbers.take()] == [5, 6, 7]
    numbers.give_back(6)
    numbers.give_back(5)
    assert [numbers.take(), numbers.take(), numbers.take()] == [5, 6, 8]


def test_what_is_there_is_what_shall_be(kernel: MemoryKernel, housing: Housing) -> None:
    assert housing.links == {"evpn-office": LinkSpec("evpn-office", housing.if_id(OFFICE))}
    assert housing.routes() == kernel.list_routes()
    assert housing.leads(kernel.list_routes()[0].place)
    housing.remove([OFFICE])
    assert (housing.links, housing.addresses, housing.routes()) == ({}, frozenset(), ())


def test_sources_follow_the_addresses_of_this_machine(kernel: MemoryKernel, housing: Housing) -> None:
    """An address of the LAN that has come since is what routes should have, until it goes."""
    kernel.add_address(LAN)
    assert [route.source for route in housing.routes()] == [LAN.address.ip]
    kernel.delete_address(LAN)
    assert [route.source for route in housing.routes()] == [None]


def test_lent_addresses_come_before_those_of_this_machine(kernel: MemoryKernel, housing: Housing) -> None:
    kernel.add_address(LAN)
    lent = ip_address("10.9.0.7")
    housing.lend("office", [lent])
    assert [route.source for route in kernel.list_routes()] == [lent]
    assert AddressSpec("evpn-office", ip_interface("10.9.0.7/32")) in housing.addresses
    housing.take_back("office")
    assert [route.source for route in kernel.list_routes()] == [LAN.address.ip]
    assert kernel.list_addresses("evpn-office") == ()
    housing.take_back("office")


def test_other_routes_and_another_mtu(kernel: MemoryKernel, housing: Housing) -> None:
    """Without a moment in which those that stay are gone."""
    other = replace(
        OFFICE, mtu=1300, routes=(*OFFICE.routes, replace(OFFICE.routes[0], network=ip_network("10.4.0.0/24")))
    )
    housing.renew(OFFICE, other)
    assert [str(route.destination) for route in kernel.list_routes()] == ["10.2.0.0/24", "10.4.0.0/24"]
    assert kernel.get_link("evpn-office").mtu == housing.links["evpn-office"].mtu == 1300
    housing.renew(other, replace(other, routes=other.routes[1:]))
    assert [str(route.destination) for route in kernel.list_routes()] == ["10.4.0.0/24"]


def test_a_network_goes_from_one_home_to_another(kernel: MemoryKernel, housing: Housing) -> None:
    """The new one is told of it before the old one: there is a route all the time."""
    network = replace(OFFICE.routes[0], network=ip_network("10.4.0.0/24"))
    other = Home("site b", ("b",), "evpn-b", {}, routes=(network,))
    housing.add([other])
    housing.renew(OFFICE, replace(OFFICE, routes=(*OFFICE.routes, network)))
    housing.renew(other, replace(other, routes=()))
    assert [(str(each.destination), each.interface) for each in kernel.list_routes()] == [
        ("10.2.0.0/24", "evpn-office"),
        ("10.4.0.0/24", "evpn-office"),
    ]
    assert housing.routes() == kernel.list_routes()


def test_a_new_home_takes_a_network_over(kernel: MemoryKernel, housing: Housing) -> None:
    """Before the old one is told: there is a route all the time, and still one when the new home goes."""
    other = Home("site b", ("b",), "evpn-b", {}, routes=OFFICE.routes)
    kernel.read_events()
    housing.add([other])
    assert [route.interface for route in kernel.list_routes()] == ["evpn-b"]
    assert not any(isinstance(event, RouteChanged) and event.gone for event in kernel.read_events())
    housing.renew(OFFICE, replace(OFFICE, routes=()))
    assert [route.interface for route in kernel.list_routes()] == ["evpn-b"]
    assert housing.leads(kernel.list_routes()[0].place)
    housing.remove([other])
    assert not housing.leads(RouteSpec(destination=OFFICE.routes[0].network).place)


def test_a_place_that_is_taken(kernel: MemoryKernel, housing: Housing) -> None:
    """By somebody else: it is left as it is."""
    network = replace(OFFICE.routes[0], network=ip_network("10.4.0.0/24"))
    kernel.add_route(RouteSpec(destination=network.network, interface="uplink"))
    with pytest.raises(AlreadyExists):
        housing.renew(OFFICE, replace(OFFICE, routes=(*OFFICE.routes, network)))


def test_a_route_that_would_swallow_the_tunnel(kernel: MemoryKernel, housing: Housing) -> None:
    """The peer's name leads into the network behind it: its route leaves the main table, and comes back never."""
    assert [route.table for route in kernel.list_routes()] == [MAIN_TABLE]
    housing.meet("office", [ip_address("10.2.0.1"), ip_address("203.0.113.1")])
    assert [route.table for route in kernel.list_routes()] == [TABLES[24]]
    assert set(kernel.list_rules()) == housing.rules == rules_for(kernel.list_routes())
    assert housing.routes() == kernel.list_routes()

    housing.meet("office", [ip_address("203.0.113.1")])
    housing.renew(OFFICE, replace(OFFICE, mtu=1300))
    assert [route.table for route in kernel.list_routes()] == [TABLES[24]]
    housing.remove([OFFICE])
    assert (kernel.list_rules(), kernel.list_routes(), housing.rules) == ((), (), frozenset())


def test_what_comes_from_a_peer_behind_itself_is_let_in(kernel: MemoryKernel, housing: Housing) -> None:
    strict = Setting(4, "uplink", "rp_filter")
    kernel.change_settings({strict: 1})
    kernel.set_path(ip_network("10.2.0.1"), Path("uplink", LAN.address.ip, None, 1500))
    housing.meet("office", [ip_address("203.0.113.1")])
    assert kernel.read_setting(strict) == 1
    housing.meet("office", [ip_address("10.2.0.1")])
    assert kernel.read_setting(strict) == 2
    housing.close()
    assert kernel.read_setting(strict) == 1

    housing.add([Home("site b", ("b",), "evpn-b", {}, routes=(Route(ip_network("0.0.0.0/0")),), callers=True)])
    assert kernel.read_setting(strict) == 2


def test_rules_that_several_need(kernel: MemoryKernel, housing: Housing) -> None:
    everything = replace(OFFICE.routes[0], network=ip_network("0.0.0.0/0"))
    other = Home("site b", ("b",), "evpn-b", {}, routes=(replace(everything, network=ip_network("10.4.0.0/24")),))
    housing.renew(OFFICE, replace(OFFICE, routes=(everything,)))
    housing.add([replace(other, outside=(ip_address("10.4.0.1"),))])
    assert len(kernel.list_rules()) == 4
    housing.renew(replace(OFFICE, routes=(everything,)), OFFICE)
    assert set(kernel.list_rules()) == rules_for(kernel.list_routes())
    assert len(kernel.list_rules()) == 2


def test_what_is_kept_in_mind_of_a_peer_is_bounded(kernel: MemoryKernel, housing: Housing) -> None:
    for number in range(3 * MOST_OUTSIDE):
        housing.meet("office", [ip_address(f"10.2.0.{number}"), ip_address(f"198.51.100.{number}")])
    assert len(housing._outside["office"]) == MOST_OUTSIDE
