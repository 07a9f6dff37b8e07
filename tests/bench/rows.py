"""What is measured: each figure with what it is compared with in the same run."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.errors import IkeError
from edgevpn.ike.iana import Ke
from edgevpn.ike.wire.message import Header, decode_message
from tests.bench import anchor
from tests.bench.callers import Login, datagrams, handshakes
from tests.bench.crypto import cost
from tests.bench.served import Served, served

Costs: TypeAlias = Sequence[float]
"""Seconds of CPU for one handshake, in each round."""


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


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of handshake, and how much of the bare cryptography's and of charon's CPU it may take."""

    name: str
    login: Login
    ke: Ke
    key_type: str
    key_kind: KeyKind | None
    vs_charon: float
    vs_crypto: float | None = None


KINDS = (
    Kind("psk", Login.PSK, Ke.CURVE25519, "ecdsa256", None, 1.0, 3.0),
    Kind("psk_modp2048", Login.PSK, Ke.MODP_2048, "ecdsa256", None, 0.6),
    Kind("ecdsa", Login.CERTIFICATE, Ke.CURVE25519, "ecdsa256", KeyKind.P256, 0.7),
    Kind("rsa2048", Login.CERTIFICATE, Ke.CURVE25519, "rsa2048", KeyKind.RSA, 0.8),
)


def rows(size: Size) -> Iterator[Row]:
    """All figures, as they come."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (daemon, _):
        yield single("start_to_listen_s", daemon.started, "s", 0.5)
        yield single("rss_idle_mb", daemon.resident(), "MiB", 36.0)
        yield from of_datagrams(daemon, size)
    why = anchor.missing() if size.beside else ""
    if why:
        print(f"no comparison with strongSwan: {why}", file=sys.stderr)
    for kind in KINDS:
        yield from beside_charon(kind, size) if size.beside and not why else alone(kind, size)
    yield from of_sessions(size)
    yield of_parser(size)


def single(name: str, value: float, unit: str, goal: float | None = None, anchor: str = "") -> Row:
    """A figure that is taken once."""
    return Row(name, value, unit, 0.0, 1, anchor, goal)


def many(name: str, values: list[float], unit: str, anchor: str = "", goal: float | None = None) -> Row:
    """A figure that is taken several times."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return Row(name, statistics.median(values), unit, high - low, len(values), anchor, goal)


def alone(kind: Kind, size: Size) -> Iterator[Row]:
    """The daemon's CPU for a handshake, and how often the bare cryptography would have gone into it; by turns."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), kind.key_type, size.handshakes) as (daemon, papers),
    ):
        bare, how = cost(kind.ke, kind.key_kind), (kind.login, kind.ke, size.handshakes)
        handshakes(daemon, papers, *how)  # what is loaded at the first
        costs = [(handshakes(daemon, papers, *how), bare(size.handshakes)) for _ in range(size.rounds)]
    yield from of_handshakes(kind, *zip(*costs, strict=True))


def beside_charon(kind: Kind, size: Size) -> Iterator[Row]:
    """The same, and strongSwan's charon; by turns, and both called by its load tester."""
    tablets, bare = (size.rounds + 1) * size.handshakes + 1, cost(kind.ke, kind.key_kind)
    with (
        tempfile.TemporaryDirectory() as folder,
        anchor.pair(Path(folder), kind.login, kind.ke, kind.key_type, tablets) as pair,
    ):
        pair.round(size.handshakes)  # what is loaded at the first, and memory that is taken once
        before = pair.theirs.resident()
        costs = [(*pair.round(size.handshakes), bare(size.handshakes)) for _ in range(size.rounds)]
        grown, version = pair.theirs.resident() - before, pair.theirs.version
    ours, theirs, crypto = zip(*costs, strict=True)
    yield from of_handshakes(kind, ours, crypto)
    yield many(f"handshake_{kind.name}_charon_cpu_ms", [each * 1e3 for each in theirs], "ms", version)
    yield many(f"handshake_{kind.name}_cpu_vs_charon", ratios(ours, theirs), "x", version, kind.vs_charon)
    if kind.name == "psk":
        held = size.rounds * size.handshakes
        yield single("rss_per_sa_kb_charon", grown * 1024 / held, "KiB", anchor=version)


def of_handshakes(kind: Kind, ours: Costs, crypto: Costs) -> Iterator[Row]:
    yield many(f"handshake_{kind.name}_cpu_ms", [each * 1e3 for each in ours], "ms")
    yield many(f"handshake_{kind.name}_crypto_cpu_ms", [each * 1e3 for each in crypto], "ms")
    yield many(f"handshake_{kind.name}_cpu_vs_crypto", ratios(ours, crypto), "x", "bare cryptography", kind.vs_crypto)


def ratios(ours: Costs, theirs: Costs) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


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
