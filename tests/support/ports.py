"""UDP ports for daemons on loopback."""

from __future__ import annotations

import socket

from edgevpn.daemon.base.options import Ports


def free_ports() -> Ports:
    """Two UDP ports that nobody has on any address."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        one.bind(("", 0))
        two.bind(("", 0))
        return Ports(one.getsockname()[1], two.getsockname()[1])
