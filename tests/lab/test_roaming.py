"""Road warriors over IPv4 and IPv6, in two pools, and one that changes its address ten times."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomlkit

from tests.lab import xfrm
from tests.lab.capture import Capture, Kind, capturing
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node, home_network
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.sites import Family
from tests.lab.traffic import ping, pinging
from tests.lab.visitors import (
    PHONE,
    PUBLIC_NAME,
    ROUTER_V4,
    TABLET,
    by_password,
    by_psk,
    come_in,
    far_end,
    gateway_table,
    opened,
)

MOVES = 10
INTERVAL = 0.01  # seconds between pings
PROBE = 110
"""Octets of a frame: one that asks whether a way works has less, one that says that a client has moved has more."""
SLOWEST_ANSWER = 1.0
"""Seconds; a message that is lost is sent again after this time."""
ROAMING = "prefer_best_path = yes"
"""Strongswan goes where the routing table sends it; else it stays with an address as long as there is one."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    network = home_network()
    yield network
    network.close()


# --- over either family --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", [4, 6])
def test_by_a_key(
    peers: Peers, network: Network, gateway_a: Node, phone: Node, host_a: Node, internet: Node, outer: Family
) -> None:
    """Both families inside; outside IPv4 in UDP, for the NAT, and IPv6 without, as there is none."""
    gateway = opened(peers, gateway_a, gateway_table())
    client = peers.strongswan(phone, by_psk(gateway, remote=far_end(gateway, outer)))

    come_in(client, gateway)

    with capturing(internet, "a") as seen:
        assert ping(phone, host_a.lan.v4).passed
        assert ping(phone, host_a.lan.v6).passed
        assert ping(host_a, "10.99.0.2").passed
    assert not seen.strays()
    assert seen.kinds()[Kind.ESP_IN_UDP if outer == 4 else Kind.ESP] == 18


@pytest.fixture
def no_esp(internet: Node) -> Iterator[None]:
    """A mobile network that lets UDP and TCP through, and nothing else."""
    internet.nft(
        "table inet no_esp { chain forward { type filter hook forward priority 0\nmeta l4proto esp drop\n}\n}\n"
    )
    yield
    internet.nft("delete table inet no_esp\n")


@pytest.mark.usefixtures("no_esp")
@pytest.mark.parametrize("encap", [True, False])
def test_ipv6_that_lets_no_esp_through(
    peers: Peers, gateway_a: Node, phone: Node, host_a: Node, *, encap: bool
) -> None:
    """There is no NAT that would have ESP go in UDP; the pool's `encap` does."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"encap": encap}))
    client = peers.strongswan(phone, by_password(gateway, remote=gateway_a.wan.v6))

    come_in(client, gateway)

    assert ping(phone, host_a.lan.v4, wait=0.5).passed is encap
    assert ping(host_a, "fd99::2", wait=0.5).passed is encap


# --- two pools -----------------------------------------------------------------------------------------------------


def test_two_pools(peers: Peers, gateway_a: Node, phone: Node, laptop: Node, host_a: Node) -> None:
    """Each device comes in by its own, gets an address of it, and is told what goes through its tunnel."""
    split = [gateway_a.lan.net4]
    pools = {
        "road": {"v4": "10.99.0.0/24", "logins": ["password", "psk"]},
        "lab": {"v4": "10.98.0.0/24", "mode": "split", "networks": split, "logins": ["password", "psk"]},
    }
    devices = {"phone": PHONE | {"pool": "road"}, "tablet": TABLET | {"pool": "lab"}}
    pki = {"public_name": PUBLIC_NAME, "key_type": "rsa2048"}
    gateway = opened(peers, gateway_a, tomlkit.dumps({"pki": pki, "pool": pools, "device": devices}))
    first = peers.strongswan(phone, by_password(gateway))
    second = peers.strongswan(laptop, by_psk(gateway))

    come_in(first, gateway)
    come_in(second, gateway)

    assert (first.addresses("road")[0], second.addresses("road")) == ("10.99.0.2", ["10.98.0.2"])
    for client, selectors in ((first, {"0.0.0.0/0", "::/0"}), (second, {*split, "10.98.0.1/32"})):
        (child,) = (child for _, sa in client.sas() for child in sa["child-sas"].values())
        assert {each.decode() for each in child["remote-ts"]} == selectors
        assert ping(client.node, host_a.lan.v4).passed
    assert ping(phone, "10.98.0.2", wait=0.5).lost == 3, "from one pool to the other, unless firewall.forward says so"
    assert {each["name"]: each["sessions"][0]["addresses"][0] for each in gateway.report()["devices"]} == {
        "phone": "10.99.0.2",
        "tablet": "10.98.0.2",
    }


# --- ten moves -----------------------------------------------------------------------------------------------------


@pytest.fixture
def addresses(phone: Node) -> Iterator[list[str]]:
    """Where the phone goes; it is where it was again afterwards, with no address but its own."""
    others = [f"10.9.1.{101 + number}" for number in range(MOVES)]
    yield others
    for address in others:
        phone.run("ip", "address", "delete", f"{address}/32", "dev", "wan", check=False)
    phone.ip(f"route replace default via {phone.wan.far4} dev wan")


def cut(phone: Node, old: str, new: str) -> None:
    """The old address is gone before there is another."""
    phone.ip(*([f"address delete {old}/32 dev wan"] if old else []), *arrival(phone, new))


def hand_over(phone: Node, _: str, new: str) -> None:
    """The new address is there, and the way is by it, while the old one still works."""
    phone.ip(*arrival(phone, new))


def arrival(phone: Node, new: str) -> tuple[str, str]:
    """What leaves does so from there. The link's own address stays, and with it the way to the router."""
    return f"address add {new}/32 dev wan", f"route replace default via {phone.wan.far4} dev wan src {new}"


@dataclass(frozen=True, slots=True)
class Move:
    """When it began, when the client knew that its new way works, when it told, when it had our answer; Unix times.

    Between the second and the third it changes its own SAs.
    """

    began: float
    knew: float
    told: float
    answered: float


def moves_seen(outside: Capture, began: dict[str, float]) -> list[Move]:
    """By the addresses that the client has gone to."""
    talk = outside.of(Kind.ISAKMP)
    found = []
    for address, at in began.items():
        told = next(each.at for each in talk if each.source == address and len(each.octets) > PROBE)
        answers = [each.at for each in talk if each.destination == address]
        knew, answered = max(each for each in answers if each < told), min(each for each in answers if each > told)
        found.append(Move(at, knew, told, answered))
    return found


def wait_moved(gateway: EdgeVpn, before: int) -> None:
    """Wait until the gateway has been told of one move more."""
    eventually(lambda: gateway.log().count("ike_moved") > before, within=15, what="the gateway is told")


@pytest.mark.parametrize("step", [hand_over, cut])
def test_ten_moves(
    peers: Peers,
    gateway_a: Node,
    home: Node,
    phone: Node,
    host_a: Node,
    addresses: list[str],
    results: Path,
    step: Callable[[Node, str, str], None],
) -> None:
    """One IKE SA. Lost is what was under way when the client changed its SAs, and nothing of what it sent once it had
    our answer; where its address was cut off, what it sent without one besides."""
    gateway = opened(peers, gateway_a, gateway_table())
    client = peers.strongswan(phone, by_password(gateway), options=ROAMING)
    come_in(client, gateway)
    before, began, old = client.spis(), dict[str, float](), ""

    with capturing(home, "phone") as outside, pinging(phone, host_a.lan.v4, interval=INTERVAL) as echoes:
        for new in addresses:
            moved = gateway.log().count("ike_moved")
            began[new] = time.time()
            step(phone, old, new)
            wait_moved(gateway, moved)
            eventually(lambda: ping(phone, ROUTER_V4, wait=0.2).passed, within=15, what="packets pass again")
            if old and step is hand_over:
                phone.ip(f"address delete {old}/32 dev wan")
            old = new

    assert client.spis() == before
    assert len(gateway.device("phone")["sessions"]) == 1
    moves, way, lost_at = moves_seen(outside, began), max(echoes.answered.values()), echoes.lost_at()
    spans = [((move.began if step is cut else move.knew) - way, move.answered) for move in moves]
    answers = [move.answered - move.told for move in moves]
    figures = {
        "sent": echoes.sent,
        "lost": echoes.lost,
        "lost in each": [sum(start <= at <= end for at in lost_at) for start, end in spans],
        "seconds there and back, the slowest": way,
        "seconds until told": [move.told - move.began for move in moves],
        "seconds until answered": answers,
    }
    (results / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    strays = [at for at in lost_at if not any(start <= at <= end for start, end in spans)]
    assert not strays, f"lost at {strays}, with moves {moves}; {figures}; {xfrm.errors(gateway.node)}"
    assert max(answers) <= SLOWEST_ANSWER, figures
