"""Connections that were there before a tunnel, and would go around it: they are made to look for their way anew."""

from __future__ import annotations

import asyncio
import logging
from itertools import product

from edgevpn.daemon.base.logs import note
from edgevpn.ike.state import ChildSa
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.spec import IpNetwork

log = logging.getLogger("edgevpn")


class Detours:
    """Closes them, many tunnels' at a time: the kernel has to be asked for all connections that there are."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._pairs: set[tuple[IpNetwork, IpNetwork]] = set()
        self._some = asyncio.Event()
        self._told = ""

    def close(self, child: ChildSa) -> None:
        """This child is up: what it carries shall go no other way."""
        for ours, theirs in product(child.ts_local, child.ts_remote):
            pairs = product(ours.networks(), theirs.networks())
            self._pairs |= {(here, there) for here, there in pairs if here.version == there.version}
        self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            pairs, self._pairs = self._pairs, set()
            try:
                forgotten = await asyncio.to_thread(self._kernel.forget_connections, pairs)
            except KernelError as error:
                self._tell(error)
            else:
                if forgotten:
                    note(log, logging.INFO, "connections_forgotten", count=forgotten)

    def _tell(self, error: KernelError) -> None:
        """Once, until it is another fault."""
        if str(error) != self._told:
            self._told = str(error)
            note(log, logging.INFO, "connections_not_forgotten", why=error)
