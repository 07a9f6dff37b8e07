"""edgevpn.ike.machine: every state meets every event once, and what does not belong to one exchange alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgevpn.ike.clients import UNKNOWN
from edgevpn.ike.contract import (
    Ask,
    ChildExpired,
    ChildFailed,
    IkeSaDown,
    InstallFailed,
    RemoveChild,
    Report,
    Request,
    Response,
    Terminate,
    Traffic,
)
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.signature import RSA_SHA1
from edgevpn.ike.errors import (
    Cause,
    ChildSaNotFound,
    Discard,
    InvalidSyntax,
    NoProposalChosen,
    StateNotFound,
    TemporaryFailure,
)
from edgevpn.ike.exchange.create_child_sa import create_child
from edgevpn.ike.iana import EapType, ExchangeType, Ke, NotifyType, ProtocolId
from edgevpn.ike.machine import disappointed, refusal, step, take_up
from edgevpn.ike.peer import Certified, Login
from edgevpn.ike.proving import (
    AddingKeys,
    AskedIdentity,
    Challenged,
    CheckingCertificates,
    CheckingResponder,
    Claim,
    EapAnswering,
    EapAsking,
    EapFresh,
    EapLookingUp,
    EapProven,
    EapProving,
    FindingKey,
    LeasingAddress,
    LookUp,
    PreparingAuth,
    Proven,
    SigningAnswer,
)
from edgevpn.ike.questions import (
    CertificatesRefused,
    CertificatesVerified,
    Leased,
    PasswordFound,
    PskFound,
    Signed,
)
from edgevpn.ike.session import BY_KEY, ByEap
from edgevpn.ike.state import (
    CheckingPath,
    Close,
    Closed,
    Closing,
    Contending,
    CreateChild,
    DeleteChild,
    Established,
    Initiating,
    Mobility,
    Phase,
    Probe,
    Probing,
    RekeyChild,
    Rekeyed,
    RekeyIke,
    RekeyingIke,
    Rival,
)
from edgevpn.ike.steps import (
    Call,
    Due,
    Event,
    IkeSa,
    Inherit,
    Redundant,
    Respond,
    RivalGone,
    Step,
    Superseded,
    TakeUp,
    Tell,
    Unanswered,
)
from edgevpn.ike.wire.mschapv2 import ChallengeResponse
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete, KeyExchange
from tests.support.handshake import LEFT_PATH, all_of, an_env, auth_response, initiated, kinds, open_sa, the
from tests.support.peers import RIGHT_ID, TO_LEFT, TO_RIGHT
from tests.support.states import SPI_I, a_child, an_sa, secured, the_other
from tests.support.world import credential

OPENED = open_sa(TO_RIGHT, (TO_LEFT,))
REKEYED = Rekeyed(secured(), TO_RIGHT, LEFT_PATH, due=60.0)
CLOSING = Closing(secured(), TO_RIGHT, LEFT_PATH)
CONTENDING = Contending(secured(spi_i=b"anotheri"), TO_RIGHT, LEFT_PATH, replaces=SPI_I)

STATES: dict[str, IkeSa] = {
    "Initiating": initiated(TO_RIGHT),
    "Authenticating": OPENED.authenticating,
    "HalfOpen": OPENED.half_open,
    "Established": an_sa(a_child()),
    "Contending": CONTENDING,
    "Rekeyed": REKEYED,
    "Closing": CLOSING,
    "Closed": Closed("done"),
}


def asks(exchange: ExchangeType, *payloads: object) -> Request:
    return Request(exchange, 0, payloads, LEFT_PATH)  # type: ignore[arg-type]


def answers(exchange: ExchangeType) -> Response:
    return Response(exchange, (Notify(NotifyType.NO_PROPOSAL_CHOSEN),), LEFT_PATH)


A_CHILD = create_child(the_other(an_sa()), CreateChild("lan"), an_env())
EVENTS: dict[str, Event] = {
    "asks IKE_AUTH": asks(ExchangeType.IKE_AUTH),
    "asks CREATE_CHILD_SA": asks(ExchangeType.CREATE_CHILD_SA, *the(Call, A_CHILD).payloads),
    "asks INFORMATIONAL": asks(ExchangeType.INFORMATIONAL),
    "asks IKE_INTERMEDIATE": asks(ExchangeType.IKE_INTERMEDIATE),
    "asks IKE_FOLLOWUP_KE": asks(ExchangeType.IKE_FOLLOWUP_KE),
    "answers IKE_SA_INIT": answers(ExchangeType.IKE_SA_INIT),
    "answers IKE_AUTH": answers(ExchangeType.IKE_AUTH),
    "answers CREATE_CHILD_SA": answers(ExchangeType.CREATE_CHILD_SA),
    "answers INFORMATIONAL": answers(ExchangeType.INFORMATIONAL),
    "answers IKE_FOLLOWUP_KE": answers(ExchangeType.IKE_FOLLOWUP_KE),
    "Due": Due(),
    "Unanswered": Unanswered(),
    "TakeUp": TakeUp(),
    "Inherit": Inherit(an_sa(a_child())),
    "Redundant": Redundant(),
    "RivalGone": RivalGone(),
    "Superseded": Superseded(silently=True),
    "Ask": Ask(SPI_I, Probe()),
    "Terminate": Terminate(SPI_I),
    "ChildExpired": ChildExpired(b"in_1", hard=False),
    "InstallFailed": InstallFailed(b"in_1", "no memory"),
    "Traffic": Traffic(SPI_I, None),
}

# + is dealt with; . is of no use here, and reported; of requests, which must have their answer, ! is a fault of the
# peer's, t must wait (TEMPORARY_FAILURE), and d comes too early and may come again.
MATRIX = """
                         Initiating Authenticating HalfOpen Established Contending Rekeyed Closing Closed
asks IKE_AUTH            d          d              +        !           d          !       !       !
asks CREATE_CHILD_SA     d          d              !        +           d          t       t       !
asks INFORMATIONAL       d          d              !        +           d          +       +       !
asks IKE_INTERMEDIATE    d          d              !        !           d          !       !       !
asks IKE_FOLLOWUP_KE     d          d              !        !           d          t       t       !
answers IKE_SA_INIT      +          .              .        .           .          +       +       .
answers IKE_AUTH         .          +              .        .           .          +       +       .
answers CREATE_CHILD_SA  .          .              .        +           .          +       +       .
answers INFORMATIONAL    .          .              .        +           .          +       +       .
answers IKE_FOLLOWUP_KE  .          .              .        +           .          +       +       .
Due                      .          .              +        +           .          +       .       .
Unanswered               +          +              .        +           .          +       +       .
TakeUp                   .          .              .        +           .          .       .       .
Inherit                  .          .              .        .           +          .       .       .
Redundant                .          .              .        .           +          .       .       .
RivalGone                .          .              .        .           .          .       .       .
Superseded               .          .              .        +           .          .       .       .
Ask                      .          .              .        +           .          .       .       .
Terminate                +          +              .        +           +          +       .       .
ChildExpired             .          .              .        +           .          .       .       .
InstallFailed            .          .              .        +           .          .       .       .
Traffic                  .          .              .        +           .          .       .       .
"""
HEADER, *ROWS = MATRIX.strip("\n").splitlines()
CELLS = [(state, row[:24].strip(), row[HEADER.index(state)]) for row in ROWS for state in HEADER.split()]


def outcome(sa: IkeSa, event: Event) -> str:
    try:
        done = step(sa, event, an_env())
    except Discard:
        return "d"
    except TemporaryFailure:
        return "t"
    except (InvalidSyntax, StateNotFound):
        return "!"
    if any(report.event == "unexpected" for report in all_of(Report, done)):
        assert done.sa is sa
        assert kinds(done) == [Report]
        return "."
    return "+"


@pytest.mark.parametrize(("state", "event", "expected"), CELLS, ids=[f"{state}: {event}" for state, event, _ in CELLS])
def test_state_meets_event(state: str, event: str, expected: str) -> None:
    assert outcome(STATES[state], EVENTS[event]) == expected


def test_matrix_is_whole() -> None:
    assert [(state, event) for state, event, _ in CELLS] == [(state, event) for event in EVENTS for state in STATES]


# --- before there is an IKE SA ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Initiating", "Authenticating"])
def test_nobody_answers(name: str) -> None:
    done = step(STATES[name], Unanswered(), an_env())
    assert isinstance(done.sa, Closed)
    assert not the(IkeSaDown, done).asked


@pytest.mark.parametrize("name", ["Initiating", "Authenticating"])
def test_called_off(name: str) -> None:
    done = step(STATES[name], Terminate(SPI_I), an_env())
    assert isinstance(done.sa, Closed)
    assert the(IkeSaDown, done).asked


def test_nobody_comes_to_authenticate() -> None:
    done = step(OPENED.half_open, Due(), an_env())
    assert isinstance(done.sa, Closed)


# --- tasks -----------------------------------------------------------------------------------------------------------


def established(done: Step) -> Established:
    assert isinstance(done.sa, Established)
    return done.sa


def test_one_task_at_a_time() -> None:
    """RFC 7296 §2.3: a window of one."""
    first = step(an_sa(a_child()), Ask(SPI_I, Probe()), an_env())
    assert established(first).doing == Probing()
    second = step(established(first), Ask(SPI_I, DeleteChild(b"in_1")), an_env())
    assert second == Step(replace(established(first), todo=(DeleteChild(b"in_1"),)))
    third = step(established(second), Response(ExchangeType.INFORMATIONAL, (), LEFT_PATH), an_env())
    assert the(Call, third).payloads == (Delete(ProtocolId.ESP, (b"in_1",)),)


def test_task_without_an_object_is_passed_over() -> None:
    sa = an_sa(todo=(DeleteChild(b"none"), RekeyChild(b"none"), Probe()))
    done = take_up(Step(sa), an_env())
    assert done.sa == an_sa(doing=Probing())


def test_what_was_refused_waits_and_the_rest_does_not() -> None:
    sa = an_sa(a_child(), todo=(CreateChild("dmz"), RekeyIke(), RekeyChild(b"in_1"), Probe()), wake=15.0)
    done = take_up(Step(sa), an_env())
    assert done.sa == replace(sa, todo=sa.todo[:3], doing=Probing())
    assert take_up(Step(replace(sa, todo=sa.todo[:3])), an_env()) == Step(replace(sa, todo=sa.todo[:3]))


def test_every_kind_of_task_asks_something() -> None:
    for task in (CreateChild("lan"), RekeyIke(), Probe(), Close("told to")):
        assert len(all_of(Call, take_up(Step(an_sa(todo=(task,))), an_env()))) == 1
    for about in (RekeyChild(b"in_1"), DeleteChild(b"in_1")):
        assert len(all_of(Call, take_up(Step(an_sa(a_child(), todo=(about,))), an_env()))) == 1


def test_child_that_the_kernel_refuses() -> None:
    """It is deleted again, and whoever wanted it hears why."""
    done = step(an_sa(a_child()), InstallFailed(b"in_1", "no such cipher"), an_env())
    assert the(ChildFailed, done).reason == "no such cipher"
    assert the(Call, done).payloads == (Delete(ProtocolId.ESP, (b"in_1",)),)
    assert established(done).children[0].phase is Phase.DELETING
    assert step(an_sa(), InstallFailed(b"in_1", "too late"), an_env()) == Step(an_sa())


# --- closing ---------------------------------------------------------------------------------------------------------

REKEYING = established(step(an_sa(a_child()), Ask(SPI_I, RekeyIke()), an_env()))
assert isinstance(REKEYING.doing, RekeyingIke)
CONTESTED = replace(REKEYING, doing=replace(REKEYING.doing, rival=Rival(b"anotherr", bytes(32))))


def test_closing_waits_for_the_new_ike_sa() -> None:
    """Whatever the peer has made of it must go too, and we do not know that yet."""
    done = step(replace(REKEYING, todo=(Probe(),)), Terminate(SPI_I), an_env())
    assert done == Step(replace(REKEYING, todo=(Close("closed"),)))


def test_replaced_by_another() -> None:
    """The peer knows both, so it is told; or it has forgotten this one, and is not."""
    told = step(an_sa(a_child()), Superseded(silently=False), an_env())
    assert isinstance(told.sa, Closing)
    assert not told.sa.asked
    silent = step(an_sa(a_child()), Superseded(silently=True), an_env())
    assert kinds(silent) == [RemoveChild, IkeSaDown]
    assert isinstance(silent.sa, Closed)


def test_nothing_is_left_of_what_is_contested() -> None:
    """The peer has forgotten the old one, or its answer cannot be used: what it made of it goes as well."""
    silent = step(CONTESTED, Superseded(silently=True), an_env())
    assert the(Tell, silent) == Tell(b"anotherr", Redundant())
    useless = disappointed(CONTESTED, NoProposalChosen("not what we offered"))
    assert the(Tell, useless) == Tell(b"anotherr", Terminate(b"anotherr"))


def test_replaced_one_is_closed_once_it_has_its_answer() -> None:
    """A probe of ours was under way when the peer rekeyed it."""
    busy = replace(REKEYED, busy=True)
    waiting = step(busy, Terminate(SPI_I), an_env())
    assert Call not in kinds(waiting)
    answered = step(busy, answers(ExchangeType.INFORMATIONAL), an_env())
    assert answered == Step(REKEYED)
    assert kinds(step(REKEYED, Terminate(SPI_I), an_env())) == [Call]


def test_addresses_are_heard_of_by_who_speaks_mobike() -> None:
    """An update of addresses moves nothing without MOBIKE, and a COOKIE2 comes back with it."""
    told = asks(ExchangeType.INFORMATIONAL, Notify(NotifyType.COOKIE2, bytes(16)))
    assert the(Respond, step(an_sa(), told, an_env())).payloads == ()
    assert the(Respond, step(an_sa(mobility=Mobility()), told, an_env())).payloads == told.payloads
    checking = an_sa(doing=CheckingPath(bytes(16)))
    forged = Response(ExchangeType.INFORMATIONAL, (Notify(NotifyType.COOKIE2, b"x" * 16),), LEFT_PATH)
    assert isinstance(step(replace(checking, mobility=Mobility()), forged, an_env()).sa, Closing)
    assert step(checking, forged, an_env()) == Step(an_sa())


def test_nobody_answers_any_more() -> None:
    done = step(an_sa(a_child()), Unanswered(), an_env())
    assert kinds(done) == [RemoveChild, IkeSaDown]


def test_peer_s_own_new_ike_sa_stands() -> None:
    """It does not answer on the old one, or closes it: RFC 7296 §2.8.2."""
    for event in (Unanswered(), asks(ExchangeType.INFORMATIONAL, Delete(ProtocolId.IKE))):
        done = step(CONTESTED, event, an_env())
        assert isinstance(done.sa, Closed)
        assert the(Tell, done) == Tell(b"anotherr", Inherit(CONTESTED))
        assert not all_of(RemoveChild, done)


def test_rival_is_gone() -> None:
    assert step(CONTESTED, RivalGone(), an_env()) == Step(REKEYING)


# --- faults ----------------------------------------------------------------------------------------------------------

REQUEST = asks(ExchangeType.CREATE_CHILD_SA)


def test_fault_is_told() -> None:
    done = refusal(an_sa(a_child()), REQUEST, TemporaryFailure("busy"))
    assert done.sa == an_sa(a_child())
    assert the(Respond, done).payloads == (Notify(NotifyType.TEMPORARY_FAILURE),)


def test_child_that_is_not_there_is_named() -> None:
    """RFC 7296 §2.25: with the SPI that the peer gave."""
    done = refusal(an_sa(), REQUEST, ChildSaNotFound(ProtocolId.ESP, b"spi1"))
    assert the(Respond, done).payloads == (Notify(NotifyType.CHILD_SA_NOT_FOUND, protocol=ProtocolId.ESP, spi=b"spi1"),)


def test_fatal_fault_ends_the_ike_sa() -> None:
    """RFC 7296 §2.21.3."""
    done = refusal(an_sa(a_child()), REQUEST, InvalidSyntax("nonsense"))
    assert kinds(done) == [Respond, Report, RemoveChild, IkeSaDown]
    assert isinstance(done.sa, Closed)


@pytest.mark.parametrize("sa", [REKEYED, CLOSING], ids=["rekeyed", "closing"])
def test_fatal_fault_at_the_end_changes_nothing(sa: IkeSa) -> None:
    done = refusal(sa, REQUEST, InvalidSyntax("nonsense"))
    assert done.sa is sa
    assert kinds(done) == [Respond, Report]


def test_answer_that_cannot_be_used() -> None:
    """The peer believes to have an IKE SA, and is told that it has none (RFC 7296 §2.21.2)."""
    done = disappointed(an_sa(a_child(), doing=Probing()), InvalidSyntax("nonsense"))
    assert kinds(done) == [Report, RemoveChild, Call]
    assert isinstance(done.sa, Closing)
    assert not done.sa.waiting

    done = disappointed(OPENED.authenticating, InvalidSyntax("nonsense"))
    assert kinds(done) == [Report, IkeSaDown, Call]
    assert the(Call, done).payloads == (Notify(NotifyType.INVALID_SYNTAX), Delete(ProtocolId.IKE))
    assert isinstance(done.sa, Closing)
    assert done.sa.silent


def test_answer_that_cannot_be_used_before_there_are_keys() -> None:
    """Anybody could have sent it; if nothing better comes, it is the reason."""
    done = disappointed(initiated(TO_RIGHT), NoProposalChosen("not what we offered"))
    assert kinds(done) == [Report]
    assert isinstance(done.sa, Initiating)
    last = step(done.sa, Unanswered(), an_env())
    assert the(IkeSaDown, last).reason == "not what we offered"
    assert the(IkeSaDown, last).cause is Cause.NO_COMMON_PROPOSAL


def test_answer_that_cannot_be_used_at_the_end() -> None:
    done = disappointed(CLOSING, InvalidSyntax("nonsense"))
    assert done.sa is CLOSING
    assert kinds(done) == [Report]


# --- while the two sides prove themselves ----------------------------------------------------------------------------

CLAIM = Claim(OPENED.half_open, OPENED.request(), (TO_LEFT,), UNKNOWN, due=30.0)
GATEWAY = credential("gateway")
LOOK_UP = LookUp(Challenged(1, "alice", bytes(16)), ChallengeResponse(1, bytes(16), bytes(24), b"alice"), "alice")
FIRST = OPENED.authenticating
SHARE = KeyExchange(Ke.CURVE25519, dh.generate(Ke.CURVE25519, an_env().entropy).public)
ADDING = AddingKeys(
    asked=initiated(TO_RIGHT),
    answer=Response(ExchangeType.IKE_SA_INIT, (), LEFT_PATH),
    secured=FIRST.secured,
    nat=FIRST.nat,
    path=FIRST.path,
    opening=FIRST.opening,
    left=(),
    ke=Ke.CURVE25519,
    key_pair=dh.generate(Ke.CURVE25519, an_env().entropy),
)
OF_CERT, OF_LOGIN = replace(TO_LEFT, remote_auth=Certified()), replace(TO_LEFT, remote_auth=Login())

PROVING: dict[str, IkeSa] = {
    "FindingKey": FindingKey(CLAIM),
    "CheckingCertificates": CheckingCertificates(replace(CLAIM, peers=(OF_CERT,))),
    "SigningAnswer": SigningAnswer(CLAIM, GATEWAY, RSA_SHA1, None),
    "EapLookingUp": EapLookingUp(CLAIM, LOOK_UP, CLAIM.asked, None, 1),
    "LeasingAddress": LeasingAddress(CLAIM, Proven(BY_KEY, BY_KEY), CLAIM.asked),
    "EapAsking": EapAsking(replace(CLAIM, peers=(OF_LOGIN,)), AskedIdentity(1), BY_KEY),
    "EapProving": EapProving(CLAIM, "alice", bytes(64), BY_KEY, ByEap(EapType.MSCHAPV2)),
    "AddingKeys": ADDING,
    "PreparingAuth": PreparingAuth(FIRST, GATEWAY, RSA_SHA1, True, 30.0),
    "CheckingResponder": CheckingResponder(replace(FIRST, peer=OF_CERT), auth_response(OPENED.answered()), 30.0),
    "EapAnswering": EapAnswering(FIRST, RIGHT_ID, None, EapFresh()),
    "EapProven": EapProven(FIRST, RIGHT_ID, None, bytes(64)),
}

ANSWERS: dict[str, Event] = {
    "asks IKE_AUTH": EVENTS["asks IKE_AUTH"],
    "asks INFORMATIONAL": EVENTS["asks INFORMATIONAL"],
    "answers IKE_AUTH": EVENTS["answers IKE_AUTH"],
    "asks IKE_INTERMEDIATE": EVENTS["asks IKE_INTERMEDIATE"],
    "answers IKE_INTERMEDIATE": Response(ExchangeType.IKE_INTERMEDIATE, (SHARE,), LEFT_PATH),
    "Due": EVENTS["Due"],
    "Unanswered": EVENTS["Unanswered"],
    "Terminate": EVENTS["Terminate"],
    "Ask": EVENTS["Ask"],
    "Signed": Signed(SPI_I, None),
    "CertificatesVerified": CertificatesVerified(SPI_I, "left", b"no key"),
    "CertificatesRefused": CertificatesRefused(SPI_I, "EXPIRED"),
    "PskFound": PskFound(SPI_I, "left", None),
    "PasswordFound": PasswordFound(SPI_I, "left", None),
    "Leased": Leased(SPI_I, ()),
}

# Of an answer of the world's only the one that is waited for counts. Requests cannot reach the first five: the window
# holds them back while one is under answer.
PROVING_MATRIX = """
                         FindingKey CheckingCertificates SigningAnswer EapLookingUp LeasingAddress EapAsking EapProving
asks IKE_AUTH            !          !                    !             !            !              +         +
asks INFORMATIONAL       !          !                    !             !            !              +         +
answers IKE_AUTH         .          .                    .             .            .              .         .
asks IKE_INTERMEDIATE    !          !                    !             !            !              !         !
answers IKE_INTERMEDIATE .          .                    .             .            .              .         .
Due                      +          +                    +             +            +              +         +
Unanswered               .          .                    .             .            .              .         .
Terminate                .          .                    .             .            .              .         .
Ask                      .          .                    .             .            .              .         .
Signed                   .          .                    +             .            .              .         .
CertificatesVerified     .          +                    .             .            .              .         .
CertificatesRefused      .          +                    .             .            .              .         .
PskFound                 +          .                    .             .            .              .         .
PasswordFound            .          .                    .             +            .              .         .
Leased                   .          .                    .             .            +              .         .
"""
CALLING_MATRIX = """
                         AddingKeys PreparingAuth CheckingResponder EapAnswering EapProven
asks IKE_AUTH            d          d             d                 d            d
asks INFORMATIONAL       d          d             d                 d            d
answers IKE_AUTH         .          .             .                 +            +
asks IKE_INTERMEDIATE    d          d             d                 d            d
answers IKE_INTERMEDIATE +          .             .                 .            .
Due                      +          +             +                 +            +
Unanswered               +          +             +                 +            +
Terminate                +          +             +                 +            +
Ask                      .          .             .                 .            .
Signed                   .          +             .                 .            .
CertificatesVerified     .          .             +                 .            .
CertificatesRefused      .          .             +                 .            .
PskFound                 .          .             .                 .            .
PasswordFound            .          .             .                 .            .
Leased                   .          .             .                 .            .
"""


def cells(matrix: str, width: int) -> list[tuple[str, str, str]]:
    header, *rows = matrix.strip("\n").splitlines()
    starts = [(match[0], match.start()) for match in re.finditer(r"\S+", header)]
    return [(state, row[:width].strip(), row[at]) for row in rows for state, at in starts]


PROVING_CELLS = cells(PROVING_MATRIX, 25) + cells(CALLING_MATRIX, 25)


@pytest.mark.parametrize(
    ("state", "event", "expected"), PROVING_CELLS, ids=[f"{state}: {event}" for state, event, _ in PROVING_CELLS]
)
def test_proving_state_meets_event(state: str, event: str, expected: str) -> None:
    assert outcome(PROVING[state], ANSWERS[event]) == expected


def test_proving_matrix_is_whole() -> None:
    assert {(state, event) for state, event, _ in PROVING_CELLS} == {(s, e) for e in ANSWERS for s in PROVING}
