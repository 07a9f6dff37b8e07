"""Tunnels that always come back: after outages, a new address without MOBIKE, a name that means another address.

Minutes are shortened: `IMPATIENT` retransmission and a probe every second stand for what takes minutes by default.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.capture import Capture, Kind, capturing
from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import IMPATIENT, EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.tunnel import Tunnel


@pytest.fixture
def stubborn(tunnels: Tunnels, site: Connection) -> Tunnel:
    """A tunnel that comes up by itself and looks after its peer every second."""
    tunnel = tunnels.between(replace(site, dpd_delay=1), top=IMPATIENT, start="load")
    tunnel.ours.wait_up()
    return tunnel


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("silent", ["gateway_a", "gateway_b"])
def test_silence(network: Network, stubborn: Tunnel, silent: str) -> None:
    """Nothing gets through for so long that both give up; then it does again."""
    with network.silenced(silent):
        stubborn.ours.wait_down(within=30)
        stubborn.theirs.wait_down(within=60)

    stubborn.ours.wait_up(within=60)
    stubborn.wait_settled()
    stubborn.assert_carries()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("cut", ["gateway_a", "gateway_b"])
def test_link_is_cut(network: Network, stubborn: Tunnel, cut: str) -> None:
    with network.unplugged(cut):
        stubborn.ours.wait_down(within=30)

    stubborn.ours.wait_up(within=60)
    stubborn.wait_settled()
    stubborn.assert_carries()


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_short_silence(network: Network, stubborn: Tunnel, gateway_a: Node, internet: Node) -> None:
    """A question that has to be repeated costs nothing but time: the IKE SA stays."""
    ike = stubborn.ours.spis()

    with capturing(internet, "a") as seen, network.silenced("gateway_b"):
        eventually(lambda: repeated(seen, gateway_a.wan.v4), within=10, what="the same message twice")

    stubborn.assert_carries()
    assert stubborn.ours.spis() == ike


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_other_address_without_mobike(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    """The provider gives us another address: a new tunnel replaces the old."""
    own = gateway_a.wan.v4
    ours = replace(site, local="", mobike=False, dpd_delay=1)
    tunnel = tunnels.between(ours, site.mirrored(remote="", mobike=False), top=IMPATIENT, start="load")
    tunnel.ours.wait_up()
    old = tunnel.sas()

    gateway_a.readdress("wan", v4="192.0.2.99")

    tunnel.wait_rekeyed(old, within=60)
    tunnel.assert_carries()
    gateway_a.readdress("wan", v4=own)


def test_name_means_another_address(
    network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node
) -> None:
    """The peer comes back elsewhere and its name follows: it is resolved anew at each try."""
    ours = peers.edgevpn_at_rest(gateway_a, IMPATIENT + site_table(replace(site, remote="b.dyn.example", dpd_delay=1)))
    name(ours, "b.dyn.example", gateway_b.wan.v4)
    own = gateway_b.wan.v4
    first = peers.strongswan(gateway_b, site.mirrored(local=""))
    peers.start(ours)
    ours.wait_up()

    first.kill()
    gateway_b.restore()
    gateway_b.readdress("wan", v4="198.51.100.99")
    name(ours, "b.dyn.example", "198.51.100.99")
    second = peers.strongswan(gateway_b, site.mirrored(local=""))

    eventually(second.is_up, within=60, what="the tunnel leads to the new address")
    ours.wait_up()
    Tunnel(network, ours, second, initiator=ours).assert_carries()
    second.stop()
    gateway_b.readdress("wan", v4=own)


def repeated(seen: Capture, source: str) -> bool:
    """Whether a node has sent the same IKE message twice."""
    messages = [frame.octets[42:] for frame in seen.of(Kind.ISAKMP) if frame.source == source]
    return len(set(messages)) < len(messages)


def name(edgevpn: EdgeVpn, name: str, address: str) -> None:
    """Have a name mean this address alone, where edgevpn runs."""
    edgevpn.place.call(Path("/etc/hosts").write_text, f"{address} {name}\n")
