"""The firewall as configuration and tunnels want it: what is wanted, as a value, and who sees to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from edgevpn.config.model import Config
from edgevpn.config.pool import TunnelMode
from edgevpn.config.services import Manage
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.dataplane.caught import caught
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.firewall import SET_NAME, Device, FirewallSpec, Flow, Tunnel, Zone, table
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import Command, difference
from edgevpn.kernel.spec import IpAddress

OUTSIDE = (ip_address("203.0.113.1"), ip_address("3fff::1"))
"""Addresses that only a default route leads to (RFC 5737, RFC 9637); nothing is sent to them."""

QUIET = 0.2
"""Seconds in which several changes become one."""

log = logging.getLogger("edgevpn.firewall")


def wanted(
    config: Config,
    lan: Collection[str],
    wan: Collection[str],
    mtus: Mapping[str, int],
    devices: Mapping[str, Collection[IpAddress]],
) -> FirewallSpec:
    """What the firewall shall do. `mtus` are those of our interfaces, `devices` the addresses of those that are in."""
    rules, ports = config.firewall, (500, 4500)
    listen = frozenset(address for address in config.gateway.listen if not address.is_unspecified)
    full = [pool for pool in config.pools if pool.mode is TunnelMode.FULL]
    hidden = (each for pool in full for each in (*pool.v4, *(() if pool.v6_prefix_of else pool.v6)))
    lent = tuple(each.subnet for each in hidden if each.subnet is not None)
    zones = {
        "lan": lan,
        "wan": wan,
        "pool": [pool.interface for pool in config.pools],
        "site": [site.interface for site in config.sites],
    }
    leaky = {pool.interface for pool in config.pools if caught(config, pool)}
    return FirewallSpec(
        listen=listen,
        ports=ports,
        tunnels=tuple(
            Tunnel(interface, mtus.get(interface) if rules.mss_clamp else None, ipv6=interface not in leaky)
            for interface in (*zones["pool"], *zones["site"])
        ),
        zones=tuple(Zone(name, frozenset(interfaces)) for name, interfaces in zones.items()),
        flows=tuple(Flow(*flow.value.split("-")) for flow in rules.forward),
        masquerade=lent if rules.masquerade else (),
        devices=tuple(
            Device(name, frozenset(addresses)) for name, addresses in devices.items() if SET_NAME.fullmatch(name)
        ),
    )


def uplinks(config: Config, kernel: Kernel) -> frozenset[str]:
    """The interfaces to the Internet, as configured or as the default routes say. Raises KernelError."""
    if config.firewall.wan:
        return frozenset(config.firewall.wan)
    found = set()
    for address in OUTSIDE:
        try:
            found.add(kernel.path_to(address).interface)
        except NotFound:
            continue
    return frozenset(found)


def lans(config: Config, kernel: Kernel, wan: Collection[str], ours: Collection[str]) -> frozenset[str]:
    """The interfaces of the LAN, as configured or all with a private address. Raises KernelError."""
    if config.firewall.lan:
        return frozenset(config.firewall.lan)
    every = kernel.list_all_addresses(foreign=True)
    private = {each.interface for each in every if is_private(each.address.ip)}
    return frozenset(private - set(wan) - set(ours))


def is_private(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of a LAN, and not this machine's own or a link's."""
    return address.is_private and not (address.is_loopback or address.is_link_local)


class Wall:
    """Brings the table to what is wanted whenever something has changed. `ask` says what that is, None for nothing."""

    def __init__(self, nft: Nft, ask: Callable[[], FirewallSpec | None]) -> None:
        self._nft = nft
        self._ask = ask
        self._changed = asyncio.Event()
        self._told = ""

    def touch(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(QUIET)
            await self.settle()

    async def settle(self) -> None:
        """Bring the table to what is wanted now; what goes wrong is logged."""
        self._changed.clear()
        try:
            await asyncio.to_thread(self._settle, self._ask())
        except KernelError as error:
            self._tell(error)

    async def lacks(self) -> tuple[Command, ...]:
        """What `settle` would do now. Raises KernelError."""
        return await asyncio.to_thread(self._missing, self._ask())

    def close(self) -> None:
        """Take down what we have put up."""
        try:
            self._settle(None)
        except KernelError as error:
            self._tell(error)

    def _settle(self, spec: FirewallSpec | None) -> None:
        self._nft.change(self._missing(spec))

    def _missing(self, spec: FirewallSpec | None) -> tuple[Command, ...]:
        return difference(table(spec) if spec is not None else None, self._nft.present())

    def _tell(self, error: KernelError) -> None:
        """Once, until it is another fault."""
        if str(error) != self._told:
            self._told = str(error)
            note(log, logging.ERROR, "firewall_not_set", why=error)


def is_managed(config: Config) -> bool:
    """Whether its owner leaves the firewall to us."""
    return config.firewall.manage is Manage.AUTO
