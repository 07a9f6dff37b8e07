"""edgevpn.ike.exchange.ike_followup_ke: further key exchanges when IKE SAs and children are made or rekeyed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Request, Response, Settings, Terminate
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.mlkem import AVAILABLE
from edgevpn.ike.crypto.suite import Algorithm
from edgevpn.ike.errors import InvalidSyntax, StateNotFound, TemporaryFailure
from edgevpn.ike.exchange import create_child_sa
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, TransformType
from edgevpn.ike.peer import Offer, Peer
from edgevpn.ike.state import CreateChild, Established, FollowingUp, RekeyChild, RekeyIke, Task
from edgevpn.ike.steps import Call, Respond
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange
from edgevpn.ike.wire.proposal import Transform
from tests.support.chart import without_numbers
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env, errors_of, the
from tests.support.pair import Pair, Side, connected
from tests.support.peers import (
    ADDKE1_ECP384,
    ADDKE1_NONE,
    ADDKE2_X448,
    GCM,
    IKE_OFFER,
    LAN,
    NO_ESN,
    PRF_SHA256,
    TO_RIGHT,
    X25519,
    mirrored,
    selectors,
)
from tests.support.states import a_child, an_sa, the_other

FOLLOWUP = ExchangeType.IKE_FOLLOWUP_KE
IKE_TWO = Offer((GCM, PRF_SHA256, X25519, ADDKE1_ECP384, ADDKE2_X448))
ESP_ONE = Offer((GCM, X25519, ADDKE1_ECP384, NO_ESN))
PFS = replace(LAN, offers=(ESP_ONE,))
DMZ = replace(PFS, name="dmz", ts_local=selectors("10.1.9.0/24"), ts_remote=selectors("10.2.9.0/24"))
PEER = replace(TO_RIGHT, offers=(IKE_TWO,), children=(PFS, DMZ))


def up(peer: Peer = PEER, settings: Settings | None = None, *children: str) -> Pair:
    return connected(peer, None, settings, *(children or ("lan",)))


def rekey(side: Side, what: str) -> None:
    side.ask(RekeyIke() if what == "ike" else RekeyChild(side.child.spi_in))


ROLES = pytest.mark.parametrize("who", ["left", "right"])
WHAT = pytest.mark.parametrize("what", ["ike", "child"])


# --- the whole way -------------------------------------------------------------------------------------------------


def test_ike_sa_is_rekeyed() -> None:
    pair = up()
    old = pair.left.sa.secured
    pair.left.ask(RekeyIke())
    pair.run(1)
    assert pair.agree()
    assert without_numbers(pair.chart()).splitlines()[:6] == [
        "--> CREATE_CHILD_SA request: SA, Ni, KEi",
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr, N(ADDITIONAL_KEY_EXCHANGE)",
        "--> IKE_FOLLOWUP_KE request: KEi, N(ADDITIONAL_KEY_EXCHANGE)",
        "<-- IKE_FOLLOWUP_KE response: KEr, N(ADDITIONAL_KEY_EXCHANGE)",
        "--> IKE_FOLLOWUP_KE request: KEi, N(ADDITIONAL_KEY_EXCHANGE)",
        "<-- IKE_FOLLOWUP_KE response: KEr",
    ]
    new = pair.left.sa.secured
    assert new.suite == old.suite
    assert new.keys == pair.right.sa.secured.keys != old.keys


def test_child_is_rekeyed() -> None:
    """The one that IKE_AUTH has made has no key exchange of its own; the one after it has."""
    pair = up()
    assert not pair.left.child.suite.additional
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.run(1)
    assert without_numbers(pair.chart()).splitlines() == [
        "--> CREATE_CHILD_SA request: N(REKEY_SA), SA, Ni, KEi, TSi, TSr",
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr, TSi, TSr, N(ADDITIONAL_KEY_EXCHANGE)",
        "--> IKE_FOLLOWUP_KE request: KEi, N(ADDITIONAL_KEY_EXCHANGE)",
        "<-- IKE_FOLLOWUP_KE response: KEr",
        "--> INFORMATIONAL request: D(ESP)",
        "<-- INFORMATIONAL response: D(ESP)",
    ]
    assert pair.left.child.suite.additional == (Algorithm(TransformType.ADDKE1, Ke.ECP_384),)
    assert pair.left.child.keys == pair.right.child.keys
    pair.run(60)
    assert pair.agree()


@ROLES
def test_child_is_made(who: str) -> None:
    pair = up()
    (pair.left if who == "left" else pair.right).ask(CreateChild("dmz"))
    pair.run(1)
    assert pair.agree()
    assert pair.chart().count("IKE_FOLLOWUP_KE") == 2
    for side in pair.sides:
        assert {child.name for child in side.sa.children} == {"lan", "dmz"}


@ROLES
@WHAT
def test_either_side_again_and_again(who: str, what: str) -> None:
    pair = up()
    for _ in range(3):
        rekey(pair.left if who == "left" else pair.right, what)
        pair.run(60)
        assert pair.agree()
    assert pair.chart().count("IKE_FOLLOWUP_KE") == (3 * 4 if what == "ike" else 3 * 2)
    assert pair.ping()


@pytest.mark.parametrize("ke", sorted(AVAILABLE), ids=lambda ke: ke.name)
def test_ml_kem(ke: Ke) -> None:
    """As long as in IKE_INTERMEDIATE, and cut alike."""
    more = Transform(TransformType.ADDKE1, ke)
    child = replace(LAN, offers=(Offer((GCM, X25519, more, NO_ESN)),))
    peer = replace(PEER, offers=(Offer((*IKE_OFFER.transforms, more)),), children=(child,), fragmentation=True)
    pair = up(peer, Settings(fragment_size_v4=576))
    for what in ("ike", "child"):
        rekey(pair.left, what)
        pair.run(60)
        assert pair.agree()
    assert pair.chart().count("IKE_FOLLOWUP_KE request") > 2 * 2
    assert pair.left.sa.secured.suite.additional[0].transform_id == ke
    assert pair.left.child.suite.additional[0].transform_id == ke


def test_peer_that_had_none_is_not_asked_for_any() -> None:
    """What it did not want at first it will not want later."""
    optional = replace(TO_RIGHT, offers=(Offer((*IKE_OFFER.transforms, ADDKE1_ECP384, ADDKE1_NONE)),))
    pair = connected(optional, mirrored(TO_RIGHT))
    pair.left.ask(RekeyIke())
    pair.run(1)
    assert pair.agree()
    assert "IKE_FOLLOWUP_KE" not in pair.chart()


# --- what goes wrong on the way ------------------------------------------------------------------------------------


@WHAT
@pytest.mark.parametrize("lost", range(6))
def test_lost_once(what: str, lost: int) -> None:
    pair = up()
    pair.lose(lost)
    rekey(pair.left, what)
    pair.run(90)
    assert pair.agree()
    assert "IKE_FOLLOWUP_KE" in pair.chart()


@WHAT
def test_both_at_once(what: str) -> None:
    """Each has to wait, and one comes first the next time."""
    pair = up()
    rekey(pair.left, what)
    rekey(pair.right, what)
    pair.run(300)
    assert pair.agree()
    assert "N(TEMPORARY_FAILURE)" in pair.chart()
    assert len(pair.left.sa.children) == 1


@pytest.mark.parametrize("delay", [0.005, 0.015, 0.025, 0.035, 0.045])
@pytest.mark.parametrize("task", [RekeyIke(), CreateChild("dmz"), "rekey child"], ids=["ike", "new", "child"])
@WHAT
def test_other_wishes_meanwhile(what: str, task: Task | str, delay: float) -> None:
    """The peer's own wishes wait until it is done."""
    pair = up()
    rekey(pair.left, what)
    pair.run(delay)
    sa = pair.right.sas[0]
    pair.right.ask_at(sa.spi, RekeyChild(sa.children[0].spi_in) if isinstance(task, str) else task)
    pair.run(300)
    assert pair.agree()
    assert pair.ping()


@WHAT
@pytest.mark.parametrize("who", ["left", "right"])
def test_closed_meanwhile(what: str, who: str) -> None:
    pair = up()
    rekey(pair.left, what)
    pair.run(0.025)
    side = pair.left if who == "left" else pair.right
    side.tell(Terminate(side.sas[0].spi))
    pair.run(120)
    assert not pair.left.endpoint.sas
    assert not pair.right.endpoint.sas


def test_peer_does_not_go_on() -> None:
    """What it has begun is forgotten after a while, and we may do what has waited."""
    pair = up()
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.fate = lambda number, octets: (0.01,) if len(pair.sent) < 12 else ()
    pair.run(0.015)
    pair.left.reboot()
    pair.right.ask(CreateChild("dmz"))
    assert pair.right.sa.promise is not None
    assert pair.right.sa.doing is None
    pair.run(Settings().half_open_timeout + 1)
    assert pair.right.sa.promise is None
    assert pair.right.sa.doing is not None


def test_newer_request_takes_the_place_of_the_older() -> None:
    sa = the_other(an_sa(a_child(), peer=PEER), mirrored(PEER))
    first = create_child_sa.on_request(sa, asks_for_child(), an_env())
    second = create_child_sa.on_request(first.sa, asks_for_child(), an_env(seed=2))  # type: ignore[arg-type]
    assert isinstance(second.sa, Established)
    with pytest.raises(StateNotFound):
        create_child_sa.on_followup(second.sa, goes_on(first.sa), an_env())


def test_child_is_gone_before_it_is_rekeyed() -> None:
    pair = up()
    spi = pair.right.child.spi_in
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.run(0.025)  # the last key exchange is on its way
    assert isinstance(pair.left.sa.doing, FollowingUp)
    gone = replace(pair.right.sa, children=())
    request = goes_on(pair.right.sa)
    with pytest.raises(TemporaryFailure, match="what was to be rekeyed is gone"):
        create_child_sa.on_followup(gone, request, an_env())
    assert pair.right.sa.child(spi) is not None


# --- what is refused -----------------------------------------------------------------------------------------------


def asks_for_child() -> Request:
    step = create_child_sa.create_child(an_sa(peer=PEER), CreateChild("lan"), an_env())
    return Request(ExchangeType.CREATE_CHILD_SA, 3, the(Call, step).payloads, RIGHT_PATH)


def goes_on(sa: object, ke: Ke = Ke.ECP_384, link: bytes | None = None) -> Request:
    """The peer's next request after that promise."""
    assert isinstance(sa, Established)
    assert sa.promise is not None
    share = KeyExchange(ke, dh.generate(ke, an_env().entropy).public)
    notify = Notify(NotifyType.ADDITIONAL_KEY_EXCHANGE, sa.promise.link if link is None else link)
    return Request(FOLLOWUP, 4, (share, notify), RIGHT_PATH)


def promised() -> Established:
    """Right's end of an IKE SA: left has asked for a child, and is to go on."""
    sa = the_other(an_sa(peer=PEER), mirrored(PEER))
    step = create_child_sa.on_request(sa, asks_for_child(), an_env())
    assert not errors_of(step)
    assert isinstance(step.sa, Established)
    return step.sa


def test_unknown_link() -> None:
    for request in (goes_on(promised(), link=b"another"), Request(FOLLOWUP, 4, (), RIGHT_PATH)):
        with pytest.raises(StateNotFound):
            create_child_sa.on_followup(promised(), request, an_env())
    with pytest.raises(StateNotFound):
        create_child_sa.on_followup(an_sa(), goes_on(promised()), an_env())


def test_another_method_than_agreed() -> None:
    with pytest.raises(InvalidSyntax, match="KE payload of method CURVE25519, ECP_384 comes next"):
        create_child_sa.on_followup(promised(), goes_on(promised(), Ke.CURVE25519), an_env())


def answer_without_link(*payloads: Payload) -> Response:
    answer = the(
        Respond, create_child_sa.on_request(the_other(an_sa(peer=PEER), mirrored(PEER)), asks_for_child(), an_env())
    )
    left = tuple(p for p in answer.payloads if not isinstance(p, Notify))
    return Response(ExchangeType.CREATE_CHILD_SA, (*left, *payloads), LEFT_PATH)


def test_answer_that_does_not_say_how_to_go_on() -> None:
    step = create_child_sa.create_child(an_sa(peer=PEER), CreateChild("lan"), an_env())
    with pytest.raises(InvalidSyntax, match="nothing says of what"):
        create_child_sa.on_response(step.sa, answer_without_link(), an_env())  # type: ignore[arg-type]


def test_peer_has_forgotten() -> None:
    """STATE_NOT_FOUND: all of it is asked for again, later."""
    step = create_child_sa.create_child(an_sa(peer=PEER), CreateChild("lan"), an_env())
    link = Notify(NotifyType.ADDITIONAL_KEY_EXCHANGE, b"link")
    following = create_child_sa.on_response(step.sa, answer_without_link(link), an_env()).sa  # type: ignore[arg-type]
    assert isinstance(following, Established)
    assert isinstance(following.doing, FollowingUp)
    forgotten = Response(FOLLOWUP, (Notify(NotifyType.STATE_NOT_FOUND),), LEFT_PATH)
    after = create_child_sa.on_response(following, forgotten, an_env()).sa
    assert isinstance(after, Established)
    assert after.todo == (CreateChild("lan"),)
    assert after.wake > 0
    assert after.doing is None


def test_secrets_are_not_shown() -> None:
    sa = promised()
    for word in ("shared_secret", "secrets", "ni=", "nr="):
        assert word not in repr(sa.promise)
