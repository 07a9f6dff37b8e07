"""What the panel's process is told, and what it may do that others may not."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from edgevpn.api import ErrorCode, RpcError
from edgevpn.api.records import Redeemed, Ticket, WebSettings
from edgevpn.config.changes import set_key
from edgevpn.config.credential import Secret
from edgevpn.config.model import Web
from edgevpn.config.values import Address
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.control.panel_place import Shown, names, places, shown
from edgevpn.daemon.control.server import Peer
from edgevpn.daemon.control.tickets import Tickets
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration

USER = "edgevpn"
"""Whom the panel's process runs as, in our packages."""
NO_TLS = Shown("", "")


class PanelMethods:
    """All about the panel. `folder` is where its own CA is kept."""

    def __init__(self, gateway: Gateway, configuration: Configuration, folder: Path) -> None:
        self._gateway = gateway
        self._configuration = configuration
        self._folder = folder
        self._tickets = Tickets(os.urandom, time.monotonic)
        self._turn = asyncio.Lock()
        self._port: int | None = None  # where the panel has said that it listens

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {
            "web.settings": self.settings,
            "web.set_password": self.set_password,
            "web.listening": self.listening,
            "web.ticket": self.ticket,
            "web.redeem": self.redeem,
        }

    @property
    def guards(self) -> Mapping[str, Callable[[Peer], bool]]:
        """What is for the panel's process and root alone."""
        return dict.fromkeys(("web.settings", "web.set_password", "web.listening", "web.redeem"), is_panel)

    async def settings(self) -> WebSettings:
        web, hostname = self._configuration.running.web, socket.gethostname()
        listen = places(web, self._gateway.kernel, self._gateway.uplinks())
        tls = await self._shown(web, hostname, listen)
        return WebSettings(
            enabled=web.enabled,
            listen=[str(address) for address in listen],
            public=web.allow_listen_on_public_addresses,
            port=web.port,
            https=web.https,
            hosts=[str(host) for host in web.hosts],
            session_idle=web.session_idle,
            session_life=web.session_life,
            title=web.title or hostname,
            password_hash=_text(web.password_hash),
            totp_secret=_text(web.totp_secret),
            certificate=tls.certificate,
            key=tls.key,
        )

    async def set_password(self, password_hash: str) -> None:
        await self._configuration.change(lambda old: set_key(old, ("web", "password_hash"), password_hash))

    async def listening(self, port: int) -> None:
        """It may have been started with another port than that of the configuration."""
        if not 0 < port < 65536:
            raise RpcError(ErrorCode.INVALID_PARAMS, "port: allowed: 1 to 65535")
        self._port = port

    async def ticket(self) -> Ticket:
        return Ticket(ticket=self._tickets.make(), port=self._port or self._configuration.running.web.port)

    async def redeem(self, ticket: str) -> Redeemed:
        return Redeemed(good=self._tickets.redeem(ticket))

    async def _shown(self, web: Web, hostname: str, listen: tuple[Address, ...]) -> Shown:
        if not web.https:
            return NO_TLS
        if web.certificate is not None and web.certificate_key is not None:
            return Shown(web.certificate.read_text(), web.certificate_key.read_text())
        wanted = names(web, hostname, listen)
        async with self._turn:
            return await asyncio.to_thread(shown, self._folder, wanted, datetime.now(UTC))


def is_panel(peer: Peer) -> bool:
    """Root, the daemon's own user, or the panel's."""
    try:
        panel = pwd.getpwnam(USER).pw_uid
    except KeyError:
        panel = None
    return peer.uid in (0, os.geteuid(), panel)


def _text(secret: Secret | None) -> str:
    return secret.text if secret else ""
