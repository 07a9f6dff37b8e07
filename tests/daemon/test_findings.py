"""edgevpn.daemon.findings: every cause of the catalogue is provoked, and is what the owner is told."""

from __future__ import annotations

import pytest

from edgevpn.diagnosis.attempts import Attempt, Stage
from edgevpn.diagnosis.catalogue import CATALOGUE, cure, sentence
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field
from tests.support.provocations import PROVOCATIONS, in_the_middle


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


# The alerts by which strongSwan tells programs of failures, and what the same is here.
ALERTS = {
    "local-auth-failed": Code.REFUSED_BY_PEER,
    "peer-auth-failed": Code.WRONG_KEY,
    "parse-error-header": Code.OLD_VERSION,
    "parse-error-body": Code.MALFORMED,
    "retransmit-send-timeout": Code.NO_ANSWER,
    "half-open-timeout": Code.NOTHING_FOLLOWED,
    "proposal-mismatch-ike": Code.NO_COMMON_IKE_PROPOSAL,
    "proposal-mismatch-child": Code.NO_COMMON_ESP_PROPOSAL,
    "ts-mismatch": Code.NO_COMMON_SELECTORS,
    "install-child-sa-failed": Code.KERNEL_REFUSED,
    "install-child-policy-failed": Code.KERNEL_REFUSED,
    "unique-keep": Code.SECOND_REFUSED,
    "vip-failure": Code.NO_ADDRESS_LEFT,
    "authorization-failed": Code.DEVICE_DISABLED,
    "ike-sa-expired": Code.EXPIRED,
    "cert-expired": Code.CERT_EXPIRED,
    "cert-revoked": Code.CERT_REVOKED,
    "cert-validation-failed": Code.CERT_REVOCATION_UNKNOWN,
    "cert-no-issuer": Code.CERT_UNKNOWN_ISSUER,
    "cert-untrusted-root": Code.CERT_UNKNOWN_ISSUER,
    "cert-exceeded-path-len": Code.CERT_BAD_PATH,
    "cert-policy-violation": Code.CERT_REFUSED,
    "peer-init-unreachable": Code.NO_ANSWER,
}


@pytest.mark.parametrize("code", ALERTS.values(), ids=ALERTS)
def test_alert_has_its_cause(code: Code) -> None:
    assert provoked(code).finding is not None


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
