"""edgevpn.daemon.health.reachable: whether callers reach us, and where they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.daemon.health import reachable
from edgevpn.daemon.health.facts import Check, Facts, Firewall, Lookup
from edgevpn.diagnosis.entry import Language
from edgevpn.kernel.barriers import Barrier
from tests.support.health import HERE, LAN, SHARED, WELL, Ill, assert_said, assert_translated

LOOKS = (reachable.ports, reachable.firewall, reachable.outside, reachable.names)


def looks(facts: Facts) -> list[Check]:
    return [each for look in LOOKS for each in look(facts)]


ILLS: dict[str, Ill] = {
    "no address": (replace(WELL, served=()), "ports", "bad", "No address is served"),
    "no internet": (replace(WELL, outside=()), "wan", "warning", "no way"),
    "carrier NAT": (replace(WELL, outside=(SHARED,)), "wan", "bad", "carrier NAT"),
    "double NAT": (replace(WELL, outside=(LAN,)), "wan", "warning", "Another router"),
    "name of nobody": (replace(WELL, lookups=(Lookup("x.example", ()),)), "name", "bad", "cannot be looked up"),
    "name of another": (replace(WELL, lookups=(Lookup("x.example", (LAN,)),)), "name", "bad", "leads to 192.168.1.2"),
    "name behind NAT": (
        replace(WELL, served=(), outside=(LAN,), lookups=(Lookup("x.example", (HERE,)),)),
        "name",
        "warning",
        "cannot be told",
    ),
    "somebody else's firewall": (
        replace(WELL, firewall=Firewall(barriers=(Barrier("inet", "filter", "input", "input", ("UDP 4500", "ESP")),))),
        "firewall",
        "bad",
        "keeps UDP 4500, ESP out: chain input of table inet filter",
    ),
    "somebody else's, for what is forwarded": (
        replace(WELL, firewall=Firewall(barriers=(Barrier("inet", "filter", "fw", "forward", ("IPv4 of evpn-a",)),))),
        "firewall",
        "bad",
        "forwards nothing that comes out of tunnels, IPv4 of evpn-a: chain fw of table inet filter",
    ),
    "our firewall": (replace(WELL, firewall=Firewall(("add table",))), "firewall", "bad", "add table"),
}


@pytest.mark.parametrize("ill", ILLS.values(), ids=ILLS)
def test_what_ails(ill: Ill) -> None:
    assert_said(ill, lambda facts: iter(looks(facts)))


def test_all_is_well() -> None:
    for each in looks(WELL):
        assert each.level == "good"
        assert_translated(each)


def test_rules_that_are_gone_are_brought_back_by_repair() -> None:
    (check,) = reachable.firewall(replace(WELL, firewall=Firewall(("add table",))))
    assert all("`edgevpn repair`" in check.cure[each] for each in Language)


def test_firewall_that_cannot_be_read() -> None:
    (check,) = reachable.firewall(replace(WELL, firewall=Firewall(unread="no nft")))
    assert (check.level, check.message[Language.ENGLISH]) == ("warning", "The firewall could not be read: no nft.")
