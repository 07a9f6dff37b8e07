"""Fifty tunnels between two edgevpns, each with new keys every 20 seconds: none is lost, no ping, and nothing grows.

Children and IKE SAs get their keys by turns, at the wish of both sides by turns. `make soak-lab MINUTES=20` is the same
for longer.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network
from itertools import product
from pathlib import Path

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Network
from tests.lab.peers.connection import Connection, Psk
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.traffic import Echoes, pinging

MINUTES = float(os.environ.get("EDGEVPN_SOAK_MINUTES", "0.75"))
TUNNELS = 50
HERE, THERE = IPv4Network("10.201.0.0/24"), IPv4Network("10.202.0.0/24")
EVERY = 20.0
"""Seconds from one rekeying of a tunnel to its next."""
PAUSE = 0.02
"""Seconds between two pings: each tunnel has one a second."""
WARM_UP = 4
"""Rounds after which every tunnel has been rekeyed in every way."""
STEADY = 2.0
"""MiB by which a daemon may grow after that: more would be a leak."""
PAIR = 2


@dataclass(frozen=True, slots=True)
class Held:
    """What a daemon holds: memory in MiB, open files, threads, and SAs in its kernel."""

    memory: float
    files: int
    threads: int
    sas: int


@pytest.fixture
def daemons(network: Network, peers: Peers, site: Connection) -> tuple[EdgeVpn, EdgeVpn]:
    """Both have all tunnels, and behind each there is an address for every one."""
    a, b, host_a, host_b = (network[each] for each in ("gateway_a", "gateway_b", "host_a", "host_b"))
    for gateway, host, end in ((a, host_a, HERE), (b, host_b, THERE)):
        host.ip(*(f"address add {end[number]}/32 dev lan" for number in range(TUNNELS)))
        gateway.ip(f"route add {end} via {host.lan.v4}")
    via = host_a.lan.far4
    host_a.ip(*(f"route add {THERE[number]} via {via} src {HERE[number]}" for number in range(TUNNELS)))
    sites = [tunnel(site, number) for number in range(TUNNELS)]
    called = peers.edgevpn(b, "".join(site_table(each.mirrored(remote=""), start="wait") for each in sites))
    caller = peers.edgevpn(a, "".join(site_table(each) for each in sites))
    eventually(lambda: all(map(caller.is_up, map(name, range(TUNNELS)))), within=60, what="all tunnels are up")
    return caller, called


def test_soak(daemons: tuple[EdgeVpn, EdgeVpn], network: Network, results: Path) -> None:
    rounds = max(2, round(MINUTES * 60 / EVERY))
    warm, wishes = min(WARM_UP, rounds // 2), list(product(("child", "ike"), daemons))
    with pinging(
        network["host_a"], *(str(THERE[number]) for number in range(TUNNELS)), interval=PAUSE, wait=5.0
    ) as echoes:
        begun, before, grown = time.monotonic(), list[Held](), list[float]()
        for turn in range(rounds * TUNNELS):
            time.sleep(max(0.0, begun + turn * EVERY / TUNNELS - time.monotonic()))
            if turn == warm * TUNNELS:
                before = [held(daemon) for daemon in daemons]
            if turn % TUNNELS == 0:
                grown.append(round(daemons[0].memory, 2))
            number = turn % TUNNELS
            what, daemon = wishes[(turn // TUNNELS + number) % len(wishes)]
            daemon.ask("site.rekey", name=name(number), what=what)
        took = time.monotonic() - begun
    for daemon in daemons:
        eventually(lambda daemon=daemon: held(daemon).sas == PAIR * TUNNELS, within=60, what="a pair for each tunnel")  # type: ignore[misc]
    after = [held(daemon) for daemon in daemons]
    figures = {"seconds": round(took), "rekeyings": rounds * TUNNELS, "memory_by_round": grown}
    tell(results, echoes, before, after, figures)
    assert echoes.lost == 0, f"{echoes.lost} of {echoes.sent}: {[xfrm.errors(daemon.node) for daemon in daemons]}"
    for one, other in zip(before, after, strict=True):
        assert other.memory - one.memory < STEADY, (one, other)
        assert (other.files, other.threads) == (one.files, one.threads)
    assert not [
        line
        for line in "".join(daemon.log() for daemon in daemons).splitlines()
        if line.startswith(("WARNING", "ERROR"))
    ]


def name(number: int) -> str:
    """Of a tunnel."""
    return f"t{number}"


def tunnel(site: Connection, number: int) -> Connection:
    """One of many, each with names and a key of its own."""
    return replace(
        site,
        name=name(number),
        local_id=f"a{number}.example",
        remote_id=f"b{number}.example",
        auth=Psk(f"a long and random text, number {number}"),
        local_ts=(f"{HERE[number]}/32",),
        remote_ts=(f"{THERE[number]}/32",),
    )


def held(daemon: EdgeVpn) -> Held:
    assert daemon.process is not None
    process = Path(f"/proc/{daemon.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Held(
        memory=daemon.memory,
        files=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        sas=len(xfrm.states(daemon.node)),
    )


def tell(results: Path, echoes: Echoes, before: list[Held], after: list[Held], figures: dict[str, object]) -> None:
    """What it was like, for people: build/soak/test_soak/test_soak/figures.json."""
    told: dict[str, object] = {
        **figures,
        "pings": echoes.sent,
        "lost": echoes.lost,
        "slowest_ms": max(echoes.answered.values()) * 1e3,
    }
    told |= {"before": list(map(asdict, before)), "after": list(map(asdict, after))}
    (results / "figures.json").write_text(json.dumps(told, indent=1) + "\n")
