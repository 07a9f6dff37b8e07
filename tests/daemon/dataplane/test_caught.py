from __future__ import annotations

from ipaddress import IPv6Network, ip_network

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.dataplane.caught import caught, is_caught
from tests.support.visitors import PHONE, TABLET, Table, gateway

SPLIT: Table = {"mode": "split", "networks": "192.168.1.0/24"}


def network(config: Config) -> IPv6Network | None:
    if (spare := caught(config, config.pools[0])) is None:
        return None
    assert isinstance(spare.subnet, IPv6Network)
    return spare.subnet


def test_a_network_that_leads_nowhere() -> None:
    """Unique local, the same after each start, another for another gateway."""
    config = gateway(pool={"v6": None})
    found = network(config)
    assert found is not None
    assert (found.subnet_of(IPv6Network("fd00::/8")), found.prefixlen) == (True, 64)
    assert network(gateway(pool={"v6": None})) == found
    assert network(gateway(pool={"v6": None}, gateway={"listen": "127.0.0.1", "id": "b.example"})) != found


NOTHING_TO_CATCH = {
    "IPv6 of its own": gateway(),
    "split": gateway(pool={"v6": None} | SPLIT),
    "not wanted": gateway(pool={"v6": None}, firewall={"reject_v6": False}),
    "nobody turns it away": gateway(pool={"v6": None}, firewall={"manage": "off"}),
}


@pytest.mark.parametrize("config", NOTHING_TO_CATCH.values(), ids=NOTHING_TO_CATCH)
def test_nothing_to_catch(config: Config) -> None:
    assert network(config) is None


def test_one_device_with_a_full_tunnel() -> None:
    config = gateway({"phone": PHONE | {"mode": "full"}, "tablet": TABLET}, {"v6": None} | SPLIT)
    assert network(config) is not None
    (pool,) = config.pools
    assert [is_caught(device, pool) for device in config.devices] == [True, False]
    assert not is_caught(None, pool)
    assert is_caught(None, gateway(pool={"v6": None}).pools[0])
    assert ip_network("192.168.1.0/24") in pool.networks
