"""edgevpn.kernel.batch."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from edgevpn.kernel import faults
from edgevpn.kernel.batch import Step, carry_out, raise_first
from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.interfaces import interface_index
from edgevpn.kernel.netlink import NETLINK_ROUTE, NetlinkSocket, Request
from edgevpn.kernel.network_codec import RtMsg
from tests.support.netlink import Wires, ack

STEP = Step("do it", faults.LINK, lambda: Request(RtMsg.SETLINK, b""))


def of_no_interface() -> Request:
    return Request(RtMsg.SETLINK, bytes([interface_index("no-such-thing")]))


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


def test_each_has_its_fate(wires: Wires) -> None:
    """The third is not even sent: what it names is not there."""
    sock = NetlinkSocket(NETLINK_ROUTE, wires.open)
    wires.opened[0].answer(ack(1), ack(2, errno.ENODEV), ack(3))
    fates = carry_out(sock, [STEP, STEP, Step("ask for it", faults.LINK, of_no_interface), STEP])

    assert len(wires.opened[0].sent()) == 3
    assert [str(fate) for fate in fates] == [
        "None",
        "cannot do it: there is no such interface (ENODEV)",
        "cannot ask for it: there is no such interface (ENODEV)",
        "None",
    ]
    with pytest.raises(NotFound, match="do it"):
        raise_first(fates)
    raise_first([None])


def test_the_kernel_does_not_answer(wires: Wires) -> None:
    with pytest.raises(KernelError, match="cannot send a batch of requests") as caught:
        carry_out(NetlinkSocket(NETLINK_ROUTE, wires.open), [STEP])
    assert caught.value.code == errno.ETIMEDOUT
