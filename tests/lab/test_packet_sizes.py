"""Long packets: what the tunnel adds does not fit a path that is full, and no connection may be lost by that."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab.conftest import Tunnels
from tests.lab.network import Network, Node
from tests.lab.sites import Family, site_to_site
from tests.lab.traffic import ping, transfer

OCTETS = 500_000


@pytest.fixture
def narrow(internet: Node) -> Iterator[None]:
    """The internet forwards no more than 1400 octets to either gateway, and says so by ICMP."""
    routes = [(net, link) for link in ("a", "b") for net in (internet.ends[link].net4, internet.ends[link].net6)]
    internet.ip(*(f"route add {net} dev {link} metric 1 mtu lock 1400" for net, link in routes))
    yield
    internet.ip(*(f"route delete {net} dev {link} metric 1" for net, link in routes))


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("encap", [False, True], ids=["esp", "udp"])
@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_tcp(tunnels: Tunnels, network: Network, outer: Family, inner: Family, *, encap: bool) -> None:
    """Both ways, with segments as long as they may be."""
    tunnel = tunnels.between(replace(site_to_site(network, outer=outer, inner=inner), encap=encap))
    tunnel.up()

    for source, target in ((network["host_a"], network["host_b"]), (network["host_b"], network["host_a"])):
        assert transfer(source, target, target.lan.v4 if inner == 4 else target.lan.v6, OCTETS) > 0


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_tcp_on_a_narrow_path(tunnels: Tunnels, network: Network, outer: Family, inner: Family) -> None:
    """The gateways learn of it by ICMP, and the hosts from them."""
    tunnel = tunnels.between(site_to_site(network, outer=outer, inner=inner))
    tunnel.up()

    for source, target in ((network["host_a"], network["host_b"]), (network["host_b"], network["host_a"])):
        assert transfer(source, target, target.lan.v4 if inner == 4 else target.lan.v6, OCTETS) > 0


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("size", [1200, 1372, 1472, 4000])
def test_pings_of_any_size(tunnels: Tunnels, network: Network, size: int) -> None:
    """What is too long is cut into IP fragments before or after, and put together."""
    tunnel = tunnels.between(site_to_site(network))
    tunnel.up()

    assert ping(network["host_a"], network["host_b"].lan.v4, size=size).passed
    assert ping(network["host_b"], network["host_a"].lan.v4, size=size).passed
