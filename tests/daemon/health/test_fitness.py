"""edgevpn.daemon.health.fitness: whether the machine is fit, and where it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from edgevpn.daemon.health import fitness
from edgevpn.daemon.health.facts import Check, Ends, Facts, Silent, Suspect
from edgevpn.diagnosis.entry import Language
from tests.support.health import ALL, HERE, NOW, WELL, Ill, assert_said, assert_translated

LOOKS = (
    fitness.kernel,
    fitness.holdings,
    fitness.clock,
    fitness.certificates,
    fitness.space,
    fitness.forwarding,
    fitness.tunnels,
)


def looks(facts: Facts) -> list[Check]:
    return [each for look in LOOKS for each in look(facts)]


def silent(received: int, sent: int, suspect: Suspect) -> Facts:
    return replace(WELL, silent=(Silent("office", received, sent, suspect, "site.office.encap"),))


ILLS: dict[str, Ill] = {
    "no kernel": (replace(WELL, carries_traffic=False), "kernel", "bad", "no traffic flows"),
    "something of ours is gone": (
        replace(WELL, lost=("ip link add evpn-office type xfrm",)),
        "kernel",
        "bad",
        "what would bring it back: ip link add evpn-office type xfrm.",
    ),
    "module": (replace(WELL, features=replace(ALL, xfrm_interface=False)), "kernel", "bad", "xfrm_interface"),
    "clock": (replace(WELL, now=datetime(1970, 1, 2, tzinfo=UTC)), "clock", "bad", "1970-01-02"),
    "certificate": (
        replace(WELL, certificates=(Ends("CA", NOW + timedelta(days=9)),)),
        "certificates",
        "warning",
        "9 more days",
    ),
    "certificate at its end": (
        replace(WELL, certificates=(Ends("CA", NOW - timedelta(days=1)),)),
        "certificates",
        "bad",
        "has expired",
    ),
    "certificate of no use": (replace(WELL, faults=("it is damaged",)), "certificates", "bad", "damaged"),
    "flash": (replace(WELL, space=1024), "space", "bad", "1 KiB"),
    "site": (replace(WELL, down=("office",)), "tunnel", "warning", "office is down"),
    "nothing comes back": (silent(0, 5000, Suspect.PEER), "traffic", "warning", "none came out"),
    "nothing goes back": (silent(5000, 0, Suspect.LAN), "traffic", "warning", "none went back"),
    "no forwarding": (replace(WELL, unforwarded=(4,)), "forwarding", "bad", "does not forward IPv4"),
}


@pytest.mark.parametrize("ill", ILLS.values(), ids=ILLS)
def test_what_ails(ill: Ill) -> None:
    assert_said(ill, lambda facts: iter(looks(facts)))


WAYS_OUT = {
    Suspect.DAMAGED: "esp_proposals",
    Suspect.BARE_ESP: "site.office.encap = true",
    Suspect.PEER: "no route back",
    Suspect.FORWARDING: "does not forward",
    Suspect.FIREWALL: "firewall of this machine",
    Suspect.LAN: "gateway",
}


@pytest.mark.parametrize("suspect", Suspect)
def test_what_helps_depends_on_who_is_suspected(suspect: Suspect) -> None:
    (check,) = fitness.tunnels(silent(0, 5000, suspect))
    assert WAYS_OUT[suspect] in check.cure[Language.ENGLISH]
    assert_translated(check)


def test_without_traffic_nothing_is_forwarded() -> None:
    assert not list(fitness.forwarding(replace(WELL, carries_traffic=False, unforwarded=(4,))))


def test_all_is_well() -> None:
    for each in looks(WELL):
        assert each.level == "good"
        assert_translated(each)


def test_what_is_gone_is_brought_back_by_repair() -> None:
    """Of many things a few are named."""
    (check,) = fitness.holdings(replace(WELL, lost=("a", "b", "c", "d")))
    assert check.message[Language.ENGLISH].endswith("a; b; c and 1 more.")
    assert all("`edgevpn repair`" in check.cure[each] for each in Language)


def test_esp_is_needed_only_for_what_is_served() -> None:
    lacking = replace(WELL, features=replace(ALL, esp6=False))
    assert [each.level for each in fitness.kernel(lacking)] == ["good"]
    served = (HERE, ip_address("2001:db8::1"))
    assert [each.level for each in fitness.kernel(replace(lacking, served=served))] == ["bad"]
