"""edgevpn.ike.exchange.eap: both automata, message by message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.errors import Cause, InvalidSyntax
from edgevpn.ike.exchange import eap, eap_outcome
from edgevpn.ike.iana import EapCode, EapType
from edgevpn.ike.peer import Login, Password
from edgevpn.ike.proving import (
    AskedIdentity,
    Challenged,
    Confirming,
    EapClient,
    EapFresh,
    EapResponded,
    EapTrusting,
    LookUp,
    Refusing,
)
from edgevpn.ike.wire.mschapv2 import (
    Acknowledgement,
    Challenge,
    ChallengeResponse,
    Failure,
    OpCode,
    Success,
    decode_request,
    decode_response,
)
from edgevpn.ike.wire.payloads import Eap
from tests.support.handshake import an_env

ENV, LOGIN = an_env(seed=7), Login()
ALICE = Password("alice", nt_password_hash("correct horse"))
MALLORY = Password("alice", nt_password_hash("a guess"))


def ask(outcome: object) -> eap_outcome.Ask:
    assert isinstance(outcome, eap_outcome.Ask)
    return outcome


def answer(outcome: object) -> eap.Answer:
    assert isinstance(outcome, eap.Answer)
    return outcome


def identity(asked: eap_outcome.Ask, name: bytes) -> Eap:
    return Eap(EapCode.RESPONSE, asked.message.identifier, EapType.IDENTITY, name)


def challenged(name: bytes = b"alice") -> eap_outcome.Ask:
    """The authenticator's challenge, after this identity."""
    begun = eap.begin(ENV)
    return ask(eap.on_response(begun.state, identity(begun, name), LOGIN, ENV))


def responded(asked: eap_outcome.Ask, password: Password = ALICE) -> tuple[EapClient, Eap]:
    """The peer's response to a challenge."""
    said = answer(eap.on_request(EapFresh(), asked.message, password, ENV))
    return said.state, said.message


def looked_up(asked: eap_outcome.Ask, response: Eap) -> LookUp:
    needed = eap.on_response(asked.state, response, LOGIN, ENV)
    assert isinstance(needed, eap_outcome.NeedPassword)
    return needed.look_up


def judged(nt_hash: bytes | None, password: Password = ALICE, name: bytes = b"alice") -> eap_outcome.Ask:
    """The authenticator's judgement of a response."""
    asked = challenged(name)
    _, response = responded(asked, password)
    return eap.on_password(looked_up(asked, response), nt_hash, ENV)


def acknowledged(asked: eap_outcome.Ask, operation: OpCode) -> Eap:
    return Eap(EapCode.RESPONSE, asked.message.identifier, EapType.MSCHAPV2, Acknowledgement(operation).encode())


# --- both together -------------------------------------------------------------------------------------------------


def test_both_get_the_same_key() -> None:
    begun = eap.begin(ENV)
    assert begun.message == Eap(EapCode.REQUEST, begun.message.identifier, EapType.IDENTITY)

    said = answer(eap.on_request(EapFresh(), begun.message, ALICE, ENV))
    assert (said.message.eap_type, said.message.data) == (EapType.IDENTITY, b"alice")

    asked = ask(eap.on_response(begun.state, said.message, LOGIN, ENV))
    said = answer(eap.on_request(said.state, asked.message, ALICE, ENV))
    look_up = looked_up(asked, said.message)
    assert look_up.user == "alice"

    asked = eap.on_password(look_up, ALICE.nt_hash, ENV)
    assert isinstance(asked.state, Confirming)
    said = answer(eap.on_request(said.state, asked.message, ALICE, ENV))
    assert isinstance(said.state, EapTrusting)

    done = eap.on_response(asked.state, said.message, LOGIN, ENV)
    assert isinstance(done, eap_outcome.Succeeded)
    assert (done.user, done.message.code) == ("alice", EapCode.SUCCESS)
    in_ = eap.on_request(said.state, done.message, ALICE, ENV)
    assert isinstance(in_, eap.LoggedIn)
    assert in_.msk == done.msk
    assert len(in_.msk) == 64


def test_challenge_has_a_name() -> None:
    """strongSwan takes none without (RFC 2759 §3: one octet or more)."""
    packet = decode_request(challenged().message.data)
    assert isinstance(packet, Challenge)
    assert packet.name


def test_identifiers_go_round() -> None:
    """One octet counts the requests, and a success or failure bears the number of the response that it follows."""
    state = AskedIdentity(255)
    asked = ask(eap.on_response(state, Eap(EapCode.RESPONSE, 255, EapType.IDENTITY, b"alice"), LOGIN, ENV))
    assert asked.message.identifier == 0


# --- authenticator -------------------------------------------------------------------------------------------------

NAMES = {
    "as in the identity": (b"alice", b"alice", "alice"),
    "with a domain": (b"OFFICE\\alice", b"OFFICE\\alice", "alice"),
    "with a domain in one of them": (b"PC\\alice", b"alice", "alice"),
    "no identity, as Android": (b"", b"alice", "alice"),
    "no name in the response": (b"alice", b"", "alice"),
    "no text": (b"\xff\xfe", b"\xff\xfe", "\\xff\\xfe"),
}


@pytest.mark.parametrize(("typed", "responds", "user"), NAMES.values(), ids=NAMES)
def test_who_logs_in(typed: bytes, responds: bytes, user: str) -> None:
    asked = challenged(typed)
    packet = ChallengeResponse(1, bytes(16), bytes(24), responds)
    response = Eap(EapCode.RESPONSE, asked.message.identifier, EapType.MSCHAPV2, packet.encode())
    assert looked_up(asked, response).user == user


def test_domain_is_not_in_the_proof() -> None:
    """RFC 2759 §8.2: the hash covers the name without what stands before it."""
    domain = Password("OFFICE\\alice", ALICE.nt_hash)
    assert isinstance(judged(ALICE.nt_hash, domain, b"OFFICE\\alice").state, Confirming)


def test_one_name_for_the_identity_and_another_with_the_password() -> None:
    """A right password of somebody else does not make one somebody else: bob logs in as bob, or not at all."""
    asked = judged(ALICE.nt_hash, ALICE, b"bob")
    assert isinstance(asked.state, Challenged)
    assert asked.state.failed == (Cause.OTHER_USER,)


def test_unknown_user_and_wrong_password_look_alike() -> None:
    """Same message, same length, same next step; only the owner is told which it was."""
    unknown, wrong = judged(None), judged(ALICE.nt_hash, MALLORY)
    for asked in (unknown, wrong):
        failure = decode_request(asked.message.data)
        assert isinstance(failure, Failure)
        assert (failure.error, failure.retry, failure.text) == (691, True, eap.FAILURE_TEXT)
    assert len(unknown.message.data) == len(wrong.message.data)
    assert isinstance(unknown.state, Challenged)
    assert isinstance(wrong.state, Challenged)
    assert (unknown.state.failed, wrong.state.failed) == ((Cause.USER_UNKNOWN,), (Cause.WRONG_PASSWORD,))


def test_another_try() -> None:
    """With the challenge of the failure; the right password then lets in (RFC 2759 §9.1.4)."""
    asked = judged(ALICE.nt_hash, MALLORY)
    failure = decode_request(asked.message.data)
    assert isinstance(failure, Failure)
    assert failure.challenge
    renewed = Challenge(9, failure.challenge)
    request = Eap(EapCode.REQUEST, asked.message.identifier, EapType.MSCHAPV2, renewed.encode())
    said = answer(eap.on_request(EapFresh(), request, ALICE, ENV))
    assert isinstance(eap.on_password(looked_up(asked, said.message), ALICE.nt_hash, ENV).state, Confirming)


def test_three_tries() -> None:
    """After the third wrong password there is no other (RFC 2759 §9.1.5)."""
    asked = challenged()
    for number in range(1, eap.MAX_TRIES + 1):
        packet = ChallengeResponse(number, bytes(16), bytes(24), b"alice")
        response = Eap(EapCode.RESPONSE, asked.message.identifier, EapType.MSCHAPV2, packet.encode())
        asked = eap.on_password(looked_up(asked, response), ALICE.nt_hash, ENV)
        failure = decode_request(asked.message.data)
        assert isinstance(failure, Failure)
        assert failure.retry is (number < eap.MAX_TRIES)
    assert isinstance(asked.state, Refusing)

    done = eap.on_response(asked.state, acknowledged(asked, OpCode.FAILURE), LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert (done.message.code, done.cause, done.user) == (EapCode.FAILURE, Cause.WRONG_PASSWORD, "alice")


def test_no_other_try() -> None:
    """A peer that gives up after a wrong password has failed for that reason."""
    asked = judged(ALICE.nt_hash, MALLORY)
    done = eap.on_response(asked.state, acknowledged(asked, OpCode.FAILURE), LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert done.cause is Cause.WRONG_PASSWORD


def test_who_gives_up_is_who_the_last_try_named() -> None:
    """Android's EAP identity is empty, and the name comes with the password alone."""
    begun = eap.begin(ENV)
    asked = eap.on_response(begun.state, identity(begun, b""), LOGIN, ENV)
    assert isinstance(asked, eap_outcome.Ask)
    packet = ChallengeResponse(1, bytes(16), bytes(24), b"carol")
    response = Eap(EapCode.RESPONSE, asked.message.identifier, EapType.MSCHAPV2, packet.encode())
    asked = eap.on_password(looked_up(asked, response), None, ENV)
    done = eap.on_response(asked.state, acknowledged(asked, OpCode.FAILURE), LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert (done.cause, done.user) == (Cause.USER_UNKNOWN, "carol")


def test_peer_gives_up_at_once() -> None:
    asked = challenged()
    done = eap.on_response(asked.state, acknowledged(asked, OpCode.FAILURE), LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert done.cause is Cause.EAP_ABANDONED


def test_peer_wants_another_method_once_its_password_was_wrong() -> None:
    """The method is chosen with the first request of it (RFC 3748 §5.3.1)."""
    asked = judged(None)
    nak = Eap(EapCode.RESPONSE, asked.message.identifier, EapType.NAK, bytes([EapType.TLS]))
    done = eap.on_response(asked.state, nak, Login((EapType.MSCHAPV2, EapType.TLS)), ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert (done.cause, done.user) == (Cause.NO_COMMON_METHOD, "alice")


@pytest.mark.parametrize("eap_type", [EapType.NAK, EapType.EXPANDED], ids=["NAK", "expanded NAK"])
def test_peer_has_no_such_method(eap_type: EapType) -> None:
    asked = challenged()
    nak = Eap(EapCode.RESPONSE, asked.message.identifier, eap_type, bytes([EapType.TLS]))
    done = eap.on_response(asked.state, nak, LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert (done.cause, done.message.code) == (Cause.NO_COMMON_METHOD, EapCode.FAILURE)


def test_owner_allows_no_method_that_we_have() -> None:
    begun = eap.begin(ENV)
    done = eap.on_response(begun.state, identity(begun, b"alice"), Login(methods=(EapType.PEAP,)), ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert done.cause is Cause.NO_COMMON_METHOD


def test_peer_does_not_believe_us() -> None:
    """Whatever it says instead of success, it is not let in."""
    asked = judged(ALICE.nt_hash)
    done = eap.on_response(asked.state, acknowledged(asked, OpCode.FAILURE), LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)
    assert done.cause is Cause.EAP_ABANDONED
    done = eap.on_response(asked.state, identity(asked, b"alice"), LOGIN, ENV)
    assert isinstance(done, eap_outcome.Failed)


def test_responses_that_cannot_be() -> None:
    begun, asked = eap.begin(ENV), challenged()
    for state, message in (
        (begun.state, Eap(EapCode.REQUEST, begun.message.identifier, EapType.IDENTITY)),
        (begun.state, Eap(EapCode.RESPONSE, begun.message.identifier ^ 1, EapType.IDENTITY, b"alice")),
        (begun.state, Eap(EapCode.SUCCESS, begun.message.identifier)),
        (begun.state, Eap(EapCode.RESPONSE, begun.message.identifier, EapType.NAK, b"\x0d")),
        (begun.state, identity(begun, b"a" * 257)),
        (asked.state, identity(asked, b"alice")),
        (asked.state, Eap(EapCode.RESPONSE, asked.message.identifier, EapType.MSCHAPV2, b"\x02")),
    ):
        with pytest.raises(InvalidSyntax):
            eap.on_response(state, message, LOGIN, ENV)


def test_same_work_for_who_is_not_there() -> None:
    """What is computed does not depend on whether the user exists: chance stands in for the hash."""
    drawn: list[int] = []

    def entropy(size: int) -> bytes:
        drawn.append(size)
        return bytes(size)

    asked = challenged()
    _, response = responded(asked)
    env = replace(ENV, entropy=entropy)
    assert isinstance(eap.on_password(looked_up(asked, response), None, env).state, Challenged)
    assert drawn == [16, 16]


# --- peer ----------------------------------------------------------------------------------------------------------


def test_peer_naks_what_it_has_not() -> None:
    """A gateway that offers EAP-TLS first is told what we have (RFC 3748 §5.3.1)."""
    said = answer(eap.on_request(EapFresh(), Eap(EapCode.REQUEST, 3, EapType.TLS, b"\x20"), ALICE, ENV))
    assert said.message == Eap(EapCode.RESPONSE, 3, EapType.NAK, bytes([EapType.MSCHAPV2]))
    assert said.state == EapFresh()


def test_peer_confirms_notifications() -> None:
    said = answer(eap.on_request(EapFresh(), Eap(EapCode.REQUEST, 3, EapType.NOTIFICATION, b"hello"), ALICE, ENV))
    assert said.message == Eap(EapCode.RESPONSE, 3, EapType.NOTIFICATION)


def test_peer_shows_the_whole_name() -> None:
    asked = challenged()
    _, message = responded(asked, Password("OFFICE\\alice", ALICE.nt_hash))
    response = decode_response(message.data)
    assert isinstance(response, ChallengeResponse)
    assert response.name == b"OFFICE\\alice"


def test_authenticator_does_not_know_the_password() -> None:
    """It claims success without proof: we do not go in."""
    asked = challenged()
    state, _ = responded(asked)
    packet = Success(1, bytes(20))
    lie = Eap(EapCode.REQUEST, 9, EapType.MSCHAPV2, packet.encode())
    done = eap.on_request(state, lie, ALICE, ENV)
    assert isinstance(done, eap.Rejected)
    assert done.cause is Cause.SERVER_NOT_PROVEN
    for early in (EapFresh(), state):
        done = eap.on_request(early, Eap(EapCode.SUCCESS, 9), ALICE, ENV)
        assert isinstance(done, eap.Rejected)
        assert done.cause is Cause.SERVER_NOT_PROVEN


def test_authenticator_rejects_us() -> None:
    """We confirm that we have seen it, retry nothing, and leave when it says failure."""
    asked = challenged()
    state, _ = responded(asked, MALLORY)
    refusal = judged(ALICE.nt_hash, MALLORY)
    said = answer(eap.on_request(state, refusal.message, MALLORY, ENV))
    assert decode_response(said.message.data) == Acknowledgement(OpCode.FAILURE)
    done = eap.on_request(said.state, Eap(EapCode.FAILURE, 9), MALLORY, ENV)
    assert isinstance(done, eap.Rejected)
    assert done.cause is Cause.WRONG_PASSWORD


def test_requests_that_cannot_be() -> None:
    responded_to = EapResponded(bytes(16), bytes(16), bytes(24))
    for state, message in (
        (EapFresh(), Eap(EapCode.RESPONSE, 1, EapType.IDENTITY)),
        (EapFresh(), Eap(EapCode.REQUEST, 1, EapType.MSCHAPV2, Success(1, bytes(20)).encode())),
        (EapFresh(), Eap(EapCode.REQUEST, 1, EapType.MSCHAPV2, Failure(1, 691, False).encode())),
        (responded_to, Eap(EapCode.REQUEST, 1, EapType.MSCHAPV2, Challenge(1, bytes(16)).encode())),
        (EapTrusting(bytes(64)), Eap(EapCode.REQUEST, 1, EapType.MSCHAPV2, Failure(1, 691, False).encode())),
    ):
        with pytest.raises(InvalidSyntax):
            eap.on_request(state, message, ALICE, ENV)


def test_secrets_are_not_shown() -> None:
    asked = judged(ALICE.nt_hash)
    assert isinstance(asked.state, Confirming)
    done = eap.on_response(asked.state, acknowledged(asked, OpCode.SUCCESS), LOGIN, ENV)
    shown = repr((asked, done, EapResponded(bytes(16), bytes(16), b"n" * 24), EapTrusting(b"m" * 64), ALICE))
    assert "msk" not in shown
    assert "nt_hash" not in shown
    assert "nnnn" not in shown
    assert "mmmm" not in shown
