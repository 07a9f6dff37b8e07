"""What brings a tunnel up: the configuration, the first packet, the peer that is there at last."""

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.traffic import ping, pinging

CALLS = 20
NOT_LET_IN = {"XfrmInNoPols", "XfrmInTmplMismatch", "XfrmInPolBlock"}
"""What counts packets of an SA that no policy admits."""


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_by_traffic(tunnels: Tunnels, site: Connection, host_a: Node, host_b: Node) -> None:
    """The first packet for the far LAN brings the tunnel up, and later ones pass."""
    tunnel = tunnels.between(site, start="traffic")
    assert not tunnel.ours.is_up()

    ping(host_a, host_b.lan.v4, count=1, wait=1.0)

    tunnel.ours.wait_up()
    tunnel.assert_carries()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_by_traffic_again(tunnels: Tunnels, site: Connection, host_a: Node, host_b: Node) -> None:
    """Once the peer has closed it, the next packet brings it up anew."""
    tunnel = tunnels.between(site, start="traffic")
    ping(host_a, host_b.lan.v4, count=1, wait=1.0)
    tunnel.ours.wait_up()
    tunnel.theirs.terminate()
    tunnel.wait_gone()

    ping(host_a, host_b.lan.v4, count=1, wait=1.0)

    tunnel.ours.wait_up()
    tunnel.assert_carries()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_at_load(tunnels: Tunnels, site: Connection) -> None:
    tunnel = tunnels.between(site, start="load")

    tunnel.ours.wait_up()

    tunnel.assert_carries()


@pytest.mark.parametrize("role", ["responder"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_a_peer_that_sends_at_once(tunnels: Tunnels, site: Connection, host_a: Node, host_b: Node) -> None:
    """Its first packet is on the way as soon as it has our answer: by then we let in what it sends."""
    tunnel = tunnels.between(site)

    with pinging(host_b, host_a.lan.v4, interval=0.001):
        for _ in range(CALLS):
            tunnel.up()
            tunnel.theirs.terminate()
            tunnel.wait_gone()

    refused = xfrm.errors(tunnel.ours.node)
    assert not refused.keys() & NOT_LET_IN, refused


def test_peer_comes_later(
    network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    """Nobody listens at first; the site tries until somebody does."""
    ours = peers.edgevpn(gateway_a, site_table(site, start="load"))
    ours.logged("initiating")

    peers.strongswan(gateway_b, site.mirrored())

    ours.wait_up(within=30)
    assert ping(host_a, host_b.lan.v4).passed
