"""The rules between keys: within a child, within a site, and between sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import TypeGuard

from edgevpn.config.errors import Findings, Path
from edgevpn.config.model import Child, Config, Gateway, Site, Start
from edgevpn.config.values import WITH_PORTS, Address, Network, Ports

LIFETIMES = (
    ("esp_rekey_time", "esp_life_time"),
    ("esp_rekey_bytes", "esp_life_bytes"),
    ("esp_rekey_packets", "esp_life_packets"),
)


def check_child(child: Child, path: Path, findings: Findings) -> None:
    """Note what does not fit together in one child."""
    for rekey, life in LIFETIMES:
        _check_lifetime(getattr(child, rekey), getattr(child, life), rekey, (*path, life), findings)
    if child.protocol not in WITH_PORTS and {child.local_ports, child.remote_ports} != {Ports()}:
        findings.refuse((*path, "protocol"), "has no ports", allowed="tcp, udp or sctp beside a choice of ports")
    families = {network.version for network in child.local_networks}
    theirs = {network.version for network in child.remote_networks}
    if not families & theirs:
        findings.refuse((*path, "remote_networks"), "no network here has the IP version of one in local_networks")
    elif families != theirs:
        lonely = "IPv6" if 6 in families ^ theirs else "IPv4"
        findings.warn((*path, "remote_networks"), f"only one end has {lonely} networks, so no {lonely} will pass")
    for network in set(child.local_networks) & set(child.remote_networks):
        if network.prefixlen:
            findings.refuse((*path, "remote_networks"), f"{network} is in local_networks too")
    for weakness in dict.fromkeys(weak for proposal in child.esp_proposals for weak in proposal.weaknesses):
        findings.warn((*path, "esp_proposals"), weakness)


def check_site(site: Site, path: Path, findings: Findings) -> None:
    """Note what does not fit together in one site."""
    _check_lifetime(site.ike_rekey_time, site.ike_life_time, "ike_rekey_time", (*path, "ike_life_time"), findings)
    for child in site.children:
        if not site.remote and child.start is not Start.WAIT:
            findings.refuse(
                (*path, "start"),
                f'child {child.name} cannot start by itself while remote = "any"',
                allowed='"wait"',
                cure="name the peer's address in remote, or wait for it",
            )
    for weakness in dict.fromkeys(weak for proposal in site.ike_proposals for weak in proposal.weaknesses):
        findings.warn((*path, "ike_proposals"), weakness)
    if site.local and site.remote and not any(_may_reach(site, host) for host in site.remote):
        findings.refuse((*path, "local"), "has another IP version than every address in remote")


def check_together(config: Config, findings: Findings) -> None:
    """Note what two sites may not have in common."""
    if not config.sites:
        findings.warn((), "no site is configured", cure="write a table such as [site.office]")
    for site in config.sites:
        if site.local and not _listens(config.gateway, site.local):
            listen = ", ".join(map(str, config.gateway.listen))
            findings.refuse(("site", site.name, "local"), "is not served", allowed=f"what gateway.listen has: {listen}")
    for one, other in combinations(config.sites, 2):
        path = ("site", other.name)
        if one.interface == other.interface:
            findings.refuse(
                (*path, "interface"), f"{one.interface} belongs to site {one.name}", cure="give it a name of its own"
            )
        if _look_alike(one, other):
            findings.refuse(
                (*path, "remote_id"),
                f"a peer that calls could be this site or {one.name}: same identities, addresses that overlap",
                cure="give the two different remote_id or local_id",
            )
        _check_networks(one, other, (*path, "remote_networks"), findings)


def _check_lifetime(rekey: int, life: int, rekey_key: str, path: Path, findings: Findings) -> None:
    if life and rekey >= life:
        findings.refuse(path, f"is reached before {rekey_key} ({rekey})", allowed=f"more than {rekey_key}, or 0")


def _listens(gateway: Gateway, local: Address) -> bool:
    """True if the gateway serves this address, by itself or among all of its IP version."""
    return any(local == each or (each.is_unspecified and each.version == local.version) for each in gateway.listen)


def _may_reach(site: Site, host: object) -> bool:
    """True unless both ends are addresses, of different versions."""
    return isinstance(host, str) or getattr(host, "version", 0) == getattr(site.local, "version", 0)


def _look_alike(one: Site, other: Site) -> bool:
    """True if a request of one site's peer could not be told from one of the other's."""
    same_remote_id = one.remote_id is None or other.remote_id is None or one.remote_id == other.remote_id
    same_local_id = one.local_id is None or other.local_id is None or one.local_id == other.local_id
    same_local = one.local is None or other.local is None or one.local == other.local
    same_remote = not one.remote or not other.remote or bool(set(one.remote) & set(other.remote))
    return same_remote_id and same_local_id and same_local and same_remote


def _check_networks(one: Site, other: Site, path: Path, findings: Findings) -> None:
    """Two sites may not have the same remote network; one inside another is odd, yet routes tell them apart."""
    for ours, theirs in _overlaps(_routed(one), _routed(other)):
        if ours == theirs:
            findings.refuse(
                path,
                f"{theirs} is a remote network of site {one.name} too",
                cure="keep one of them, or set routes = false and route by yourself",
            )
        elif ours.prefixlen and theirs.prefixlen:
            inner, outer = (theirs, ours) if theirs.prefixlen > ours.prefixlen else (ours, theirs)
            narrow, wide = (other, one) if inner is theirs else (one, other)
            findings.warn(path, f"{inner} goes to {narrow.name} though it lies in {outer} of {wide.name}")


def _routed(site: Site) -> list[Network]:
    return list(dict.fromkeys(net for child in site.children if child.routes for net in child.remote_networks))


def _overlaps(ours: Iterable[Network], theirs: list[Network]) -> Iterator[tuple[Network, Network]]:
    return ((a, b) for a in ours for b in theirs if _same_version(a, b) and a.overlaps(b))


def _same_version(a: Network, b: Network) -> TypeGuard[Network]:
    return a.version == b.version
