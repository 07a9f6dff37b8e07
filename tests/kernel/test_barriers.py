"""edgevpn.kernel.barriers: rules as nft lists them; tests/lab/test_firewall.py compares with what a kernel drops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgevpn.kernel.barriers import Barrier, barriers

IKE = ("UDP 500", "UDP 4500")
ALL = (*IKE, "ESP")
ACCEPT: dict[str, Any] = {"accept": None}
DROP: dict[str, Any] = {"drop": None}
Rules = list[list[dict[str, Any]]]


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def dport(protocol: str, right: Any) -> dict[str, Any]:
    return match({"payload": {"protocol": protocol, "field": "dport"}}, right)


def meta(key: str, right: Any, op: str = "==") -> dict[str, Any]:
    return match({"meta": {"key": key}}, right, op)


def listing(rules: Rules, policy: str = "drop", more: dict[str, Rules] | None = None, hook: str = "input") -> str:
    place = {"family": "inet", "table": "filter"}
    base = {**place, "name": "in", "type": "filter", "hook": hook, "prio": 0, "policy": policy}
    chains = [{"chain": base}, *({"chain": {**place, "name": name}} for name in more or {})]
    every = {"in": rules, **(more or {})}
    filled = [{"rule": {**place, "chain": name, "expr": expr}} for name, found in every.items() for expr in found]
    return json.dumps({"nftables": [{"metainfo": {}}, *chains, *filled]})


def closed(rules: Rules, policy: str = "drop", more: dict[str, Rules] | None = None, uplink: str = "wan") -> Any:
    return [packets for each in barriers(listing(rules, policy, more), [uplink]) if (packets := each.packets)]


LIMIT = {"limit": {"rate": 5, "per": "second"}}
SADDR = match({"payload": {"protocol": "ip", "field": "saddr"}}, "@friends")
STATES = {"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["established", ACCEPT], ["related", ACCEPT]]}}}
CASES: dict[str, tuple[Rules, list[tuple[str, ...]]]] = {
    "nothing is let in": ([], [ALL]),
    "answers alone": (
        [[STATES], [match({"ct": {"key": "state"}}, {"set": ["established", "related"]}), ACCEPT]],
        [ALL],
    ),
    "other ports": ([[dport("tcp", {"set": [22, 443]}), ACCEPT], [dport("udp", 1194), ACCEPT]], [ALL]),
    "the LAN alone": ([[meta("iifname", "br-lan"), ACCEPT], [meta("iifname", "lo"), ACCEPT]], [ALL]),
    "all but the WAN": ([[meta("iifname", "wan", "!="), ACCEPT]], [ALL]),
    "IKE without ESP": ([[dport("udp", {"set": [500, 4500]}), ACCEPT]], [("ESP",)]),
    "port 4500 is missing": ([[dport("udp", 500), ACCEPT], [meta("l4proto", "esp"), ACCEPT]], [("UDP 4500",)]),
    "a range": (
        [[dport("udp", {"range": [400, 5000]}), ACCEPT], [meta("l4proto", {"set": ["esp", "ah"]}), ACCEPT]],
        [],
    ),
    "all of the WAN": ([[meta("iifname", "wan*"), {"counter": {"packets": 1}}, ACCEPT]], []),
    "some senders": ([[SADDR, ACCEPT]], []),
    "not too many": ([[LIMIT, ACCEPT]], []),
    "iptables, which nft cannot read": ([[{"xt": {"type": "match", "name": "udp"}}, ACCEPT]], []),
    "the banned first": ([[SADDR, DROP]], [ALL]),
}


@pytest.mark.parametrize(("rules", "found"), CASES.values(), ids=CASES)
def test_what_is_kept_out(rules: Rules, found: list[tuple[str, ...]]) -> None:
    assert closed(rules) == found


def test_last_rule_instead_of_a_policy() -> None:
    assert closed([[{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]], "accept") == [ALL]
    assert closed([], "accept") == []


@pytest.mark.parametrize("verb", ["jump", "goto"])
def test_other_chains(verb: str) -> None:
    """As fw4 has them: a chain for each zone."""
    rules: Rules = [[meta("iifname", "wan"), {verb: {"target": "input_wan"}}], [{"drop": None}]]
    ike: Rules = [[dport("udp", {"set": [500, 4500]}), ACCEPT], [meta("l4proto", "esp"), ACCEPT]]
    assert closed(rules, "accept", {"input_wan": ike}) == []
    assert closed(rules, "accept", {"input_wan": [*ike, [{"drop": None}]]}) == []
    assert closed(rules, "accept", {"input_wan": [[{"reject": None}], *ike]}) == [ALL]
    assert closed(rules, "accept", {"input_wan": [[{"return": None}], *ike]}) == ([ALL] if verb == "jump" else [])


def test_circles_come_to_an_end() -> None:
    assert closed([[{"jump": {"target": "in"}}]]) == []


def test_where_it_is_said() -> None:
    (found,) = barriers(listing([]), ["wan"])
    assert found == Barrier("inet", "filter", "in", "input", ALL)
    assert str(found) == "chain in of table inet filter"
    assert barriers(listing([], hook="forward"), ["wan"]) == ()
    assert barriers(listing([]), []) == ()


FORWARDED: dict[str, tuple[Rules, tuple[str, ...]]] = {
    "nothing": ([], ("IPv4 of evpn-road", "IPv6 of evpn-road")),
    "from the LAN alone": ([[meta("iifname", "br-lan"), ACCEPT]], ("IPv4 of evpn-road", "IPv6 of evpn-road")),
    "IPv4 alone": ([[meta("nfproto", "ipv4"), ACCEPT]], ("IPv6 of evpn-road",)),
    "tunnels": ([[meta("iifname", "evpn*"), ACCEPT]], ()),
    "to the LAN, from anywhere": ([[meta("oifname", "br-lan"), ACCEPT]], ()),
}


@pytest.mark.parametrize(("rules", "packets"), FORWARDED.values(), ids=FORWARDED)
def test_what_comes_out_of_tunnels(rules: Rules, packets: tuple[str, ...]) -> None:
    found = barriers(listing(rules, hook="forward"), ["wan"], ["evpn-road"])
    assert found == ((Barrier("inet", "filter", "in", "forward", packets),) if packets else ())


@pytest.mark.parametrize("text", ["[]", "{}", '{"nftables": [{"rule": {}}]}', "nft"])
def test_no_listing(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        barriers(text, ["wan"])
