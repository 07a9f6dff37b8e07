"""edgevpn.daemon.base.limits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from edgevpn.daemon.base.limits import (
    ASSUMED,
    HALF_OPEN,
    HELD,
    MIB,
    MOST_HALF_OPEN,
    SESSION,
    SMALL,
    Limits,
    limits_of,
    memory_size,
)

GIB = 1024 * MIB


def test_a_small_router() -> None:
    router = limits_of(64 * MIB)
    assert router == Limits(memory=64 * MIB, sessions=512, half_open=299, held=299 * HELD, buffer=256 << 10)
    assert router == SMALL


def test_a_machine() -> None:
    machine = limits_of(4 * GIB)
    assert machine == Limits(4 * GIB, sessions=32768, half_open=600, held=600 * HELD, buffer=MIB)
    assert limits_of(10**15).half_open == MOST_HALF_OPEN


@pytest.mark.parametrize("memory", [1 << size for size in range(25, 41)])
def test_all_of_it_leaves_most_of_the_memory(memory: int) -> None:
    """From 32 MiB on: sessions have an eighth, strangers a tenth at the most."""
    limits = limits_of(memory)
    assert limits.sessions * SESSION <= memory / 8
    assert limits.half_open * HALF_OPEN + limits.held <= memory / 10
    assert limits.buffer <= memory / 100


def test_more_memory_never_means_less() -> None:
    sizes = [limits_of(size * MIB) for size in range(0, 5000, 7)]
    for one, other in pairwise(sizes):
        assert one.sessions <= other.sessions
        assert one.half_open <= other.half_open
        assert one.held <= other.held
        assert one.buffer <= other.buffer
    assert sizes[0].sessions > 0
    assert sizes[0].half_open > 0


# --- what we may use -----------------------------------------------------------------------------------------------


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


MEMINFO = "MemTotal:         253952 kB\nMemFree:           12345 kB\n"


def test_a_router_has_no_groups(tmp_path: Path) -> None:
    assert memory_size(machine(tmp_path, proc__meminfo=MEMINFO)) == 253952 << 10


def test_a_group_that_may_have_less(tmp_path: Path) -> None:
    """Our own, or one around it; one that says "max" has no bound."""
    root = machine(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/system.slice/edgevpn.service\n")
    place = root / "sys/fs/cgroup/system.slice/edgevpn.service"
    place.mkdir(parents=True)
    assert memory_size(root) == 253952 << 10
    (place / "memory.max").write_text("max\n")
    (place.parent / "memory.max").write_text(f"{96 * MIB}\n")
    assert memory_size(root) == 96 * MIB
    (place / "memory.max").write_text(f"{80 * MIB}\n")
    assert memory_size(root) == 80 * MIB
    (place / "memory.max").write_text(f"{GIB}\n")
    assert memory_size(root) == 96 * MIB


def test_the_root_of_a_container(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n", sys__fs__cgroup__x="")
    (root / "sys/fs/cgroup/memory.max").write_text(f"{70 * MIB}\n")
    assert memory_size(root) == 70 * MIB


@pytest.mark.parametrize("meminfo", [None, "", "MemTotal: much\n", "MemTotal:\n"])
def test_a_machine_that_does_not_tell(tmp_path: Path, meminfo: str | None) -> None:
    """Control groups of the first version have no one place, and are not asked."""
    machine(tmp_path, proc__self__cgroup="3:memory:/docker/x\n")
    if meminfo is not None:
        machine(tmp_path, proc__meminfo=meminfo)
    assert memory_size(tmp_path) == ASSUMED


def test_this_machine() -> None:
    assert memory_size() > 32 * MIB
