"""edgevpn.daemon.findings: every cause of the catalogue is provoked, and is what the owner is told."""

from __future__ import annotations

import pytest

from edgevpn.diagnosis.attempts import Attempt
from edgevpn.diagnosis.catalogue import CATALOGUE, cure, sentence
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field
from tests.support.provocations import PROVOCATIONS


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
