"""edgevpn.kernel.route_readings: what we and pyroute2 write is what is read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.netlink import HEADER
from edgevpn.kernel.network_codec import link_by_index, link_by_name, link_message, route_message, route_scope
from edgevpn.kernel.network_spec import LinkSpec, LinkState, RouteKind, RouteSpec
from edgevpn.kernel.route_readings import read_link, read_route
from tests.kernel.test_network_codec import LINK, LO, ROUTE, octets_of
from tests.support.kernel import IF_ID

LINKS = {
    "plain": (LinkSpec("evpn-a", IF_ID), 0, None),
    "with everything": (LinkSpec("evpn-a", IF_ID, mtu=1400, underlying="lo"), 1400, "lo"),
}


@pytest.mark.parametrize(("spec", "mtu", "underlying"), LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("up", [True, False])
def test_link_comes_back(spec: LinkSpec, mtu: int, underlying: str | None, up: bool) -> None:
    state = read_link(octets_of(link_message(spec), index=7, flags=int(up)))
    assert state == LinkState("evpn-a", 7, mtu, up, "xfrm", IF_ID, underlying)


def test_other_links() -> None:
    """Hardware has no kind; what is inside another kind is not ours to read."""
    assert read_link(octets_of(link_by_name("eth0"), index=3)) == LinkState("eth0", 3, 0, up=False)
    veth = link_by_name("veth0")
    veth["attrs"].append(("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth")]}))
    assert read_link(octets_of(veth)).kind == "veth"
    bare = link_by_name("evpn-a")
    bare["attrs"].append(("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "xfrm")]}))
    state = read_link(octets_of(bare))
    assert (state.kind, state.if_id) == ("xfrm", 0)


def test_link_of_no_name() -> None:
    with pytest.raises(ValueError, match="without a name"):
        read_link(octets_of(link_by_index(LINK)))


BACK = {
    "an interface": ROUTE,
    "the default": replace(ROUTE, destination=ip_network("0.0.0.0/0")),
    "the IPv6 default": RouteSpec(destination=ip_network("::/0"), interface="lo"),
    "a gateway": replace(ROUTE, gateway=ip_address("10.77.0.9")),
    "a high table": replace(ROUTE, table=1000),
    "nowhere": RouteSpec(destination=ip_network("10.79.0.0/16"), kind=RouteKind.BLACKHOLE),
    "somebody else's": replace(ROUTE, protocol=4),
}


@pytest.mark.parametrize("spec", BACK.values(), ids=BACK)
def test_route_comes_back(spec: RouteSpec) -> None:
    assert read_route(octets_of(route_message(spec, route_scope(spec)))) == spec


def test_interface_of_a_route_is_gone() -> None:
    message = route_message(ROUTE, 0)
    message["attrs"] = [(name, 0x7FFF_FFFF if name == "RTA_OIF" else value) for name, value in message["attrs"]]
    assert read_route(octets_of(message)) == replace(ROUTE, interface=None)


def without_interface(message: nlmsg) -> None:
    message["attrs"] = [each for each in message["attrs"] if each[0] != "RTA_OIF"]


NOT_ROUTES: dict[str, Callable[[nlmsg], None]] = {
    "our own address": lambda message: message.update(type=2),
    "the table of our own addresses": lambda message: message.update(table=255),
    "a cache": lambda message: message.update(flags=0x200),
    "several next hops": without_interface,
}


@pytest.mark.parametrize("change", NOT_ROUTES.values(), ids=NOT_ROUTES)
def test_what_is_no_route(change: Callable[[nlmsg], None]) -> None:
    message = route_message(ROUTE, 0)
    change(message)
    assert read_route(octets_of(message)) is None


def test_routes_of_another_family() -> None:
    """RTNL_FAMILY_IP6MR: of multicast, which kernels show that do not check what they are asked for."""
    octets = bytearray(octets_of(route_message(ROUTE, 0)))
    octets[HEADER.size] = 129
    assert read_route(bytes(octets)) is None


def test_names_that_are_known_already() -> None:
    asked: list[int] = []

    def name_of(index: int) -> str:
        asked.append(index)
        return "wan"

    assert read_route(octets_of(route_message(ROUTE, 0)), name_of) == replace(ROUTE, interface="wan")
    assert asked == [LO]


def test_octets_are_missing() -> None:
    for read, message in ((read_link, link_by_name("eth0")), (read_route, route_message(ROUTE, 0))):
        with pytest.raises(struct.error):
            read(octets_of(message)[:27])
