"""Pools whose IPv6 addresses begin as those of an interface: a configuration, with what the provider gives now. Pure.

The owner writes second halves, such as "::9:0:0:0/80"; the first halves come from the newest global address of the
interface. While it has none, the pool has no IPv6.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network
from typing import TypeVar

from edgevpn.config.model import Config, Device, Pool
from edgevpn.config.ranges import Address, AddressRange
from edgevpn.frozen import replace
from edgevpn.kernel.network_spec import AddressSpec

HALF = 1 << 64
GLOBAL = IPv6Network("2000::/3")  # RFC 4291 §2.4

A = TypeVar("A", bound=Address)


def follows(config: Config) -> bool:
    """Whether any pool takes its addresses from an interface."""
    return any(pool.v6_prefix_of for pool in config.pools)


def resolved(config: Config, addresses: Iterable[AddressSpec]) -> Config:
    """The configuration with whole addresses, as the interfaces have them now; the newest of each comes first."""
    if not follows(config):
        return config
    found: dict[str, int] = {}
    for each in addresses:
        if isinstance(each.address.ip, IPv6Address) and each.address.ip in GLOBAL:
            found.setdefault(each.interface, int(each.address.ip) >> 64)
    pools = {pool.name: _pool(pool, found.get(pool.v6_prefix_of or "")) for pool in config.pools}
    before = {pool.name: pool for pool in config.pools}
    devices = (_device(each, before[each.pool], found) for each in config.devices)
    return replace(config, pools=tuple(pools.values()), devices=tuple(devices))


def _pool(pool: Pool, first: int | None) -> Pool:
    if not pool.v6_prefix_of:
        return pool
    ranges = () if first is None else tuple(_range(each, first) for each in pool.v6)
    return replace(pool, v6=ranges, router=_all(pool.router, first), dns=_all(pool.dns, first))


def _device(device: Device, pool: Pool, found: dict[str, int]) -> Device:
    if not pool.v6_prefix_of:
        return device
    first = found.get(pool.v6_prefix_of)
    (v6, *_) = (*_all((device.v6,) if device.v6 else (), first), None)
    return replace(device, v6=v6, dns=_all(device.dns, first))


def _all(addresses: tuple[A, ...], first: int | None) -> tuple[A, ...]:
    """Whole addresses of these; second halves fall away where there is no first."""
    if first is None:
        return tuple(each for each in addresses if not is_half(each))
    return tuple(_joined(each, first) if is_half(each) else each for each in addresses)


def is_half(address: Address) -> bool:
    """Whether it is the second half of an address alone."""
    return address.version == 6 and int(address) < HALF


def _joined(address: A, first: int) -> A:
    return type(address)(first << 64 | int(address))


def _range(addresses: AddressRange, first: int) -> AddressRange:
    subnet = addresses.subnet
    whole = IPv6Network((first << 64 | int(subnet.network_address), subnet.prefixlen)) if subnet is not None else None
    return AddressRange(_joined(addresses.first, first), _joined(addresses.last, first), whole)
