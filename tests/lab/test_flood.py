"""Floods from the internet: a tunnel that stands notices nothing, whoever has a key gets in, and memory comes back.

`make flood TIME=60` is the same for longer. Sender and gateway share a CPU: how much was sent is in the results.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgevpn.ike.iana import ExchangeType
from tests.lab.capture import Kind, capturing
from tests.lab.conftest import Peers
from tests.lab.flood import BEGUN, FORGED, PRESENT
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.traffic import Echoes, ping, pinging
from tests.lab.tunnel import Tunnel
from tests.lab.visitors import READY, TABLET, by_psk, come_in, gateway_table

SECONDS = float(os.environ.get("EDGEVPN_FLOOD_SECONDS", "6"))
RATE = 10_000
CALLERS, A_SECOND = 1_000, 200
"""More than there is room for, and how many of them come in a second."""
TRIES = 3
"""Of a phone: each asks six times in half a minute."""
EVERY = 2.0
"""Seconds between two rekeyings."""
MEMORY = 20.0
"""MiB by which the gateway may grow."""
LINES, REFUSALS = 300, 1_000
"""Of the log, and of what is refused, whatever comes."""
IP_AND_UDP = 14 + 20 + 8
EXCHANGE = 18
"""Where the type of the exchange stands in a header."""


@dataclass(frozen=True, slots=True)
class Besieged:
    """A gateway with a tunnel that stands, and a phone that is not in yet."""

    tunnel: Tunnel
    gateway: EdgeVpn
    phone: StrongSwan
    login: bytes
    """The peer's IKE_AUTH request, as it was on the wire."""


@pytest.fixture
def besieged(network: Network, peers: Peers, site: Connection, internet: Node, phone: Node) -> Besieged:
    internet.run("ip", "route", "replace", "blackhole", str(FORGED))
    internet.run("ip", "route", "replace", "local", str(PRESENT), "dev", "lo")
    toml = gateway_table({"tablet": TABLET}) + site_table(site, start="wait", mobike=False)
    gateway = peers.edgevpn(network["gateway_a"], toml)
    gateway.logged(READY, within=60)
    peer = peers.strongswan(network["gateway_b"], site.mirrored(mobike=False))
    tunnel = Tunnel(network, gateway, peer, initiator=peer)
    with capturing(internet, "a") as seen:
        tunnel.up()
    messages = [frame.octets[IP_AND_UDP:] for frame in seen.of(Kind.ISAKMP) if frame.source == peer.node.wan.v4]
    login = next(octets for octets in messages if octets[EXCHANGE] == ExchangeType.IKE_AUTH)
    return Besieged(tunnel, gateway, peers.strongswan(phone, by_psk(gateway)), login)


@contextmanager
def flooding(besieged: Besieged, internet: Node, results: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A flood, from when it has begun until its own end."""
    target, told = besieged.gateway.node.wan.v4, results / "sent"
    with told.open("wb") as output:
        command = (sys.executable, "-m", "tests.lab.flood", words[0], target, "--seconds", str(SECONDS), *words[1:])
        flood = internet.spawn(command, output)
        try:
            eventually(lambda: BEGUN in told.read_text(), within=30, what="the flood has begun")
            yield flood
            assert flood.wait(SECONDS + 30) == 0, told.read_text()
        finally:
            flood.kill()
            flood.wait()


def siege(besieged: Besieged, network: Network, results: Path, *words: str) -> None:
    """While it lasts, the tunnel gets new keys, again and again, and the phone gets in; no ping is lost."""
    gateway, grown, rekeyings = besieged.gateway, [0.0], 0
    memory, cpu = gateway.memory, gateway.cpu()
    with (
        pinging(network["host_a"], network["host_b"].lan.v4, wait=5.0) as echoes,
        flooding(besieged, network["internet"], results, *words) as flood,
    ):
        rekey(besieged.tunnel)
        waited = insist(besieged)
        assert ping(network["phone"], network["host_a"].lan.v4, wait=5.0).passed
        while flood.poll() is None:
            rekey(besieged.tunnel)
            rekeyings += 1
            grown.append(gateway.memory - memory)
            with suppress(subprocess.TimeoutExpired):
                flood.wait(EVERY)
    figures = {"gateway_cpu": gateway.cpu() - cpu, "grown_mb": max(grown), "grown_after_mb": gateway.memory - memory}
    tell(besieged, results, echoes, figures | {"rekeyings": rekeyings + 1, "phone_waited": waited})
    assert echoes.lost == 0, f"{echoes.lost} of {echoes.sent}; {besieged.tunnel.losses()}"
    assert max(grown) < MEMORY
    assert figures["grown_after_mb"] < MEMORY


def insist(besieged: Besieged) -> float:
    """The phone comes in, if it must at a second or third try, as people do; returns after how many seconds."""
    began = time.monotonic()
    for _ in range(TRIES - 1):
        with suppress(AssertionError):
            come_in(besieged.phone, besieged.gateway)
            return time.monotonic() - began
    come_in(besieged.phone, besieged.gateway)
    return time.monotonic() - began


def rekey(tunnel: Tunnel) -> None:
    """At our wish."""
    old = tunnel.sas()
    tunnel.ours.rekey_child()
    tunnel.wait_new_keys(old)


def test_first_messages(besieged: Besieged, network: Network, results: Path) -> None:
    """From addresses that are not theirs, ten thousand a second: what waits too long is dropped, and counted."""
    siege(besieged, network, results, "first", "--rate", str(RATE))
    assert "shed limit=first-messages" in besieged.gateway.log()
    assert besieged.gateway.log().count("\n") < LINES


def test_cookies_that_are_made_up(besieged: Besieged, network: Network, results: Path) -> None:
    """They are taken for none: whoever comes then is asked for one as if there were none, and shows it."""
    siege(besieged, network, results, "guessed", "--rate", str(RATE))
    assert "shed limit=first-messages" in besieged.gateway.log()
    assert besieged.gateway.log().count("\n") < LINES


def test_offers_of_no_use(besieged: Besieged, network: Network, results: Path) -> None:
    """Some are refused, and the owner is told why, but not of each; then a cookie has to be shown first."""
    siege(besieged, network, results, "foreign", "--rate", str(RATE))
    refused = counted(besieged.gateway, 'edgevpn_ike_refused_total{cause="no-common-proposal"}')
    assert 0 < besieged.gateway.log().count("cause=no-common-proposal") < refused < REFUSALS
    assert besieged.gateway.log().count("\n") < LINES


def test_junk(besieged: Besieged, network: Network, results: Path) -> None:
    """The longest datagrams that there are."""
    siege(besieged, network, results, "junk", "--rate", str(RATE))


def test_the_login_again(besieged: Besieged, network: Network, results: Path) -> None:
    """IKE_AUTH as the peer has sent it, over and over."""
    (results / "login").write_bytes(besieged.login)
    words = ("--octets", str(results / "login"), "--source", besieged.tunnel.theirs.node.wan.v4)
    siege(besieged, network, results, "again", *words, "--rate", str(RATE))


def test_oversized_fragments(besieged: Besieged, network: Network, results: Path) -> None:
    """Pieces of a message that would be enormous, under the SPIs of the tunnel; whoever sends them has no keys."""
    header = besieged.login[:16] + bytes([53]) + besieged.login[17:20] + (2).to_bytes(4)
    length, fragment = 28 + 8 + 1400, bytes([0, 0]) + (8 + 1400).to_bytes(2) + (1).to_bytes(2) + b"\xff\xff"
    (results / "fragment").write_bytes(header + length.to_bytes(4) + fragment + bytes(1400))
    words = ("--octets", str(results / "fragment"), "--source", besieged.tunnel.theirs.node.wan.v4)
    siege(besieged, network, results, "again", *words, "--rate", str(RATE))


def test_cookies(besieged: Besieged, network: Network, results: Path) -> None:
    """A thousand and more who are really there, show cookies, and never come back."""
    seconds = max(SECONDS, 4 * CALLERS / A_SECOND)  # a slow machine takes twice as long and more
    siege(besieged, network, results, "cookies", "--rate", str(A_SECOND), "--seconds", str(seconds))
    assert sent(results)["sent"] > CALLERS
    assert "shed limit=half-open" in besieged.gateway.log()


def tell(besieged: Besieged, results: Path, echoes: Echoes, figures: dict[str, float]) -> None:
    """What it was like, for people: build/lab/test_flood/TEST/figures.json."""
    counters = [
        line for line in besieged.gateway.run("metrics").splitlines() if line.startswith("edgevpn_ike_shed_total")
    ]
    told = figures | sent(results) | {"pings": echoes.sent}
    told |= {"not_read": not_read(besieged.gateway.node), "answered": answered(besieged.gateway.node)}
    told |= {"lost": echoes.lost, "slowest_ping_ms": max(echoes.answered.values(), default=0.0) * 1e3}
    (results / "figures.json").write_text(json.dumps(told | {"shed": counters}, indent=1) + "\n")


def sent(results: Path) -> dict[str, float]:
    """What the sender tells at its end."""
    told: dict[str, float] = json.loads((results / "sent").read_text().partition(BEGUN)[2])
    return told


def counted(gateway: EdgeVpn, counter: str) -> int:
    """How far a counter has come."""
    (line,) = (line for line in gateway.run("metrics").splitlines() if line.startswith(counter))
    return int(line.split()[-1])


def not_read(node: Node) -> int:
    """Datagrams that its kernel has dropped at sockets, as there was no room or they were not wanted."""
    tables = node.run("cat", "/proc/net/udp", "/proc/net/udp6").splitlines()
    return sum(int(line.split()[-1]) for line in tables if ":" in line)


def answered(node: Node) -> int:
    """Datagrams of UDP over IPv4 that it has sent."""
    names, numbers = (
        line.split() for line in node.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Udp:")
    )
    return int(numbers[names.index("OutDatagrams")])
