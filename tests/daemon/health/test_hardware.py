"""edgevpn.daemon.health.hardware: what is said of ciphers, cards and other programs, in both languages."""

from __future__ import annotations

import pytest

from edgevpn.daemon.ciphers.choice import Ciphers
from edgevpn.daemon.health.hardware import Hardware, Insisted, Lacking, Stranger, judgements
from edgevpn.diagnosis.entry import Language
from edgevpn.kernel.trial_results import Result, Verdict

WORKS = Result("aes128gcm16", Verdict.WORKS, "", 9)
BROKEN = Result("aes256gcm16", Verdict.DROPS, "a packet of 64 octets did not arrive", driver="eip93-gcm")

SAID: dict[str, tuple[Hardware, str, str, str]] = {
    "broken cipher": (Hardware(Ciphers({"a": BROKEN, "b": WORKS})), "ciphers", "warning", "eip93-gcm"),
    "wanted all the same": (Hardware(insisted=(Insisted("Site x", "aes256"),)), "ciphers", "bad", "aes256"),
    "lacking": (Hardware(lacking=(Lacking("Site x", ("ke1_mlkem768",)),)), "ciphers", "bad", "ke1_mlkem768"),
    "no TLS": (Hardware(shut_out=("alice", "bob")), "logins", "bad", "alice, bob"),
    "none works": (Hardware(Ciphers({"a": BROKEN})), "ciphers", "warning", "veth"),
    "untried": (Hardware(untried="crypto.self_test is off"), "ciphers", "good", "crypto.self_test is off"),
    "all work": (Hardware(Ciphers({"b": WORKS})), "ciphers", "good", ""),
    "no card": (Hardware(unmet={"site x": "wan has no esp-hw-offload"}), "offload", "warning", "wan has no"),
    "another": (Hardware(strangers=(Stranger(500, "charon (process 7)"),)), "ports", "warning", "charon (process 7)"),
}


@pytest.mark.parametrize(("found", "what", "level", "words"), SAID.values(), ids=SAID)
def test_what_is_said(found: Hardware, what: str, level: str, words: str) -> None:
    ((id_, stands, message, cure),) = judgements(found)
    assert (id_, stands) == (what, level)
    for language in Language:
        assert words in message[language] + cure[language]
        assert bool(cure[language]) == (level != "good")
    assert not message[Language.JAPANESE].isascii()


def test_nothing_is_known() -> None:
    assert list(judgements(Hardware())) == []
