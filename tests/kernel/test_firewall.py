"""edgevpn.kernel.firewall: the rules that are made; what they do to packets is in tests/lab/test_firewall.py."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from edgevpn.kernel.firewall import Device, FirewallSpec, Flow, Tunnel, Zone, table
from edgevpn.kernel.nftables import Chain, Hook, NamedSet

ZONES = (Zone("lan", frozenset({"br-lan"})), Zone("wan", frozenset({"eth0"})), Zone("pool", frozenset({"evpn-road"})))
SPEC = FirewallSpec(
    listen=frozenset({ip_address("192.0.2.1"), ip_address("192.0.2.9")}),
    tunnels=(Tunnel("evpn-road", 1380, ipv6=False), Tunnel("evpn-site")),
    zones=ZONES,
    flows=(Flow("pool", "lan"),),
    masquerade=(ip_network("10.9.0.0/24"),),
    devices=(Device("phone", frozenset({ip_address("10.9.0.2"), ip_address("fd00:9::2")})),),
)


def chain(spec: FirewallSpec, name: str) -> Chain:
    return next(each for each in table(spec).chains if each.name == name)


def reasons(spec: FirewallSpec, name: str) -> list[str]:
    return [rule.reason for rule in chain(spec, name).rules]


def matches(spec: FirewallSpec, name: str, reason: str) -> list[tuple[Any, str, Any]]:
    """What the rule for a reason looks at: the last word of where, the operator, the value."""
    rule = next(rule for rule in chain(spec, name).rules if rule.reason == reason)
    found = [each["match"] for each in rule.expressions if "match" in each]
    return [(list(next(iter(each["left"].values())).values())[-1], each["op"], each["right"]) for each in found]


def test_hooks() -> None:
    hooks = {each.name: each.hook for each in table(SPEC).chains}
    assert hooks == {
        "owner_input": None,
        "owner_forward": None,
        "input": Hook("filter", "input", 0),
        "clamp": Hook("filter", "forward", -150),
        "forward": Hook("filter", "forward", 0),
        "source_nat": Hook("nat", "postrouting", 100),
    }


def test_sets() -> None:
    assert {each.name: each for each in table(SPEC).sets} == {
        "zone_lan": NamedSet("zone_lan", "ifname", frozenset({"br-lan"})),
        "zone_wan": NamedSet("zone_wan", "ifname", frozenset({"eth0"})),
        "zone_pool": NamedSet("zone_pool", "ifname", frozenset({"evpn-road"})),
        "without_ipv6": NamedSet("without_ipv6", "ifname", frozenset({"evpn-road"})),
        "device_phone_ipv4": NamedSet("device_phone_ipv4", "ipv4_addr", frozenset({"10.9.0.2"})),
        "device_phone_ipv6": NamedSet("device_phone_ipv6", "ipv6_addr", frozenset({"fd00:9::2"})),
    }


def test_input_at_our_addresses() -> None:
    """Only the family that is served; the ports are those of IKE, and of ESP in UDP."""
    assert reasons(SPEC, "input")[:-1] == ["IKE over IPv4", "ESP over IPv4"]
    assert matches(SPEC, "input", "IKE over IPv4") == [
        ("daddr", "==", {"set": ["192.0.2.1", "192.0.2.9"]}),
        ("dport", "==", {"set": [500, 4500]}),
    ]
    assert matches(SPEC, "input", "ESP over IPv4")[1] == ("l4proto", "==", "esp")


def test_input_at_all_addresses() -> None:
    everywhere = replace(SPEC, listen=frozenset(), ports=(500,))
    assert reasons(everywhere, "input")[:-1] == ["IKE over IPv4", "ESP over IPv4", "IKE over IPv6", "ESP over IPv6"]
    assert matches(everywhere, "input", "IKE over IPv6") == [
        ("nfproto", "==", "ipv6"),
        ("dport", "==", {"set": [500]}),
    ]


def test_forwarding_in_order() -> None:
    """Before anything is accepted for its flow, the owner has had his say; what is left is rejected."""
    assert reasons(SPEC, "forward") == [
        "no tunnel of ours",
        "the owner's rules",
        "answers",
        "no IPv6 for this pool",
        "pool to lan",
        "anything else of tunnels",
    ]
    assert matches(SPEC, "forward", "pool to lan") == [
        ("iifname", "==", "@zone_pool"),
        ("oifname", "==", "@zone_lan"),
    ]


def test_segments() -> None:
    """Less the headers of IP and TCP; only for tunnels whose MTU is known."""
    sizes = {}
    for rule in chain(SPEC, "clamp").rules:
        (mangle,) = [each["mangle"] for each in rule.expressions if "mangle" in each]
        sizes[rule.reason] = mangle["value"]["map"]["data"]["set"]
    assert sizes == {
        "IPv4 segments by iifname": [["evpn-road", 1340]],
        "IPv4 segments by oifname": [["evpn-road", 1340]],
        "IPv6 segments by iifname": [["evpn-road", 1320]],
        "IPv6 segments by oifname": [["evpn-road", 1320]],
    }
    assert chain(replace(SPEC, tunnels=(Tunnel("evpn-site"),)), "clamp").rules == ()


def test_masquerade() -> None:
    assert matches(SPEC, "source_nat", "IPv4 under our address") == [
        ("saddr", "==", {"set": [{"prefix": {"addr": "10.9.0.0", "len": 24}}]}),
        ("oifname", "==", "@zone_wan"),
    ]
    both = replace(SPEC, masquerade=(*SPEC.masquerade, ip_network("fd00:9::/64")))
    assert reasons(both, "source_nat") == ["IPv4 under our address", "IPv6 under our address"]
    assert chain(replace(SPEC, masquerade=()), "source_nat").rules == ()


def test_the_same_wish_makes_the_same_table() -> None:
    assert table(SPEC) == table(replace(SPEC, listen=frozenset(sorted(SPEC.listen, reverse=True))))


@pytest.mark.parametrize("name", ["", "-x", "a b", "a;flush ruleset", "@a", 'a"', "ä", "x" * 65])
def test_names_that_no_set_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a set"):
        Device(name)
    with pytest.raises(ValueError, match="cannot name a set"):
        Zone(name, frozenset())


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"flows": (Flow("pool", "lan"), Flow("dmz", "lan"), Flow("lan", "attic"))}, "attic, dmz"),
        ({"uplink": "dsl"}, "dsl"),
    ],
)
def test_no_such_zone(changes: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValueError, match=f"no such zone: {missing}"):
        replace(SPEC, **changes)
