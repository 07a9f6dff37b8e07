"""From where to where packets can go, as the kernel's routes change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, cast

import pytest

from edgevpn.daemon.dataplane.homes import site_home
from edgevpn.daemon.sites import ways
from edgevpn.daemon.sites.keeper import IpAddress, Keeper
from edgevpn.daemon.sites.ways import Ways
from edgevpn.daemon.transport import Transport
from edgevpn.ike.contract import FindPath, Input, LocalAddresses, MovePath
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.state import Address, Established, Mobility, Path
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.events import EventsLost, RouteChanged
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, RouteSpec
from edgevpn.kernel.network_spec import Path as KernelPath
from edgevpn.kernel.spec import OURS_IF_ID
from tests.support.configs import config
from tests.support.ports import free_ports
from tests.support.states import an_sa

LEFT, RIGHT, ELSEWHERE, LAN = map(ip_address, ("127.0.0.1", "127.0.0.2", "127.0.0.3", "10.2.0.1"))
UPLINK = ip_address("192.0.2.1")  # what the kernel in memory has from the start, beside loopback and link-local
SPI = b"12345678"
ROUTE = RouteChanged(RouteSpec(destination=ip_network("0.0.0.0/0"), interface="eth9"))


class World:
    """Ways of a gateway with one site, and what they have fed to the core."""

    def __init__(self, transport: Transport, kernel: MemoryKernel, keys: dict[str, Any]) -> None:
        site = config(
            right={
                "psk": "a long and random text, as all should be",
                "remote": str(RIGHT),
                "local_networks": "10.1.0.0/24",
                "remote_networks": "10.2.0.0/24",
            }
            | keys
        ).sites[0]
        self.kernel = kernel
        self.fed: list[Input] = []
        nobody = cast(Any, None)
        sites = {"right": Keeper(site, nobody, nobody, nobody)}
        homes = {"site right": site_home(site)}
        self.sas: tuple[Established, ...] = ()
        self.ways = Ways(kernel, transport, sites, homes, lambda peer: self.sas, self.fed.append)

    def find(self, *others: IpAddress) -> list[Input]:
        """Ask for another way from the one between LEFT and RIGHT."""
        self.fed.clear()
        self.ways.find(FindPath(SPI, "right", Path(Address(LEFT, 4500), Address(RIGHT, 4500)), others))
        return self.fed


@contextmanager
def serving(*addresses: IpAddress, **keys: Any) -> Iterator[World]:
    kernel = MemoryKernel()
    transport = Transport(kernel, free_ports(), Endpoint((), os.urandom), lambda path, octets: None)
    transport.listen(addresses)
    try:
        yield World(transport, kernel, keys)
    finally:
        transport.close()


async def test_from_where_packets_leave_now(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(LEFT, ELSEWHERE) as world:
        monkeypatch.setattr(ways, "source_for", lambda remote: LEFT)
        assert world.find() == []
        monkeypatch.setattr(ways, "source_for", lambda remote: ELSEWHERE)
        assert world.find() == [MovePath(SPI, ELSEWHERE, RIGHT)]


async def test_not_from_an_address_that_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(LEFT) as world:
        monkeypatch.setattr(ways, "source_for", lambda remote: ELSEWHERE)
        assert world.find() == []


async def test_no_way_through_its_own_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the uplink is away, the kernel would send IKE to an address of the peer's LAN into the tunnel."""
    with serving(LEFT) as world:
        monkeypatch.setattr(ways, "source_for", lambda remote: LEFT if remote == LAN else None)
        assert world.find(LAN) == [MovePath(SPI, LEFT, LAN)]

        world.kernel.set_path(ip_network("10.2.0.0/24"), KernelPath("evpn-right", LEFT, None, 1400))
        assert world.find(LAN) == []


async def test_stays_where_its_owner_has_tied_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other address is served, too: other sites may use it."""
    monkeypatch.setattr(ways, "source_for", lambda remote: ELSEWHERE)
    with serving(LEFT, ELSEWHERE, local=str(LEFT)) as world:
        assert world.find() == []


async def test_addresses_are_told_without_those_inside() -> None:
    with serving(ip_address("0.0.0.0")) as world:  # noqa: S104 - what a gateway binds
        world.kernel.add_link(LinkSpec("evpn-right", OURS_IF_ID[0]))
        world.kernel.add_address(AddressSpec(interface="evpn-right", address=ip_interface("10.9.0.1/24")))

        world.ways.changed([EventsLost()])
        assert world.fed == [LocalAddresses((UPLINK,))]


async def test_addresses_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    with serving(LEFT) as world:
        world.kernel.fail_next("list_all_addresses", KernelError("list addresses", 13, "no"))
        world.ways.changed([EventsLost()])
    assert world.fed == []
    assert "addresses_not_read" in caplog.text


async def test_who_has_lost_its_address_does_not_wait_for_routes_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address came before the route that leads to it; who has an address still is given time."""
    monkeypatch.setattr(ways, "source_for", lambda remote: ELSEWHERE)
    path = Path(Address(LEFT, 4500), Address(RIGHT, 4500))
    with serving(ip_address("0.0.0.0")) as world:  # noqa: S104 - what a gateway binds
        stays = replace(an_sa(), mobility=Mobility(), path=replace(path, local=Address(UPLINK, 4500)))
        world.sas = (stays,)
        world.ways.changed([EventsLost()])
        world.fed.clear()
        world.ways.changed([ROUTE])
        assert world.fed == []

        world.sas = (stranded := replace(stays, path=path),)
        world.ways.changed([EventsLost()])
        world.fed.clear()
        world.ways.changed([ROUTE])
        assert world.fed == [MovePath(stranded.spi, ELSEWHERE, RIGHT)]
        world.ways.close()
