"""All methods, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from edgevpn.daemon.base.recent import Recent
from edgevpn.daemon.control.methods.backups import BackupMethods
from edgevpn.daemon.control.methods.certificates import CertificateMethods
from edgevpn.daemon.control.methods.configs import ConfigMethods
from edgevpn.daemon.control.methods.devices import DeviceMethods
from edgevpn.daemon.control.methods.exports import Exports
from edgevpn.daemon.control.methods.overview import Instance, OverviewMethods
from edgevpn.daemon.control.methods.panel import PanelMethods
from edgevpn.daemon.control.methods.repair import RepairMethods
from edgevpn.daemon.control.methods.sites import SiteMethods
from edgevpn.daemon.control.methods.snippets import Snippets
from edgevpn.daemon.control.methods.table import table
from edgevpn.daemon.control.server import Method, Peer
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration
from edgevpn.daemon.keeping.holdings import Holdings

PANEL = "panel"
"""The folder of the panel's own CA, among what is kept."""


class Methods:
    """What the control socket offers; edgevpn/api/methods.py says what each takes and answers."""

    def __init__(
        self,
        gateway: Gateway,
        configuration: Configuration,
        holdings: Holdings,
        recent: Recent,
        instance: Instance,
    ) -> None:
        self._panel = PanelMethods(gateway, configuration, instance.state / PANEL)
        self._nouns = (
            OverviewMethods(gateway, configuration, recent, instance),
            SiteMethods(gateway, configuration, Snippets(gateway, configuration), instance.carries_traffic),
            DeviceMethods(gateway, configuration, Exports(gateway, configuration)),
            ConfigMethods(configuration),
            CertificateMethods(gateway, configuration),
            BackupMethods(gateway, configuration, holdings),
            RepairMethods(gateway.upholding, gateway.wall),
            self._panel,
        )

    def table(self, ready: asyncio.Event) -> dict[str, Method]:
        """By name; calls wait until all is ready."""
        return table({name: served for noun in self._nouns for name, served in noun.methods.items()}, ready)

    @property
    def guards(self) -> Mapping[str, Callable[[Peer], bool]]:
        """Who may call what is not for everybody."""
        return self._panel.guards
