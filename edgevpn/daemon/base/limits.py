"""How much there may be of what costs memory: it follows from the size of the machine's.

What each thing costs was measured (README, Performance); what the kernel keeps for a session comes on top.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from edgevpn.frozen import dataclass

KIB, MIB = 1 << 10, 1 << 20

# Octets that the daemon takes for one of them.
SESSION = 16 * KIB  # an IKE SA with a child
HALF_OPEN = 3500  # what anybody can have us keep with one message
HELD = 8 * KIB  # of what follows on a half-open IKE SA: certificates, fragments, a password's rounds

# Our own choices.
ASSUMED = 64 * MIB  # where the machine does not tell
SESSIONS_PART, HALF_OPEN_PART, BUFFER_PART = 8, 64, 256  # the part of the memory that is for them, as 1/n
FEWEST_HALF_OPEN, MOST_HALF_OPEN = 100, 600  # whoever means it is through within a moment: so many come in two seconds
LEAST_BUFFER, LARGEST_BUFFER = 128 * KIB, MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What all together may have. `memory` is what it follows from; sizes are in octets.

    `held` is what strangers may have sent on IKE SAs that are half-open, `buffer` a socket's for what has arrived.
    """

    memory: int
    sessions: int
    half_open: int
    held: int
    buffer: int


def limits_of(memory: int) -> Limits:
    """The limits of a machine with so much memory."""
    half_open = min(max(memory // HALF_OPEN_PART // HALF_OPEN, FEWEST_HALF_OPEN), MOST_HALF_OPEN)
    return Limits(
        memory=memory,
        sessions=max(memory // SESSIONS_PART // SESSION, 1),
        half_open=half_open,
        held=half_open * HELD,
        buffer=min(max(memory // BUFFER_PART, LEAST_BUFFER), LARGEST_BUFFER),
    )


SMALL = limits_of(ASSUMED)
"""Of a machine that has as much as one needs."""


def memory_size(root: Path = Path("/")) -> int:
    """What we may use: all that the machine has, or what our control group may have, where that is less."""
    sizes = [size for size in (_of_machine(root), *_of_groups(root)) if size]
    return min(sizes, default=ASSUMED)


def _of_machine(root: Path) -> int:
    """MemTotal; 0 where it is not told."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            name, _, size = line.partition(":")
            if name == "MemTotal":
                return int(size.removesuffix(" kB")) * KIB
    return 0


def _of_groups(root: Path) -> list[int]:
    """memory.max of our control group and of those around it, where they have one (cgroup v2)."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                top = root / "sys/fs/cgroup"
                ours = top / line.removeprefix("0::/")
                return [size for each in (ours, *ours.parents) if each.is_relative_to(top) and (size := _max(each))]
    return []


def _max(group: Path) -> int:
    """0 where it has no bound of its own, which is told by a word."""
    with suppress(OSError, ValueError):
        return int((group / "memory.max").read_text())
    return 0
