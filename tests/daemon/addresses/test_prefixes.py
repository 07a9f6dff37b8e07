from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from edgevpn.config.model import Config
from edgevpn.daemon.addresses.prefixes import follows, is_half, resolved
from edgevpn.kernel.network_spec import AddressSpec
from tests.support.visitors import PHONE, TABLET, Table, gateway

LAN: Table = {"v6": "::9:0:0:0/80", "v6_prefix_of": "br-lan"}
DEVICES = {"phone": PHONE | {"v6": "::9:0:0:77"}, "tablet": TABLET}


def config() -> Config:
    return gateway(DEVICES, LAN)


def addresses(*texts: str) -> list[AddressSpec]:
    """Of the LAN's interface, the newest first."""
    return [AddressSpec("br-lan", ip_interface(text)) for text in texts]


def test_the_newest_global_address_counts() -> None:
    """Those of other interfaces, and those that are not global, do not."""
    other = AddressSpec("wan", ip_interface("2001:db8:ffff::1/64"))
    found = addresses("192.168.1.1/24", "fe80::1/64", "fd00::1/64", "2001:db8:2::1/60", "2001:db8:1::1/64")
    (pool,) = resolved(config(), [other, *found]).pools
    assert [each.subnet for each in pool.v6] == [ip_network("2001:db8:2:0:9::/80")]
    assert [str(each.first) for each in pool.v6] == ["2001:db8:2:0:9::1"]
    assert pool.router == pool.dns == (ip_address("10.9.0.1"), ip_address("2001:db8:2:0:9::1"))
    assert pool.v4 == config().pools[0].v4


def test_fixed_addresses_begin_the_same() -> None:
    phone, tablet = resolved(config(), addresses("2001:db8:2::1/64")).devices
    assert (phone.v6, tablet.v6) == (ip_address("2001:db8:2:0:9::77"), None)
    assert phone.dns == (ip_address("10.9.0.1"), ip_address("2001:db8:2:0:9::1"))


def test_no_prefix_no_ipv6() -> None:
    whole = resolved(config(), addresses("fd00::1/64"))
    (pool,) = whole.pools
    assert (pool.v6, pool.router, pool.dns) == ((), (ip_address("10.9.0.1"),), (ip_address("10.9.0.1"),))
    assert whole.devices[0].v6 is None


def test_who_follows_nobody_stays_as_it_is() -> None:
    whole = gateway()
    assert not follows(whole)
    assert resolved(whole, addresses("2001:db8:2::1/64")) is whole
    two = resolved(config(), addresses("2001:db8:2::1/64"))
    assert follows(two)
    assert not any(is_half(each) for pool in two.pools for each in pool.router)
