"""What `edgevpn replay` says of the attempts in a bundle. A bundle may come from anybody: nothing in it is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, TypedDict, TypeVar

from edgevpn.daemon.attempts.asked import LONGEST, Negotiation, Unreadable, read
from edgevpn.daemon.attempts.replay import Judge, Judgement, Outcome
from edgevpn.diagnosis.attempts import Stage
from edgevpn.diagnosis.catalogue import cure, sentence
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import shown
from edgevpn.frozen import dataclass

T = TypeVar("T", Stage, Code)

LAST = "last"
NEVER_ASKED = "what was asked: nothing of it has been seen, or it was too much to be kept"
CURE = "make one with `edgevpn diagnose --bundle`, and leave it as it is"


class BadBundle(Exception):  # noqa: N818 - what is the case
    """A text is no bundle: where not, why not, and what helps."""


class Replayed(TypedDict):
    """An attempt of a bundle, and what would become of it: `now` is why it would fail, `needs` is left unjudged."""

    at: float
    peer: str
    remote: str
    identity: str
    stage: str
    cause: str
    was: str
    outcome: Literal["passes", "fails", "unknown"]
    now: str
    sentence: str
    cure: str
    needs: list[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt of a bundle that came to nothing."""

    at: float
    peer: str
    remote: str
    identity: str
    stage: Stage
    cause: Code
    sentence: str
    negotiation: Negotiation | None

    @property
    def who(self) -> tuple[str, str, str]:
        """Whose attempt it was."""
        return self.peer, self.identity, self.remote


def failed_attempts(text: str, peer: str = "") -> list[Failed]:
    """The newest failure of everybody in a bundle, of one `peer`, or of whoever failed "last". Raises BadBundle."""
    newest: dict[tuple[str, str, str], Failed] = {}
    for each in _attempts(text):
        if peer in ("", LAST, *each.who):
            newest.setdefault(each.who, each)
    return list(newest.values())[:1] if peer == LAST else list(newest.values())


def replayed(failed: Failed, judge: Judge) -> Replayed:
    """What would become of it now."""
    judgement = judge.judge(failed.negotiation, failed.cause) if failed.negotiation else Judgement(Outcome.UNKNOWN)
    found = judgement.finding
    return Replayed(
        at=failed.at,
        peer=failed.peer,
        remote=failed.remote,
        identity=failed.identity,
        stage=failed.stage.value,
        cause=failed.cause.value,
        was=failed.sentence,
        outcome=judgement.outcome.value,
        now=found.code.value if found else "",
        sentence=sentence(found) if found else "",
        cure=cure(found) if found else "",
        needs=[need.value for need in judgement.needs] if failed.negotiation else [NEVER_ASKED],
    )


# --- below ---------------------------------------------------------------------------------------------------------


def _attempts(text: str) -> Iterator[Failed]:
    """Those that failed before they were up, the newest first."""
    try:
        bundle = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"it is no JSON ({shown(str(error))}); {CURE}") from None
    attempts = bundle.get("attempts") if isinstance(bundle, dict) else None
    if not isinstance(attempts, list):
        raise BadBundle(f'it has no list "attempts"; {CURE}')
    for index, attempt in enumerate(attempts):
        try:
            failed = _failed(attempt)
        except Unreadable as error:
            place = ".".join(filter(None, (f"attempts[{index}]", error.place)))
            raise BadBundle(shown(f"{place}: {error.fault}", LONGEST) + f"; {CURE}") from None
        if failed is not None:
            yield failed


def _failed(attempt: object) -> Failed | None:
    if not isinstance(attempt, dict):
        raise Unreadable("", "is no object")
    words = {key: _text(attempt, key) for key in ("peer", "remote", "identity", "sentence", "stage", "cause")}
    if not words["cause"] or words["stage"] == Stage.UP.value:
        return None
    return Failed(
        at=_number(attempt, "at"),
        peer=words["peer"],
        remote=words["remote"],
        identity=words["identity"],
        stage=_one_of(Stage, words["stage"], "stage"),
        cause=_one_of(Code, words["cause"], "cause"),
        sentence=words["sentence"],
        negotiation=_negotiation(attempt),
    )


def _negotiation(attempt: dict[str, Any]) -> Negotiation | None:
    if "asked" not in attempt:
        raise Unreadable("asked", "is missing, as in bundles of an earlier edgevpn")
    try:
        return None if attempt["asked"] is None else read(attempt["asked"])
    except Unreadable as error:
        raise Unreadable(f"asked.{error.place}".rstrip("."), error.fault) from None


def _text(attempt: dict[str, Any], key: str) -> str:
    value = attempt.get(key)
    if not isinstance(value, str) or len(value) > LONGEST:
        raise Unreadable(key, "is no text, or too long a one")
    return shown(value, LONGEST)


def _number(attempt: dict[str, Any], key: str) -> float:
    value = attempt.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Unreadable(key, "is no number")
    with suppress(OverflowError):
        return float(value)
    raise Unreadable(key, "is too large a number")


def _one_of(kind: type[T], value: str, key: str) -> T:
    try:
        return kind(value)
    except ValueError:
        raise Unreadable(key, f'"{value}" is none that is known here') from None
