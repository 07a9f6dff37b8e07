"""edgevpn.daemon.dataplane.early: the kernel in memory keeps what we ask it to."""

from __future__ import annotations

import logging
from ipaddress import ip_address

import pytest

from edgevpn.daemon.dataplane.early import AT_ONCE, PATIENCE, EarlyPackets
from edgevpn.ike.contract import Endpoints
from edgevpn.ike.state import Address, Path
from edgevpn.kernel.errors import NotPermitted
from edgevpn.kernel.memory import MemoryEarly, MemoryKernel
from edgevpn.kernel.spec import SaKey

HERE, THERE = ip_address("192.0.2.1"), ip_address("198.51.100.1")
SPI = b"\xc1\x02\x03\x04"
PLAIN = Endpoints("office", Path(Address(HERE, 500), Address(THERE, 500)), nat=False)
IN_UDP = Endpoints("office", Path(Address(HERE, 4500), Address(THERE, 4500)), nat=True)


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.kernel = MemoryKernel()
        self.early = EarlyPackets(self.kernel, lambda: self.now)

    def kept(self, spi: bytes) -> MemoryEarly:
        return self.kernel.early[SaKey(HERE, int.from_bytes(spi))]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(("ends", "in_udp"), [(PLAIN, False), (IN_UDP, True)])
def test_what_comes_early_is_received_in_the_end(world: World, ends: Endpoints, in_udp: bool) -> None:
    world.early.expect(SPI, ends)
    kept = world.kept(SPI)
    assert kept.in_udp is in_udp
    kept.waiting = 3
    world.early.deliver(SPI)
    world.early.deliver(SPI)
    assert (kept.received, kept.closed) == (3, True)


def test_no_one_waits_for_ever(world: World) -> None:
    world.early.expect(SPI, PLAIN)
    world.now = PATIENCE - 1
    world.early.tidy()
    assert not world.kept(SPI).closed
    world.now = PATIENCE
    world.early.tidy()
    assert world.kept(SPI).closed
    world.early.deliver(SPI)


def test_so_many_at_once_and_no_more(world: World) -> None:
    for number in range(AT_ONCE + 1):
        world.early.expect(bytes([0xC1, 2, 3, number]), PLAIN)
    assert len(world.kernel.early) == AT_ONCE
    world.early.close()
    assert all(kept.closed for kept in world.kernel.early.values())


def test_a_kernel_that_will_not_is_told_of_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2):
        world.kernel.fail_next("keep_early", NotPermitted("keep packets", 1, "the process lacks CAP_NET_RAW"))
        with caplog.at_level(logging.DEBUG):
            world.early.expect(b"new%d" % number, PLAIN)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "CAP_NET_RAW" in record.getMessage()
