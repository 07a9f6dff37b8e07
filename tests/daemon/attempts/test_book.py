"""edgevpn.daemon.attempts.book: the book as the control socket tells it."""

from __future__ import annotations

import pytest

from edgevpn.daemon.attempts.book import attempt_record, attempt_records
from edgevpn.diagnosis.attempts import Attempt, Attempts, Stage
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field, Finding, Language

FIELDS = {Field.SETTING: "site.office.psk", Field.IDENTITY: "b.example\x1b[2J"}
WRONG_KEY = Finding(Code.WRONG_KEY, FIELDS)
OFFICE = Attempt(5.0, "192.0.2.1", "office", "b.example\x1b[2J", "strongSwan", Stage.IKE_AUTH, WRONG_KEY)
PHONE = Attempt(7.0, "192.0.2.9", "road/password", "alice", "Apple", Stage.UP)


def test_attempt_that_failed() -> None:
    record = attempt_record(OFFICE, 1000.0)
    assert record["sentence"].startswith("site.office.psk: b.example\\x1b[2J is known")
    assert (record["at"], record["peer"], record["cause"]) == (1005.0, "office", "wrong-key")
    assert (record["stage"], record["client"], record["remote"]) == ("ike_auth", "strongSwan", "192.0.2.1")
    assert record["cure"]
    assert (record["side"], record["fact"], record["tries"]) == ("both", "RFC 7296 §2.15: AUTH by a shared key", 1)
    assert "\x1b" not in str(record)


def test_same_time_whenever_it_is_told() -> None:
    """Two clocks that are read one after the other are never quite as far apart as before."""
    assert attempt_record(OFFICE, 1000.000_01)["at"] == attempt_record(OFFICE, 1000.000_03)["at"]


def test_in_japanese() -> None:
    book = Attempts()
    book.note(OFFICE)
    (record,) = attempt_records(book, "", 0.0, Language.JAPANESE)
    assert record["sentence"].endswith("事前共有鍵が一致しません。")
    assert record["fact"] == "RFC 7296 §2.15: 共有鍵による AUTH"


def test_attempt_that_succeeded() -> None:
    record = attempt_record(PHONE, 0.0)
    assert (record["cause"], record["sentence"], record["cure"], record["stage"]) == ("", "", "", "up")
    assert record["peer"] == "alice"


@pytest.mark.parametrize(
    ("peer", "found"),
    [("", 2), ("office", 1), ("road", 1), ("alice", 1), ("192.0.2.9", 1), ("nobody", 0)],
)
def test_of_whom(peer: str, found: int) -> None:
    book = Attempts()
    book.note(OFFICE)
    book.note(PHONE)
    assert len(attempt_records(book, peer, 0.0)) == found
