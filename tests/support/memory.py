"""What processes have in memory."""

from __future__ import annotations

from pathlib import Path


def resident(pid: int) -> float:
    """What a process has in memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024
