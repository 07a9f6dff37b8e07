"""edgevpn.kernel.network_spec."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteKind, RouteSpec
from tests.support.kernel import IF_ID

LINK = LinkState("evpn-a", 7, 1400, True, "xfrm", IF_ID)


@pytest.mark.parametrize("name", ["", "evpn-0123456789a", "evpn-ä012345678", "evpn a", "evpn/a", "evpn:a", "evpn\0a"])
def test_no_interface_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not an interface name"):
        LinkSpec(name, IF_ID)


def test_longest_interface_name() -> None:
    assert LinkSpec("evpn-0123456789", IF_ID).ours


def test_ours() -> None:
    """Both tags are needed: a name can be anybody's, a number too."""
    assert LINK.ours
    assert not replace(LINK, kind="veth").ours
    assert not replace(LINK, name="office").ours
    assert not replace(LINK, if_id=1).ours
    assert not LinkSpec("evpn-a", 1).ours
    assert not LinkSpec("office", IF_ID).ours
    assert RouteSpec(destination=ip_network("::/0")).ours
    assert not RouteSpec(destination=ip_network("::/0"), protocol=4).ours


def test_words() -> None:
    route = RouteSpec(destination=ip_network("10.0.0.0/8"), interface="evpn-a")
    nowhere = RouteSpec(destination=ip_network("10.0.0.0/8"), kind=RouteKind.PROHIBIT)
    assert [str(each) for each in (LINK, LinkSpec("evpn-a", IF_ID), route, nowhere)] == [
        "interface evpn-a",
        "interface evpn-a",
        "route to 10.0.0.0/8 by evpn-a",
        "route to 10.0.0.0/8",
    ]
    assert str(AddressSpec("evpn-a", ip_interface("10.0.0.1/24"))) == "address 10.0.0.1/24 on evpn-a"
    assert str(ProxySpec("lan", ip_address("10.0.0.9"))) == "proxy for 10.0.0.9 on lan"
