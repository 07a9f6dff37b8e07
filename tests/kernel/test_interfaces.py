"""edgevpn.kernel.interfaces."""

from __future__ import annotations

import errno
import socket

import pytest

from edgevpn.kernel.interfaces import interface_index, interface_name
from edgevpn.kernel.netlink import NetlinkError


def test_names_and_indices() -> None:
    for index, name in socket.if_nameindex():
        assert (interface_index(name), interface_name(index)) == (index, name)


def test_no_such_interface() -> None:
    with pytest.raises(NetlinkError) as caught:
        interface_index("no-such-thing")
    assert caught.value.errno == errno.ENODEV
    assert interface_name(0) == interface_name(0x7FFF_FFFF) == ""
