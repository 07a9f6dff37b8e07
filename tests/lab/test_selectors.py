"""Which packets a tunnel takes: several networks, both families, protocols and ports, a hub, two hosts, or any."""

from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.capture import capturing
from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.sites import site_to_home
from tests.lab.traffic import ping, transfer


@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_both_families_in_one_child(tunnels: Tunnels, site: Connection, network: Network, gateway_a: Node) -> None:
    a, b = network["host_a"].lan, network["host_b"].lan
    tunnel = tunnels.between(replace(site, local_ts=(a.net4, a.net6), remote_ts=(b.net4, b.net6)))

    tunnel.up()

    tunnel.assert_carries(4)
    tunnel.assert_carries(6)
    assert len(xfrm.states(gateway_a)) == 2


@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_several_networks_in_one_child(tunnels: Tunnels, site: Connection, gateway_a: Node, gateway_b: Node) -> None:
    """Two networks at one end and three at the other, narrowed to the two that the peer has."""
    ours = replace(
        site, local_ts=("10.1.0.0/24", "10.1.7.0/24"), remote_ts=("10.2.0.0/24", "10.2.7.0/24", "10.2.9.0/24")
    )
    theirs = replace(ours.mirrored(), local_ts=("10.2.0.0/24", "10.2.7.0/24"))
    tunnel = tunnels.between(ours, theirs)

    tunnel.up()

    tunnel.assert_carries()
    wanted = {(here, there) for here in ours.local_ts for there in theirs.local_ts}
    assert outward(gateway_a) == wanted
    assert outward(gateway_b) == {(there, here) for here, there in wanted}


def outward(node: Node) -> set[tuple[str, str]]:
    """Source and destination of the policies for what leaves."""
    return {(policy.source, policy.destination) for policy in xfrm.policies(node) if policy.direction == "out"}


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_a_packet_brings_up_what_the_peer_narrows(
    tunnels: Tunnels, site: Connection, gateway_a: Node, host_a: Node, host_b: Node
) -> None:
    """We would send two networks; the peer takes one. The packet was for that one."""
    tunnel = tunnels.between(replace(site, remote_ts=("10.2.0.0/24", "10.2.7.0/24")), site.mirrored(), start="traffic")

    ping(host_a, host_b.lan.v4, count=1, wait=1.0)

    tunnel.ours.wait_up()
    tunnel.assert_carries()
    assert ("10.1.0.0/24", "10.2.0.0/24") in outward(gateway_a)


def test_children_by_protocol_and_port(
    network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    """One CHILD SA for pings, one for a TCP port; other ports have none."""
    children = {
        "ping": {"local_ts": ["10.2.0.0/24[icmp]"], "remote_ts": ["10.1.0.0/24[icmp]"], "esp_proposals": [site.esp]},
        "web": {"local_ts": ["10.2.0.0/24[tcp/8080]"], "remote_ts": ["10.1.0.0/24[tcp]"], "esp_proposals": [site.esp]},
    }
    peers.strongswan(gateway_b, site.mirrored(), connection_options={"children": children})
    toml = site_table(site) + '[site.site.child.ping]\nprotocol = "icmp"\n'
    toml += '[site.site.child.web]\nprotocol = "tcp"\nremote_ports = 8080\n'
    ours = peers.edgevpn(gateway_a, toml)
    ours.wait_up()

    assert ping(host_a, host_b.lan.v4).passed
    assert transfer(host_a, host_b, host_b.lan.v4, 100_000, port=8080) > 0
    with pytest.raises(OSError, match=r"timed out|No route"):
        transfer(host_a, host_b, host_b.lan.v4, 100_000, port=8081, limit=2.0)
    assert len(xfrm.states(gateway_a)) == 4


def test_a_hub_joins_two_sites(
    network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, home: Node, host_b: Node
) -> None:
    """From one spoke to the other by way of the hub, through a tunnel each."""
    second = site_to_home(network)
    phone, lan_b = network["phone"], host_b.lan.net4
    to_b = replace(site, local_ts=(*site.local_ts, *second.remote_ts))
    to_home = replace(second, local_ts=(*second.local_ts, lan_b))
    peers.strongswan(gateway_b, to_b.mirrored())
    peers.strongswan(home, to_home.mirrored())
    hub = peers.edgevpn(gateway_a, site_table(to_b) + site_table(to_home))
    hub.wait_up(to_b.name)
    hub.wait_up(to_home.name)

    with capturing(network["internet"], "a") as seen:
        assert ping(host_b, phone.wan.v4).passed
        assert ping(phone, host_b.lan.v4).passed
    assert not seen.strays()


def test_any_packet_that_is_routed_into_it(
    network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    """Selectors of any to any; who owns the routers says what goes in, by routes."""
    anything = replace(site, local_ts=("0.0.0.0/0", "::/0"), remote_ts=("0.0.0.0/0", "::/0"))
    ours = peers.edgevpn(gateway_a, site_table(anything, routes=False))
    peers.strongswan(gateway_b, anything.mirrored(if_id=42))
    gateway_b.ip("link add xfrm-any type xfrm if_id 42", "link set dev xfrm-any up")
    gateway_b.ip(f"route add {host_a.lan.net4} dev xfrm-any", f"route add {host_a.lan.net6} dev xfrm-any")
    ours.wait_up()

    gateway_a.ip(f"route add {host_b.lan.net4} dev evpn-site", f"route add {host_b.lan.net6} dev evpn-site")

    with capturing(network["internet"], "a") as seen:
        assert ping(host_a, host_b.lan.v4).passed
        assert ping(host_b, host_a.lan.v6).passed
    assert not seen.strays()
