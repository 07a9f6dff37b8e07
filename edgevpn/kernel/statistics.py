"""Why the kernel dropped packets of IPsec: /proc/net/xfrm_stat, of the calling thread's network namespace."""

from __future__ import annotations

from pathlib import Path

from edgevpn.kernel import faults
from edgevpn.kernel.faults import reading, telling

XFRM_STAT = Path("/proc/thread-self/net/xfrm_stat")


def read_statistics(source: Path = XFRM_STAT) -> dict[str, int]:
    """Drops by reason ("XfrmInNoStates"), since the namespace is there. NotSupported."""
    with telling("read", "XFRM statistics", faults.STATISTICS), reading("XFRM statistics"):
        pairs = [line.split() for line in source.read_text().splitlines()]
        return {name: int(count) for name, count in pairs}
