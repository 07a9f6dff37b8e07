"""edgevpn.ike.exchange.informational: RFC 7296 §1.4, §2.4, §2.25."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    IkeSaDown,
    InstallOutbound,
    RemoveChild,
    RemoveOutbound,
    Report,
    Request,
    Response,
    Settings,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange import informational
from edgevpn.ike.exchange.create_child_sa import create_child
from edgevpn.ike.exchange.informational import FATAL, MAX_UNKNOWN
from edgevpn.ike.iana import ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.state import (
    Closed,
    Closing,
    CreateChild,
    CreatingChild,
    DeleteChild,
    Deleting,
    Established,
    Phase,
    Probe,
    Probing,
    RekeyChild,
    Rekeyed,
)
from edgevpn.ike.steps import Call, Respond, Step, Tell
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete
from tests.support.handshake import LEFT_PATH, all_of, an_env, kinds, the
from tests.support.pair import connected
from tests.support.peers import LAN, TO_RIGHT, selectors
from tests.support.states import a_child, an_sa, secured

ESP, IKE = ProtocolId.ESP, ProtocolId.IKE
DMZ = replace(LAN, name="dmz", ts_local=selectors("10.1.9.0/24"), ts_remote=selectors("10.2.9.0/24"))
WITH_DMZ = replace(TO_RIGHT, children=(LAN, DMZ))
REKEYED = Rekeyed(secured(), TO_RIGHT, LEFT_PATH, due=60.0)
CLOSING = Closing(secured(), TO_RIGHT, LEFT_PATH)
NOW = an_env(now=10.0)
GONE_AT = 10.0 + Settings().linger


def asks(*payloads: Payload) -> Request:
    return Request(ExchangeType.INFORMATIONAL, 0, payloads, LEFT_PATH)


def answers(*payloads: Payload) -> Response:
    return Response(ExchangeType.INFORMATIONAL, payloads, LEFT_PATH)


def established(step: Step) -> Established:
    assert isinstance(step.sa, Established)
    return step.sa


# --- is the peer there? ----------------------------------------------------------------------------------------------


def test_probe() -> None:
    """-->  SK {}"""
    step = informational.probe(an_sa(a_child()))
    assert step == Step(an_sa(a_child(), doing=Probing()), (Call(ExchangeType.INFORMATIONAL, (), LEFT_PATH),))
    assert informational.on_response(established(step), answers(), NOW) == Step(an_sa(a_child()))


@pytest.mark.parametrize("sa", [an_sa(a_child()), REKEYED, CLOSING], ids=["established", "rekeyed", "closing"])
def test_probe_is_answered(sa: Established | Rekeyed | Closing) -> None:
    """-->  SK {}  <--  SK {}, and nothing changes, as long as there is anything."""
    assert informational.on_request(sa, asks(), NOW) == Step(sa, (Respond(asks()),))


def test_probe_between_two() -> None:
    pair = connected()
    pair.left.ask(Probe())
    pair.run(1)
    assert pair.chart() == "--> INFORMATIONAL request 2:\n<-- INFORMATIONAL response 2:"


def test_status_that_nobody_knows_is_passed_over() -> None:
    request = asks(Notify(NotifyType(40000), b"?"))
    assert informational.on_request(an_sa(), request, NOW) == Step(an_sa(), (Respond(request),))


# --- a child goes ----------------------------------------------------------------------------------------------------


def test_we_delete_a_child() -> None:
    """-->  SK {D(in_1)}  <--  SK {D(out1)}: we do not send any more; what is on its way is taken for a while."""
    step = informational.delete_child(an_sa(a_child(1), a_child(2)), b"in_1")
    assert kinds(step) == [RemoveOutbound, Call]
    assert the(Call, step).payloads == (Delete(ESP, (b"in_1",)),)
    deleting = a_child(1, phase=Phase.DELETING)
    assert step.sa == an_sa(deleting, a_child(2), doing=Deleting((b"in_1",)))

    gone = informational.on_response(established(step), answers(Delete(ESP, (b"out1",))), NOW)
    assert gone.sa == an_sa(a_child(1, phase=Phase.LINGERING, due=GONE_AT), a_child(2))
    assert kinds(gone) == [RemoveOutbound, Report]


@pytest.mark.parametrize("phase", [Phase.DELETING, Phase.LINGERING])
def test_child_is_deleted_once(phase: Phase) -> None:
    sa = an_sa(a_child(phase=phase))
    assert informational.delete_child(sa, b"in_1") == Step(sa)
    assert informational.delete_child(sa, b"none") == Step(sa)


def test_peer_deletes_a_child() -> None:
    """-->  SK {D(out1)}: the answer names what we receive on; the owner hears of it (RFC 7296 §1.4.1)."""
    request = asks(Delete(ESP, (b"out1", b"none")))
    step = informational.on_request(an_sa(a_child(1), a_child(2)), request, NOW)
    assert step.sa == an_sa(a_child(1, phase=Phase.LINGERING, due=GONE_AT), a_child(2))
    assert kinds(step) == [RemoveOutbound, Report, Respond, ChildClosed]
    assert the(Respond, step) == Respond(request, (Delete(ESP, (b"in_1",)),))


def test_peer_deletes_several() -> None:
    """In one payload or in two."""
    request = asks(Delete(ESP, (b"out1",)), Delete(ESP, (b"out2",)))
    step = informational.on_request(an_sa(a_child(1), a_child(2)), request, NOW)
    assert the(Respond, step).payloads == (Delete(ESP, (b"in_1", b"in_2")),)
    assert len(all_of(ChildClosed, step)) == 2


def test_peer_deletes_what_is_not_there() -> None:
    """RFC 7296 §2.25.1: answered without a Delete."""
    for children in ((), (a_child(phase=Phase.LINGERING, due=12.0),)):
        request = asks(Delete(ESP, (b"out1",)))
        assert informational.on_request(an_sa(*children), request, NOW) == Step(an_sa(*children), (Respond(request),))


@pytest.mark.parametrize(("number", "kept"), [(MAX_UNKNOWN, MAX_UNKNOWN), (MAX_UNKNOWN + 1, 0)])
def test_deleted_before_we_know_it(number: int, kept: int) -> None:
    """Remembered while an answer is on its way that may be about it; but there is only one answer."""
    creating = create_child(an_sa(), CreateChild("lan"), an_env()).sa
    assert isinstance(creating, Established)
    spis = tuple(at.to_bytes(4, "big") for at in range(number))
    step = informational.on_request(creating, asks(Delete(ESP, spis)), NOW)
    assert kinds(step) == [Respond]
    doing = established(step).doing
    assert isinstance(doing, CreatingChild)
    assert len(doing.gone) == kept


def test_both_delete_one_child() -> None:
    """RFC 7296 §1.4.1: neither names it in its answer, since the other's request stands for the pair."""
    pair = connected()
    for end in pair.sides:
        end.ask(DeleteChild(end.child.spi_in))
    pair.run(1)
    assert pair.chart() == (
        "--> INFORMATIONAL request 2: D(ESP)\n"
        "<-- INFORMATIONAL request 0: D(ESP)\n"
        "<-- INFORMATIONAL response 2:\n"
        "--> INFORMATIONAL response 0:"
    )
    pair.run(10)
    assert pair.agree()
    assert pair.left.sa.children == ()
    assert len(pair.left.reports("child_gone")) == len(pair.right.reports("child_gone")) == 1


def test_new_pair_sends_when_the_old_one_is_deleted() -> None:
    """RFC 7296 §2.8: the peer has asked for it, so nobody hears that a child was closed."""
    old, new = a_child(1, phase=Phase.REPLACED, due=70.0), a_child(2, phase=Phase.INBOUND, due=15.0, replaces=b"in_1")
    new = replace(new, rekey_at=1800.0)
    step = informational.on_request(an_sa(old, new), asks(Delete(ESP, (b"out1",))), NOW)
    assert kinds(step) == [InstallOutbound, RemoveOutbound, Report, Respond]
    assert established(step).children == (old.turned(Phase.LINGERING, GONE_AT), new.turned(Phase.ACTIVE, 1800.0))


def test_peer_takes_the_new_pair_back() -> None:
    """The old one, on which we still send, goes on, and is to be rekeyed by us."""
    old, new = a_child(1, phase=Phase.REPLACED, due=70.0), a_child(2, phase=Phase.INBOUND, due=15.0, replaces=b"in_1")
    step = informational.on_request(an_sa(old, new), asks(Delete(ESP, (b"out2",))), NOW)
    assert kinds(step) == [RemoveOutbound, Report, Respond]
    again, gone = established(step).children
    assert (again.phase, gone.phase) == (Phase.ACTIVE, Phase.LINGERING)
    assert 64 <= again.due <= 70


@pytest.mark.parametrize("spis", [(b"out1", b"out2"), (b"out2", b"out1")])
def test_peer_deletes_both_pairs_at_once(spis: tuple[bytes, ...]) -> None:
    """In the middle of a rekeying it wants no child any more: nothing goes on, and the owner hears of it, once."""
    old, new = a_child(1, phase=Phase.REPLACED, due=70.0), a_child(2, phase=Phase.INBOUND, due=15.0, replaces=b"in_1")
    for children in ((old, new), (new, old)):
        step = informational.on_request(an_sa(*children), asks(Delete(ESP, spis)), NOW)
        assert {child.phase for child in established(step).children} == {Phase.LINGERING}
        assert len(all_of(ChildClosed, step)) == 1


def test_pair_that_has_lost_is_no_reason_to_go_on_with_the_old_one() -> None:
    """We have won a collision: the old pair is ours to delete."""
    old, new = a_child(1, phase=Phase.REPLACED), a_child(2, phase=Phase.INBOUND, replaces=b"in_1")
    sa = an_sa(old, new, todo=(DeleteChild(b"in_1"),))
    step = informational.on_request(sa, asks(Delete(ESP, (b"out2",))), NOW)
    assert established(step).child(b"in_1") == old


# --- all goes --------------------------------------------------------------------------------------------------------


def test_we_close() -> None:
    """-->  SK {D(IKE)}  <--  SK {}"""
    step = informational.close(an_sa(a_child()))
    assert step == Step(CLOSING, (RemoveChild(a_child()), Call(ExchangeType.INFORMATIONAL, (Delete(IKE),), LEFT_PATH)))
    assert informational.closed(CLOSING) == Step(
        Closed("closed"), (IkeSaDown(b"initiatr", "right", "closed", asked=True, cause=Cause.ASKED),)
    )


def test_we_close_while_something_is_unanswered() -> None:
    """One request at a time (RFC 7296 §2.3): the Delete waits for that answer, the children do not."""
    step = informational.close(an_sa(a_child(), doing=Probing()))
    assert step == Step(replace(CLOSING, waiting=True), (RemoveChild(a_child()),))
    assert isinstance(step.sa, Closing)
    then = informational.closed(step.sa)
    assert then == Step(CLOSING, (Call(ExchangeType.INFORMATIONAL, (Delete(IKE),), LEFT_PATH),))


def test_closing_while_busy_between_two() -> None:
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.left.ask(CreateChild("dmz"))
    pair.left.terminate()
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response 2: SA, Nr, KEr, TSi, TSr\n"
        "--> INFORMATIONAL request 3: D(IKE)\n"
        "<-- INFORMATIONAL response 3:"
    )
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert not pair.left.kernel.inbound
    assert not pair.right.kernel.inbound


def test_nobody_hears_of_the_end_of_what_was_replaced() -> None:
    step = informational.close(replace(REKEYED, busy=True))
    assert step == Step(replace(CLOSING, silent=True, waiting=True))
    assert informational.closed(replace(CLOSING, silent=True)) == Step(Closed("closed"))
    assert informational.on_request(REKEYED, asks(Delete(IKE)), NOW) == Step(
        Closed("replaced"), (Respond(asks(Delete(IKE))),)
    )


def test_peer_closes_what_both_have_replaced() -> None:
    """Its own stands, but perhaps not with our children: they are rekeyed there, and it may say that it has none."""
    sa = replace(REKEYED, heir=b"the heir", doubtful=(b"in_1", b"in_2"))
    step = informational.on_request(sa, asks(Delete(IKE)), NOW)
    assert step.sa == Closed("replaced")
    assert all_of(Tell, step) == [
        Tell(b"the heir", Ask(b"the heir", RekeyChild(spi_in))) for spi_in in (b"in_1", b"in_2")
    ]


def test_peer_closes() -> None:
    request = asks(Delete(IKE))
    step = informational.on_request(an_sa(a_child()), request, NOW)
    assert kinds(step) == [Respond, RemoveChild, IkeSaDown]
    assert the(IkeSaDown, step).reason == "deleted by peer"
    assert not the(IkeSaDown, step).asked


@pytest.mark.parametrize("notify", FATAL)
def test_peer_gives_up(notify: NotifyType) -> None:
    """RFC 7296 §2.21.2: it could not use our last answer, and has no IKE SA any more."""
    step = informational.on_request(an_sa(a_child()), asks(Notify(notify)), NOW)
    assert kinds(step) == [Respond, RemoveChild, IkeSaDown]


def test_both_close() -> None:
    """RFC 7296 §2.25.2: each answers as usual, and it is what somebody here wanted."""
    pair = connected()
    for end in pair.sides:
        end.terminate()
    pair.run(1)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.asked for end in pair.sides for down in end.downs] == [True, True]
    assert pair.chart().count("response") == 2


def test_we_close_and_nobody_answers() -> None:
    assert informational.given_up(CLOSING) == informational.closed(CLOSING)
    assert informational.given_up(replace(CLOSING, waiting=True)).sa == Closed("closed")


def test_reason_is_kept() -> None:
    """Whoever wanted it, and why, is told when it is done."""
    step = informational.close(an_sa(), "its lifetime is over", asked=False)
    assert isinstance(step.sa, Closing)
    down = the(IkeSaDown, informational.closed(step.sa))
    assert (down.reason, down.asked) == ("its lifetime is over", False)
