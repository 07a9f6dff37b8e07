"""The parts of pyroute2 that we use, imported without the rest of it.

The package's `__init__` imports all of pyroute2: 25 MB and a fifth of a second on a PC, where the three message
classes and their base cost 2 MB. So while they load, an empty package stands in its place. Afterwards it is
gone again, and whoever imports pyroute2 itself gets all of it, these same modules included.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

PACKAGE = "pyroute2"


@contextmanager
def without_package_init() -> Iterator[None]:
    """Let `from pyroute2.x import y` run the file of x alone."""
    spec = find_spec(PACKAGE)
    if PACKAGE in sys.modules or spec is None:
        yield
        return
    sys.modules[PACKAGE] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[PACKAGE]


if TYPE_CHECKING:  # pyroute2 has no types; this is as much of it as we use

    class Node(dict[str, Any]):
        """A message or an attribute: its fields are items, its attributes pairs in the item "attrs"."""

        data: bytearray
        offset: int
        length: int

        def __init__(self, data: bytes = b"") -> None: ...
        def encode(self) -> None: ...
        def decode(self) -> None: ...
        def decode_nlas(self, offset: int) -> None: ...
        def get_attr(self, name: str) -> Any: ...

    class DecodeError(Exception): ...

    class nla(Node): ...  # noqa: N801

    class nlmsg(Node): ...  # noqa: N801

    class ifinfmsg(nlmsg): ...  # noqa: N801

    class ifaddrmsg(nlmsg): ...  # noqa: N801

    class rtmsg(nlmsg): ...  # noqa: N801

else:
    with without_package_init():
        from pyroute2.netlink import nla, nlmsg
        from pyroute2.netlink.exceptions import NetlinkDecodeError as DecodeError
        from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
        from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
        from pyroute2.netlink.rtnl.rtmsg import rtmsg

__all__ = ["DecodeError", "ifaddrmsg", "ifinfmsg", "nla", "nlmsg", "rtmsg"]
