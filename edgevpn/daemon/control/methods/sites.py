"""Sites: brought up and down, given new keys, written into the configuration, explained to the other end."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from edgevpn.api.records import Applied, Artifact, Reached, SiteStatus
from edgevpn.config.changes import Documents, Keys, add_site, remove_site, set_site
from edgevpn.config.generate import new_psk
from edgevpn.config.model import Auth, Site
from edgevpn.daemon.control.methods.artifacts import handed_over
from edgevpn.daemon.control.methods.names import known, unused, within
from edgevpn.daemon.control.methods.snippets import Snippets
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.keeping.configuration import Configuration, NotNow
from edgevpn.daemon.sites.echoes import Host, answers
from edgevpn.daemon.sites.keeper import Keeper, NotUp
from edgevpn.diagnosis.entry import shown

SECRETS = ("psk", "password")
"""Keys whose values do not go into the file."""


class SiteMethods:
    """All about sites."""

    def __init__(
        self, gateway: Gateway, configuration: Configuration, snippets: Snippets, carries_traffic: bool
    ) -> None:
        self._gateway = gateway
        self._configuration = configuration
        self._snippets = snippets
        self._carries_traffic = carries_traffic

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {
            "site.up": self.up,
            "site.down": self.down,
            "site.rekey": self.rekey,
            "site.reach": self.reach,
            "site.add": self.add,
            "site.set": self.set,
            "site.remove": self.remove,
            "site.snippet": self.snippet,
        }

    async def up(self, name: str) -> SiteStatus:
        keeper = self._keeper(name)
        return await self._done(keeper, keeper.up())

    async def down(self, name: str) -> None:
        self._keeper(name).down()

    async def rekey(self, name: str, what: str) -> SiteStatus:
        keeper = self._keeper(name)
        return await self._done(keeper, keeper.rekey(what == "ike"))

    async def reach(self, name: str, address: str) -> Reached:
        """Only what is behind the tunnel is asked, and only while it is up: nobody else hears of it."""
        site = known("site", name, self._configuration.running.sites)
        host = _host(site, address)
        if self._gateway.census.site_status(name)["state"] != "up":
            raise NotNow(f"site {name} is not up")
        if not self._carries_traffic:
            raise NotNow("without a kernel no traffic flows, and nobody can be asked")
        return Reached(address=str(host), answered=await answers(host))

    async def add(self, name: str, settings: Mapping[str, Any], confirm: int = 0) -> Applied:
        """With a pre-shared key of its own, unless it brings one; `site.snippet` tells it."""
        unused("site", name, (site.name for site in self._configuration.running.sites))
        keys, secrets = _apart(settings)
        auth = keys.get("auth", Auth.PSK.value)
        if auth == Auth.PSK.value and not (secrets or keys.get("psk_file") or keys.get("psk_env")):
            secrets = {"psk": new_psk(os.urandom)}
        return await self._configuration.change(
            lambda old: add_site(old, name, keys, secrets, datetime.now(UTC)), within(confirm)
        )

    async def set(self, name: str, settings: Mapping[str, Any], confirm: int = 0) -> Applied:
        site = known("site", name, self._configuration.running.sites)
        keys, secrets = _apart(settings)
        if keys.get("auth") == Auth.PSK.value and site.auth is not Auth.PSK and not secrets:
            secrets = {"psk": new_psk(os.urandom)}
        return await self._configuration.change(
            lambda old: set_site(old, name, keys, secrets, datetime.now(UTC)), within(confirm)
        )

    async def remove(self, name: str, confirm: int = 0) -> Applied:
        known("site", name, self._configuration.running.sites)

        def change(old: Documents) -> Documents:
            return remove_site(old, name)

        return await self._configuration.change(change, within(confirm))

    async def snippet(self, name: str, form: str) -> Artifact:
        site = known("site", name, self._configuration.running.sites)
        return handed_over(await self._snippets.make(site, form))

    def _keeper(self, name: str) -> Keeper:
        known("site", name, self._configuration.running.sites)
        keeper = self._gateway.keeper(name)
        assert keeper is not None  # there is one for each site that is in force
        return keeper

    async def _done(self, keeper: Keeper, work: Awaitable[None]) -> SiteStatus:
        """The site after some work on it. Raises NotUp."""
        try:
            await work
        except NotUp as reason:
            raise NotUp(f"{keeper.site.name}: {reason}") from reason
        return self._gateway.census.site_status(keeper.site.name)


def _host(site: Site, address: str) -> Host:
    """The address, if it is in the site's networks. Raises NotNow."""
    try:
        host = ip_address(address)
    except ValueError:
        raise NotNow(f"{shown(address)} is no address") from None
    networks = [network for child in site.children for network in child.remote_networks]
    if not any(host in network for network in networks):
        raise NotNow(f"{host} is not in the networks of {site.name}: {', '.join(map(str, networks))}")
    return host


def _apart(settings: Mapping[str, Any]) -> tuple[Keys, dict[str, str]]:
    """The keys of a table, and its secrets, which are kept elsewhere."""
    secrets = {key: value for key, value in settings.items() if key in SECRETS and value is not None}
    return {key: value for key, value in settings.items() if key not in secrets}, secrets
