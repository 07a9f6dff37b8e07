"""Whether a host behind a site answers: asked by the gateway, through the tunnel, with what its firewall lets pass."""

from collections.abc import Iterator

import pytest

from tests.lab.capture import Kind, capturing
from tests.lab.conftest import Tunnels
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn

DROPS = {"nothing": "", "TCP": "meta l4proto tcp drop", "ping": "meta l4proto icmp drop", "all": "drop"}
ANSWERED = {"nothing", "TCP", "ping"}


@pytest.fixture
def walled(host_b: Node) -> Iterator[Node]:
    """The host, whose firewall goes again."""
    yield host_b
    host_b.nft("table inet walls {}\ndelete table inet walls")


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("dropped", DROPS)
def test_a_host(tunnels: Tunnels, site: Connection, walled: Node, internet: Node, dropped: str) -> None:
    """Ping or TCP is enough; nothing of either leaves beside the tunnel."""
    tunnel = tunnels.between(site)
    tunnel.up()
    gateway = tunnel.ours
    assert isinstance(gateway, EdgeVpn)
    gateway.place.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 0")
    chain = f"type filter hook input priority 0\n{DROPS[dropped]}"
    walled.nft(f"table inet walls {{\nchain input {{\n{chain}\n}}\n}}")

    with capturing(internet, "a") as capture:
        reached = gateway.ask("site.reach", name=site.name, address=walled.lan.v4)

    assert reached == {"address": walled.lan.v4, "answered": dropped in ANSWERED}
    assert Kind.ESP in capture.kinds()
    assert not capture.strays()


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_nobody_has_the_address(tunnels: Tunnels, site: Connection, host_b: Node) -> None:
    tunnel = tunnels.between(site)
    tunnel.up()
    free = host_b.lan.v4.rpartition(".")[0] + ".199"
    assert isinstance(tunnel.ours, EdgeVpn)
    assert tunnel.ours.ask("site.reach", name=site.name, address=free) == {"address": free, "answered": False}
