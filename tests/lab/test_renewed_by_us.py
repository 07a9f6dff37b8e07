"""A gateway gives its clients new keys when it is time: all of them by all their logins at once, behind one NAT."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgevpn.simulate.clients import CLIENTS as SIMULATED
from edgevpn.simulate.clients import WINDOWS_11
from tests.lab import xfrm
from tests.lab.clients import CASES, CLIENTS, LAPTOP, OWNERS, gateway_for, played
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node, guest_uplink, home_network
from tests.lab.peers.connection import Certificate
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.simulated import login as typed
from tests.lab.simulated import simulated
from tests.lab.traffic import pinging
from tests.lab.tunnel import PAIR
from tests.lab.visitors import come_in
from tests.support.certificates import rsa_key

SOON = 60.0  # seconds: keys do not last shorter
SLACK = 30.0
RENEWED = "traffic is protected by"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """With a host behind the home router for each client by each login."""
    network = home_network(*map(guest_uplink, range(1, len(CASES) + 1)))
    yield network
    network.close()


@pytest.fixture
def proof(peers: Peers) -> Certificate:
    """The laptop's; with RSA, as Android has it alone."""
    root = authority("Company root")
    return Cabinet(peers.state / "certificates").proof(root, holder(LAPTOP, root, key=rsa_key(2048)))


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node, proof: Certificate) -> EdgeVpn:
    """The same device may be in several times."""
    return gateway_for(peers, gateway_a, proof, esp_rekey_time="1m")


def test_strongswan_in_their_place(
    peers: Peers, network: Network, gateway: EdgeVpn, proof: Certificate, host_a: Node
) -> None:
    """Each has new keys within a minute, and loses no packet."""
    clients = [
        played(peers, network[f"guest_{number}"], CLIENTS[name], login, gateway, proof)
        for number, (name, login) in enumerate(CASES, 1)
    ]
    for client in clients:
        come_in(client, gateway)
    before = xfrm.spis(gateway.node)
    assert len(before) == PAIR * len(CASES)

    with ExitStack() as stack:
        echoes = [stack.enter_context(pinging(client.node, host_a.lan.v4, interval=0.2)) for client in clients]
        eventually(lambda: _renewed(gateway, before), within=SOON + SLACK, what="all have new keys, and no others")

    assert [each.lost for each in echoes] == [0] * len(CASES), xfrm.errors(gateway.node)
    assert sum(len(gateway.device(device)["sessions"]) for device in OWNERS.values()) == len(CASES)
    assert all(client.is_up("road") for client in clients)


def test_as_they_are(network: Network, gateway: EdgeVpn, proof: Certificate, results: Path) -> None:
    """Windows behind a NAT would refuse it, and is left to do it itself; all others go along, and so do packets."""
    cases = [(client, way.value) for client in SIMULATED.values() for way in client.ways]
    with ExitStack() as stack:
        running = []
        for number, (client, login) in enumerate(cases, 1):
            told = results / f"{client.name}-{login}.log"
            words = (*simulated(client.name, gateway, *typed(login, gateway, proof)), "--stay", f"{SOON + SLACK}")
            process = network[f"guest_{number}"].spawn(words, stack.enter_context(told.open("wb")))
            stack.callback(_end, process)
            running.append((client, told, process))
        ended = [process.wait(2 * (SOON + SLACK)) for _, _, process in running]

    assert ended == [0] * len(cases)
    for client, told, _ in running:
        assert (told.read_text().count(RENEWED) > 1) is (client is not WINDOWS_11), told.read_text()
        pings = told.read_text().splitlines()[-3:-1]
        assert all("3 sent, 3 answered" in each for each in pings), told.read_text()
    assert not xfrm.spis(gateway.node)


def _renewed(gateway: EdgeVpn, before: frozenset[int]) -> bool:
    now = xfrm.spis(gateway.node)
    return len(now) == len(before) and not now & before


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
