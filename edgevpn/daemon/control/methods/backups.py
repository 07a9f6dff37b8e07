"""Backups: made, and taken back."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from edgevpn import __version__
from edgevpn.api import ErrorCode, RpcError
from edgevpn.api.records import Applied, Artifact
from edgevpn.daemon.control.methods.artifacts import octets_artifact
from edgevpn.daemon.control.methods.names import within
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.backup import Backup, seal, unseal
from edgevpn.daemon.keeping.configuration import Configuration
from edgevpn.daemon.keeping.holdings import Holdings
from edgevpn.daemon.keeping.restoring import judge

MEDIA_TYPE = "application/octet-stream"


class BackupMethods:
    """All about backups."""

    def __init__(self, gateway: Gateway, configuration: Configuration, holdings: Holdings) -> None:
        self._gateway = gateway
        self._configuration = configuration
        self._holdings = holdings

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {"backup.create": self.create, "backup.restore": self.restore}

    async def create(self, password: str) -> Artifact:
        """With leases and usage as they are now."""
        self._gateway.visitors.close()
        backup = Backup(self._holdings.read(), time.time(), __version__)
        octets = await asyncio.to_thread(seal, backup, password, os.urandom)
        return octets_artifact(f"edgevpn-{datetime.now(UTC):%Y-%m-%d}.backup", MEDIA_TYPE, octets)

    async def restore(self, content: str, password: str, confirm: int = 0) -> Applied:
        """Everything in it is judged before anything is replaced."""
        seconds = within(confirm)
        try:
            octets = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise RpcError(ErrorCode.INVALID_PARAMS, "backup.restore: content: allowed: a backup in Base64") from None
        backup = await asyncio.to_thread(unseal, octets, password)
        await asyncio.to_thread(judge, backup.files, self._configuration.path, datetime.now(UTC))
        return await self._configuration.restore(backup.files, seconds)
