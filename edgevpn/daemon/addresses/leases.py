"""Which device has which address: a pool for each IP version of each pool of the configuration, kept over restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any

from edgevpn.config.model import Config, Device
from edgevpn.config.model import Pool as PoolConfig
from edgevpn.config.ranges import AddressRange
from edgevpn.daemon.addresses.pool import Exhausted, IpAddress, Lease, Pool, Span
from edgevpn.daemon.base.state_file import Content
from edgevpn.daemon.dataplane.caught import caught
from edgevpn.frozen import dataclass
from edgevpn.ike.peer import Wants

VERSION = 1
"""Of the form of what is kept."""

FAMILIES = {4: AF_INET, 6: AF_INET6}

Key = tuple[str, int]
"""A pool's name and an IP version."""


@dataclass(frozen=True, slots=True)
class Fullness:
    """Of a pool: how many addresses there are, and how many are in use."""

    size: int = 0
    used: int = 0


class Leases:
    """All pools. `now` gives Unix time in seconds."""

    def __init__(self, config: Config, content: Content, now: Callable[[], float]) -> None:
        """Begin with what was kept (see `content`); whatever of it does not fit any more is forgotten."""
        self._now = now
        remembered = _read(content)
        self._pools: dict[Key, Pool] = {}
        self._owners: dict[IpAddress, Pool] = {}  # of the addresses in use
        self._spare: set[str] = set()  # pools whose IPv6 only catches what would leak
        self._sessions: Counter[IpAddress] = Counter()  # that have an address, while one replaces another
        for pool in config.pools:
            if spare := caught(config, pool):
                self._spare.add(pool.name)
            reserved = (*pool.router, *((spare.first,) if spare else ()))
            for version, ranges in ((4, pool.v4), (6, (spare,) if spare else pool.v6)):
                if ranges:
                    key = pool.name, version
                    fixed = _fixed(config.devices, pool, version)
                    self._pools[key] = Pool(map(_span, ranges), fixed, reserved, remembered.get(key))

    def take(
        self, pool: str, holder: str, wants: Wants, *, alone: bool = False, again: Collection[IpAddress] = ()
    ) -> tuple[IpAddress, ...]:
        """An address of each IP version that is asked for and that the pool has; empty if none is to be had.

        `alone`: this session of the holder replaces the one that it has, and takes over its addresses. `again`: these
        it has already, and keeps if it wishes to.
        """
        taken: list[IpAddress] = []
        for version, wanted in ((4, wants.ipv4), (6, wants.ipv6)):
            addresses = self._pools.get((pool, version))
            if not wanted or addresses is None:
                continue
            wish = next((address for address in wants.before if address.version == version), None)
            try:
                address = addresses.take(holder, wish, alone=alone, again=wish in again)
            except Exhausted:
                continue
            self._owners[address] = addresses
            self._sessions[address] += 1
            taken.append(address)
        if pool in self._spare and all(address.version == 6 for address in taken):
            self.give_back(taken)  # what leads nowhere is no use without what leads somewhere
            return ()
        return tuple(taken)

    def fullness(self, pool: str, version: int) -> Fullness:
        """How many addresses of an IP version a pool has, and how many of them are in use."""
        addresses = self._pools.get((pool, version))
        return Fullness(addresses.size, len(addresses.in_use)) if addresses else Fullness()

    def give_back(self, addresses: Iterable[IpAddress]) -> None:
        """A session is gone; addresses that no other has taken over are kept for the holder. Free ones are left out."""
        for address in addresses:
            if address not in self._owners:
                continue
            self._sessions[address] -= 1
            if not self._sessions[address]:
                del self._sessions[address]
                self._owners.pop(address).give_back(address, self._now())

    def carry_over(self, old: Leases) -> None:
        """Take the leases in use from before a change of the configuration; those that do not fit any more are gone."""
        for key, pool in self._pools.items():
            if before := old._pools.get(key):
                for address, holder in before.in_use.items():
                    if pool.claim(holder, address):
                        self._owners[address] = pool
                        self._sessions[address] = old._sessions[address]

    def are_lent(self, addresses: Iterable[IpAddress]) -> bool:
        """Whether all of these are in use, as far as this knows: what did not fit any more may be another's soon."""
        return all(address in self._owners for address in addresses)

    def content(self) -> Content:
        """What is to be kept: the leases of those who are here, as if they left now, and of those who are away."""
        return {"pools": [_written(name, version, pool, self._now()) for (name, version), pool in self._pools.items()]}


def _written(name: str, version: int, pool: Pool, now: float) -> dict[str, Any]:
    """What `_read` reads. The C library writes and reads ten thousand addresses in a fifth of the time."""
    family = FAMILIES[version]
    away = [[inet_ntop(family, address.packed), lease.holder, lease.since] for address, lease in pool.away.items()]
    here = [[inet_ntop(family, address.packed), holder, now] for address, holder in pool.in_use.items()]
    return {"pool": name, "version": version, "leases": [*away, *here]}


def _read(content: Content) -> dict[Key, dict[IpAddress, Lease]]:
    """Leases by pool, the longest away first. What is written oddly is left out."""
    found: dict[Key, dict[IpAddress, Lease]] = {}
    for each in content.get("pools", ()):
        match each:
            case {"pool": str(name), "version": 4 | 6 as version, "leases": list(leases)}:
                found[name, version] = dict(_leases(version, leases))
    return found


def _leases(version: int, written: list[Any]) -> Iterator[tuple[IpAddress, Lease]]:
    family, address_of = FAMILIES[version], IPv4Address if version == 4 else IPv6Address
    for each in written:
        match each:
            case [str(address), str(holder), int() | float() as since]:
                with suppress(OSError, ValueError):
                    yield address_of(inet_pton(family, address)), Lease(holder, float(since))


def _fixed(devices: Iterable[Device], pool: PoolConfig, version: int) -> dict[str, IpAddress]:
    ours = [device for device in devices if device.pool == pool.name]
    addresses = ((device.name, device.v4 if version == 4 else device.v6) for device in ours)
    return {name: address for name, address in addresses if address is not None}


def _span(addresses: AddressRange) -> Span:
    return Span(addresses.first, addresses.last)
