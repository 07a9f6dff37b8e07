"""How long ten thousand devices and leases take, and a look-up among them:  python -m tests.daemon.benchmark

Numbers of this machine, to be compared with each other; nothing here fails.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edgevpn.config.reader import parse
from edgevpn.daemon.addresses.leases import VERSION, Leases
from edgevpn.daemon.base.state_file import StateFile
from edgevpn.daemon.login.devices import Devices, Found
from edgevpn.ike.peer import Wants

SIZES = (100, 1_000, 10_000)
ROUNDS = 2_000
PEERS = ("road/password", "road/certificate", "road/psk")
BOTH = Wants(ipv4=True, ipv6=True)


def text(count: int) -> str:
    """A configuration with so many devices, every fourth of them with a fixed address."""
    head = '[pki]\npublic_name = "vpn.example.org"\n[pool.road]\nv4 = "10.64.0.0/10"\nv6 = "fd09::/64"\n'
    devices = (
        f'[device.phone{number}]\nlogin = "psk"\npsk = "a long and random text, number {number}"\n'
        + (f'v4 = "10.100.{number >> 8}.{number & 255}"\n' if number % 4 == 0 else "")
        for number in range(count)
    )
    return head + "".join(devices)


def took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    before = time.perf_counter()
    work()
    return (time.perf_counter() - before) * 1000


def measure(count: int, folder: Path) -> None:
    """All that a start does with devices and leases, and what one that comes in costs."""
    written = text(count)
    reading = took(lambda: parse(written, "benchmark.toml", {}))
    config = parse(written, "benchmark.toml", {})

    full = Leases(config, {}, time.time)
    for number in range(count):
        full.take("road", f"phone{number}", BOTH)
    file = StateFile(folder / "leases.json", VERSION, full.content)
    writing = took(file.write)
    loading = took(lambda: Leases(config, file.load(), time.time))
    leases = Leases(config, file.load(), time.time)
    indexing = took(lambda: Devices(config, lambda: datetime.now(UTC)))
    devices = Devices(config, lambda: datetime.now(UTC))

    def come_and_go() -> None:
        for number in range(ROUNDS):
            name = f"phone{number * 7919 % count}"
            assert isinstance(devices.find(PEERS, name.encode()), Found)
            leases.give_back(leases.take("road", name, BOTH))

    each = took(come_and_go) / ROUNDS * 1000
    size = len(json.dumps(full.content())) / 1024
    print(
        f"{count:6} devices: configuration {reading:7.0f} ms, leases {loading:5.0f} ms ({size:5.0f} kB,"
        f" written in {writing:4.0f} ms), index {indexing:4.0f} ms; one that comes and goes {each:5.1f} us"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            measure(count, Path(folder))


if __name__ == "__main__":
    main()
