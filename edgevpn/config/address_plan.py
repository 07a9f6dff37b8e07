"""The rules on addresses: no two pools and sites claim the same, and what is fixed lies where it can be given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edgevpn.config.errors import Findings, Path
from edgevpn.config.model import Config, Device, Pool
from edgevpn.config.ranges import Address, AddressRange, Network
from edgevpn.frozen import dataclass

RANGES = ("v4", "v6")
"""The keys of a pool that say which addresses it gives."""
Realm = tuple[int, str]
"""Addresses that can be compared: those of an IP version, or those below one interface's prefix."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Addresses from `first` to `last` that one pool or site wants, as a route or for its devices.

    `network` is set for a route. `number` is the place of the claim's owner in the file.
    """

    realm: Realm
    first: int
    last: int
    number: int
    owner: Path
    shown: str
    network: Network | None = None


def check_addresses(config: Config, findings: Findings) -> None:
    """Note addresses that are claimed twice, and fixed ones that cannot be given."""
    unsound = {pool.name for pool in config.pools if any(findings.blames(("pool", pool.name, key)) for key in RANGES)}
    for inner, outer in overlapping(_claims(config)):
        _judge(inner, outer, findings)
    pools = {pool.name: pool for pool in config.pools if pool.name not in unsound}
    fixed: dict[tuple[Realm, Address], Device] = {}
    for device in config.devices:
        for key, address in (("v4", device.v4), ("v6", device.v6)):
            if address is not None and device.pool in pools:
                _check_fixed(device, (("device", device.name, key), address), pools[device.pool], fixed, findings)
    _check_room(config, findings)


def _claims(config: Config) -> Iterator[Claim]:
    """All that pools give away and sites route, each network once for its owner."""
    for number, pool in enumerate(config.pools):
        for each in (*pool.v4, *pool.v6):
            yield Claim(_realm(pool, each), *each.bounds, number, ("pool", pool.name), str(each))
    for number, site in enumerate(config.sites, start=len(config.pools)):
        routed = dict.fromkeys(net for child in site.children if child.routes for net in child.remote_networks)
        for net in routed:
            bounds = int(net.network_address), int(net.broadcast_address)
            yield Claim((net.version, ""), *bounds, number, ("site", site.name), str(net), net)


def overlapping(claims: Iterator[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Each claim that begins inside one of another owner, with that one; of several with the narrowest."""
    around: list[Claim] = []
    for claim in sorted(claims, key=lambda each: (each.realm, each.first, -each.last)):
        while around and (around[-1].realm != claim.realm or around[-1].last < claim.first):
            around.pop()
        outer = next((each for each in reversed(around) if _meets(claim, each)), None)
        if outer is not None:
            yield claim, outer
        around.append(claim)


def _meets(claim: Claim, earlier: Claim) -> bool:
    """True if both want an address. The networks of one site may lie in each other, the ranges of a pool may not."""
    return earlier.last >= claim.first and (earlier.owner != claim.owner or earlier.network is None)


def _judge(inner: Claim, outer: Claim, findings: Findings) -> None:
    """Routes tell a network from one that it lies in; all other overlaps are faults of the later owner."""
    earlier, later = sorted((outer, inner), key=lambda claim: claim.number)
    key = "remote_networks" if later.network else f"v{later.realm[0]}"
    path = (*later.owner, key)
    other = " ".join(earlier.owner)
    same = (inner.first, inner.last) == (outer.first, outer.last)
    if inner.network and outer.network and not same:
        if outer.network.prefixlen:
            narrow, wide = inner.owner[1], outer.owner[1]
            cure = "if that is not meant, make one of them smaller"
            findings.warn(path, f"{inner.shown} goes to {narrow} though it lies in {outer.shown} of {wide}", cure=cure)
    elif inner.network and outer.network:
        findings.refuse(
            path,
            f"{later.shown} is a remote network of {other} too",
            cure="keep one of them, or set routes = false and route by yourself",
        )
    elif outer.network and not same:
        if outer.network.prefixlen:
            cure = "if hosts there have these addresses, give the pool others"
            fault = f"{inner.shown} of {inner.owner[1]} lies in {outer.shown} of {outer.owner[1]}"
            findings.warn(path, fault, cure=cure)
    else:
        findings.refuse(path, f"{later.shown} overlaps {earlier.shown} of {other}", cure="give each its own addresses")


def _check_fixed(
    device: Device,
    fault: tuple[Path, Address],
    pool: Pool,
    fixed: dict[tuple[Realm, Address], Device],
    findings: Findings,
) -> None:
    """A fixed address is one that the pool could give, and of this device alone."""
    path, address = fault
    ranges = pool.v4 if address.version == 4 else pool.v6
    home = next((each for each in ranges if address in each), None)
    if home is None:
        allowed = ", ".join(map(str, ranges)) or f"none: the pool has no IPv{address.version}"
        findings.refuse(path, f"is not in pool {pool.name}", value=f'"{address}"', allowed=allowed)
    elif address in pool.router:
        findings.refuse(path, "is our own address in this pool", value=f'"{address}"', allowed=f"another of {home}")
    elif (owner := fixed.setdefault((_realm(pool, home), address), device)) is not device:
        findings.refuse(path, f"belongs to device {owner.name} too", value=f'"{address}"', cure="give it another")


def _check_room(config: Config, findings: Findings) -> None:
    """Warn of a pool that has more devices than addresses."""
    counts = Counter(device.pool for device in config.devices if device.enabled)
    for pool in config.pools:
        for version, ranges in ((4, pool.v4), (6, pool.v6)):
            room = sum(each.size - sum(ours in each for ours in pool.router) for each in ranges)
            if ranges and room < counts[pool.name]:
                findings.warn(
                    ("pool", pool.name, f"v{version}"),
                    f"has {room} addresses for {counts[pool.name]} devices",
                    cure="make it larger",
                )


def _realm(pool: Pool, addresses: AddressRange) -> Realm:
    return addresses.version, (pool.v6_prefix_of or "") if addresses.version == 6 else ""
