"""Facts about a gateway that is well, to be spoilt one by one; and what is said of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from edgevpn.daemon.health.facts import Check, Ends, Facts, Firewall, Lookup
from edgevpn.daemon.health.fitness import LEAST_SPACE
from edgevpn.diagnosis.entry import Language
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


Ill = tuple[Facts, str, str, str]
"""Facts of which one is bad, the check that says so, how grave it is, and words of what it says."""

VALUES = r"[0-9][0-9.:/-]*[0-9]|[0-9]+|vpn\.example\.org|x\.example|office"


def assert_said(ill: Ill, look: Callable[[Facts], Iterator[Check]]) -> None:
    """The one check says it, with a cure, and in every language."""
    facts, check, level, words = ill
    found = [each for each in look(facts) if (each.id, each.level) == (check, level)]
    assert any(words in each.message[Language.ENGLISH] for each in found)
    for each in found:
        assert_translated(each)
        assert each.cure[Language.ENGLISH]


def assert_translated(check: Check) -> None:
    """It says the same in Japanese, with the same values in it."""
    message, cure = check.message, check.cure
    assert not message[Language.JAPANESE].isascii()
    assert bool(cure[Language.JAPANESE]) == bool(cure[Language.ENGLISH]) == (check.level != "good")
    assert cure[Language.JAPANESE].isascii() == (not cure[Language.ENGLISH])
    values = (set(re.findall(VALUES, message[each])) for each in (Language.ENGLISH, Language.JAPANESE))
    english, japanese = values
    assert english <= japanese
