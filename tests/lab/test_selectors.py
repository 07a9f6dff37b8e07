"""Which packets a tunnel takes: several networks, both families, protocols and ports, a hub, two hosts, or any."""

from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.capture import Kind, capturing
from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.peer import eventually
from tests.lab.sites import Family, site_to_home, site_to_site
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


HOSTS: dict[str, tuple[Family, Family]] = {
    "IPv4": (4, 4),
    "IPv6": (6, 6),
    "IPv6 in IPv4": (4, 6),
    "IPv4 in IPv6": (6, 4),
}


@pytest.mark.parametrize(("outer", "inner"), HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_host_to_host(
    network: Network, tunnels: Tunnels, gateway_a: Node, gateway_b: Node, outer: Family, inner: Family
) -> None:
    """The two gateways alone: what they say to each other is protected, IKE itself is not lost in it."""
    a, b = (node.wan.v4 if inner == 4 else node.wan.v6 for node in (gateway_a, gateway_b))
    length = 32 if inner == 4 else 128
    site = site_to_site(network, outer=outer)
    tunnel = tunnels.between(replace(site, local_ts=(f"{a}/{length}",), remote_ts=(f"{b}/{length}",)))

    tunnel.up()

    with capturing(network["internet"], "a") as seen:
        assert ping(gateway_a, b).passed
        assert ping(gateway_b, a).passed
    assert not seen.strays()
    old = tunnel.sas()
    tunnel.theirs.rekey_child()
    tunnel.wait_new_keys(old)


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_a_peer_inside_its_own_network(
    network: Network, tunnels: Tunnels, site: Connection, gateway_a: Node, gateway_b: Node
) -> None:
    """All that is beside the peer is behind it, too; and the WAN takes only what a route leads back to."""
    gateway_a.sysctl(ipv4__conf__wan__rp_filter=1)
    a = network["gateway_a"]
    around = replace(site, local_ts=(a.lan.net4, f"{a.wan.v4}/32"), remote_ts=(network["gateway_b"].wan.net4,))
    tunnel = tunnels.between(around)

    tunnel.up()

    with capturing(network["internet"], "a") as seen:
        assert ping(network["host_a"], gateway_b.wan.v4).passed
        assert ping(gateway_a, gateway_b.wan.v4).passed
    assert not seen.strays()
    tunnel.ours.stop()
    assert gateway_a.run("sysctl", "-n", "net.ipv4.conf.wan.rp_filter").strip() == "1"
    gateway_a.sysctl(ipv4__conf__wan__rp_filter=0)


def test_everything_goes_in_but_the_lan(
    network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, host_a: Node, home: Node
) -> None:
    """A site for 0.0.0.0/0 and ::/0, with its routes: the LAN stays local, IKE and ESP leave by the WAN."""
    lan = network["host_a"].lan
    everything = replace(site, local_ts=(lan.net4, lan.net6), remote_ts=("0.0.0.0/0", "::/0"))
    theirs = peers.strongswan(gateway_b, everything.mirrored())
    gateway_b.nft(MASQUERADE)
    ours = peers.edgevpn(gateway_a, site_table(everything))
    ours.wait_up()

    with capturing(network["internet"], "a") as seen:
        for address in (home.wan.v4, home.wan.v6):
            assert ping(host_a, address).passed
            assert ping(gateway_a, address).passed
        assert ping(host_a, gateway_a.lan.v4).passed
        assert ping(gateway_a, host_a.lan.v6).passed
        old = frozenset(state.spi for state in xfrm.states(gateway_a))
        theirs.rekey_child()
        eventually(lambda: has_new(gateway_a, old), within=10, what="new keys")
    assert not seen.strays()
    assert seen.kinds()[Kind.ESP] == 24
    gateway_b.nft("delete table inet way_out\n")


MASQUERADE = """
table inet way_out {
    chain post {
        type nat hook postrouting priority srcnat
        ip saddr 10.1.0.0/24 oifname "wan" rt ipsec missing masquerade
        ip6 saddr fd00:1::/64 oifname "wan" rt ipsec missing masquerade
    }
}
"""


def has_new(node: Node, old: frozenset[int]) -> bool:
    return bool({state.spi for state in xfrm.states(node)} - old)


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
