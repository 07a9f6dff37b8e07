"""What happens to those who may not: calls in a thread that has given up its capabilities."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)

# struct __user_cap_header_struct { __u32 version; int pid; }; _LINUX_CAPABILITY_VERSION_3
HEADER = (ctypes.c_uint32 * 2)(0x2008_0522, 0)
# struct __user_cap_data_struct { __u32 effective, permitted, inheritable; } data[2];
NOTHING = (ctypes.c_uint32 * 6)()


def without_rights(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function as anybody would; capabilities belong to threads, so nothing else is changed."""
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(_libc.capset, HEADER, NOTHING).result() == 0
        return thread.submit(function, *args, **kwargs).result()
