from __future__ import annotations

import asyncio
import logging
import os
from ipaddress import ip_address

import pytest

from edgevpn.daemon.dataplane.homes import site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.sites.keeper import Hindrance, NotCalled
from edgevpn.daemon.sites.surroundings import Surroundings
from edgevpn.daemon.transport import Transport
from edgevpn.ike.endpoint import Endpoint
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.memory import MemoryKernel
from tests.support.configs import office
from tests.support.ports import free_ports

HERE, THERE = ip_address("127.0.0.1"), ip_address("198.51.100.1")


def around(dataplane: Dataplane, told: list[str], transport: Transport | None = None) -> Surroundings:
    transport = transport or Transport(
        MemoryKernel(), free_ports(), Endpoint((), os.urandom), lambda path, octets: None
    )
    return Surroundings(dataplane, transport, asyncio.Event(), told.append, lambda site, why: told.append(site))


async def test_what_is_served() -> None:
    """Names resolve to addresses of the IP versions that are."""
    transport = Transport(MemoryKernel(), free_ports(), Endpoint((), os.urandom), lambda path, octets: None)
    world = around(Dataplane(MemoryKernel(), lambda: 0.0), [], transport)
    transport.listen([HERE])
    try:
        assert world.serves(HERE)
        assert not world.serves(THERE)
        assert await world.resolve("127.0.0.9") == (ip_address("127.0.0.9"),)
        with pytest.raises(OSError, match="no address of an IP version"):
            await world.resolve("::1")
    finally:
        transport.close()


async def test_traps_that_the_kernel_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """The site is named, and its keeper goes on."""
    kernel = MemoryKernel()
    dataplane = Dataplane(kernel, lambda: 0.0)
    dataplane.add(site_home(office(start="traffic")))
    kernel.fail_next("update_policy", KernelError("update policy", 12, "no memory"))

    with caplog.at_level(logging.ERROR):
        around(dataplane, []).set_traps("office", HERE, THERE)

    assert caplog.messages == ['site_not_trapped site=office why="cannot update policy: no memory (ENOMEM)"']


def test_what_is_known_of_a_site() -> None:
    told: list[str] = []
    world = around(Dataplane(MemoryKernel(), lambda: 0.0), told)
    world.changed("office")
    world.not_called("branch", NotCalled("no way leads there", Hindrance.NO_WAY, str(THERE)))
    assert told == ["office", "branch"]
