"""Looks at the gateway and at the machine that it runs on, and gathers the facts that `health` judges."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from edgevpn.api import SiteStatus
from edgevpn.api.records import DeviceStatus, Health
from edgevpn.config.model import Config
from edgevpn.config.pool import Login
from edgevpn.config.proposals import Proposal
from edgevpn.config.values import Address
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.ciphers.choice import Ciphers, insisted
from edgevpn.daemon.health.checks import judged
from edgevpn.daemon.health.facts import Ends, Facts, Firewall, Lookup, Silent, Suspect
from edgevpn.daemon.health.hardware import Hardware, Insisted, Lacking, Stranger
from edgevpn.daemon.health.patient import Patient
from edgevpn.daemon.login import tls
from edgevpn.daemon.peers import lacking
from edgevpn.diagnosis.entry import Language
from edgevpn.frozen import dataclass
from edgevpn.kernel.barriers import FORWARD
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.ports import udp_port_strangers
from edgevpn.pki.errors import PkiError
from edgevpn.pki.office import Standing

FAR = (ip_address("198.41.0.4"), ip_address("2001:503:ba3e::2:30"))
"""A root name server, of each IP version: packets to it leave by the way to the internet. None is sent."""
WORTH_AN_ANSWER = 10_000
"""Octets one way, after which something should have come the other way."""
PATIENCE = 5.0
"""Seconds for a name to be looked up."""


@dataclass(frozen=True, slots=True)
class Clues:
    """What is known besides: whether we forward what comes out of tunnels."""

    unforwarded: bool
    barred: bool


@dataclass(frozen=True, slots=True)
class Flow:
    """Octets of a tunnel both ways; `wrapped`: in UDP. `undeciphered`: packets that came and could not be decrypted."""

    received: int
    sent: int
    wrapped: bool
    undeciphered: int = 0

    @property
    def is_one_way(self) -> bool:
        return max(self.received, self.sent) >= WORTH_AN_ANSWER and min(self.received, self.sent) == 0

    def silent(self, name: str, setting: str, clues: Clues) -> Silent:
        """What a tunnel of this name suffers from."""
        return Silent(name, self.received, self.sent, self._suspect(clues), setting)

    def _suspect(self, clues: Clues) -> Suspect:
        if self.sent:
            return Suspect.DAMAGED if self.undeciphered else Suspect.PEER if self.wrapped else Suspect.BARE_ESP
        return Suspect.FORWARDING if clues.unforwarded else Suspect.FIREWALL if clues.barred else Suspect.LAN


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines a gateway.

    `standing` tells how our certificates stand, `state` is where state is kept, `nft` reads all rules; without it the
    firewall is not looked at.
    """

    patient: Patient
    standing: Callable[[], Awaitable[Sequence[Standing]]]
    state: Path
    carries_traffic: bool
    nft: Nft | None = None

    async def examine(self, config: Config, language: Language = Language.ENGLISH) -> list[Health]:
        """All checks, with this configuration."""
        return judged(await self._facts(config), language)

    async def _facts(self, config: Config) -> Facts:
        sites, devices = self._standing()
        certificates, faults = await self._certificates()
        firewall = await self._firewall(self.nft, config) if self.nft else Firewall()
        unforwarded = self._unforwarded(config)
        clues = Clues(4 in unforwarded, any(each.hook == FORWARD for each in firewall.barriers))
        return Facts(
            now=datetime.now(UTC),
            features=self.patient.features(),
            carries_traffic=self.carries_traffic,
            served=self.patient.served(),
            outside=tuple(found for far in FAR if (found := self.patient.surroundings.source_for(far)) is not None),
            lookups=tuple([await self._lookup(name) for name in config.pki.public_name]),
            certificates=certificates,
            faults=faults,
            space=_space(self.state),
            silent=(*_silent(sites, clues), *_silent_devices(devices, clues)),
            down=tuple(site["name"] for site in sites if site["state"] == "down" and site["why"]),
            firewall=firewall,
            lost=self._lost(),
            unforwarded=unforwarded,
            hardware=self._hardware(config),
        )

    def _hardware(self, config: Config) -> Hardware:
        speeds = self.patient.speeds
        return Hardware(
            ciphers=speeds.ciphers,
            untried=speeds.why_untried,
            insisted=tuple(_insisted(config, speeds.ciphers)),
            lacking=tuple(_lacking(config)),
            shut_out=_shut_out(config),
            unmet=self.patient.unmet(),
            strangers=tuple(_strangers(self.patient.ports)),
        )

    async def _firewall(self, nft: Nft, config: Config) -> Firewall:
        tunnels = (*(pool.interface for pool in config.pools), *(site.interface for site in config.sites))
        try:
            barriers = await asyncio.to_thread(nft.barriers, self.patient.uplinks(), tunnels)
            return Firewall(await self.patient.firewall_lacks(), barriers)
        except KernelError as error:
            return Firewall(unread=str(error))

    def _lost(self) -> tuple[str, ...]:
        try:
            return self.patient.kernel_lacks()
        except KernelError:
            return ()  # the check of the kernel says more

    def _standing(self) -> tuple[list[SiteStatus], list[DeviceStatus]]:
        """How sites and devices stand; the kernel is asked once for all."""
        census = self.patient.census
        try:
            ask = census.survey()
            sites = [census.site_status(name, ask) for name in census.site_names]
            return sites, [census.device_status(device, ask) for device in census.devices]
        except KernelError:
            return [], []  # the check of the kernel says more

    def _unforwarded(self, config: Config) -> tuple[int, ...]:
        """The IP versions that our tunnels carry and that get no further here."""
        try:
            return tuple(sorted(self.patient.unforwarded() & _carried(config)))
        except KernelError:
            return ()

    async def _lookup(self, name: str | Address) -> Lookup:
        if not isinstance(name, str):
            return Lookup(str(name), (name,))
        try:
            async with asyncio.timeout(PATIENCE):
                return Lookup(name, await self.patient.surroundings.resolve(name))
        except (OSError, TimeoutError, UnicodeError):
            return Lookup(name, ())

    async def _certificates(self) -> tuple[tuple[Ends, ...], tuple[str, ...]]:
        try:
            return tuple(Ends(each.what, each.ends) for each in await self.standing()), ()
        except PkiError as error:
            return (), (str(error),)


def _insisted(config: Config, ciphers: Ciphers) -> Iterable[Insisted]:
    for where, own in _esp_proposals(config):
        for cipher in insisted(own, ciphers):
            yield Insisted(where, cipher)


def _lacking(config: Config) -> Iterable[Lacking]:
    of_ike = [(f"Site {site.name}", site.ike_proposals) for site in config.sites]
    of_ike += [(f"Pool {pool.name}", pool.accepted_ike) for pool in config.pools]
    for where, own in (*of_ike, *_esp_proposals(config)):
        if words := lacking(own):
            yield Lacking(where, words)


def _shut_out(config: Config) -> tuple[str, ...]:
    return () if tls.is_there() else tuple(each.name for each in config.devices if each.login is Login.EAP_TLS)


def _esp_proposals(config: Config) -> list[tuple[str, tuple[Proposal, ...]]]:
    of_sites = [(f"Site {site.name}", child.esp_proposals) for site in config.sites for child in site.children]
    return of_sites + [(f"Pool {pool.name}", pool.esp_proposals) for pool in config.pools]


def _strangers(ports: Ports) -> Iterable[Stranger]:
    for port in (ports.ike, ports.nat):
        for name in udp_port_strangers(port, os.getpid()):
            yield Stranger(port, name)


def _space(folder: Path) -> int:
    """Octets that are free where this folder is, or will be."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free


def _carried(config: Config) -> frozenset[int]:
    """The IP versions that tunnels carry to others than this machine."""
    of_sites = (network for site in config.sites for child in site.children for network in child.remote_networks)
    of_pools = (addresses for pool in config.pools for addresses in (*pool.v4, *pool.v6))
    return frozenset(each.version for each in (*of_sites, *of_pools))


def _silent(sites: Iterable[SiteStatus], clues: Clues) -> Iterable[Silent]:
    for site in sites:
        for ike in site["ike"]:
            for child in ike["children"]:
                wrapped = ike["nat"] != "none"
                flow = Flow(child["bytes_in"], child["bytes_out"], wrapped, child["undeciphered"])
                if flow.is_one_way:
                    yield flow.silent(f"{site['name']} ({child['name']})", f"site.{site['name']}.encap", clues)


def _silent_devices(devices: Iterable[DeviceStatus], clues: Clues) -> Iterable[Silent]:
    for device in devices:
        for session in device["sessions"]:
            flow = Flow(session["bytes_in"], session["bytes_out"], session["nat"], session["undeciphered"])
            if flow.is_one_way:
                yield flow.silent(f"{device['name']} ({session['remote']})", f"pool.{device['pool']}.encap", clues)
