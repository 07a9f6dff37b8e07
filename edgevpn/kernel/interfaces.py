"""Interface names and indices, in the network namespace of the calling thread."""

from __future__ import annotations

import errno
import socket

from edgevpn.kernel.netlink import NetlinkError


def interface_index(name: str) -> int:
    """Raises NetlinkError, ENODEV, where there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise NetlinkError(errno.ENODEV) from error


def interface_name(index: int) -> str:
    """The interface's name, or "" where there is none."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
