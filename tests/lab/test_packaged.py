"""The package for routers, and not the checkout, carries traffic through a real kernel."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.packaged import GROUP, Packaged
from tests.lab.tunnel import Tunnel

CAPABILITIES = f"{1 << 10 | 1 << 12 | 1 << 13:016x}"
"""CAP_NET_BIND_SERVICE, CAP_NET_ADMIN and CAP_NET_RAW, as /proc writes them."""


@pytest.fixture
def packaged(peers: Peers, gateway_a: Node, site: Connection, results: Path) -> Iterator[Packaged]:
    """It runs at gateway_a and waits for a call."""
    state = peers.state / "packaged"
    state.mkdir()
    daemon = Packaged(gateway_a, state, results / "packaged.log", site_table(site, start="wait"))
    daemon.start()
    yield daemon
    daemon.close()


def test_three_capabilities_carry_traffic(
    packaged: Packaged, peers: Peers, network: Network, gateway_b: Node, site: Connection
) -> None:
    other = peers.strongswan(gateway_b, site.mirrored())
    tunnel = Tunnel(network, packaged, other, initiator=packaged)

    tunnel.up()

    tunnel.assert_carries()
    assert packaged.socket.group() == GROUP
    assert packaged.process is not None
    status = Path(f"/proc/{packaged.process.pid}/status").read_text()
    assert re.findall(r"^Cap(?:Prm|Eff|Bnd):\t(.*)$", status, re.MULTILINE) == [CAPABILITIES] * 3


def test_nothing_is_left_in_the_kernel(
    packaged: Packaged, peers: Peers, gateway_a: Node, gateway_b: Node, site: Connection
) -> None:
    """`service edgevpn stop`, and so `opkg remove`: no SA, no policy, no interface."""
    peers.strongswan(gateway_b, site.mirrored())
    packaged.initiate()
    assert xfrm.states(gateway_a)
    assert "evpn-" in gateway_a.run("ip", "link")

    packaged.stop()

    assert not xfrm.states(gateway_a)
    assert not xfrm.policies(gateway_a)
    assert "evpn-" not in gateway_a.run("ip", "link")
