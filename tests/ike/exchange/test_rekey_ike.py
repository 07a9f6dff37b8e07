"""edgevpn.ike.exchange.rekey_ike: conversations of two endpoints, RFC 7296 §1.3.2, §2.8.2, §2.25.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgevpn.ike.contract import (
    Ask,
    Reconfigure,
    Report,
    Request,
    Response,
    Settings,
    Terminate,
)
from edgevpn.ike.errors import InvalidKePayload, InvalidSyntax, TemporaryFailure
from edgevpn.ike.exchange import rekey_ike
from edgevpn.ike.exchange.child_sa import make_offer
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, Prf
from edgevpn.ike.machine import step
from edgevpn.ike.peer import NEVER, Offer, Peer
from edgevpn.ike.state import (
    Contending,
    CreateChild,
    CreatingChild,
    DeleteChild,
    Deleting,
    Doing,
    Established,
    Phase,
    Probe,
    RekeyChild,
    Rekeyed,
    RekeyIke,
    RekeyingChild,
    RekeyingIke,
)
from edgevpn.ike.steps import Call, Respond, Step
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange
from tests.support.chart import without_numbers
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env, kinds, the
from tests.support.pair import DELAY, Pair, Side, connected
from tests.support.peers import ECP256, GCM, LAN, PRF_SHA256, TO_LEFT, TO_RIGHT, mirrored, selectors
from tests.support.states import SPI_I, a_child, an_sa, the_other

DMZ = replace(LAN, name="dmz", ts_local=selectors("10.1.9.0/24"), ts_remote=selectors("10.2.9.0/24"))
WITH_DMZ = replace(TO_RIGHT, children=(LAN, DMZ))

SIDES = pytest.mark.parametrize("asks", ["left", "right"])


def side(pair: Pair, name: str) -> Side:
    return pair.left if name == "left" else pair.right


def both_rekey(pair: Pair, loser: str) -> None:
    """At the same time; the lowest of the four nonces is in what the loser asks."""
    for asks in pair.sides:
        if asks is side(pair, loser):
            with asks.chance.low():
                asks.ask(RekeyIke())
        else:
            asks.ask(RekeyIke())


def assert_one_is_left(pair: Pair) -> None:
    """One IKE SA with the one child that was there, and nobody has been told that anything went down."""
    assert pair.agree()
    assert [[child.phase for child in end.sa.children] for end in pair.sides] == [[Phase.ACTIVE]] * 2
    assert pair.left.downs == pair.right.downs == []
    assert [end.ups[-1].spi for end in pair.sides] == [end.sa.spi for end in pair.sides]


# --- one side rekeys -------------------------------------------------------------------------------------------------


def test_left_rekeys() -> None:
    """The children are the same pairs as before, on an IKE SA with new SPIs and keys."""
    pair = connected()
    before = pair.left.sa
    pair.left.ask(RekeyIke())
    pair.run(1)

    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA response 2: SA, Nr, KEr\n"
        "--> INFORMATIONAL request 3: D(IKE)\n"
        "<-- INFORMATIONAL response 3:"
    )
    assert_one_is_left(pair)
    after = pair.left.sa
    assert after.children == before.children
    assert {after.secured.spi_i, after.secured.spi_r}.isdisjoint({before.secured.spi_i, before.secured.spi_r})
    assert [up.replaces for up in pair.left.ups] == [None, before.spi]


def test_right_rekeys() -> None:
    """Who asks is the initiator of the new IKE SA; who began the first one is remembered."""
    pair = connected()
    pair.right.ask(RekeyIke())
    pair.run(1)
    assert pair.chart() == (
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr\n"
        "<-- INFORMATIONAL request 1: D(IKE)\n"
        "--> INFORMATIONAL response 1:"
    )
    assert_one_is_left(pair)
    assert (pair.right.sa.secured.initiator, pair.left.sa.secured.initiator) == (True, False)
    assert (pair.right.sa.began, pair.left.sa.began) == (False, True)


def test_keys_come_from_the_old_ones() -> None:
    """RFC 7296 §2.18: SKEYSEED is made with the prf of the old IKE SA from its SK_d, the keys with that of the new."""
    pair = connected()
    pair.left.ask(RekeyIke())
    pair.run(1)
    old, new = pair.left.ups[0], pair.left.ups[1]
    secrets = {secured.spi: secured for secured in pair.secrets.values()}
    assert secrets[new.spi].keys.sk_d != secrets[old.spi].keys.sk_d
    assert secrets[new.spi].suite.prf == Prf.HMAC_SHA2_256
    assert pair.left.sa.secured.keys == pair.right.sa.secured.keys


@SIDES
def test_again_and_again(asks: str) -> None:
    """Message IDs begin at zero each time."""
    pair = connected()
    for _ in range(5):
        side(pair, asks).ask(RekeyIke())
        pair.run(1)
        assert_one_is_left(pair)
    assert "request 2:" not in pair.chart().split("[5]")[-1]


def test_by_time() -> None:
    """A little before `rekey_after`, by chance, and the new one counts anew."""
    pair = connected(replace(TO_RIGHT, rekey_after=1000.0), mirrored(TO_RIGHT))
    assert 900 <= pair.left.sa.rekey_at <= 1000
    pair.run(3600)
    assert 3 <= len(pair.left.ups) - 1 <= 4
    assert_one_is_left(pair)


def test_what_waits_goes_over() -> None:
    """A child that the peer could not make for now is made on the new IKE SA."""
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.right.ask(RekeyIke())
    pair.left.ask(CreateChild("dmz"))
    pair.run(1)
    # left asks while right's request to rekey is on its way
    assert pair.chart() == (
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi\n"
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi, TSi, TSr\n"
        "--> CREATE_CHILD_SA response 0: N(TEMPORARY_FAILURE)\n"
        "<-- CREATE_CHILD_SA response 2: N(TEMPORARY_FAILURE)"
    )
    pair.run(20)
    assert pair.agree()
    assert {child.name for child in pair.left.sa.children} == {"lan", "dmz"}
    assert pair.left.sa.secured.spi_i != pair.left.ups[0].spi


def test_tasks_are_taken_up_by_the_new_one() -> None:
    """What is put on the list while the answer is awaited."""
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.left.ask(RekeyIke())
    pair.left.ask(CreateChild("dmz"))
    pair.left.ask(RekeyIke())  # is done by then
    pair.run(1)
    assert without_numbers(pair.chart()) == (
        "--> CREATE_CHILD_SA request: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr\n"
        "--> [2] CREATE_CHILD_SA request: SA, Ni, KEi, TSi, TSr\n"
        "--> INFORMATIONAL request: D(IKE)\n"
        "<-- [2] CREATE_CHILD_SA response: SA, Nr, KEr, TSi, TSr\n"
        "<-- INFORMATIONAL response:"
    )
    assert pair.agree()


def test_probe_does_not_stand_in_the_way() -> None:
    """Only exchanges about children do (§2.25.1); the probe is answered on the old IKE SA."""
    pair = connected()
    pair.left.ask(Probe())
    pair.right.ask(RekeyIke())
    pair.run(1)
    assert without_numbers(pair.chart()) == (
        "--> INFORMATIONAL request:\n"
        "<-- CREATE_CHILD_SA request: SA, Ni, KEi\n"
        "<-- INFORMATIONAL response:\n"
        "--> CREATE_CHILD_SA response: SA, Nr, KEr\n"
        "<-- INFORMATIONAL request: D(IKE)\n"
        "--> INFORMATIONAL response:"
    )
    assert_one_is_left(pair)


# --- another method --------------------------------------------------------------------------------------------------


def refused(sa: Established, *notifies: Notify) -> Step:
    """What comes of it when the peer answers with an error."""
    return step(sa, Response(ExchangeType.CREATE_CHILD_SA, notifies, LEFT_PATH), an_env())


def asking(peer: Peer = TO_RIGHT, **changes: Any) -> Established:
    """Left with its request to rekey the IKE SA unanswered."""
    sa = step(an_sa(a_child(), peer=peer, **changes), Ask(SPI_I, RekeyIke()), an_env()).sa
    assert isinstance(sa, Established)
    assert isinstance(sa.doing, RekeyingIke)
    return sa


def the_request(sa: Established, peer: Peer = TO_LEFT) -> Request:
    """What `asking` asked, as right gets it."""
    call = the(Call, rekey_ike.rekey_ike(replace(sa, doing=None), RekeyIke(), an_env()))
    return Request(call.exchange, 0, call.payloads, RIGHT_PATH)


def test_method_is_changed_once() -> None:
    """INVALID_KE_PAYLOAD with a method that we offered too: we ask again with that, but no third time (§1.3)."""
    wants_ecp = Notify(NotifyType.INVALID_KE_PAYLOAD, Ke.ECP_256.to_bytes(2, "big"))
    again = refused(asking(), wants_ecp)
    call = the(Call, again)
    assert [p.method for p in call.payloads if isinstance(p, KeyExchange)] == [Ke.ECP_256]

    assert isinstance(again.sa, Established)
    last = refused(again.sa, Notify(NotifyType.INVALID_KE_PAYLOAD, Ke.CURVE25519.to_bytes(2, "big")))
    assert Call not in kinds(last)
    assert isinstance(last.sa, Established)
    assert last.sa.doing is None
    assert 54 <= last.sa.rekey_at <= Settings().rekey_again


def test_method_that_we_never_offered() -> None:
    wants_modp = Notify(NotifyType.INVALID_KE_PAYLOAD, Ke.MODP_1024.to_bytes(2, "big"))
    step = refused(asking(), wants_modp)
    assert kinds(step) == [Report]


def test_refused_rekeying_is_tried_again_later() -> None:
    """The IKE SA stays as it is as long as it may live."""
    step = refused(asking(rekey_at=NEVER), Notify(NotifyType.NO_PROPOSAL_CHOSEN))
    assert kinds(step) == [Report]
    assert isinstance(step.sa, Established)
    assert step.sa.children == (a_child(),)
    assert 54 <= step.sa.rekey_at <= Settings().rekey_again


def test_our_method_is_asked_for() -> None:
    right = the_other(an_sa(), replace(TO_LEFT, offers=(Offer((GCM, PRF_SHA256, ECP256)),)))
    with pytest.raises(InvalidKePayload) as wanted:
        rekey_ike.on_request(right, the_request(an_sa()), an_env())
    assert wanted.value.wanted == Ke.ECP_256


def test_answer_with_another_method() -> None:
    sa = asking()
    right = rekey_ike.on_request(the_other(an_sa()), the_request(sa), an_env(seed=2))
    answer = tuple(
        replace(p, method=Ke.ECP_256) if isinstance(p, KeyExchange) else p for p in the(Respond, right).payloads
    )
    with pytest.raises(InvalidSyntax, match="chosen is CURVE25519"):
        step(sa, Response(ExchangeType.CREATE_CHILD_SA, answer, LEFT_PATH), an_env())


# --- being asked at the wrong time ----------------------------------------------------------------------------------

OFFER = make_offer(LAN, bytes(32), Ke.NONE, an_env())
BUSY: dict[str, Doing] = {
    "creating a child": CreatingChild(CreateChild("lan"), OFFER),
    "rekeying a child": RekeyingChild(RekeyChild(b"in_1"), OFFER),
    "deleting a child": Deleting((b"in_1",)),
}


@pytest.mark.parametrize("doing", BUSY.values(), ids=BUSY)
def test_not_while_we_are_busy_with_a_child(doing: Doing) -> None:
    """RFC 7296 §2.25.1."""
    with pytest.raises(TemporaryFailure):
        rekey_ike.on_request(the_other(an_sa(a_child(), doing=doing)), the_request(an_sa()), an_env())


def test_not_twice_while_nothing_is_decided() -> None:
    right = the_other(an_sa())
    asks = replace(right, doing=asking().doing)
    first = rekey_ike.on_request(asks, the_request(an_sa()), an_env())
    assert isinstance(first.sa, Established)
    with pytest.raises(TemporaryFailure):
        rekey_ike.on_request(first.sa, the_request(an_sa()), an_env())


# --- both sides rekey -----------------------------------------------------------------------------------------------


def test_both_rekey_and_left_loses() -> None:
    """RFC 7296 §2.8.2: left closes what it asked for, right what it has replaced.

    Between the two left rekeys the child over what right has asked for: not all peers have it there.
    """
    pair = connected()
    both_rekey(pair, loser="left")
    pair.run(10)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA response 2: SA, Nr, KEr\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr\n"
        "<-- INFORMATIONAL request 1: D(IKE)\n"
        "--> INFORMATIONAL response 1:\n"
        "--> [2] CREATE_CHILD_SA request 0: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- [2] CREATE_CHILD_SA response 0: SA, Nr, KEr, TSi, TSr\n"
        "--> [2] INFORMATIONAL request 1: D(ESP)\n"
        "<-- [2] INFORMATIONAL response 1: D(ESP)\n"
        "--> [3] INFORMATIONAL request 0: D(IKE)\n"
        "<-- [3] INFORMATIONAL response 0:"
    )
    assert_one_is_left(pair)
    assert pair.right.sa.secured.initiator


def test_both_rekey_and_right_loses() -> None:
    pair = connected()
    both_rekey(pair, loser="right")
    pair.run(10)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA response 2: SA, Nr, KEr\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr\n"
        "--> INFORMATIONAL request 3: D(IKE)\n"
        "<-- INFORMATIONAL response 3:\n"
        "<-- [2] CREATE_CHILD_SA request 0: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "--> [2] CREATE_CHILD_SA response 0: SA, Nr, KEr, TSi, TSr\n"
        "<-- [2] INFORMATIONAL request 1: D(ESP)\n"
        "--> [2] INFORMATIONAL response 1: D(ESP)\n"
        "<-- [3] INFORMATIONAL request 0: D(IKE)\n"
        "--> [3] INFORMATIONAL response 0:"
    )
    assert_one_is_left(pair)
    assert pair.left.sa.secured.initiator


def test_nobody_is_told_of_the_one_that_loses() -> None:
    """For the world there is one IKE SA at any time, and the next one replaces it."""
    for loser in ("left", "right"):
        pair = connected()
        both_rekey(pair, loser)
        pair.run(120)
        for end in pair.sides:
            first, second = end.ups
            assert second.replaces == first.spi


def test_left_s_request_is_lost() -> None:
    """RFC 7296 §2.8.2: right never notices; left knows by the Delete that right's new IKE SA stands."""
    pair = connected()
    pair.lose(0)
    both_rekey(pair, loser="right")
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi lost\n"
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr\n"
        "<-- INFORMATIONAL request 1: D(IKE)\n"
        "--> INFORMATIONAL response 1:"
    )
    assert_one_is_left(pair)


def test_left_s_request_comes_late() -> None:
    """Right has replaced the IKE SA by then, and says so; left knows what that means."""
    pair = connected()
    first, third = len(pair.sent), len(pair.sent) + 3
    # left's request overtakes nothing: it arrives after right has its answer; right's Delete is lost once
    pair.fate = lambda number, _: (2.5 * DELAY,) if number == first else () if number == third else (DELAY,)
    both_rekey(pair, loser="right")
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr\n"
        "<-- INFORMATIONAL request 1: D(IKE) lost\n"
        "<-- CREATE_CHILD_SA response 2: N(TEMPORARY_FAILURE)"
    )
    pair.run(10)
    assert_one_is_left(pair)
    assert pair.right.sa.secured.initiator


LOST = pytest.mark.parametrize("lost", range(8))
LOSER = pytest.mark.parametrize("loser", ["left", "right"])


@LOSER
@LOST
def test_both_rekey_and_one_datagram_is_lost(loser: str, lost: int) -> None:
    pair = connected()
    pair.lose(lost)
    both_rekey(pair, loser)
    pair.run(120)
    assert_one_is_left(pair)


@LOSER
@LOST
def test_both_rekey_and_one_datagram_is_late(loser: str, lost: int) -> None:
    """So late that it was sent again before, so that it comes twice."""
    pair = connected()
    late = len(pair.sent) + lost
    pair.fate = lambda number, _: (3.0,) if number == late else (DELAY,)
    both_rekey(pair, loser)
    pair.run(120)
    assert_one_is_left(pair)


@LOSER
@LOST
def test_both_rekey_and_one_answer_is_always_lost(loser: str, lost: int) -> None:
    """One datagram is lost and so are all that repeat it, for half a minute."""
    pair = connected()
    count, silenced = len(pair.sent) + lost, set[bytes]()

    def fate(number: int, octets: bytes) -> tuple[float, ...]:
        if number == count:
            silenced.add(octets)
        return () if octets in silenced and pair.now < 30 else (DELAY,)

    pair.fate = fate
    both_rekey(pair, loser)
    pair.run(200)
    assert_one_is_left(pair)


def test_request_on_the_new_one_waits_for_the_decision() -> None:
    """Right has won and goes on at once; left does not know yet whether that IKE SA stands."""
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.lose(2, 5)  # right's answer, without which left does not know all nonces, and its Delete
    both_rekey(pair, loser="left")
    pair.right.ask(CreateChild("dmz"))
    pair.run(1)
    assert [type(sa) for sa in pair.left.others] == [Contending]
    assert pair.left.reports("discarded")
    pair.run(30)
    assert pair.agree()
    assert {child.name for child in pair.left.sa.children} == {"lan", "dmz"}


def test_peer_goes_while_nothing_is_decided() -> None:
    """Left gets no answer any more: what right made is taken for the one that stands, and found dead in its turn."""
    peer = replace(TO_RIGHT, liveness=30.0)
    pair = connected(peer)
    pair.lose(2)
    both_rekey(pair, loser="left")
    pair.run(0.1)
    pair.fate = lambda number, octets: ()
    pair.run(600)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert not pair.left.kernel.inbound
    assert len(pair.left.downs) == len(pair.right.downs) == 1


@SIDES
def test_closed_while_nothing_is_decided(asks: str) -> None:
    """Whoever terminates takes both new IKE SAs along."""
    pair = connected()
    pair.lose(2, 3)
    both_rekey(pair, loser="left")
    pair.run(0.05)
    side(pair, asks).terminate()
    pair.run(200)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert not pair.left.kernel.inbound
    assert not pair.right.kernel.inbound


@LOSER
@SIDES
@pytest.mark.parametrize("moment", [0.5, 1.5, 2.5])
def test_all_are_closed_while_nothing_is_decided(moment: float, asks: str, loser: str) -> None:
    """As an owner does who takes a site down: each IKE SA with the peer is told so, the one in question too."""
    pair = connected()
    both_rekey(pair, loser)
    pair.run(moment * DELAY)
    end = side(pair, asks)
    for sa in end.endpoint.sas_of(end.peers[0].name):
        end.tell(Terminate(sa.spi))
    pair.run(200)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert not pair.left.kernel.inbound
    assert not pair.right.kernel.inbound
    assert [down.asked for down in end.downs] == [True]


ENDS: dict[str, tuple[Peer, float]] = {
    "its life": (replace(TO_RIGHT, life=100.0), 97.0),
    "the time to show again who it is": (replace(TO_RIGHT, reauth_after=100.0), 157.0),
}


@pytest.mark.parametrize("lost", [0, 1], ids=["the request", "the answer"])
@pytest.mark.parametrize(("mine", "until"), ENDS.values(), ids=ENDS)
def test_time_is_over_while_it_is_rekeyed(mine: Peer, until: float, lost: int) -> None:
    """What the peer makes of it can be closed only when its answer is there; both sides hold the same in the end."""
    pair = connected(TO_RIGHT, mirrored(mine))
    pair.left.tell(Reconfigure(()))  # so it cannot show again who it is
    pair.run(until - pair.now)
    first = len(pair.sent) + lost
    pair.fate = lambda number, _: () if number >= first and pair.now < until + 6 else (DELAY,)
    pair.right.ask(RekeyIke())
    pair.run(60)
    assert pair.agree()
    assert len(pair.right.ups) == 2
    assert bool(pair.right.sas) == (mine.life < NEVER)


def test_time_is_over_while_nothing_is_decided() -> None:
    """Left's request is lost, right's is not, but then nothing comes through until left's time is over."""
    peer = replace(TO_RIGHT, life=100.0)
    pair = connected(peer, TO_LEFT)
    pair.run(97 - pair.now)
    first = len(pair.sent)
    pair.fate = lambda number, _: () if number != first + 1 and pair.now < 104 else (DELAY,)
    both_rekey(pair, "left")
    pair.run(5)
    assert [type(sa) for sa in pair.left.others] == [Contending]
    pair.run(200)
    assert pair.left.ups[1].replaces == pair.left.ups[0].spi
    assert pair.agree()


# --- rekeying meets something else ----------------------------------------------------------------------------------


def test_rekeying_meets_closing() -> None:
    """RFC 7296 §2.25.2: who closes answers TEMPORARY_FAILURE, who rekeys answers as usual and forgets its request."""
    pair = connected()
    pair.left.ask(RekeyIke())
    pair.right.terminate()
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- INFORMATIONAL request 0: D(IKE)\n"
        "<-- CREATE_CHILD_SA response 2: N(TEMPORARY_FAILURE)\n"
        "--> INFORMATIONAL response 0:"
    )
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.reason for down in pair.left.downs] == ["deleted by peer"]


def test_rekeying_meets_a_child_s_end() -> None:
    """RFC 7296 §2.25.2: the child is deleted as usual; §2.25.1: the rekeying has to wait."""
    pair = connected()
    pair.left.ask(RekeyIke())
    pair.right.ask(DeleteChild(pair.right.child.spi_in))
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- INFORMATIONAL request 0: D(ESP)\n"
        "<-- CREATE_CHILD_SA response 2: N(TEMPORARY_FAILURE)\n"
        "--> INFORMATIONAL response 0: D(ESP)"
    )
    pair.run(30)
    assert pair.agree()
    assert pair.left.sa.children == ()
    assert pair.left.sa.spi != pair.left.ups[0].spi


def test_rekeying_meets_a_child_s_rekeying() -> None:
    """Each refuses the other for now; both are done later, each once."""
    pair = connected()
    pair.left.ask(RekeyIke())
    pair.right.ask(RekeyChild(pair.right.child.spi_in))
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: SA, Ni, KEi\n"
        "<-- CREATE_CHILD_SA request 0: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response 2: N(TEMPORARY_FAILURE)\n"
        "--> CREATE_CHILD_SA response 0: N(TEMPORARY_FAILURE)"
    )
    spi_in = pair.left.child.spi_in
    pair.run(60)
    assert_one_is_left(pair)
    assert pair.left.child.spi_in != spi_in
    assert len(pair.left.ups) == 2


def test_peer_never_deletes_the_old_one() -> None:
    """After a while it is forgotten without a word."""
    pair = connected()
    pair.lose(2)  # right's Delete
    pair.right.ask(RekeyIke())
    pair.run(0.5)
    (old,) = pair.left.others
    assert isinstance(old, Rekeyed)
    pair.right.timers.clear()  # and right forgets that it ever sent it
    pair.run(Settings().replaced_timeout)
    assert pair.left.others == []
    assert pair.left.downs == []


def test_rival_that_is_closed_again() -> None:
    """Right gives up its own new IKE SA before left has its answer: left's stands, whatever the nonces say."""
    pair = connected()
    pair.lose(2)
    both_rekey(pair, loser="right")
    pair.run(0.3)
    pair.run(60)
    assert_one_is_left(pair)
    assert pair.left.sa.secured.initiator
