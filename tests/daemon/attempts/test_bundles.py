"""edgevpn.daemon.attempts.bundles: what is said of the attempts in a bundle, and of bundles that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgevpn.daemon.attempts.book import attempt_record
from edgevpn.daemon.attempts.bundles import CURE, NEVER_ASKED, BadBundle, failed_attempts, replayed
from edgevpn.daemon.attempts.replay import Judge, Need
from edgevpn.diagnosis.codes import Code
from tests.support.certificates import NOW
from tests.support.provocations import PROVOCATIONS
from tests.support.replays import CASES, played, site

CASE = CASES[Code.NO_COMMON_SELECTORS]
RECORD: dict[str, Any] = dict(attempt_record(played(CASE.left, CASE.ours), 0.0))
SILENT: dict[str, Any] = dict(attempt_record(PROVOCATIONS[Code.NO_ANSWER]()[0], 0.0))
UP: dict[str, Any] = RECORD | {"stage": "up", "cause": "", "asked": None, "sentence": ""}


def bundle(*attempts: object) -> str:
    return json.dumps({"edgevpn": "0.1.0", "attempts": attempts})


def test_replayed() -> None:
    (failed,) = failed_attempts(bundle(RECORD))
    same, mended = (replayed(failed, Judge(each, lambda: NOW)) for each in (CASE.ours, CASE.mended))
    assert (same["outcome"], same["now"], same["sentence"]) == ("fails", RECORD["cause"], RECORD["sentence"])
    assert same["cure"] == RECORD["cure"]
    assert (mended["outcome"], mended["now"]) == ("passes", "")
    assert mended["needs"] == [Need.KEY.value, Need.WORLD.value]
    assert (mended["was"], mended["stage"], mended["remote"]) == (RECORD["sentence"], "child", "192.0.2.1")


def test_nothing_was_asked() -> None:
    (failed,) = failed_attempts(bundle(SILENT))
    told = replayed(failed, Judge(site(), lambda: NOW))
    assert (told["outcome"], told["needs"]) == ("unknown", [NEVER_ASKED])


def test_of_whom() -> None:
    """The newest of each; who has come in is none of them."""
    other = RECORD | {"peer": "branch", "identity": "b.example", "at": 1.0}
    text = bundle(UP, RECORD, other, RECORD | {"cause": "wrong-key"})
    assert [each.peer for each in failed_attempts(text)] == ["office", "branch"]
    assert [each.peer for each in failed_attempts(text, "branch")] == ["branch"]
    assert [each.peer for each in failed_attempts(text, "b.example")] == ["branch"]
    assert [each.peer for each in failed_attempts(text, "last")] == ["office"]
    assert failed_attempts(text, "nobody") == []
    assert failed_attempts(text)[0].cause is Code.NO_COMMON_SELECTORS


def test_strangers_text_is_inert() -> None:
    """A bundle may have been written by anybody."""
    (failed,) = failed_attempts(bundle(RECORD | {"sentence": "\x1b[2J<b>\u202e", "identity": "a\nb"}))
    assert (failed.sentence, failed.identity) == ("\\x1b[2J\\x3cb\\x3e\\u202e", "a\\nb")


BAD = {
    "no JSON": ("{", "it is no JSON (Expecting property name enclosed in double quotes"),
    "too deep": ("[" * 100_000, "it is no JSON ("),
    "no object": ("[]", 'it has no list "attempts"'),
    "no attempts": ('{"attempts": 7}', 'it has no list "attempts"'),
    "no attempt": (bundle(UP, 7), "attempts[1]: is no object"),
    "no cause": (bundle(RECORD | {"cause": "bad weather"}), 'attempts[0].cause: "bad weather" is none that is known'),
    "no stage": (bundle(RECORD | {"stage": "moon"}), 'attempts[0].stage: "moon" is none that is known here'),
    "no time": (bundle(RECORD | {"at": "noon"}), "attempts[0].at: is no number"),
    "no end": (bundle(RECORD | {"at": 10**400}), "attempts[0].at: is too large a number"),
    "no text": (bundle(RECORD | {"peer": None}), "attempts[0].peer: is no text, or too long a one"),
    "of an earlier version": (
        bundle({key: value for key, value in RECORD.items() if key != "asked"}),
        "attempts[0].asked: is missing, as in bundles of an earlier edgevpn",
    ),
    "asked by nobody": (bundle(RECORD | {"asked": 7}), "attempts[0].asked: is no object"),
    "damaged": (
        bundle(RECORD | {"asked": RECORD["asked"] | {"tsi": ["\x1b[31m"]}}),
        'attempts[0].asked.tsi[0]: "\\x1b[31m" cannot be read',
    ),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_place_and_cure_are_said(text: str, said: str) -> None:
    with pytest.raises(BadBundle) as refusal:
        failed_attempts(text)
    assert str(refusal.value).startswith(said)
    assert str(refusal.value).endswith(CURE)
