"""edgevpn.ike.exchange.create_child_sa: conversations and single steps; RFC 7296 §1.3, §2.8, §2.25."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    ChildFailed,
    ExpectInbound,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    RemoveOutbound,
    Report,
    Request,
    Response,
    Settings,
)
from edgevpn.ike.errors import Cause, ChildSaNotFound, InvalidSyntax, TemporaryFailure
from edgevpn.ike.exchange import create_child_sa
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, ProtocolId
from edgevpn.ike.machine import step
from edgevpn.ike.peer import Manners, Offer, Peer
from edgevpn.ike.state import (
    ChildSa,
    Closing,
    CreateChild,
    CreatingChild,
    DeleteChild,
    Established,
    Nat,
    Phase,
    Probing,
    RekeyChild,
    RekeyIke,
    RekeyingChild,
    Rival,
)
from edgevpn.ike.steps import Call, Due, Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR
from edgevpn.ike.wire.selector import TrafficSelector
from tests.support.chart import without_numbers
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, all_of, an_env, kinds, the
from tests.support.pair import DELAY, Pair, Side, connected
from tests.support.peers import (
    ECP256,
    GCM,
    LAN,
    NO_ESN,
    NO_KE,
    TO_LEFT,
    TO_RIGHT,
    X25519,
    selectors,
)
from tests.support.states import a_child, an_sa, the_other

DMZ = replace(LAN, name="dmz", ts_local=selectors("10.1.9.0/24"), ts_remote=selectors("10.2.9.0/24"))
WITH_DMZ = replace(TO_RIGHT, children=(LAN, DMZ))
SWITCHED = Settings().switch_after + 1
LINGERED = Settings().linger + 1


def with_offers(peer: Peer, *offers: Offer) -> Peer:
    """The peer with other algorithms for its children."""
    return replace(peer, children=tuple(replace(child, offers=offers) for child in peer.children))


def side(pair: Pair, name: str) -> Side:
    return pair.left if name == "left" else pair.right


def rekey(end: Side) -> None:
    end.ask(RekeyChild(end.child.spi_in))


def assert_one_is_left(pair: Pair, not_before: bytes = b"") -> None:
    """One child that both sides send and receive on, and it is a new one."""
    assert pair.agree()
    for end in pair.sides:
        assert [child.phase for child in end.sa.children] == [Phase.ACTIVE]
        assert len(end.kernel.inbound) == len(end.kernel.outbound) == 1
    assert pair.left.child.spi_in != not_before


# --- a new child -----------------------------------------------------------------------------------------------------


def test_new_child() -> None:
    """Either side may ask; the pair is installed on both."""
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.right.ask(CreateChild("dmz"))
    pair.run(1)
    assert pair.chart() == (
        "<-- CREATE_CHILD_SA request 0: SA, Ni, KEi, TSi, TSr\n--> CREATE_CHILD_SA response 0: SA, Nr, KEr, TSi, TSr"
    )
    assert pair.agree()
    assert [child.name for child in pair.left.sa.children] == ["lan", "dmz"]
    left, right = pair.left.sa.children[1], pair.right.sa.children[1]
    assert left.keys == right.keys
    assert (left.initiator, right.initiator) == (False, True)
    assert left.suite.ke == Ke.CURVE25519


def test_so_many_children_and_no_more() -> None:
    """Those that are configured, and some; RFC 7296 §1.3. To rekey one stays possible."""
    wide = replace(LAN, ts_local=selectors("0.0.0.0/0"), ts_remote=selectors("0.0.0.0/0"))
    right = replace(TO_LEFT, children=(wide,))
    pair = connected(WITH_DMZ, right, Settings(children_limit=0), "lan")
    pair.left.ask(CreateChild("dmz"))
    pair.run(1)
    assert pair.chart().endswith("<-- CREATE_CHILD_SA response 2: N(NO_ADDITIONAL_SAS)")
    assert [told.cause for told in pair.right.reports("request_refused")] == [Cause.TOO_MANY_SAS]
    old = pair.left.child.spi_in
    rekey(pair.left)
    pair.run(LINGERED)
    assert_one_is_left(pair, not_before=old)


def test_peer_that_rekeys_a_child_for_ever_and_deletes_nothing() -> None:
    """So many pairs are kept, and no more until the first of them are gone."""
    limit = 3 * (1 + 2)
    env = replace(an_env(), settings=Settings(children_limit=2))
    replaced = (a_child(number, phase=Phase.REPLACED) for number in range(limit - 2))
    asked = create_child_sa.rekey_child(the_other(an_sa(a_child(limit))), RekeyChild(f"out{limit}".encode()), env)
    request = Request(ExchangeType.CREATE_CHILD_SA, 0, the(Call, asked).payloads, LEFT_PATH)
    sa = an_sa(*replaced, a_child(limit))
    assert isinstance(create_child_sa.on_request(sa, request, env).sa, Established)
    with pytest.raises(TemporaryFailure):
        create_child_sa.on_request(sa.with_child(a_child(99, phase=Phase.LINGERING)), request, env)


def test_child_that_is_there_is_not_made_again() -> None:
    pair = connected()
    pair.left.ask(CreateChild("lan"))
    pair.run(1)
    assert pair.chart() == ""


def test_child_that_is_no_longer_configured() -> None:
    pair = connected()
    pair.left.ask(CreateChild("dmz"))
    assert len(pair.left.reports("child_unknown")) == 1
    assert pair.chart() == ""


def packet(local: str, remote: str) -> tuple[TrafficSelector, TrafficSelector]:
    (ours,), (theirs,) = selectors(local), selectors(remote)
    return replace(ours, protocol=6), replace(theirs, protocol=6, start_port=443, end_port=443)


def test_packet_comes_first_in_the_selectors() -> None:
    """So that a peer that narrows knows which packets want the child (RFC 7296 §2.9)."""
    wanted = packet("10.1.9.7/32", "10.2.9.8/32")
    call = the(Call, create_child_sa.create_child(an_sa(peer=WITH_DMZ), CreateChild("dmz", packet=wanted), an_env()))
    (tsi,) = [p for p in call.payloads if isinstance(p, TrafficSelectorsI)]
    (tsr,) = [p for p in call.payloads if isinstance(p, TrafficSelectorsR)]
    assert tsi.selectors == (wanted[0], *DMZ.ts_local)
    assert tsr.selectors == (wanted[1], *DMZ.ts_remote)


@pytest.mark.parametrize(
    ("local", "there"), [("10.1.0.7/32", True), ("10.1.5.7/32", False)], ids=["within", "narrowed away"]
)
def test_packet_that_a_child_carries_wants_no_other(local: str, there: bool) -> None:
    """The peer may have narrowed a child to less than we asked for."""
    wide = replace(LAN, ts_local=selectors("10.1.0.0/16"))
    sa = an_sa(a_child(), peer=replace(TO_RIGHT, children=(wide,)))
    task = CreateChild("lan", packet=packet(local, "10.2.0.8/32"))
    assert bool(create_child_sa.create_child(sa, task, an_env()).effects) is not there


def test_keys_are_told_if_wanted() -> None:
    pair = connected()
    rekey(pair.left)
    pair.run(SWITCHED)
    asked, answered = (end.kernel.inbound[end.child.spi_in] for end in pair.sides)
    assert asked.keys == answered.keys
    env = replace(an_env(), settings=Settings(export_keys=True))
    told = the(KeysDerived, create_child_sa.on_request(the_other(an_sa()), new_child_request(), env))
    assert told.child is not None


def test_keys_of_a_pair_that_has_lost_are_told_too() -> None:
    """Packets may come on it before it goes."""
    sa = rekeying(a_child(2, phase=Phase.INBOUND, replaces=b"in_1"))
    assert isinstance(sa.doing, RekeyingChild)
    sa = replace(sa, doing=replace(sa.doing, rival=Rival(b"in_2", b"\xff" * 32)))
    call = the(Call, create_child_sa.rekey_child(an_sa(a_child()), RekeyChild(b"in_1"), an_env()))
    request = Request(ExchangeType.CREATE_CHILD_SA, 0, call.payloads, RIGHT_PATH)
    right = create_child_sa.on_request(the_other(an_sa(a_child())), request, an_env(seed=2))
    response = Response(ExchangeType.CREATE_CHILD_SA, the(Respond, right).payloads, LEFT_PATH)
    done = step(sa, response, replace(an_env(), settings=Settings(export_keys=True)))
    assert kinds(done)[:2] == [InstallInbound, KeysDerived]
    assert established(done).child(b"in_2") == a_child(2, phase=Phase.INBOUND, replaces=b"in_1")


def test_the_peer_may_send_before_its_answer_is_here() -> None:
    """So the world hears of the SPI before the peer does."""
    sa = an_sa(a_child(), peer=WITH_DMZ)
    new = create_child_sa.create_child(sa, CreateChild("dmz"), an_env())
    for asked in (new, create_child_sa.rekey_child(sa, RekeyChild(b"in_1"), an_env())):
        assert kinds(asked) == [ExpectInbound, Call]
        (offered,) = [each for each in the(Call, asked).payloads if isinstance(each, SecurityAssociation)]
        assert {proposal.spi for proposal in offered.proposals} == {the(ExpectInbound, asked).spi_in}
        assert the(ExpectInbound, asked).ends == ends(sa)


# --- rekeying --------------------------------------------------------------------------------------------------------


def test_rekeying() -> None:
    """Make before break: the old pair receives until nothing can be on its way any more."""
    pair = connected()
    old = pair.left.child.spi_in
    rekey(pair.left)
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response 2: SA, Nr, KEr, TSi, TSr\n"
        "--> INFORMATIONAL request 3: D(ESP)\n"
        "<-- INFORMATIONAL response 3: D(ESP)"
    )
    assert [child.phase for child in pair.left.sa.children] == [Phase.LINGERING, Phase.ACTIVE]
    assert [child.phase for child in pair.right.sa.children] == [Phase.LINGERING, Phase.ACTIVE]
    assert len(pair.left.kernel.inbound) == len(pair.right.kernel.inbound) == 2
    assert len(pair.left.kernel.outbound) == len(pair.right.kernel.outbound) == 1
    pair.run(LINGERED)
    assert_one_is_left(pair, old)


def test_rekeying_step_by_step() -> None:
    """Right receives on the new pair before it answers, and sends on it when the old one is deleted."""
    left, right = an_sa(a_child()), the_other(an_sa(a_child()))
    asked = create_child_sa.rekey_child(left, RekeyChild(b"in_1"), an_env())
    request = Request(ExchangeType.CREATE_CHILD_SA, 0, the(Call, asked).payloads, RIGHT_PATH)
    answered = create_child_sa.on_request(right, request, an_env(now=10.0, seed=2))
    assert kinds(answered) == [InstallInbound, Respond]
    assert isinstance(answered.sa, Established)
    old, new = answered.sa.children
    assert (old.phase, new.phase, new.replaces) == (Phase.REPLACED, Phase.INBOUND, old.spi_in)
    assert new.due == 10.0 + Settings().switch_after
    assert old.due == 10.0 + Settings().replaced_timeout

    assert isinstance(asked.sa, Established)
    response = Response(ExchangeType.CREATE_CHILD_SA, the(Respond, answered).payloads, LEFT_PATH)
    done = step(asked.sa, response, an_env(now=10.0))
    assert kinds(done) == [InstallInbound, InstallOutbound, RemoveOutbound, Call]
    assert isinstance(done.sa, Established)
    assert [child.phase for child in done.sa.children] == [Phase.DELETING, Phase.ACTIVE]


def test_rekeying_keeps_what_was_narrowed() -> None:
    """The request asks for the packets of the old child, not for those of the policy (RFC 7296 §2.8)."""
    narrow = a_child(ts_local=selectors("10.1.0.0/28"), ts_remote=selectors("10.2.0.0/28"))
    call = the(Call, create_child_sa.rekey_child(an_sa(narrow), RekeyChild(b"in_1"), an_env()))
    (tsi,) = [p for p in call.payloads if isinstance(p, TrafficSelectorsI)]
    assert tsi.selectors == selectors("10.1.0.0/28")


def test_rekeying_by_time() -> None:
    """Both sides want it every half hour: by chance never at the very same time, or a collision sorts it out."""
    peer = replace(TO_RIGHT, children=(replace(LAN, rekey_after=1800.0),))
    pair = connected(peer)
    assert 1620 <= pair.left.child.due <= 1800
    pair.run(6 * 3600)
    assert_one_is_left(pair)
    assert 12 <= pair.chart().count("request") / 2 <= 20


@pytest.mark.parametrize("phase", [Phase.INBOUND, Phase.REPLACED, Phase.DELETING, Phase.LINGERING])
def test_only_what_carries_traffic_is_rekeyed(phase: Phase) -> None:
    sa = an_sa(a_child(phase=phase))
    assert create_child_sa.rekey_child(sa, RekeyChild(b"in_1"), an_env()) == Step(sa)


def test_what_is_gone_is_not_rekeyed() -> None:
    sa = an_sa(a_child(), peer=replace(TO_RIGHT, children=()))
    assert create_child_sa.rekey_child(sa, RekeyChild(b"none"), an_env()) == Step(sa)
    assert create_child_sa.rekey_child(sa, RekeyChild(b"in_1"), an_env()) == Step(sa)


def test_no_packet_is_lost_while_the_answer_is() -> None:
    """Right may not send on a pair that left has not; left asks for the answer a last time after some 45 seconds."""
    pair = connected()
    pair.lose(1, 2, 3, 4, 5)
    rekey(pair.left)
    for _ in range(60):
        pair.run(1)
        assert pair.ping()
    assert pair.agree()


def test_delete_of_the_old_pair_never_comes() -> None:
    """Right sends on the new pair after a while all the same, and deletes the old one itself in the end."""
    pair = connected()
    rekey(pair.left)
    pair.lose(*range(1, 99))
    pair.run(0.5)
    pair.left.timers.clear()
    pair.run(SWITCHED)
    new = pair.right.sa.children[1]
    assert new.phase is Phase.ACTIVE
    assert new.spi_out in pair.right.kernel.outbound
    pair.run(Settings().replaced_timeout)
    assert "<-- INFORMATIONAL request 0: D(ESP)" in pair.chart()


def test_new_pair_is_rekeyed_before_the_old_one_is_deleted() -> None:
    """A peer that asks for it surely has it: we send on it from now on."""
    first = a_child(1, phase=Phase.REPLACED)
    second = a_child(2, phase=Phase.INBOUND, due=15.0, replaces=b"in_1")
    answered = create_child_sa.on_request(an_sa(first, second), rekey_request(b"out2"), an_env())
    assert kinds(answered) == [InstallOutbound, InstallInbound, Respond]
    assert the(InstallOutbound, answered).child == second


# --- perfect forward secrecy -----------------------------------------------------------------------------------------

WITHOUT, EITHER = Offer((GCM, NO_ESN)), Offer((GCM, X25519, NO_KE, NO_ESN))
X25519_ONLY, ECP_ONLY = Offer((GCM, X25519, NO_ESN)), Offer((GCM, ECP256, NO_ESN))
BOTH_METHODS = Offer((GCM, X25519, ECP256, NO_KE, NO_ESN))

AGREED: dict[str, tuple[Offer, Offer, Ke]] = {
    "both may": (EITHER, EITHER, Ke.CURVE25519),
    "we may, the peer does not": (EITHER, WITHOUT, Ke.NONE),
    "we do not, the peer may": (WITHOUT, EITHER, Ke.NONE),
    "both must": (X25519_ONLY, X25519_ONLY, Ke.CURVE25519),
    "another method than our guess": (BOTH_METHODS, ECP_ONLY, Ke.ECP_256),
    "neither": (WITHOUT, WITHOUT, Ke.NONE),
}


@pytest.mark.parametrize(("ours", "theirs", "method"), AGREED.values(), ids=AGREED)
def test_forward_secrecy(ours: Offer, theirs: Offer, method: Ke) -> None:
    """Agreed anew at each rekeying, by whatever both sides allow; no tunnel ends because they differ."""
    pair = connected(with_offers(TO_RIGHT, ours), with_offers(TO_LEFT, theirs))
    old = pair.left.child.spi_in
    rekey(pair.left)
    pair.run(2 * LINGERED)
    assert_one_is_left(pair, old)
    assert pair.left.child.suite.ke == pair.right.child.suite.ke == method


def test_method_is_changed() -> None:
    pair = connected(with_offers(TO_RIGHT, BOTH_METHODS), with_offers(TO_LEFT, ECP_ONLY))
    rekey(pair.left)
    pair.run(1)
    assert without_numbers(pair.chart()).startswith(
        "--> CREATE_CHILD_SA request: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response: N(INVALID_KE_PAYLOAD)\n"
        "--> CREATE_CHILD_SA request: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr, TSi, TSr\n"
    )


A_CHILD = CreateChild("lan")


def creating(task: CreateChild = A_CHILD, peer: Peer = TO_RIGHT) -> Established:
    """Left waits for the answer to a new child."""
    sa = create_child_sa.create_child(an_sa(peer=peer), task, an_env()).sa
    assert isinstance(sa, Established)
    return sa


def rekeying(*others: ChildSa, peer: Peer = TO_RIGHT) -> Established:
    """Left waits for the answer to the rekeying of its child 1."""
    sa = create_child_sa.rekey_child(an_sa(a_child(), *others, peer=peer), RekeyChild(b"in_1"), an_env()).sa
    assert isinstance(sa, Established)
    return sa


def answered(sa: Established, *payloads: Payload, now: float = 10.0) -> Step:
    """What left makes of that answer."""
    return step(sa, Response(ExchangeType.CREATE_CHILD_SA, payloads, LEFT_PATH), an_env(now=now))


def established(done: Step) -> Established:
    assert isinstance(done.sa, Established)
    return done.sa


INVALID_KE = Notify(NotifyType.INVALID_KE_PAYLOAD, Ke.ECP_256.to_bytes(2, "big"))
NO_PROPOSAL = Notify(NotifyType.NO_PROPOSAL_CHOSEN)
LATER = Notify(NotifyType.TEMPORARY_FAILURE)


def test_refused_with_key_exchange_we_ask_without() -> None:
    """Windows takes no KE payload that it has not configured, and says only that it will not have it."""
    again = answered(rekeying(), NO_PROPOSAL)
    call = the(Call, again)
    assert not [p for p in call.payloads if isinstance(p, KeyExchange)]
    doing = established(again).doing
    assert isinstance(doing, RekeyingChild)
    assert doing.offer.policy.offers == (Offer((GCM, NO_ESN)),)

    last = answered(established(again), NO_PROPOSAL)
    assert kinds(last) == [Report]
    assert 64 <= established(last).children[0].due <= 10 + Settings().rekey_again


def test_refused_without_key_exchange_we_ask_with() -> None:
    """The other way round, for a client that is known not to like them at first."""
    none_first = Offer((GCM, NO_KE, X25519, NO_ESN))
    peer = with_offers(TO_RIGHT, none_first)
    again = answered(rekeying(peer=peer), NO_PROPOSAL)
    assert [p.method for p in the(Call, again).payloads if isinstance(p, KeyExchange)] == [Ke.CURVE25519]
    named = answered(rekeying(peer=peer), Notify(NotifyType.INVALID_KE_PAYLOAD, Ke.CURVE25519.to_bytes(2, "big")))
    assert [p.method for p in the(Call, named).payloads if isinstance(p, KeyExchange)] == [Ke.CURVE25519]


def test_refused_without_key_exchange_we_guess_the_one_of_the_ike_sa() -> None:
    """Clients that insist on one mostly have one group for everything, and a second guess is not made."""
    sa = rekeying(peer=with_offers(TO_RIGHT, Offer((GCM, NO_KE, ECP256, X25519, NO_ESN))))
    assert sa.secured.suite.ke == Ke.CURVE25519
    again = answered(sa, NO_PROPOSAL)
    assert [p.method for p in the(Call, again).payloads if isinstance(p, KeyExchange)] == [Ke.CURVE25519]


def test_refused_and_the_policy_is_gone() -> None:
    sa = rekeying()
    last = answered(replace(sa, peer=replace(sa.peer, children=())), NO_PROPOSAL)
    assert kinds(last) == [Report]


def test_forward_secrecy_that_we_insist_on_is_not_given_up() -> None:
    last = answered(rekeying(peer=with_offers(TO_RIGHT, X25519_ONLY)), NO_PROPOSAL)
    assert Call not in kinds(last)
    assert established(last).child(b"in_1") is not None


@pytest.mark.parametrize("wanted", [Ke.MODP_1024, Ke.ML_KEM_768, Ke(999)], ids=["weak", "new", "unknown"])
def test_method_that_we_never_offered(wanted: Ke) -> None:
    last = answered(rekeying(), Notify(NotifyType.INVALID_KE_PAYLOAD, wanted.to_bytes(2, "big")))
    assert kinds(last) == [Report]


def test_peer_that_changes_its_mind_for_ever() -> None:
    """It wants one method, then the other: we ask twice, no more."""
    sa, asked = creating(peer=with_offers(TO_RIGHT, BOTH_METHODS)), 1
    for method in (Ke.ECP_256, Ke.CURVE25519, Ke.ECP_256, Ke.CURVE25519):
        done = answered(sa, Notify(NotifyType.INVALID_KE_PAYLOAD, method.to_bytes(2, "big")))
        asked += len(all_of(Call, done))
        sa = established(done)
        if sa.doing is None:
            break
    assert asked == 2
    assert kinds(done) == [Report, ChildFailed]


# --- being refused ---------------------------------------------------------------------------------------------------


def test_peer_that_cannot_read_our_request() -> None:
    """RFC 7296 §2.21.3: then it should have no IKE SA any more, and that is found out."""
    pair = connected(WITH_DMZ, None, None, "lan")
    asking = create_child_sa.create_child(pair.left.sa, CreateChild("dmz"), an_env()).sa
    answer = Response(ExchangeType.CREATE_CHILD_SA, (Notify(NotifyType.INVALID_SYNTAX),), LEFT_PATH)
    done = step(asking, answer, an_env())
    assert isinstance(done.sa, Established)
    assert isinstance(done.sa.doing, Probing)
    assert the(ChildFailed, done).child == "dmz"


def test_new_child_is_refused() -> None:
    done = answered(creating(), Notify(NotifyType.TS_UNACCEPTABLE))
    assert kinds(done) == [Report, ChildFailed]
    assert the(ChildFailed, done).child == "lan"
    assert established(done).doing is None


def test_not_now() -> None:
    """RFC 7296 §2.25: not at once again; everything else goes on."""
    done = answered(creating(CreateChild("lan", Ke.ECP_256)), LATER)
    sa = established(done)
    assert kinds(done) == [Report]
    assert sa.todo == (CreateChild("lan"),)
    assert 14.5 <= sa.wake <= 15.0
    goes_on = step(sa.with_child(a_child(7)), Ask(sa.spi, DeleteChild(b"in_7")), an_env(now=11.0))
    assert kinds(goes_on) == [RemoveOutbound, Call]


def test_not_now_again_and_again() -> None:
    """After some minutes the two must be out of step, and it is better to begin anew (RFC 7296 §2.25)."""
    sa, now = creating(), 10.0
    while isinstance(sa, Established):
        done = answered(sa, LATER, now=now)
        if not isinstance(done.sa, Established):
            break
        now = done.sa.wake
        sa = established(step(done.sa, Due(), an_env(now=now)))
    assert 10.0 + Settings().refused_for < now < 30.0 + Settings().refused_for
    assert isinstance(done.sa, Closing)
    assert not done.sa.asked


def test_not_now_on_several_occasions() -> None:
    """The peer did itself what it had no time for, and an hour later it is busy again: nothing is wrong with that."""
    refused = established(answered(rekeying(), LATER, now=10.0))
    done = refused.with_child(refused.children[0].turned(Phase.REPLACED), a_child(2))
    rested = established(step(done, Due(), an_env(now=refused.wake)))
    assert (rested.doing, rested.todo) == (None, ())

    asked = create_child_sa.rekey_child(rested, RekeyChild(b"in_2"), an_env()).sa
    assert isinstance(asked, Established)
    again = established(answered(asked, LATER, now=3610.0))
    assert again.todo == (RekeyChild(b"in_2"),)


def test_peer_has_lost_the_child() -> None:
    """CHILD_SA_NOT_FOUND: we make a new one from scratch (RFC 7296 §2.25), and forget ours, unasked, a moment later."""
    done = answered(rekeying(), Notify(NotifyType.CHILD_SA_NOT_FOUND, protocol=ProtocolId.ESP, spi=b"in_1"))
    assert kinds(done) == [Report, ExpectInbound, Call]
    assert [(child.phase, child.due) for child in established(done).children] == [(Phase.LINGERING, 15.0)]
    assert isinstance(established(done).doing, CreatingChild)


def test_peer_has_lost_what_we_are_leaving_too() -> None:
    """Its Delete came before its answer: nothing is to be made in the place of what it closed."""
    sa = rekeying()
    gone = sa.with_child(sa.children[0].turned(Phase.LINGERING, 12.0))
    done = answered(gone, Notify(NotifyType.CHILD_SA_NOT_FOUND, protocol=ProtocolId.ESP, spi=b"in_1"))
    assert kinds(done) == [Report]
    assert established(done).children == gone.children


def test_answer_without_a_question() -> None:
    with pytest.raises(InvalidSyntax, match="was not asked"):
        create_child_sa.on_response(an_sa(), Response(ExchangeType.CREATE_CHILD_SA, (), LEFT_PATH), an_env())
    refused = create_child_sa.on_response(
        an_sa(), Response(ExchangeType.CREATE_CHILD_SA, (NO_PROPOSAL,), LEFT_PATH), an_env()
    )
    assert kinds(refused) == [Report]


# --- requests at the wrong time --------------------------------------------------------------------------------------


def new_child_request() -> Request:
    """What right gets when left asks for a new child."""
    call = the(Call, create_child_sa.create_child(an_sa(), CreateChild("lan"), an_env()))
    return Request(ExchangeType.CREATE_CHILD_SA, 0, call.payloads, RIGHT_PATH)


def rekey_request(spi: bytes) -> Request:
    """What left gets when right asks to rekey the child that right receives on with `spi`."""
    ours = the_other(an_sa(a_child(spi_out=spi)))
    call = the(Call, create_child_sa.rekey_child(ours, RekeyChild(spi), an_env(seed=5)))
    return Request(ExchangeType.CREATE_CHILD_SA, 0, call.payloads, LEFT_PATH)


@pytest.mark.parametrize("phase", [None, Phase.LINGERING], ids=["never heard of", "gone"])
def test_child_is_not_found(phase: Phase | None) -> None:
    """The answer names the SPI that was asked for (RFC 7296 §2.25)."""
    sa = an_sa(a_child(phase=phase)) if phase else an_sa()
    with pytest.raises(ChildSaNotFound) as error:
        create_child_sa.on_request(sa, rekey_request(b"out1"), an_env())
    assert error.value.spi == b"out1"


@pytest.mark.parametrize("nat", [Nat(local=True), Nat(remote=True), Nat()], ids=["ours", "the peer's", "none"])
def test_not_behind_a_nat_by_manners(nat: Nat) -> None:
    """As Windows does it: what it has stays."""
    shy = replace(TO_RIGHT, manners=Manners(refuses_child_rekey=NotifyType(12345)))
    sa = an_sa(a_child(), peer=shy, nat=nat)
    done = create_child_sa.on_request(sa, rekey_request(b"out1"), an_env())
    refusals = [payload for payload in the(Respond, done).payloads if isinstance(payload, Notify)]
    assert refusals == ([Notify(NotifyType(12345))] if nat.local else [])
    assert (done.sa == sa) is nat.local


def test_not_while_we_delete_the_child() -> None:
    with pytest.raises(TemporaryFailure):
        create_child_sa.on_request(an_sa(a_child(phase=Phase.DELETING)), rekey_request(b"out1"), an_env())
    waiting = an_sa(a_child(phase=Phase.REPLACED), todo=(DeleteChild(b"in_1"),))
    with pytest.raises(TemporaryFailure):
        create_child_sa.on_request(waiting, rekey_request(b"out1"), an_env())


def test_peer_rekeys_one_child_twice() -> None:
    """The second time it is yet to delete what it has replaced: no third pair comes of that."""
    once = create_child_sa.on_request(an_sa(a_child()), rekey_request(b"out1"), an_env())
    assert kinds(once) == [InstallInbound, Respond]
    with pytest.raises(TemporaryFailure, match="has been rekeyed"):
        create_child_sa.on_request(established(once), rekey_request(b"out1"), an_env())


def test_peer_rekeys_again_after_it_took_back_the_first_try() -> None:
    """It could not install the new pair, say, and has deleted it."""
    old = a_child(1, phase=Phase.REPLACED)
    new = a_child(2, phase=Phase.LINGERING, replaces=b"in_1")
    again = create_child_sa.on_request(an_sa(old, new), rekey_request(b"out1"), an_env())
    assert kinds(again) == [InstallInbound, Respond]


# --- an answer is late, and the peer goes on -------------------------------------------------------------------------


def test_new_child_is_deleted_before_we_have_the_answer() -> None:
    """The answer was lost, and the Delete was not: nothing is installed when the answer comes at last."""
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.lose(1)
    pair.left.ask(CreateChild("dmz"))
    pair.run(0.5)
    (lan, dmz) = pair.right.sa.children
    assert (lan.name, dmz.name) == ("lan", "dmz")
    pair.right.ask(DeleteChild(dmz.spi_in))
    pair.run(20)
    assert pair.agree()
    assert [child.name for child in pair.left.sa.children] == ["lan"]
    assert [told.child for told in pair.left.told if isinstance(told, ChildClosed)] == ["dmz"]


def test_new_pair_is_deleted_before_we_have_the_answer() -> None:
    pair = connected()
    old = pair.left.child.spi_in
    pair.lose(1)
    rekey(pair.left)
    pair.run(0.5)
    pair.right.ask(DeleteChild(pair.right.sa.children[1].spi_in))
    pair.run(20)
    assert pair.agree()
    assert [child.phase for child in pair.left.sa.children] == [Phase.ACTIVE]
    assert pair.left.child.spi_in == old
    assert pair.left.child.due > pair.now


def test_old_and_new_pair_are_deleted_before_we_have_the_answer() -> None:
    pair = connected()
    pair.lose(1)
    rekey(pair.left)
    pair.run(0.5)
    for child in pair.right.sa.children:
        pair.right.ask(DeleteChild(child.spi_in))
    pair.run(20)
    assert pair.agree()
    assert pair.left.sa.children == ()


def test_new_pair_is_rekeyed_before_we_have_the_answer() -> None:
    """By a peer that has no patience: the SPI is perhaps that of the answer that is on its way, and it has to wait."""
    pair = connected(settings=Settings(switch_after=5.0))
    old = pair.left.child.spi_in
    pair.lose(1, 2, 3, 4, 5)
    rekey(pair.left)
    pair.run(6)
    pair.right.ask(RekeyChild(pair.right.sa.children[1].spi_in))
    pair.run(60)
    assert "N(CHILD_SA_NOT_FOUND)" not in pair.chart()
    assert_one_is_left(pair, old)


# --- both sides want the same ----------------------------------------------------------------------------------------


def both_rekey(pair: Pair, loser: str) -> None:
    """At the same time; the lowest of the four nonces is in what the loser asks."""
    for end in pair.sides:
        if end is side(pair, loser):
            with end.chance.low():
                rekey(end)
        else:
            rekey(end)


def test_both_rekey_and_left_loses() -> None:
    """RFC 7296 §2.8.1: left deletes the pair that it asked for, right the one that was replaced."""
    pair = connected()
    both_rekey(pair, loser="left")
    old = pair.left.child.spi_in
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA request 0: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response 2: SA, Nr, KEr, TSi, TSr\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr, TSi, TSr\n"
        "--> INFORMATIONAL request 3: D(ESP)\n"
        "<-- INFORMATIONAL request 1: D(ESP)\n"
        "<-- INFORMATIONAL response 3: D(ESP)\n"
        "--> INFORMATIONAL response 1: D(ESP)"
    )
    pair.run(2 * LINGERED)
    assert_one_is_left(pair, old)
    assert not pair.left.child.initiator


def test_both_rekey_and_right_loses() -> None:
    pair = connected()
    both_rekey(pair, loser="right")
    pair.run(2 * LINGERED)
    assert_one_is_left(pair)
    assert pair.left.child.initiator
    assert "request 2: D" not in pair.chart()


def test_left_s_request_is_lost() -> None:
    """RFC 7296 §2.8.1: right never notices; when the request comes, the child is not there any more."""
    pair = connected()
    pair.lose(0)
    both_rekey(pair, loser="right")
    pair.run(3)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: N(REKEY_SA), SA, Ni, KEi, TSi, TSr lost\n"
        "<-- CREATE_CHILD_SA request 0: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "--> CREATE_CHILD_SA response 0: SA, Nr, KEr, TSi, TSr\n"
        "<-- INFORMATIONAL request 1: D(ESP)\n"
        "--> INFORMATIONAL response 1: D(ESP)\n"
        "--> CREATE_CHILD_SA request 2: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response 2: N(CHILD_SA_NOT_FOUND)"
    )
    pair.run(LINGERED)
    assert_one_is_left(pair)


LOSER = pytest.mark.parametrize("loser", ["left", "right"])
NTH = pytest.mark.parametrize("nth", range(8))


@LOSER
@NTH
def test_both_rekey_and_one_datagram_is_lost(loser: str, nth: int) -> None:
    pair = connected()
    old = pair.left.child.spi_in
    pair.lose(nth)
    both_rekey(pair, loser)
    pair.run(120)
    assert_one_is_left(pair, old)


@LOSER
@NTH
def test_both_rekey_and_one_datagram_is_late(loser: str, nth: int) -> None:
    """So late that it was sent again before, so that it comes twice."""
    pair = connected()
    old, late = pair.left.child.spi_in, len(pair.sent) + nth
    pair.fate = lambda number, _: (3.0,) if number == late else (DELAY,)
    both_rekey(pair, loser)
    pair.run(120)
    assert_one_is_left(pair, old)


@LOSER
@NTH
def test_both_rekey_and_one_message_is_lost_for_long(loser: str, nth: int) -> None:
    """One datagram is lost and so are all that repeat it, for half a minute."""
    pair = connected()
    old, count, silenced = pair.left.child.spi_in, len(pair.sent) + nth, set[bytes]()

    def fate(number: int, octets: bytes) -> tuple[float, ...]:
        if number == count:
            silenced.add(octets)
        return () if octets in silenced and pair.now < 30 else (DELAY,)

    pair.fate = fate
    both_rekey(pair, loser)
    pair.run(200)
    assert_one_is_left(pair, old)


@LOSER
@NTH
def test_both_make_the_same_new_child(loser: str, nth: int) -> None:
    """Two packets want it at the same moment: one pair is enough, as when both rekey, whatever is lost."""
    pair = connected(WITH_DMZ, None, None, "lan")
    pair.lose(*((nth - 1,) if nth else ()))
    for end in pair.sides:
        if end is side(pair, loser):
            with end.chance.low():
                end.ask(CreateChild("dmz"))
        else:
            end.ask(CreateChild("dmz"))
    pair.run(120)
    assert pair.agree()
    assert sorted(child.name for child in pair.left.sa.children) == ["dmz", "lan"]


@LOSER
def test_both_make_the_same_new_child_and_one_does_not_know(loser: str) -> None:
    """Left has its answer before right's request comes: only right sees that one pair is enough."""
    pair = connected(WITH_DMZ, None, None, "lan")
    late = len(pair.sent) + 1
    pair.fate = lambda number, octets: (5 * DELAY,) if number == late else (DELAY,)
    for end in pair.sides:
        if end is side(pair, loser):
            with end.chance.low():
                end.ask(CreateChild("dmz"))
        else:
            end.ask(CreateChild("dmz"))
    pair.run(20)
    assert pair.agree()
    assert sorted(child.name for child in pair.left.sa.children) == ["dmz", "lan"]
    assert pair.chart().count("request") - 2 == 1


def test_two_different_children_at_the_same_time() -> None:
    other = replace(DMZ, name="voice", ts_local=selectors("10.1.8.0/24"), ts_remote=selectors("10.2.8.0/24"))
    pair = connected(replace(TO_RIGHT, children=(LAN, DMZ, other)), None, None, "lan")
    pair.left.ask(CreateChild("dmz"))
    pair.right.ask(CreateChild("voice"))
    pair.run(10)
    assert pair.agree()
    assert sorted(child.name for child in pair.left.sa.children) == ["dmz", "lan", "voice"]


def test_refused_while_the_peer_makes_it_itself() -> None:
    """Whatever the error is, there is no need to try again."""
    rival = a_child(2, phase=Phase.INBOUND, replaces=b"in_1")
    for notify in (LATER, NO_PROPOSAL, INVALID_KE, Notify(NotifyType.CHILD_SA_NOT_FOUND)):
        sa = rekeying(rival)
        assert isinstance(sa.doing, RekeyingChild)
        done = answered(replace(sa, doing=replace(sa.doing, rival=Rival(b"in_2", bytes(32)))), notify)
        assert kinds(done) == [Report]
        assert established(done).todo == ()


def test_rival_that_is_gone_does_not_win() -> None:
    """The peer has already deleted what it made, whatever the nonces say."""
    sa = rekeying(a_child(2, phase=Phase.LINGERING, due=12.0, replaces=b"in_1"))
    assert isinstance(sa.doing, RekeyingChild)
    sa = replace(sa, doing=replace(sa.doing, rival=Rival(b"in_2", b"\xff" * 32)))
    call = the(Call, create_child_sa.rekey_child(an_sa(a_child()), RekeyChild(b"in_1"), an_env()))
    request = Request(ExchangeType.CREATE_CHILD_SA, 0, call.payloads, RIGHT_PATH)
    right = create_child_sa.on_request(the_other(an_sa(a_child())), request, an_env(seed=2))
    done = answered(sa, *the(Respond, right).payloads)
    assert the(InstallOutbound, done).child.phase is Phase.ACTIVE
    assert established(done).child(b"in_2") == a_child(2, phase=Phase.LINGERING, due=12.0, replaces=b"in_1")


# --- rekeying meets deleting -----------------------------------------------------------------------------------------


def test_rekeying_meets_deleting() -> None:
    """RFC 7296 §2.25.1: who deletes answers TEMPORARY_FAILURE, who rekeys answers as usual and has nothing to rekey."""
    pair = connected()
    rekey(pair.left)
    pair.right.ask(DeleteChild(pair.right.child.spi_in))
    pair.run(1)
    assert pair.chart() == (
        "--> CREATE_CHILD_SA request 2: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- INFORMATIONAL request 0: D(ESP)\n"
        "<-- CREATE_CHILD_SA response 2: N(TEMPORARY_FAILURE)\n"
        "--> INFORMATIONAL response 0: D(ESP)"
    )
    pair.run(30)
    assert pair.chart() == ""
    assert pair.agree()
    assert pair.left.sa.children == ()


@NTH
def test_rekeying_meets_deleting_and_one_datagram_is_lost(nth: int) -> None:
    pair = connected()
    pair.lose(nth % 4)
    first, second = pair.sides if nth < 4 else (pair.right, pair.left)
    rekey(first)
    second.ask(DeleteChild(second.child.spi_in))
    pair.run(120)
    assert pair.agree()
    assert len(pair.left.sa.children) <= 1


def test_child_s_rekeying_meets_the_ike_sa_s() -> None:
    """The child has to wait, and is rekeyed on the new IKE SA (RFC 7296 §2.25.2)."""
    pair = connected()
    old = pair.left.child.spi_in
    pair.right.ask(RekeyIke())
    pair.run(DELAY / 2)
    pair.left.ask(RekeyChild(old))
    pair.run(60)
    assert_one_is_left(pair, old)
    assert len(pair.left.ups) == 2


def test_nothing_new_while_we_rekey_the_ike_sa() -> None:
    doing = established(step(an_sa(a_child()), Ask(b"initiatr", RekeyIke()), an_env()))
    for request in (rekey_request(b"out1"), replace(new_child_request(), path=LEFT_PATH)):
        with pytest.raises(TemporaryFailure, match="is being rekeyed"):
            create_child_sa.on_request(doing, request, an_env())
