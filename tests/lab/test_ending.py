"""How tunnels end: one side closes, is stopped, crashes, or dies without a word."""

from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers, Tunnels
from tests.lab.holdings import assert_holds, holdings
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import IMPATIENT, site_table
from tests.lab.peers.peer import eventually
from tests.lab.tunnel import PAIR, Side


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_closed(tunnels: Tunnels, site: Connection, who: Side) -> None:
    tunnel = tunnels.between(site)
    tunnel.up()

    tunnel.side(who).terminate()

    tunnel.wait_gone()
    tunnel.ours.wait_down()
    tunnel.theirs.wait_down()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_stopped(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    """SIGTERM: the peer is told, and what we made is gone."""
    before = holdings(gateway_a)
    tunnel = tunnels.between(site)
    tunnel.up()

    tunnel.ours.stop()

    assert_holds(gateway_a, before)
    tunnel.theirs.wait_down()


def test_killed_and_started_again(peers: Peers, site: Connection, gateway_a: Node, peer: str, gateway_b: Node) -> None:
    """What the dead process left is gone at the next start, and the peer takes the new call for the old."""
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    theirs = peers.of_kind(peer, gateway_b, site.mirrored())
    fresh = holdings(gateway_a)
    ours.initiate()
    old = xfrm.spis(gateway_a)

    ours.kill()
    assert xfrm.spis(gateway_a) == old
    ours.start()

    assert_holds(gateway_a, fresh)
    ours.initiate()
    assert len(xfrm.spis(gateway_a)) == PAIR
    eventually(lambda: len(theirs.status()) == 1, within=10, what="one IKE SA at the peer")


def test_killed_and_started_with_nothing_to_do(
    peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node
) -> None:
    """A site that is no longer configured leaves no trace either."""
    peers.strongswan(gateway_b, site.mirrored())
    ours = peers.edgevpn(gateway_a, "")
    before = holdings(gateway_a)
    ours.stop()
    ours.configure(site_table(site, start="wait"))
    ours.start()
    ours.initiate()

    ours.kill()
    ours.configure("")
    ours.start()

    assert_holds(gateway_a, before)


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_peer_restarts_and_calls(tunnels: Tunnels, site: Connection, gateway_a: Node, gateway_b: Node) -> None:
    """INITIAL_CONTACT: what the peer has forgotten goes, and only that."""
    tunnel = tunnels.between(site)
    tunnel.up()
    old = tunnel.sas()
    tunnel.theirs.kill()
    gateway_b.restore()

    tunnel.theirs.start()
    tunnel.theirs.initiate()

    tunnel.wait_rekeyed(old)
    assert len(tunnel.ours.status()) == 1
    tunnel.assert_carries()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_dead_peer_is_cleared(tunnels: Tunnels, site: Connection, gateway_b: Node) -> None:
    tunnel = tunnels.between(replace(site, dpd_delay=1), top=IMPATIENT, dpd_action="clear")
    tunnel.up()

    tunnel.theirs.kill()
    gateway_b.restore()

    tunnel.wait_gone(within=30)
    tunnel.ours.wait_down()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_dead_peer_is_called_again(tunnels: Tunnels, site: Connection, gateway_b: Node) -> None:
    """The peer reboots and knows nothing of us; we notice and call."""
    tunnel = tunnels.between(replace(site, dpd_delay=1), top=IMPATIENT, start="load")
    tunnel.ours.wait_up()
    old = tunnel.sas()
    tunnel.theirs.kill()
    gateway_b.restore()

    tunnel.theirs.start()

    tunnel.wait_rekeyed(old, within=60)
    tunnel.ours.wait_up()  # with its policies
    tunnel.assert_carries()
