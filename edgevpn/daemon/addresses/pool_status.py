"""What is told of pools, in the words of edgevpn/api/records.py."""

from __future__ import annotations

from edgevpn.api.records import PoolStatus
from edgevpn.config.model import Pool
from edgevpn.daemon.addresses.leases import Fullness, Leases


def pool_status(pool: Pool, leases: Leases) -> PoolStatus:
    """One pool, and how full it is."""
    v4 = leases.fullness(pool.name, 4)
    v6 = leases.fullness(pool.name, 6) if pool.v6 else Fullness()  # what leads nowhere does not count
    return PoolStatus(
        name=pool.name,
        interface=pool.interface,
        v4=[str(each) for each in pool.v4],
        v6=[str(each) for each in pool.v6],
        size_v4=v4.size,
        size_v6=v6.size,
        used_v4=v4.used,
        used_v6=v6.used,
        mode=pool.mode.value,
        networks=[str(each) for each in pool.networks],
        dns=[str(each) for each in pool.dns],
        logins=[login.value for login in pool.logins],
        legacy=pool.legacy,
    )
