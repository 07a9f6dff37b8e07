from __future__ import annotations

from edgevpn.api.records import PoolStatus
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.addresses.pool_status import pool_status
from edgevpn.ike.peer import Wants
from tests.support.shapes import misfits
from tests.support.visitors import gateway


def test_what_leads_nowhere_is_no_ipv6() -> None:
    config = gateway(pool={"v6": None})
    leases = Leases(config, {}, lambda: 1000.0)
    leases.take("road", "phone", Wants(ipv4=True, ipv6=True))
    status = pool_status(config.pools[0], leases)
    assert (status["v6"], status["size_v6"], status["used_v6"]) == ([], 0, 0)


def test_a_pool() -> None:
    config = gateway(pool={"v6": None, "mode": "split", "networks": ["10.1.0.0/24"]})
    leases = Leases(config, {}, lambda: 1000.0)
    leases.take("road", "phone", Wants(ipv4=True, ipv6=True))
    status = pool_status(config.pools[0], leases)
    assert misfits(status, PoolStatus) == []
    assert (status["v4"], status["size_v4"], status["used_v4"]) == (["10.9.0.0/24"], 253, 1)
    assert (status["v6"], status["size_v6"], status["used_v6"]) == ([], 0, 0)
    assert (status["mode"], status["networks"], status["dns"]) == ("split", ["10.1.0.0/24"], ["10.9.0.1"])
