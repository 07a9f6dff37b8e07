"""edgevpn.daemon.health.checks: every check in the order in which an owner goes through them, in every language."""

from __future__ import annotations

from dataclasses import replace

from edgevpn.daemon.health.checks import judged
from edgevpn.diagnosis.entry import Language
from tests.support.health import WELL


def test_all_is_well() -> None:
    assert {each["level"] for each in judged(WELL)} == {"good"}
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


def test_languages_differ_in_words_alone() -> None:
    ill = replace(WELL, served=(), down=("office",), lost=("ip link add",))
    english, japanese = judged(ill), judged(ill, Language.JAPANESE)
    assert [(each["id"], each["level"]) for each in japanese] == [(each["id"], each["level"]) for each in english]
    assert all(one["message"] != other["message"] for one, other in zip(english, japanese, strict=True))


def test_without_a_kernel_nothing_is_said_of_it() -> None:
    """Neither of ciphers nor of network cards: there is one bad check that says enough."""
    found = judged(replace(WELL, carries_traffic=False))
    assert [each["level"] for each in found if each["id"] in ("kernel", "ciphers", "offload")] == ["bad"]
