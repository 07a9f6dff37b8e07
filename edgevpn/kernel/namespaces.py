"""Network namespaces of our own, for what must not touch the machine's network. There is no way back out of one."""

from __future__ import annotations

import os

# <linux/sched.h>
CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000


def enter_new_network() -> None:
    """Put the calling thread into an empty network namespace, in which it may do all. Raises OSError.

    Who lacks CAP_SYS_ADMIN gets there by a user namespace, which takes a process with one thread.
    """
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)


def unshare(flags: int) -> None:
    """unshare(2), which Python has of its own from 3.12 on. Raises OSError."""
    if own := getattr(os, "unshare", None):
        own(flags)
        return
    import ctypes  # only who needs it pays for it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
