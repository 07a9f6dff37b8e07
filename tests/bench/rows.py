"""What is measured: each figure with what it is compared with in the same run."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.errors import IkeError
from edgevpn.ike.iana import Ke
from edgevpn.ike.wire.message import Header, decode_message
from tests.bench import anchor
from tests.bench.callers import Login, datagrams, handshakes
from tests.bench.crypto import cost
from tests.bench.served import Papers, Served, served


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the median of `runs`, and the distance between their quartiles. `goal`: not more than this."""

    name: str
    value: float
    unit: str
    spread: float
    runs: int
    anchor: str = ""
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done for each row."""

    rounds: int
    handshakes: int
    sessions: dict[int, str]
    datagrams: int
    beside: bool = True
    """Whether strongSwan is measured, too."""


FULL = Size(rounds=7, handshakes=200, sessions={1_000: "1k", 10_000: "10k"}, datagrams=20_000)
SMOKE = Size(rounds=2, handshakes=2, sessions={20: "20"}, datagrams=200, beside=False)

KINDS = (
    ("psk", Login.PSK, Ke.CURVE25519, "ecdsa256", None),
    ("psk_modp2048", Login.PSK, Ke.MODP_2048, "ecdsa256", None),
    ("ecdsa", Login.CERTIFICATE, Ke.CURVE25519, "ecdsa256", KeyKind.P256),
    ("rsa2048", Login.CERTIFICATE, Ke.CURVE25519, "rsa2048", KeyKind.RSA),
)
GOALS = {"psk": 3.0}
ANCHORED = {"psk": 1.0, "psk_modp2048": 0.6, "ecdsa": 0.7, "rsa2048": 0.8}
"""How much of charon's CPU time we may take."""


def rows(size: Size) -> Iterator[Row]:
    """All figures, as they come."""
    for name, login, ke, key_type, kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, served(Path(folder), key_type) as (daemon, papers):
            if name == "psk":
                yield single("start_to_listen_s", daemon.started, "s", 0.5)
                yield single("rss_idle_mb", daemon.resident(), "MiB", 36.0)
            yield from of_handshakes(name, daemon, papers, (login, ke, kind), size)
            if name == "psk":
                yield from of_datagrams(daemon, size)
    if size.beside:
        yield from beside_charon(size)
    yield from of_sessions(size)
    yield of_parser(size)


def single(name: str, value: float, unit: str, goal: float | None = None, anchor: str = "") -> Row:
    """A figure that is taken once."""
    return Row(name, value, unit, 0.0, 1, anchor, goal)


def many(name: str, values: list[float], unit: str, anchor: str = "", goal: float | None = None) -> Row:
    """A figure that is taken several times."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return Row(name, statistics.median(values), unit, high - low, len(values), anchor, goal)


def of_handshakes(
    name: str, daemon: Served, papers: Papers, how: tuple[Login, Ke, KeyKind | None], size: Size
) -> Iterator[Row]:
    """The daemon's CPU for one, and how often the bare cryptography would have gone into it; by turns."""
    login, ke, kind = how
    bare = cost(ke, kind)
    handshakes(daemon, papers, login, ke, 1)  # what is loaded at the first
    pairs = [
        (handshakes(daemon, papers, login, ke, size.handshakes), bare(size.handshakes)) for _ in range(size.rounds)
    ]
    yield many(f"handshake_{name}_cpu_ms", [ours * 1e3 for ours, _ in pairs], "ms")
    yield many(f"handshake_{name}_crypto_cpu_ms", [theirs * 1e3 for _, theirs in pairs], "ms")
    ratios = [ours / theirs for ours, theirs in pairs]
    yield many(f"handshake_{name}_cpu_vs_crypto", ratios, "x", "bare cryptography", GOALS.get(name))


def beside_charon(size: Size) -> Iterator[Row]:
    """The same, beside strongSwan's charon; by turns, and both called by its load tester."""
    if why := anchor.missing():
        print(f"no comparison with strongSwan: {why}", file=sys.stderr)
        return
    for name, login, ke, key_type, _ in KINDS:
        tablets = (size.rounds + 1) * size.handshakes + 1
        with tempfile.TemporaryDirectory() as folder, anchor.pair(Path(folder), login, ke, key_type, tablets) as pair:
            pair.round(size.handshakes)  # what is loaded at the first, and memory that is taken once
            before = pair.theirs.resident()
            costs = [pair.round(size.handshakes) for _ in range(size.rounds)]
            after, version = pair.theirs.resident(), pair.theirs.version
        yield many(f"handshake_{name}_called_cpu_ms", [ours * 1e3 for ours, _ in costs], "ms")
        yield many(f"handshake_{name}_charon_cpu_ms", [theirs * 1e3 for _, theirs in costs], "ms", version)
        ratios = [ours / theirs for ours, theirs in costs]
        yield many(f"handshake_{name}_cpu_vs_charon", ratios, "x", version, ANCHORED[name])
        if name == "psk":
            held = size.rounds * size.handshakes
            yield single("rss_per_sa_kb_charon", (after - before) * 1024 / held, "KiB", anchor=version)


def of_datagrams(daemon: Served, size: Size) -> Iterator[Row]:
    """What somebody who only sends can cost us."""
    header = bytes(8) + bytes([33, 0x20, 34, 0x08]) + bytes(4)
    kinds: dict[str, Callable[[], bytes]] = {
        "junk": lambda: os.urandom(200),
        "init_junk": lambda: os.urandom(8) + header + (228).to_bytes(4) + os.urandom(200),
    }
    for name, make in kinds.items():
        values = [datagrams(daemon, [make() for _ in range(size.datagrams)]) * 1e6 for _ in range(size.rounds)]
        yield many(f"datagram_{name}_cpu_us", values, "us", goal=1000.0)


def of_sessions(size: Size) -> Iterator[Row]:
    """What sessions weigh, and how long it takes to tell about them."""
    for count, words in size.sessions.items():
        with tempfile.TemporaryDirectory() as folder, served(Path(folder), tablets=count) as (daemon, papers):
            handshakes(daemon, papers, Login.PSK, Ke.CURVE25519, 10)
            before = daemon.resident()
            handshakes(daemon, papers, Login.PSK, Ke.CURVE25519, count)
            yield single(f"rss_per_sa_kb_{words}", (daemon.resident() - before) * 1024 / count, "KiB", 12.0)
            times = []
            for _ in range(size.rounds):
                with daemon.client() as client:
                    begun = time.perf_counter()
                    client.status()
                    times.append((time.perf_counter() - begun) * 1e3)
            yield many(f"status_ms_{words}", times, "ms", goal=100.0 if words == "1k" else None)


def of_parser(size: Size) -> Row:
    """Whole messages from octets that make no sense, a second."""
    messages = [os.urandom(16) + bytes([33, 0x20, 34, 8]) + bytes(4) + (228).to_bytes(4) + os.urandom(200)] * 100
    values = []
    for _ in range(size.rounds):
        begun = time.thread_time()
        for message in messages:
            try:
                decode_message(Header.decode(message), message)
            except IkeError:
                continue
        values.append(len(messages) / (time.thread_time() - begun))
    return many("parser_junk_per_s", values, "1/s")
