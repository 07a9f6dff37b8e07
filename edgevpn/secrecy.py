"""What a process has in memory is for itself alone."""

from __future__ import annotations

import resource
from contextlib import suppress

PR_SET_DUMPABLE = 4  # <linux/prctl.h>
NOT_DUMPABLE = 0


def keep_memory_private() -> None:
    """No core dump of this process from now on, and no other process of its user may look into it.

    The limit is what the kernel goes by where it writes core files itself; for a program that is to take them
    (core_pattern with a pipe, core(5)) it asks whether the process is dumpable, prctl(2).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ImportError, MemoryError):  # not installed; or a libffi that needs memory to write and run
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, NOT_DUMPABLE, 0, 0, 0)
