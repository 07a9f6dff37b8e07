"""The daemon, as the panel asks it: one short connection to the control socket for each call, not too many at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from edgevpn.client import TIMEOUT, UP_TIMEOUT, AsyncClient

MOST_CALLS = 8
SLOW = {"site.up": UP_TIMEOUT, "site.rekey": UP_TIMEOUT, "backup.create": 60.0}
"""Seconds for methods that answer when the work is done; making keys takes a small router long."""
SLOW |= dict.fromkeys(("pki.init", "pki.renew", "pki.import", "site.snippet"), 60.0)
SLOW |= dict.fromkeys(("device.add", "device.export", "web.settings", "health", "backup.restore"), 60.0)


class Calls:
    """Calls methods of the daemon. Raises RpcError for a refusal, DaemonUnreachable for silence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = asyncio.Semaphore(MOST_CALLS)

    async def __call__(self, method: str, **params: object) -> Any:
        """The result of a method."""
        async with self._turn, await AsyncClient.connect(self.path) as client:
            return await client.call(method, SLOW.get(method, TIMEOUT), **params)
