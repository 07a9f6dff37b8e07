"""IPv6 of devices with a full tunnel whose pool has none: it comes in, and is turned away here. Pure.

A client sends IPv6 into a tunnel only from an address that it was lent there; else it goes beside it. So each is lent
one of a network that leads nowhere. That is unique local (RFC 4193): where there is a choice, a client takes IPv4
(RFC 6724 §2.1).
"""

from __future__ import annotations

from hashlib import sha256
from ipaddress import IPv6Network

from edgevpn.config.model import Config, Device, Pool
from edgevpn.config.pool import TunnelMode
from edgevpn.config.ranges import AddressRange
from edgevpn.config.services import Manage


def caught(config: Config, pool: Pool) -> AddressRange | None:
    """What such devices of a pool are lent; None if there are none, or nobody would turn their packets away."""
    rules = config.firewall
    modes = {pool.mode, *(device.mode for device in config.devices if device.pool == pool.name)}
    if pool.v6 or TunnelMode.FULL not in modes or rules.manage is not Manage.AUTO or not rules.reject_v6:
        return None
    network = _network(pool, config)
    return AddressRange(network[1], network[-1], network)


def is_caught(device: Device | None, pool: Pool) -> bool:
    """Whether this device of a pool without IPv6 of its own is lent some of what leads nowhere."""
    return (device or pool).mode is TunnelMode.FULL


def _network(pool: Pool, config: Config) -> IPv6Network:
    """The same after each start, and hardly that of anybody else."""
    seed = sha256(repr((pool.name, config.gateway.id, config.pki.public_name)).encode()).digest()
    return IPv6Network((b"\xfd" + seed[:5] + bytes(10), 64))
