"""edgevpn.daemon.attempts.witness: what is one attempt, and what is not worth a page."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from edgevpn.daemon.attempts.witness import MOST_OPEN, Witness
from edgevpn.daemon.login.devices import Refusal
from edgevpn.diagnosis.attempts import Attempts, Stage
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Field
from edgevpn.ike.contract import Datagram, Reconfigure
from edgevpn.ike.iana import IdType, Ke
from edgevpn.ike.peer import Offer, Psk, Wants
from edgevpn.ike.state import Address, Path, RekeyIke
from edgevpn.ike.wire.payloads import Identification
from tests.support.pair import LEFT, RIGHT
from tests.support.peers import ECP256, GCM, PRF_SHA256, TO_RIGHT, X25519
from tests.support.provocations import (
    BY_PASSWORD,
    KNOWING,
    OFFICE,
    PHONE,
    PROVOCATIONS,
    STAFF,
    Watched,
    of_household,
    second_device,
)


def test_success_is_an_attempt_too() -> None:
    """Retries, cookies and the rounds of EAP are one attempt."""
    watched = Watched(BY_PASSWORD, STAFF, (PHONE, KNOWING)).call(5)
    (attempt,) = watched.right
    assert (attempt.peer, attempt.identity, attempt.stage) == ("road/password", "alice", Stage.UP)
    assert (attempt.remote, attempt.finding, attempt.tries) == (str(LEFT), None, 1)


def test_other_method_is_no_failure() -> None:
    """The peer asks again with the method that we want."""
    offers = (Offer((GCM, PRF_SHA256, X25519)),)
    guess = replace(TO_RIGHT, offers=(Offer((GCM, PRF_SHA256, ECP256, X25519)),))
    watched = Watched(guess, replace(OFFICE, offers=offers)).call(5)
    assert [each.stage for each in watched.right] == [Stage.UP]
    assert watched.pair.right.sa.secured.suite.ke is Ke.CURVE25519


def test_rekeying_is_no_attempt() -> None:
    watched = Watched().call(1)
    watched.pair.left.ask(RekeyIke())
    watched.pair.run(10)
    assert [each.stage for each in watched.right] == [Stage.UP]
    watched.pair.left.terminate()
    watched.pair.run(10)
    assert [each.finding.code for each in watched.right if each.finding] == [Code.DELETED_BY_PEER]


def test_what_we_close_ourselves_is_nothing_to_explain() -> None:
    watched = Watched().call(1)
    watched.pair.right.terminate()
    watched.pair.run(10)
    assert [each.finding for each in watched.right] == [None]


def test_tries_are_counted() -> None:
    watched = Watched(replace(TO_RIGHT, local_auth=Psk(b"another")))
    for _ in range(3):
        watched.call(10)
    (attempt,) = watched.right
    assert attempt.tries == 3


def test_hostile_identity_is_a_value() -> None:
    hostile = Identification(IdType.KEY_ID, b"x\n\x1b[2J<b>" + b"y" * 200)
    (attempt,) = Watched(replace(TO_RIGHT, local_id=hostile)).call(10).right
    assert attempt.finding is not None
    assert attempt.finding.code is Code.IDENTITY_UNKNOWN


def test_same_device_once_more_is_nothing_to_explain() -> None:
    """From the same address, as after it was without a network for a while."""
    seen = [each.finding for each in second_device(LEFT)]
    assert Code.REPLACED not in [finding.code for finding in seen if finding]


def test_what_was_asked_is_kept_of_failures_alone() -> None:
    """Without it who is in would weigh as much as who is not."""
    watched = Watched().call(1)
    assert [each.asked for each in watched.right] == [""]
    (failed,) = Watched(replace(TO_RIGHT, local_auth=Psk(b"another"))).call(10).right
    asked = json.loads(failed.asked)
    assert (asked["idi"], asked["auth"]) == ("FQDN:left.example", "SHARED_KEY")


def test_same_failure_with_another_offer_only_counts() -> None:
    """The newest is kept."""
    watched = Watched(replace(TO_RIGHT, local_auth=Psk(b"another")))
    watched.call(10)
    (first,) = watched.right
    watched.pair.left.tell(Reconfigure((replace(TO_RIGHT, local_auth=Psk(b"another"), wants=Wants(True, False)),)))
    watched.call(10)
    (last,) = watched.right
    assert last.tries == 2
    assert json.loads(last.asked) == {**json.loads(first.asked), "wants": ["ipv4"]}


FAR = {
    Code.NAME_NOT_FOUND: Stage.UNSENT,
    Code.NOT_SERVED: Stage.UNSENT,
    Code.NOT_SENT: Stage.UNSENT,
    Code.NO_ANSWER: Stage.IKE_SA_INIT,
    Code.OTHER_KE: Stage.IKE_SA_INIT,
    Code.IKE_PROPOSAL_REFUSED: Stage.IKE_SA_INIT,
    Code.NO_ANSWER_TO_AUTH: Stage.IKE_AUTH,
    Code.REFUSED_BY_PEER: Stage.IKE_AUTH,
    Code.SELECTORS_REFUSED: Stage.CHILD,
}


@pytest.mark.parametrize("code", FAR, ids=lambda code: code.value)
def test_how_far_a_call_of_ours_comes(code: Code) -> None:
    (attempt,) = (each for each in PROVOCATIONS[code]() if each.finding is not None)
    assert attempt.stage is FAR[code]
    assert attempt.called is (attempt.stage is not Stage.CHILD)


def test_device_is_called_by_its_name() -> None:
    """As its owner calls it, whatever it calls itself."""
    watched = of_household(enabled=False).call()
    (attempt,) = watched.right
    assert (attempt.device, attempt.identity) == ("phone-of-alice", "alice")
    assert attempt.finding is not None
    assert attempt.finding.get(Field.SETTING) == "device.phone-of-alice.enabled"


def test_strangers_leave_little_behind() -> None:
    """Refusals and ports of many IKE SAs are remembered for the last of them only."""
    attempts = Attempts()
    witness = Witness(attempts, 4500, lambda: 0.0)
    path = Path(Address(RIGHT, 4500), Address(LEFT, 4500))
    for number in range(MOST_OPEN * 2):
        spi = number.to_bytes(8, "big")
        witness.saw(Datagram(path, bytes(8) + spi + bytes(12)))
        witness.refused(spi, Refusal.DISABLED)
    held = itertools.chain(witness._on_nat_port, witness._refusals)
    assert len(list(held)) == 2 * MOST_OPEN
    assert not list(attempts)
