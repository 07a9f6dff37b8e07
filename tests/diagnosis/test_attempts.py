"""edgevpn.diagnosis.attempts: what is kept, and how little of it strangers can fill."""

from __future__ import annotations

from dataclasses import replace

from edgevpn.diagnosis.attempts import KEPT, KEPT_OF_ADDRESS, KEPT_OF_STRANGERS, SAME_WITHIN, Attempt, Attempts, Stage
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Finding

KNOCK = Attempt(0.0, "192.0.2.7", finding=Finding(Code.ADDRESS_UNKNOWN, {}))
FAILED = replace(KNOCK, peer="office", stage=Stage.IKE_AUTH, finding=Finding(Code.WRONG_KEY, {}))


def test_newest_first() -> None:
    book = Attempts()
    for at, each in enumerate((KNOCK, FAILED)):
        book.note(replace(each, at=float(at)))
    assert [each.finding for each in book] == [FAILED.finding, KNOCK.finding]
    assert [each.finding for each in book.of("office")] == [FAILED.finding]
    assert len(list(book.of("192.0.2.7"))) == 2


def test_same_once_more_only_counts() -> None:
    told: list[Attempt] = []
    book = Attempts(told.append)
    for at in (0.0, 5.0, SAME_WITHIN + 4):
        book.note(replace(FAILED, at=at))
    (attempt,) = book
    assert (attempt.tries, attempt.at) == (3, SAME_WITHIN + 4)
    assert [each.tries for each in told] == [1, 2, 3]


def test_later_or_otherwise_is_another() -> None:
    book = Attempts()
    book.note(FAILED)
    book.note(replace(FAILED, at=1.0, identity="somebody else"))
    book.note(replace(FAILED, at=SAME_WITHIN + 2, identity="somebody else"))
    assert [each.tries for each in book] == [1, 1, 1]


def test_strangers_push_out_nobody() -> None:
    """A flood of forged addresses leaves what peers have done where it is."""
    book = Attempts()
    book.note(FAILED)
    for number in range(1000):
        book.note(replace(KNOCK, at=float(number), remote=f"10.0.{number // 256}.{number % 256}"))
    assert len(list(book)) == KEPT_OF_STRANGERS + 1
    assert len(list(book.of("office"))) == 1


def test_strangers_push_out_no_call_of_ours() -> None:
    """Nobody has answered it, so it has come no further than what strangers send."""
    book = Attempts()
    book.note(replace(KNOCK, peer="office", finding=Finding(Code.NO_ANSWER, {}), called=True))
    for number in range(KEPT_OF_STRANGERS + 10):
        book.note(replace(KNOCK, at=float(number), remote=str(number)))
    assert len(list(book.of("office"))) == 1


def test_one_address_fills_nothing() -> None:
    book = Attempts()
    for number in range(1000):
        book.note(replace(FAILED, at=float(number), identity=str(number)))
    assert len(list(book)) == KEPT_OF_ADDRESS


def test_all_together_are_bounded() -> None:
    book = Attempts()
    for number in range(KEPT + 10):
        book.note(replace(FAILED, at=float(number), remote=str(number)))
    assert len(list(book)) == KEPT
