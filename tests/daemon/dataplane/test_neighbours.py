"""A LAN of 192.168.1.0/24 and fd01::/64, and visitors with addresses of it."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.daemon.dataplane.neighbours import Neighbours
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, ProxySpec
from edgevpn.kernel.spec import OURS_IF_ID
from edgevpn.kernel.sysctl import Setting

PHONE, PHONE6 = ip_address("192.168.1.200"), ip_address("fd01::200")
NDP = Setting(6, "evpn-lan", "proxy_ndp")


@pytest.fixture
def kernel() -> MemoryKernel:
    kernel = MemoryKernel()
    for number, name in enumerate(("evpn-lan", "evpn-road")):
        kernel.add_link(LinkSpec(name, OURS_IF_ID[number]))
    for text in ("192.168.1.1/24", "fd01::1/64"):
        kernel.add_address(AddressSpec("evpn-lan", ip_interface(text)))
    return kernel


def test_a_visitor_is_answered_for(kernel: MemoryKernel) -> None:
    neighbours = Neighbours(kernel)
    before = kernel.read_setting(NDP)
    neighbours.welcome("evpn-road", [PHONE, PHONE6])

    assert set(kernel.list_proxies()) == {ProxySpec("evpn-lan", PHONE), ProxySpec("evpn-lan", PHONE6)}
    assert {(route.destination, route.interface) for route in kernel.list_routes()} == {
        (ip_network(PHONE), "evpn-road"),
        (ip_network(PHONE6), "evpn-road"),
    }
    assert kernel.read_setting(NDP) == 1

    neighbours.part([PHONE, PHONE6])
    assert (kernel.list_proxies(), kernel.list_routes()) == ((), ())
    neighbours.close()
    assert kernel.read_setting(NDP) == before


def test_while_one_child_follows_another(kernel: MemoryKernel) -> None:
    """The address is answered for as long as one of them is there."""
    neighbours = Neighbours(kernel)
    neighbours.welcome("evpn-road", [PHONE])
    neighbours.welcome("evpn-road", [PHONE])
    neighbours.part([PHONE])
    assert kernel.list_proxies() == (ProxySpec("evpn-lan", PHONE),)
    neighbours.part([PHONE])
    assert kernel.list_proxies() == ()


def test_an_address_of_no_lan(kernel: MemoryKernel) -> None:
    """It has its route; nobody in the LAN asks for it."""
    neighbours = Neighbours(kernel)
    neighbours.welcome("evpn-road", [ip_address("10.9.0.7")])
    assert kernel.list_proxies() == ()
    assert len(kernel.list_routes()) == 1
