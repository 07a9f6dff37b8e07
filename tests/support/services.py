"""The daemon's methods over a gateway with a kernel in memory: everything but the socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from edgevpn.api import METHODS
from edgevpn.config.reader import load
from edgevpn.config.store import Store
from edgevpn.daemon.base.options import KernelKind, Ports
from edgevpn.daemon.base.recent import Recent
from edgevpn.daemon.control.methods.all import Methods
from edgevpn.daemon.control.methods.overview import Instance
from edgevpn.daemon.gateway import Folders, Gateway
from edgevpn.daemon.keeping.configuration import Configuration
from edgevpn.daemon.keeping.holdings import Holdings, Places
from edgevpn.kernel.memory import MemoryKernel
from tests.support.gateways import until
from tests.support.ports import free_ports
from tests.support.shapes import misfits

PASSWORD, PSK = "correct horse battery staple", "a long and random text, as all should be"
OFFICE = f"""\
[site.office]   # the first
remote = "any"
start = "wait"
local_id = "home.example.org"
remote_id = "office.example.org"
psk = "{PSK}"
local_networks = ["10.1.0.0/24"]
remote_networks = ["10.2.0.0/24"]
"""
HOME = f"""\
# ours
[gateway]
listen = "127.0.0.1"

[pki]
public_name = ["localhost", "vpn.example.org"]
key_type = "ecdsa256"

[pool.road]
v4 = "10.9.0.0/24"

[device.phone]
password = "{PASSWORD}"
platform = "ios"

[device.tablet]
login = "psk"
psk = "{PSK}"

[device.laptop]
login = "certificate"
id = "laptop@example.org"

{OFFICE}"""


class Served:
    """A gateway and what can be asked of it. Every answer is held against the contract."""

    def __init__(self, folder: Path, text: str, ports: Ports) -> None:
        self.path = folder / "edgevpn.toml"
        self.path.write_text(text)
        self.path.chmod(0o600)
        places = Places(self.path, folder / "pki", folder / "state")
        config = load(self.path)
        self.kernel = MemoryKernel()
        self.ports = ports
        self.gateway = Gateway(self.kernel, ports, Folders(places.pki, places.state), config.gateway)
        self.holdings = Holdings(places)
        self.configuration = Configuration(Store(self.path), self.holdings, self.gateway, config)
        self.recent = Recent()
        instance = Instance(KernelKind.MEMORY, time.monotonic(), places.state, lambda: 0)
        methods = Methods(self.gateway, self.configuration, self.holdings, self.recent, instance)
        self.ready = asyncio.Event()
        self.methods = methods.table(self.ready)
        self.guards = methods.guards
        self._config = config

    async def ask(self, method: str, **params: Any) -> Any:
        """What a method answers."""
        answer = await self.methods[method](params)
        assert not (faults := misfits(answer, METHODS[method].result)), faults
        return answer

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """For the length of a block."""
        tasks = [
            asyncio.create_task(self.gateway.run(self._config, self.ready)),
            asyncio.create_task(self.configuration.run()),
        ]
        try:
            ready = asyncio.create_task(self.ready.wait())
            await asyncio.wait([ready, tasks[0]], return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if tasks[0].done():
                await tasks[0]
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    async def certified(self) -> None:
        """Until the gateway has its certificate."""
        await until(self.gateway.certificates.settled.is_set)


@asynccontextmanager
async def serving(folder: Path, text: str = HOME, ports: Ports | None = None) -> AsyncIterator[Served]:
    """A gateway from a file, and its methods. The last lines of the log are kept."""
    served = Served(folder, text, ports or free_ports())
    logger = logging.getLogger("edgevpn")
    logger.addHandler(served.recent)
    try:
        async with served.working():
            yield served
    finally:
        logger.removeHandler(served.recent)
        served.recent.close()
