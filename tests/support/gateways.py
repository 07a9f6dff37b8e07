"""Whole gateways on loopback, with kernels in memory: everything but the packets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from edgevpn.config.model import Config
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.gateway import Folders, Gateway
from edgevpn.ike.contract import KeysDerived
from edgevpn.kernel.memory import MemoryKernel


class Running:
    """A gateway at work."""

    def __init__(self, config: Config, ports: Ports, kernel: MemoryKernel, folder: Path, export: bool = False) -> None:
        self.kernel = kernel
        self.keys: list[KeysDerived] = []
        self.folders = Folders(folder / "pki", folder / "state")
        note = self.keys.append if export else None
        self.gateway = Gateway(kernel, ports, self.folders, config.gateway, note)
        self.started = asyncio.Event()
        self.task = asyncio.create_task(self.gateway.run(config, self.started))

    def state(self, site: str) -> str:
        return self.gateway.census.site_status(site)["state"]

    async def until(self, site: str, state: str) -> None:
        """Wait until a site is in a state."""
        await until(lambda: self.state(site) == state)

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def until(holds: Callable[[], bool], within: float = 20.0) -> None:
    """Let the loop work until something holds, whatever it takes: datagrams, timers, threads."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - there is no one event to wait for
            await asyncio.sleep(0.001)


@asynccontextmanager
async def running(
    config: Config,
    ports: Ports,
    kernel: MemoryKernel | None = None,
    *,
    folder: Path | None = None,
    export: bool = False,
) -> AsyncIterator[Running]:
    """A gateway for the length of a block; its files are in `folder`, or nobody's."""
    with TemporaryDirectory() as other:
        gateway = Running(config, ports, kernel or MemoryKernel(), folder or Path(other), export)
        started = asyncio.create_task(gateway.started.wait())
        await asyncio.wait([started, gateway.task], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        try:
            if gateway.task.done():
                await gateway.task
            yield gateway
        finally:
            await gateway.stop()
