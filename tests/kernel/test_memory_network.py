"""edgevpn.kernel.memory_network: what is its own; what it has in common with the real kernel is in test_contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.kernel.contract import Features
from edgevpn.kernel.errors import NotFound, NotSupported
from edgevpn.kernel.events import AddressChanged, LinkChanged, RouteChanged
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, Path, ProxySpec, RouteSpec
from tests.support.kernel import HERE, IF_ID, THERE

LINK = LinkSpec("evpn-a", IF_ID)
ADDRESS = AddressSpec("evpn-a", ip_interface("10.77.0.1/24"))
ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface="evpn-a")


@pytest.fixture
def kernel() -> Iterator[MemoryKernel]:
    kernel = MemoryKernel()
    yield kernel
    kernel.close()


def test_links_there_from_the_start(kernel: MemoryKernel) -> None:
    assert [(link.name, link.up) for link in kernel.list_links(foreign=True)] == [("lo", True), ("uplink", True)]
    assert kernel.list_links() == ()


def test_kernel_without_xfrm_interfaces() -> None:
    kernel = MemoryKernel(have=Features(esp4=True, esp6=True, xfrm_interface=False, migrate=False))
    with pytest.raises(NotSupported, match="install kmod-xfrm-interface"):
        kernel.add_link(LINK)
    assert not kernel.features().xfrm_interface
    kernel.close()


def test_link_is_changed_by_somebody_else(kernel: MemoryKernel) -> None:
    kernel.add_link(LINK)
    kernel.read_events()
    kernel.set_link("evpn-a", up=False)
    down = kernel.get_link("evpn-a")
    assert not down.up
    kernel.set_up("evpn-a")
    assert kernel.read_events() == (LinkChanged(down), LinkChanged(replace(down, up=True)))


def test_what_goes_with_a_link(kernel: MemoryKernel) -> None:
    link = kernel.add_link(LINK)
    kernel.add_address(ADDRESS)
    kernel.add_route(ROUTE)
    proxy = ProxySpec("evpn-a", THERE)
    kernel.add_proxy(proxy)
    kernel.read_events()

    kernel.delete_link("evpn-a")

    assert kernel.list_proxies() == ()
    assert kernel.read_events() == (
        RouteChanged(ROUTE, gone=True),
        AddressChanged("evpn-a", ADDRESS.address, gone=True),
        LinkChanged(link, gone=True),
    )


def test_paths(kernel: MemoryKernel) -> None:
    office = Path("uplink", HERE, None, 1400)
    kernel.set_path(ip_network("198.51.100.0/24"), office)
    assert kernel.path_to(THERE) == office
    assert kernel.path_to(ip_address("203.0.113.1")).mtu == 1500
    kernel.set_path(ip_network("198.51.100.0/24"), None)
    assert kernel.path_to(THERE).mtu == 1500
    kernel.set_path(ip_network("0.0.0.0/0"), None)
    with pytest.raises(NotFound, match="nothing leads there"):
        kernel.path_to(THERE)


def test_routes_that_say_too_little_are_no_paths(kernel: MemoryKernel) -> None:
    """Without an address on the interface there is no source; other tables are not looked into."""
    kernel.add_link(LINK)
    kernel.add_route(ROUTE)
    kernel.add_route(replace(ROUTE, destination=ip_network("10.79.0.0/16"), table=1000))
    for text in ("10.78.0.1", "10.79.0.1"):
        assert kernel.path_to(ip_address(text)).interface == "uplink"
    kernel.add_address(ADDRESS)
    assert kernel.path_to(ip_address("10.78.0.1")).interface == "evpn-a"
    assert kernel.path_to(ip_address("10.79.0.1")).interface == "uplink"


def test_the_longest_of_our_routes_leads(kernel: MemoryKernel) -> None:
    """Until it is gone, or leads elsewhere."""
    for number, name in enumerate(("evpn-a", "evpn-b")):
        kernel.add_link(replace(LINK, name=name, if_id=IF_ID + number))
        kernel.add_address(replace(ADDRESS, interface=name))
    narrow = replace(ROUTE, destination=ip_network("10.78.1.0/24"), interface="evpn-b")
    kernel.add_route(ROUTE)
    kernel.add_route(narrow)
    assert [kernel.path_to(ip_address(f"10.78.{n}.1")).interface for n in (0, 1)] == ["evpn-a", "evpn-b"]
    kernel.replace_route(replace(narrow, interface="evpn-a"))
    assert kernel.path_to(ip_address("10.78.1.1")).interface == "evpn-a"
    kernel.delete_route(ROUTE)
    assert kernel.path_to(ip_address("10.78.0.1")).interface == "uplink"


def test_mtu_of_a_link_that_says_none(kernel: MemoryKernel) -> None:
    assert kernel.add_link(LINK) == LinkState("evpn-a", 3, 1500, True, "xfrm", IF_ID)
