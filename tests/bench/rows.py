"""What is measured: each figure with what it is compared with in the same run."""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.errors import IkeError
from edgevpn.ike.iana import Ke
from edgevpn.ike.wire.message import HEADER, Header, decode_message, decode_payloads
from tests.bench import anchor, crypto
from tests.bench.callers import OPERATIONS, Login, calling, datagrams, handshakes, latency, operations, visits
from tests.bench.row import Anchor, Row, compared, many, ratios, single
from tests.bench.served import Papers, Served, prepared, running, served
from tests.support.moments import MOMENTS, is_sealed, plain, reached

PSK = Login.PSK, Ke.CURVE25519
FEW = 10
"""Sessions of a daemon that has next to none."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done for each row."""

    rounds: int
    handshakes: int
    sessions: dict[int, str]
    datagrams: int
    messages: int
    beside: bool = True
    """Whether strongSwan is measured, too."""


FULL = Size(rounds=7, handshakes=200, sessions={1_000: "1k", 10_000: "10k"}, datagrams=20_000, messages=10_000)
SMOKE = Size(rounds=2, handshakes=2, sessions={20: "20"}, datagrams=200, messages=100, beside=False)


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
    Kind("psk", *PSK, "ecdsa256", None, 1.0, 3.0),
    Kind("psk_modp2048", Login.PSK, Ke.MODP_2048, "ecdsa256", None, 0.6),
    Kind("ecdsa", Login.CERTIFICATE, Ke.CURVE25519, "ecdsa256", KeyKind.P256, 0.7),
    Kind("rsa2048", Login.CERTIFICATE, Ke.CURVE25519, "rsa2048", KeyKind.RSA, 0.8),
)


def rows(size: Size) -> Iterator[Row]:
    """All figures, as they come."""
    yield from of_starts(size)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (daemon, _):
        yield single("rss_idle_mb", daemon.resident(), "MiB", 36.0)
        yield from of_datagrams(daemon, size)
    lacking = anchor.lacking() if size.beside else {}
    for name, why in lacking.items():
        print(f"no comparison with {name}: {why}", file=sys.stderr)
    beside = size.beside and "charon" not in lacking
    for kind in KINDS:
        yield from handshakes_beside(kind, size) if beside else handshakes_alone(kind, size)
    yield from operations_beside(size) if beside else operations_alone(size)
    yield from of_sessions(size)
    yield from of_junk(size)
    yield from of_parser(size)


def of_starts(size: Size) -> Iterator[Row]:
    """From the start of the process until callers are let in: the first after compiling, and those that follow."""
    with tempfile.TemporaryDirectory() as folder:
        prepared(Path(folder))
        times = []
        for _ in range(1 + size.rounds):
            with running(Path(folder)) as daemon:
                times.append(daemon.started)
    yield single("start_to_listen_first_s", times[0], "s")
    yield many("start_to_listen_s", times[1:], "s", goal=0.5)


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


# --- handshakes ---


def handshakes_alone(kind: Kind, size: Size) -> Iterator[Row]:
    """The daemon's CPU for a handshake, and how often the bare cryptography would have gone into it; by turns."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), kind.key_type, size.handshakes) as (daemon, papers),
    ):
        bare, how = crypto.handshake(kind.ke, kind.key_kind), (kind.login, kind.ke, size.handshakes)
        handshakes(daemon, papers, *how)  # what is loaded at the first
        costs = [(handshakes(daemon, papers, *how), bare(size.handshakes)) for _ in range(size.rounds)]
    ours, alone = zip(*costs, strict=True)
    yield from compared(f"handshake_{kind.name}", "cpu", ours, {"crypto": _crypto(alone, kind.vs_crypto)})


def handshakes_beside(kind: Kind, size: Size) -> Iterator[Row]:
    """The same, and strongSwan's charon; by turns, and all called by its load tester."""
    tablets, bare = (size.rounds + 1) * size.handshakes + 1, crypto.handshake(kind.ke, kind.key_kind)
    with (
        tempfile.TemporaryDirectory() as folder,
        anchor.match(Path(folder), kind.login, kind.ke, kind.key_type, tablets) as match,
    ):
        for each in match.all:
            each.handshakes(size.handshakes)  # what is loaded at the first, and memory that is taken once
        before = [each.daemon.resident() for each in match.theirs]
        costs = [
            (*(each.handshakes(size.handshakes) for each in match.all), bare(size.handshakes))
            for _ in range(size.rounds)
        ]
        grown = [each.daemon.resident() - held for each, held in zip(match.theirs, before, strict=True)]
    ours, *theirs, alone = zip(*costs, strict=True)
    goals = {"charon": kind.vs_charon}
    anchors = {
        each.name: Anchor(each.version, took, goals.get(each.name))
        for each, took in zip(match.theirs, theirs, strict=True)
    }
    anchors["crypto"] = _crypto(alone, kind.vs_crypto)
    yield from compared(f"handshake_{kind.name}", "cpu", ours, anchors)
    if kind.name == "psk":
        held = size.rounds * size.handshakes
        for each, mebibytes in zip(match.theirs, grown, strict=True):
            yield single(f"rss_per_sa_kb_{each.name}", mebibytes * 1024 / held, "KiB", anchor=each.version)


def _crypto(costs: Sequence[float], goal: float | None = None) -> Anchor:
    return Anchor("bare cryptography", costs, goal)


# --- what goes on in a session, and how long a caller waits ---

Taken = dict[str, list[float]]
"""Seconds for one, of each operation, round by round."""


def operations_alone(size: Size) -> Iterator[Row]:
    """The daemon's CPU for each operation, beside its cryptography; and what a caller waits for a handshake."""
    ours: Taken = defaultdict(list)
    bare: Taken = defaultdict(list)
    waited = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), tablets=size.handshakes) as (daemon, papers):
        operations(calling(daemon.ports, papers, *PSK, 0), 1, daemon.cpu)  # what is loaded at the first
        for _ in range(size.rounds):
            _note(ours, operations(calling(daemon.ports, papers, *PSK, 0), size.handshakes, daemon.cpu))
            _note(bare, _bare_operations(size))
            waited.append(latency(daemon, papers, size.handshakes))
    yield from compared("handshake", "latency", waited, {})
    for name in OPERATIONS:
        yield from compared(name, "cpu", ours[name], {"crypto": _crypto(bare[name])})


def operations_beside(size: Size) -> Iterator[Row]:
    """The same, and strongSwan's charon: for operations the device of the benchmark calls all, else the load tester."""
    taken: dict[str, Taken] = defaultdict(lambda: defaultdict(list))
    bare: Taken = defaultdict(list)
    tablets = (size.rounds + 1) * size.handshakes + 1
    with tempfile.TemporaryDirectory() as folder, anchor.match(Path(folder), *PSK, "ecdsa256", tablets) as match:
        for each in match.all:
            each.operations(calling(each.ports, match.papers, *PSK, 0), 1)
            each.handshakes(size.handshakes)
        for _ in range(size.rounds):
            for each in match.all:
                device = calling(each.ports, match.papers, *PSK, 0)
                _note(taken[each.name], each.operations(device, size.handshakes))
                taken[each.name]["latency"].append(each.latency(size.handshakes))
            _note(bare, _bare_operations(size))
    ours = taken[match.ours.name]

    def anchors(name: str) -> dict[str, Anchor]:
        return {each.name: Anchor(each.version, taken[each.name][name]) for each in match.theirs}

    yield from compared("handshake", "latency", ours["latency"], anchors("latency"))
    for name in OPERATIONS:
        yield from compared(name, "cpu", ours[name], anchors(name) | {"crypto": _crypto(bare[name])})


def _bare_operations(size: Size) -> dict[str, float]:
    return {name: crypto.operation(name)(size.handshakes) for name in OPERATIONS}


def _note(taken: Taken, costs: dict[str, float]) -> None:
    for name, cost in costs.items():
        taken[name].append(cost)


# --- many sessions ---


def of_sessions(size: Size) -> Iterator[Row]:
    """What sessions weigh, how long it takes to tell about them, and what the most of them make dearer."""
    for count, words in size.sessions.items():
        with tempfile.TemporaryDirectory() as folder, served(Path(folder), tablets=count) as (daemon, papers):
            handshakes(daemon, papers, *PSK, FEW)
            before = daemon.resident()
            handshakes(daemon, papers, *PSK, count)
            yield single(f"rss_per_sa_kb_{words}", (daemon.resident() - before) * 1024 / count, "KiB", 12.0)
            times = []
            for _ in range(size.rounds):
                with daemon.client() as client:
                    begun = time.perf_counter()
                    client.status()
                    times.append(time.perf_counter() - begun)
            goal = 100.0 if words == "1k" else None
            yield many(f"status_ms_{words}", [each * 1e3 for each in times], "ms", goal=goal)
            if count == max(size.sessions):
                yield from of_growth(daemon, papers, words, size)


def of_growth(most: Served, papers: Papers, words: str, size: Size) -> Iterator[Row]:
    """What an operation costs with so many sessions, beside what it costs with next to none; by turns."""
    taken: dict[Served, Taken] = {most: defaultdict(list)}
    times = max(size.handshakes // 2, 1)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (few, their_papers):
        handshakes(few, their_papers, *PSK, FEW)
        taken[few] = defaultdict(list)
        for _ in range(size.rounds):
            for daemon, theirs in ((few, their_papers), (most, papers)):
                _note(taken[daemon], operations(calling(daemon.ports, theirs, *PSK, 0), times, daemon.cpu))
                taken[daemon]["handshake"].append(visits(daemon, theirs, times))
    for name in ("handshake", *OPERATIONS):
        growth = ratios(taken[most][name], taken[few][name])
        yield many(f"{name}_cpu_{words}_vs_{FEW}", growth, "x", f"{FEW} sessions")


# --- the decoder ---


def of_junk(size: Size) -> Iterator[Row]:
    """Whole messages from octets that make no sense, a second."""
    message = os.urandom(16) + bytes([33, 0x20, 34, 8]) + bytes(4) + (228).to_bytes(4) + os.urandom(200)

    def decode() -> None:
        try:
            decode_message(Header.decode(message), message)
        except IkeError:
            return

    yield many("parser_junk_per_s", [1 / _each(decode, size.messages) for _ in range(size.rounds)], "1/s")


def of_parser(size: Size) -> Iterator[Row]:
    """All messages of two conversations with every exchange, out of their seals: from octets to payloads."""
    messages = list(_opened())
    octets = sum(map(len, messages))

    def decode() -> None:
        for message in messages:
            header = Header.decode(message)
            decode_payloads(header.next_payload, message[HEADER.size :])

    def authenticate() -> None:
        for message in messages:
            hmac.digest(b"k" * 32, message, hashlib.sha256)

    times = max(size.messages // len(messages), 1)
    costs = [(_each(decode, times), _each(authenticate, times)) for _ in range(size.rounds)]
    ours, plainly = zip(*costs, strict=True)
    yield many("parser_messages_per_s", [len(messages) / each for each in ours], "1/s")
    yield many("parser_mb_per_s", [octets / each / 1e6 for each in ours], "MB/s")
    yield many("parser_cpu_vs_hmac", ratios(ours, plainly), "x", "HMAC-SHA-256 of the same octets")


def _opened() -> Iterator[bytes]:
    """Every message as if nothing of it had been encrypted."""
    for moment in MOMENTS:
        side, octets = reached(*moment)
        if is_sealed(octets):
            first, *chain = plain(side, octets)
            octets = (
                octets[:16] + bytes([first]) + octets[17:24] + (HEADER.size + len(chain)).to_bytes(4) + bytes(chain)
            )
        yield octets


def _each(act: Callable[[], None], times: int) -> float:
    """Seconds of CPU for one of so many."""
    begun = time.thread_time()
    for _ in range(times):
        act()
    return (time.thread_time() - begun) / times
