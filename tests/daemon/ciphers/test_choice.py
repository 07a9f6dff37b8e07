"""edgevpn.daemon.ciphers.choice: what is offered for traffic, in what order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.config.keywords import KEYWORDS, Role
from edgevpn.config.proposals import esp_proposal
from edgevpn.daemon.ciphers.choice import BUILT_IN, UNTRIED, Ciphers, arranged, insisted, tried_as
from edgevpn.kernel.trial_results import Result, Verdict

SPEEDS = {"aes256gcm16": 100, "chacha20poly1305": 300, "aes128gcm16": 900, "aes256-sha256": 500}
MEASURED = Ciphers({name: Result(name, Verdict.WORKS, "", speed) for name, speed in SPEEDS.items()})


def but(name: str, verdict: Verdict) -> Ciphers:
    """All as measured, but for one cipher."""
    return Ciphers({**MEASURED.results, name: Result(name, verdict, "a packet of 64 octets did not arrive")})


def offered(order: tuple[str, ...] = (), ciphers: Ciphers = MEASURED) -> list[tuple[str, ...]]:
    return [each.encr for each in arranged(BUILT_IN, order, ciphers)]


def test_before_a_trial_all_is_as_built_in() -> None:
    assert arranged(BUILT_IN, (), UNTRIED) == BUILT_IN


def test_the_fastest_of_a_class_comes_first() -> None:
    """Long keys before short ones, AEADs before others, whatever their speed."""
    assert offered() == [("chacha20poly1305", "aes256gcm16", "aes128gcm16"), ("aes256", "aes128")]
    fast = Ciphers({**MEASURED.results, "aes256gcm16": Result("aes256gcm16", Verdict.WORKS, "", 301)})
    assert offered(ciphers=fast)[0] == ("aes256gcm16", "chacha20poly1305", "aes128gcm16")


def test_the_owners_list_stands_above_speed_and_class() -> None:
    assert offered(("aes128gcm16", "aes256gcm16"))[0] == ("aes128gcm16", "aes256gcm16", "chacha20poly1305")
    assert offered(("aes256",), UNTRIED)[0] == ("aes256", "aes128")


EXCLUDED = {
    "one AEAD": ("aes256gcm16", Verdict.DROPS, [("chacha20poly1305", "aes128gcm16"), ("aes256", "aes128")]),
    "missing": ("chacha20poly1305", Verdict.MISSING, [("aes256gcm16", "aes128gcm16"), ("aes256", "aes128")]),
    "CBC, of any key length": ("aes256-sha256", Verdict.CORRUPTS, [("chacha20poly1305", "aes256gcm16", "aes128gcm16")]),
}


@pytest.mark.parametrize(("name", "verdict", "left"), EXCLUDED.values(), ids=EXCLUDED)
def test_what_fails_is_not_offered(name: str, verdict: Verdict, left: list[tuple[str, ...]]) -> None:
    assert offered(ciphers=but(name, verdict)) == left


def test_what_drops_or_corrupts_is_named() -> None:
    assert [each.name for each in but("aes256gcm16", Verdict.DROPS).broken] == ["aes256gcm16"]
    assert not but("aes256gcm16", Verdict.MISSING).broken


def test_where_nothing_works_it_is_the_trial_that_fails() -> None:
    nothing = Ciphers({name: replace(each, verdict=Verdict.DROPS) for name, each in MEASURED.results.items()})
    assert arranged(BUILT_IN, (), nothing) == BUILT_IN


def test_what_the_owner_has_written_stays() -> None:
    """Order and broken ciphers too; that they are broken can be said."""
    own = (esp_proposal("aes128gcm16-aes256gcm16"), esp_proposal("aes256-sha256"))
    broken = but("aes256gcm16", Verdict.DROPS)
    assert arranged(own, ("aes256",), broken) == own
    assert insisted(own, broken) == ("aes256gcm16",)
    assert insisted(BUILT_IN, broken) == ()


def test_every_cipher_is_judged_by_one_of_its_kind() -> None:
    ciphers = [word for word, keyword in KEYWORDS.items() if keyword.role is Role.ENCR]
    assert {word: tried_as(word) for word in ciphers if word[-2:] in ("16", "05", "92", "tr")} == {
        "aes128gcm16": "aes128gcm16",
        "aes192gcm16": "aes256gcm16",
        "aes256gcm16": "aes256gcm16",
        "chacha20poly1305": "chacha20poly1305",
        "aes192": "aes256-sha256",
        "aes128ctr": "",
        "aes192ctr": "",
        "aes256ctr": "",
    }
