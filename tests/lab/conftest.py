"""Fixtures of the lab: the network, its nodes by name, and peers that are gone after the test."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.lab.network import Network, Node, home_network
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.libreswan import Libreswan
from tests.lab.peers.openiked import OpenIked
from tests.lab.peers.peer import Daemon
from tests.lab.peers.strongswan import StrongSwan

D = TypeVar("D", bound=Daemon)

LOG_TAIL = 4000  # octets shown of each log when a test fails


class Peers:
    """Starts daemons; `close` ends them all."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.daemons: list[Daemon] = []
        # A tmpfs: what overlays want as their upper layer.
        self.state = Path(tempfile.mkdtemp(prefix="lab-", dir="/dev/shm"))

    def strongswan(self, node: Node, *connections: Connection, **options: object) -> StrongSwan:
        """A running strongSwan with connections; see StrongSwan for the options."""
        return self._started(StrongSwan(node, *self._places(node), *connections, **options))  # type: ignore[arg-type]

    def libreswan(self, node: Node, *connections: Connection) -> Libreswan:
        """A running libreswan with connections."""
        return self._started(Libreswan(node, *self._places(node), *connections))

    def openiked(self, node: Node, connection: Connection) -> OpenIked:
        """A running OpenIKED with a connection."""
        return self._started(OpenIked(node, *self._places(node), connection))

    def edgevpn(self, node: Node, toml: str, *arguments: str) -> EdgeVpn:
        """A running edgevpn with a configuration; `arguments` are more of `edgevpn run`."""
        return self._started(EdgeVpn(node, *self._places(node), toml, arguments=arguments))

    def close(self) -> None:
        try:
            for daemon in reversed(self.daemons):
                daemon.close()
        finally:
            shutil.rmtree(self.state, ignore_errors=True)

    def _places(self, node: Node) -> tuple[Path, Path]:
        """A folder for the state, and the file for the log."""
        name = f"{node.name}-{len(self.daemons)}"
        (self.state / name).mkdir()
        return self.state / name, self.results / f"{name}.log"

    def _started(self, daemon: D) -> D:
        self.daemons.append(daemon)
        daemon.start()
        return daemon


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own that stays on the host: logs, captures."""
    name = str(request.node.name).translate(str.maketrans("[]/ ", "----"))
    folder = Path(os.environ["EDGEVPN_LAB_RESULTS"], request.path.stem, name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The network of `network.py`, made once for all tests of a module."""
    network = home_network()
    yield network
    network.close()


@pytest.fixture
def peers(results: Path) -> Iterator[Peers]:
    """Peers to start; they end with the test."""
    peers = Peers(results)
    yield peers
    peers.close()


@pytest.fixture
def gateway_a(network: Network) -> Node:
    return network["gateway_a"]


@pytest.fixture
def gateway_b(network: Network) -> Node:
    return network["gateway_b"]


@pytest.fixture
def host_a(network: Network) -> Node:
    return network["host_a"]


@pytest.fixture
def host_b(network: Network) -> Node:
    return network["host_b"]


@pytest.fixture
def internet(network: Network) -> Node:
    return network["internet"]


@pytest.fixture
def home(network: Network) -> Node:
    return network["home"]


@pytest.fixture
def phone(network: Network) -> Node:
    return network["phone"]


@pytest.fixture
def laptop(network: Network) -> Node:
    return network["laptop"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the daemons' logs with a failure."""
    report = yield
    peers = getattr(item, "funcargs", {}).get("peers")
    if report.failed and isinstance(peers, Peers):
        report.sections += [(f"log of {daemon}", daemon.log()[-LOG_TAIL:]) for daemon in peers.daemons]
    return report
