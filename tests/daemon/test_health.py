"""edgevpn.daemon.health: each check, where all is well and where it is not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from edgevpn.daemon.health import LEAST_SPACE, Ends, Facts, Firewall, Lookup, Silent, judged
from edgevpn.diagnosis.entry import Language
from edgevpn.kernel.barriers import Barrier
from edgevpn.kernel.contract import Features

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
HERE, LAN, SHARED = ip_address("8.8.4.4"), ip_address("192.168.1.2"), ip_address("100.64.3.4")
ALL = Features(esp4=True, esp6=True, xfrm_interface=True, migrate=False)
WELL = Facts(
    now=NOW,
    features=ALL,
    carries_traffic=True,
    served=(HERE,),
    outside=(HERE,),
    lookups=(Lookup("vpn.example.org", (HERE,)),),
    certificates=(Ends("CA", NOW + timedelta(days=900)),),
    faults=(),
    space=LEAST_SPACE * 8,
    silent=(),
    down=(),
    firewall=Firewall(),
)


def levels(facts: Facts) -> dict[str, str]:
    return {each["id"]: each["level"] for each in judged(facts)}


def test_all_is_well() -> None:
    assert set(levels(WELL).values()) == {"good"}
    assert [each["id"] for each in judged(WELL)] == [
        "kernel",
        "ports",
        "firewall",
        "wan",
        "name",
        "clock",
        "certificates",
        "space",
    ]
    assert not any(each["cure"] for each in judged(WELL))


ILLS = {
    "no kernel": (replace(WELL, carries_traffic=False), "kernel", "bad", "no traffic flows"),
    "module": (replace(WELL, features=replace(ALL, xfrm_interface=False)), "kernel", "bad", "xfrm_interface"),
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
    "somebody else's firewall": (
        replace(WELL, firewall=Firewall(barriers=(Barrier("inet", "filter", "input", ("UDP 4500", "ESP")),))),
        "firewall",
        "bad",
        "keeps UDP 4500, ESP out: chain input of table inet filter",
    ),
    "our firewall": (replace(WELL, firewall=Firewall(("add table",))), "firewall", "bad", "add table"),
    "nothing comes back": (replace(WELL, silent=(Silent("office", 0, 5000),)), "traffic", "warning", "none came out"),
    "nothing goes back": (replace(WELL, silent=(Silent("office", 5000, 0),)), "traffic", "warning", "none went back"),
}


@pytest.mark.parametrize(("facts", "check", "level", "words"), ILLS.values(), ids=ILLS)
def test_what_ails(facts: Facts, check: str, level: str, words: str) -> None:
    found = [each for each in judged(facts) if each["id"] == check and each["level"] == level]
    assert any(words in each["message"] for each in found)
    assert all(each["cure"] for each in found)


def test_firewall_that_cannot_be_read() -> None:
    found = next(each for each in judged(replace(WELL, firewall=Firewall(unread="no nft"))) if each["id"] == "firewall")
    assert (found["level"], found["message"]) == ("warning", "The firewall could not be read: no nft.")


@pytest.mark.parametrize("facts", [WELL, *(facts for facts, *_ in ILLS.values())], ids=["well", *ILLS])
def test_the_same_in_japanese(facts: Facts) -> None:
    """Each check and each cure, with the same values in it."""
    english, japanese = judged(facts), judged(facts, Language.JAPANESE)
    assert [(each["id"], each["level"]) for each in japanese] == [(each["id"], each["level"]) for each in english]
    for one, other in zip(english, japanese, strict=True):
        assert not other["message"].isascii()
        assert bool(other["cure"]) == bool(one["cure"]) == (one["level"] != "good")
        assert other["cure"].isascii() == (not one["cure"])
        assert set(re.findall(VALUES, one["message"])) <= set(re.findall(VALUES, other["message"]))


VALUES = r"[0-9][0-9.:/-]*[0-9]|[0-9]+|vpn\.example\.org|x\.example|office"


def test_esp_is_needed_only_for_what_is_served() -> None:
    assert levels(replace(WELL, features=replace(ALL, esp6=False)))["kernel"] == "good"
    served = (HERE, ip_address("2001:db8::1"))
    assert levels(replace(WELL, features=replace(ALL, esp6=False), served=served))["kernel"] == "bad"
