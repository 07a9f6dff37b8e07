"""edgevpn.daemon.attempts.findings: every cause of the catalogue is provoked, and is what the owner is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevpn.config.nouns import setting_at
from edgevpn.diagnosis.attempts import Attempt, Stage
from edgevpn.diagnosis.catalogue import CATALOGUE, cure, sentence
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field
from tests.support.alerts import ALERTS, COMPLAINTS, Elsewhere
from tests.support.provocations import PROVOCATIONS, in_the_middle

ROOT = Path(__file__).parent.parent.parent.parent


def test_no_cause_without_provocation() -> None:
    assert set(PROVOCATIONS) == set(CATALOGUE)


def provoked(code: Code) -> Attempt:
    """What the owner sees of it: the last attempt that came to nothing."""
    return next(each for each in PROVOCATIONS[code]() if each.finding is not None and each.finding.code is code)


@pytest.mark.parametrize("code", list(Code), ids=[code.value for code in Code])
def test_cause_is_found(code: Code) -> None:
    seen = [each.finding.code for each in PROVOCATIONS[code]() if each.finding is not None]
    assert set(seen) - {code} <= ACCOMPANYING.get(code, set())
    assert code in seen
    finding = provoked(code).finding
    assert finding is not None
    wanted = CATALOGUE[code].wants - {Field.DETAIL}
    assert not [field for field in wanted if not finding.get(field)], finding
    assert sentence(finding)
    assert cure(finding)


ACCOMPANYING: dict[Code, set[Code]] = {
    Code.NO_ADDRESS_LEFT: {Code.DELETED_BY_PEER},  # who gets no address leaves again
}


@pytest.mark.parametrize("code", list(Code), ids=[code.value for code in Code])
def test_setting_is_one_that_there_is(code: Code) -> None:
    """Whoever looks for the key that is named finds it."""
    finding = provoked(code).finding
    setting = finding.get(Field.SETTING) if finding else ""
    if setting:
        setting_at(tuple(setting.split(".")))


def test_every_alert_is_told() -> None:
    assert len(ALERTS) == 33


@pytest.mark.parametrize("meaning", [*ALERTS.values(), *COMPLAINTS.values()], ids=[*ALERTS, *COMPLAINTS])
def test_what_others_tell_is_told_here(meaning: Code | Elsewhere) -> None:
    """As a cause that is provoked for real, or elsewhere and for a reason; the test that shows that is there."""
    match meaning:
        case Code():
            assert provoked(meaning).finding is not None
        case Elsewhere(why, shown):
            assert why
            file, _, name = shown.partition("::")
            assert not shown or f"def {name}(" in (ROOT / file).read_text()


WINDOWS_LEAVES = {
    "after our certificate": 4,  # it does not trust the CA, or the name differs: error 13801
    "after our proof of the password": 8,
}


@pytest.mark.parametrize("passing", WINDOWS_LEAVES.values(), ids=WINDOWS_LEAVES)
def test_client_that_leaves_without_a_word(passing: int) -> None:
    """Windows, iPhones and Android say nothing: the place where they stop tells why."""
    watched = in_the_middle(passing)
    watched.pair.run(300)
    (attempt,) = watched.right
    assert attempt.finding is not None
    assert attempt.finding.code is Code.LEFT_UNCONVINCED


@pytest.mark.parametrize("code", [Code.LEFT_UNCONVINCED, Code.ADDRESS_NOT_GIVEN])
def test_peer_that_leaves_at_once_never_connected(code: Code) -> None:
    assert provoked(code).stage is Stage.IKE_AUTH
