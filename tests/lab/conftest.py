"""Fixtures of the lab: the network, its nodes by name, peers that are gone after the test, and tunnels between them."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from tests.lab.leaks import leaked_by_files
from tests.lab.network import Network, Node, home_network
from tests.lab.peers.connection import Connection
from tests.lab.peers.debian import Debian
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.libreswan import Libreswan
from tests.lab.peers.openiked import OpenIked
from tests.lab.peers.peer import Daemon, Peer
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.sites import site_to_site
from tests.lab.tunnel import Tunnel

D = TypeVar("D", bound=Daemon)

Role = Literal["initiator", "responder"]

STAND_IN = "EDGEVPN_LAB_STAND_IN"
"""The peer that this variable names takes edgevpn's place: a scenario that fails then, too, is itself wrong."""

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
        return self.start(StrongSwan(node, *self._places(node), *connections, **options))  # type: ignore[arg-type]

    def libreswan(self, node: Node, *connections: Connection, **options: object) -> Libreswan:
        """A running libreswan with connections; see Libreswan for the options."""
        return self.start(Libreswan(node, *self._places(node), *connections, **options))  # type: ignore[arg-type]

    def openiked(self, node: Node, connection: Connection, release: str = "openiked") -> OpenIked:
        """A running OpenIKED with a connection."""
        return self.start(OpenIked(node, *self._places(node), connection, release))

    def edgevpn(self, node: Node, toml: str, *arguments: str) -> EdgeVpn:
        """A running edgevpn with a configuration; `arguments` are more of `edgevpn run`."""
        return self.start(self.edgevpn_at_rest(node, toml, *arguments))

    def edgevpn_at_rest(self, node: Node, toml: str, *arguments: str) -> EdgeVpn:
        """An edgevpn that is still to be started."""
        return EdgeVpn(node, *self._places(node), toml, arguments=arguments)

    def debian(self, node: Node) -> Debian:
        """A running machine with systemd, still without our packages."""
        return self.start(Debian(node, *self._places(node)))

    def of_kind(self, kind: str, node: Node, connection: Connection) -> Peer:
        """A running daemon by its name: one of those that `install` knows, or "edgevpn", which waits for a call."""
        match kind:
            case "strongswan":
                return self.strongswan(node, connection)
            case "strongswan-sid":
                return self.strongswan(node, connection, release=kind)
            case "libreswan" | "libreswan-sid":
                return self.libreswan(node, connection, release=kind)
            case "openiked" | "openiked-sid":
                return self.openiked(node, connection, release=kind)
            case "edgevpn":
                return self.edgevpn(node, site_table(connection, start="wait"))
        raise AssertionError(f"no peer is called {kind}")

    def close(self) -> None:
        """End them; nothing that the test has left behind, whoever wrote it, may hold a secret of theirs."""
        try:
            with ExitStack() as ending:  # the last one first; and all, also where one does not end
                for daemon in self.daemons:
                    ending.callback(daemon.close)
        finally:
            shutil.rmtree(self.state, ignore_errors=True)
        secrets = {f"{name} of {each}": secret for each in self.daemons for name, secret in each.secrets.items()}
        loud = [daemon.log_file for daemon in self.daemons if daemon.logs_secrets]
        found = leaked_by_files(self.results, secrets, owners=True, without=loud)
        assert not found, f"what the test has written tells {found}"

    def _places(self, node: Node) -> tuple[Path, Path]:
        """A folder for the state, and the file for the log."""
        name = f"{node.name}-{len(self.daemons)}"
        (self.state / name).mkdir()
        return self.state / name, self.results / f"{name}.log"

    def start(self, daemon: D) -> D:
        """Start a daemon that ends with the test."""
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


class Tunnels:
    """Makes tunnels between edgevpn at gateway_a and a peer at gateway_b."""

    def __init__(self, network: Network, peers: Peers, peer: str, role: Role) -> None:
        self.network, self.peers, self.peer, self.role = network, peers, peer, role

    def between(self, a: Connection, b: Connection | None = None, *, top: str = "", **settings: object) -> Tunnel:
        """Start both daemons; without `b` the peer has the same connection, seen from its side.

        `settings` are further keys of edgevpn's site: `start="traffic"`; `top` stands before it in the file.
        """
        ours = self._ours(a, top, settings)
        theirs = self.peers.of_kind(self.peer, self.network["gateway_b"], b or a.mirrored())
        return Tunnel(self.network, ours, theirs, initiator=ours if self.role == "initiator" else theirs)

    def _ours(self, connection: Connection, top: str, settings: Mapping[str, object]) -> Peer:
        node = self.network["gateway_a"]
        if stand_in := os.environ.get(STAND_IN):
            return self.peers.of_kind(stand_in, node, connection)
        return self.peers.edgevpn(node, top + site_table(connection, **{"start": "wait", **settings}))


@pytest.fixture
def site(network: Network) -> Connection:
    """The connection between the two LANs, as gateway_a sees it."""
    return site_to_site(network)


@pytest.fixture(params=["strongswan", "libreswan"])
def peer(request: pytest.FixtureRequest) -> str:
    """Whom edgevpn has to do with; a test can name others."""
    return str(request.param)


@pytest.fixture(params=["initiator", "responder"])
def role(request: pytest.FixtureRequest) -> Role:
    """Edgevpn's part in the first exchange; a test can name the one that it is about."""
    role: Role = request.param
    return role


@pytest.fixture
def tunnels(network: Network, peers: Peers, peer: str, role: Role) -> Tunnels:
    return Tunnels(network, peers, peer, role)


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep this guest's part of the tests, if there are several guests: whole modules, about as many tests for each."""
    if not (part := os.environ.get("EDGEVPN_LAB_SHARD")):
        return
    number, shards = map(int, part.split("/"))
    loads = [0] * shards
    home: dict[Path, int] = {}
    for path, count in Counter(item.path for item in items).most_common():
        home[path] = loads.index(min(loads))
        loads[home[path]] += count
    config.hook.pytest_deselected(items=[item for item in items if home[item.path] != number])
    items[:] = [item for item in items if home[item.path] == number]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the daemons' logs with a failure."""
    report = yield
    peers = getattr(item, "funcargs", {}).get("peers")
    if report.failed and isinstance(peers, Peers):
        report.sections += [(f"log of {daemon}", daemon.log()[-LOG_TAIL:]) for daemon in peers.daemons]
    return report
