"""edgevpn.daemon.dataplane.routing; tests/lab/test_selectors.py sees packets go by it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from edgevpn.daemon.dataplane.routing import TABLES, rules_for, table_for
from edgevpn.kernel.network_spec import MAIN_TABLE, RouteSpec, RuleSpec
from edgevpn.kernel.spec import OURS_MARK

PEER, PEER6 = ip_address("203.0.113.7"), ip_address("2001:db8:b::7")

# Network, whether the peer may call from anywhere, and the length whose table of ours it is in, if it is.
PLACES = {
    "behind the peer": ("10.2.0.0/24", False, None),
    "the peer itself": ("203.0.113.7/32", False, 32),
    "around the peer": ("203.0.113.0/24", False, 24),
    "beside the peer": ("203.0.113.8/32", False, None),
    "the peer's IPv6 prefix": ("2001:db8:b::/48", False, 48),
    "everything": ("0.0.0.0/0", False, 0),
    "everything in IPv6": ("::/0", False, 0),
    "half of everything": ("128.0.0.0/1", False, 1),
    "the other half": ("0.0.0.0/1", False, None),
    "behind whoever calls": ("192.168.7.0/24", True, None),
    "local, in IPv6": ("fd00:2::/64", True, None),
    "where whoever calls may be": ("198.51.100.0/24", True, 24),
    "more than what is local": ("10.0.0.0/7", True, 7),
}


@pytest.mark.parametrize(("text", "callers", "length"), PLACES.values(), ids=PLACES)
def test_table(text: str, callers: bool, length: int | None) -> None:
    table = table_for(ip_network(text), (PEER, PEER6), callers)
    assert table == (MAIN_TABLE if length is None else TABLES[length])


def rules(*networks: str) -> list[RuleSpec]:
    routes = [RouteSpec(destination=each, table=TABLES[each.prefixlen]) for each in map(ip_network, networks)]
    return sorted(rules_for(routes), key=lambda rule: (rule.version, rule.priority))


def test_default_routes_have_the_rules_of_wg_quick() -> None:
    """The main table but for its default route, then ours, unless the packet is the tunnel itself."""
    assert rules("0.0.0.0/0") == [
        RuleSpec(version=4, priority=31_064, table=MAIN_TABLE, longer_than=0),
        RuleSpec(version=4, priority=31_065, table=TABLES[0], unless=OURS_MARK),
    ]


def test_a_host_has_one_rule() -> None:
    assert rules("203.0.113.7/32") == [RuleSpec(version=4, priority=31_001, table=TABLES[32], unless=OURS_MARK)]
    assert rules("2001:db8::7/128") == [RuleSpec(version=6, priority=31_001, table=TABLES[128], unless=OURS_MARK)]


def test_the_longest_prefix_wins_whatever_table_it_is_in() -> None:
    """A network of the LAN that lies within one of the peer's stays local."""
    made = rules("10.0.0.0/8", "203.0.113.7/32", "10.0.0.0/8", "172.16.0.0/12")
    assert [(rule.table, rule.longer_than) for rule in made] == [
        (TABLES[32], None),
        (MAIN_TABLE, 12),
        (TABLES[12], None),
        (MAIN_TABLE, 8),
        (TABLES[8], None),
    ]


def test_routes_of_the_main_table_need_none() -> None:
    assert rules_for([RouteSpec(destination=ip_network("10.2.0.0/24"))]) == frozenset()
