"""What keepers of sites ask of the core and of the machine, as a test has it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from edgevpn.daemon.sites.keeper import Hindrance, IpAddress, NotCalled
from edgevpn.ike.contract import Input
from edgevpn.ike.table import WithPeer

HERE = ip_address("192.0.2.1")


class World:
    """What a keeper asks of the core and the machine."""

    def __init__(self) -> None:
        self.fed: asyncio.Queue[Input] = asyncio.Queue()
        self.changes = 0
        self.sas: tuple[WithPeer, ...] = ()
        self.names: dict[str, tuple[IpAddress, ...]] = {}
        self.source: IpAddress | None = HERE
        self.served = True
        self.known = True
        self.allowed = True
        self.traps: list[tuple[str, IpAddress, IpAddress]] = []
        self.called: list[tuple[str, IpAddress]] = []
        self.hindered: asyncio.Queue[tuple[str, Hindrance, str]] = asyncio.Queue()

    def feed(self, event: Input) -> None:
        self.fed.put_nowait(event)

    def allow(self, peer: str, allowed: bool) -> None:
        self.allowed = allowed

    def knows(self, peer: str) -> bool:
        return self.known

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        return self.sas

    async def resolve(self, name: str) -> tuple[IpAddress, ...]:
        if name not in self.names:
            raise OSError(2, "no such name")
        return self.names[name]

    def met(self, site: str, addresses: tuple[IpAddress, ...]) -> None:
        self.called += [(site, address) for address in addresses]

    def source_for(self, remote: IpAddress) -> IpAddress | None:
        return self.source

    def serves(self, local: IpAddress) -> bool:
        return self.served

    def chance(self) -> float:
        return 0.0

    async def certificates_read(self) -> None:
        """They are."""

    def changed(self, site: str) -> None:
        self.changes += 1

    def not_called(self, site: str, why: NotCalled) -> None:
        self.hindered.put_nowait((site, why.hindrance, why.where))

    def set_traps(self, site: str, local: IpAddress, remote: IpAddress) -> None:
        self.traps.append((site, local, remote))

    async def next(self) -> Input:
        async with asyncio.timeout(5):
            return await self.fed.get()

    async def next_hindrance(self) -> tuple[str, Hindrance, str]:
        async with asyncio.timeout(5):
            return await self.hindered.get()

    async def quiet(self) -> bool:
        """Nothing was fed, and everything that could go on has."""
        for _ in range(10):
            await asyncio.sleep(0)
        return self.fed.empty()
