"""What processes have in memory, and have used of the CPU."""

from __future__ import annotations

import time
from pathlib import Path

CPUCLOCK_SCHED = 2
"""<linux/posix-timers.h>: in a clock's number, the kind of CPU time that the scheduler counts, in nanoseconds."""


def resident(pid: int) -> float:
    """What a process has in memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, in the kernel and outside, by all its threads, those that ended too."""
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
