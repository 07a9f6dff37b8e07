"""News go to whom they concern, and each line of the log has its SPI."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from pathlib import Path as FilePath

import pytest

from edgevpn.daemon.dataplane.homes import site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.reception import Reception
from edgevpn.daemon.visitors.visitors import Visitors
from edgevpn.ike.contract import IkeSaDown, IkeSaMoved, IkeSaUp
from edgevpn.ike.iana import IdType
from edgevpn.ike.questions import Configured
from edgevpn.ike.session import Given
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.payloads import Identification
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.memory import MemoryKernel
from tests.support.configs import office

HERE, THERE = (Address(ip_address(text), 500) for text in ("192.0.2.1", "198.51.100.1"))
HOSTILE = Identification(IdType.FQDN, b"x\nERROR forged=1\x1b[2J")
LENT = Given((ip_address("10.9.0.7"),))


class Desk:
    """A reception without keepers."""

    def __init__(self, folder: FilePath) -> None:
        self.kernel = MemoryKernel()
        self.dataplane = Dataplane(self.kernel)
        self.dataplane.add(site_home(office()))
        self.ended = 0
        answers = Answers(lambda _: None, lambda _: None)
        self.visitors = Visitors(folder, answers, lambda _: None)
        self.reception = Reception({}, self.visitors, self.dataplane, None, self.end)

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def desk(tmp_path: FilePath, caplog: pytest.LogCaptureFixture) -> Desk:
    caplog.set_level(logging.INFO)
    return Desk(tmp_path)


def test_of_nobody(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A site that was just taken out of the configuration: its news are logged, and nobody minds."""
    desk.reception.ike_up(IkeSaUp(b"\x01\x02", "gone", HOSTILE, Path(HERE, THERE)))
    desk.reception.ike_moved(IkeSaMoved(b"\x01\x02", "gone", Path(HERE, THERE)))
    desk.reception.ike_down(IkeSaDown(b"\x01\x02", "gone", "closed"))
    assert desk.ended == 1
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == ["ike_up", "ike_moved", "ike_down"]
    assert all("spi=0102" in record.getMessage() for record in caplog.records)
    assert not any(control in record.getMessage() for record in caplog.records for control in "\n\x1b")


async def test_visitors_have_their_own_book(desk: Desk) -> None:
    desk.reception.ike_up(IkeSaUp(b"spi", "road/psk", HOSTILE, Path(HERE, THERE)))
    desk.reception.ike_moved(IkeSaMoved(b"spi", "road/psk", Path(HERE, HERE)))
    (visit,) = desk.visitors.sessions
    assert visit.path.remote == HERE
    desk.reception.ike_down(IkeSaDown(b"spi", "road/psk", "closed"))
    assert len(desk.visitors.sessions) == 0


def test_an_address_that_cannot_be_set(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The tunnel stands; the log says what is missing."""
    desk.kernel.fail_next("add_address", KernelError("add address", 13, "no"))
    desk.reception.configured(Configured(b"spi", "office", LENT))
    assert "address_not_set" in caplog.text
