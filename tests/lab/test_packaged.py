"""The package for routers, and not the checkout, carries traffic through a real kernel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from openwrt.builder.__main__ import FALLBACK_EPOCH, STORE, lay_out
from openwrt.builder.packages import edgevpn
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.tunnel import Tunnel
from tests.openwrt import feed


class Packaged(EdgeVpn):
    """One `edgevpn run` from an unpacked package, with the oldest cryptography."""

    def __init__(self, node: Node, state: Path, log: Path, toml: str) -> None:
        super().__init__(node, state, log, toml)
        package = edgevpn(STORE)
        lay_out(package.entries, state / "router", FALLBACK_EPOCH)
        feed.fill(state / "site-packages", "oldest")
        self._program = feed.command(state / "router", state / "site-packages", package)

    @property
    def command(self) -> tuple[str, ...]:
        return (*self._program, "run", "-c", str(self.config))


@pytest.fixture
def packaged(peers: Peers, gateway_a: Node, site: Connection, results: Path) -> Iterator[Packaged]:
    """It runs at gateway_a and waits for a call."""
    state = peers.state / "packaged"
    state.mkdir()
    daemon = Packaged(gateway_a, state, results / "packaged.log", site_table(site, start="wait"))
    daemon.start()
    yield daemon
    daemon.close()


def test_it_carries_traffic(
    packaged: Packaged, peers: Peers, network: Network, gateway_b: Node, site: Connection
) -> None:
    other = peers.strongswan(gateway_b, site.mirrored())
    tunnel = Tunnel(network, packaged, other, initiator=packaged)

    tunnel.up()

    tunnel.assert_carries()
