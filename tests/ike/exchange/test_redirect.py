"""edgevpn.ike.exchange.redirect: RFC 5685."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from edgevpn.ike.contract import (
    IkeSaDown,
    Initiate,
    Redirected,
    Report,
    Request,
    Terminate,
)
from edgevpn.ike.crypto import dh
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.exchange import ike_auth_initiator, ike_sa_init
from edgevpn.ike.exchange.redirect import MAX_REDIRECTS, announced, wanted
from edgevpn.ike.iana import ExchangeType, Flag, Ke, NotifyType, ProtocolId
from edgevpn.ike.machine import step
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.state import Closed, Closing, CreateChild, Initiating, Phase, Probing, RekeyIke, RekeyingIke, Rival
from edgevpn.ike.steps import Call, CallOpen, Respond, Step, Tell
from edgevpn.ike.wire.message import Header, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete, SecurityAssociation, TrafficSelectorsI
from tests.support.handshake import (
    LEFT_PATH,
    RIGHT,
    an_env,
    auth_response,
    init_response,
    initiated,
    kinds,
    open_sa,
    the,
)
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.states import a_child, an_sa

FOLLOWS = replace(TO_RIGHT, redirects=True)
V4, V6 = ip_address("203.0.113.5"), ip_address("2001:db8::5")
TO_V4 = bytes([1, 4]) + V4.packed
GATEWAYS: dict[str, tuple[bytes, IpAddress | str]] = {
    "IPv4": (TO_V4, V4),
    "IPv6": (bytes([2, 16]) + V6.packed, V6),
    "name": (bytes([3, 11]) + b"gw2.example", "gw2.example"),
}
BAD = {
    "nothing": b"",
    "a short address": bytes([1, 3]) + b"abc",
    "another type": bytes([4, 4]) + V4.packed,
    "more than there is": bytes([3, 12]) + b"gw2.example",
    "an empty name": bytes([3, 0]),
    "a name with a line in it": bytes([3, 11]) + b"gw2\nexample",
    "a name with a space": bytes([3, 11]) + b"gw2 example",
    "a name of another alphabet": bytes([3, 2]) + "ü".encode(),
}


def redirect(data: bytes) -> Notify:
    return Notify(NotifyType.REDIRECT, data)


def asks(data: bytes) -> Request:
    return Request(ExchangeType.INFORMATIONAL, 0, (redirect(data),), LEFT_PATH)


def answered(sa: Initiating, data: bytes) -> Step:
    """What left makes of a redirect instead of an answer to IKE_SA_INIT."""
    header = Header(sa.spi_i, bytes(8), ExchangeType.IKE_SA_INIT, Flag.RESPONSE, 0)
    return ike_sa_init.on_response(sa, init_response(encode_message(header, (redirect(data),))), an_env())


# --- what we say -----------------------------------------------------------------------------------------------------


def test_said_in_ike_sa_init() -> None:
    """§3: that we can be sent elsewhere, or who has sent us."""
    assert announced(FOLLOWS, None) == (Notify(NotifyType.REDIRECT_SUPPORTED),)
    assert announced(TO_RIGHT, None) == ()
    assert announced(FOLLOWS, V4) == (Notify(NotifyType.REDIRECTED_FROM, TO_V4),)
    assert announced(FOLLOWS, V6) == (Notify(NotifyType.REDIRECTED_FROM, bytes([2, 16]) + V6.packed),)


def test_sent_from_elsewhere() -> None:
    made = ike_sa_init.initiate(FOLLOWS, Initiate("right", LEFT_PATH, (), V4, 1), True, an_env())
    assert TO_V4 in the(CallOpen, made).octets


# --- before anybody has shown who it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "gateway"), GATEWAYS.values(), ids=GATEWAYS)
def test_instead_of_an_answer(data: bytes, gateway: IpAddress | str) -> None:
    """§3: our nonce behind it shows that it comes from who has our request."""
    sa = initiated(FOLLOWS, "lan")
    done = answered(sa, data + sa.ni)
    assert isinstance(done.sa, Closed)
    assert kinds(done) == [IkeSaDown, Redirected]
    assert the(Redirected, done) == Redirected("right", gateway, RIGHT, ("lan",))
    assert the(IkeSaDown, done).asked


@pytest.mark.parametrize("nonce", [b"", bytes(32)], ids=["none", "another"])
def test_without_our_nonce(nonce: bytes) -> None:
    """Anybody could have sent it: a better answer may come."""
    sa = initiated(FOLLOWS)
    done = answered(sa, TO_V4 + nonce)
    assert done.sa is sa
    assert kinds(done) == [Report]


def test_not_if_the_owner_does_not_want_it() -> None:
    sa = initiated(TO_RIGHT)
    assert answered(sa, TO_V4 + sa.ni).sa is sa


def test_not_for_ever() -> None:
    """§7: gateways that send us to each other."""
    ask = Initiate("right", LEFT_PATH, (), V4, MAX_REDIRECTS)
    sa = ike_sa_init.initiate(FOLLOWS, ask, True, an_env()).sa
    assert isinstance(sa, Initiating)
    assert answered(sa, TO_V4 + sa.ni).sa is sa
    last = ike_sa_init.initiate(FOLLOWS, replace(ask, redirects=MAX_REDIRECTS - 1), True, an_env()).sa
    assert isinstance(last, Initiating)
    assert isinstance(answered(last, TO_V4 + last.ni).sa, Closed)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_to_nowhere(data: bytes) -> None:
    """It may come from anybody, and goes to the log and to a resolver: so only what is an address or a name."""
    sa = initiated(FOLLOWS)
    with pytest.raises(InvalidSyntax):
        answered(sa, data)
    with pytest.raises(InvalidSyntax):
        step(an_sa(peer=FOLLOWS), asks(data), an_env())


# --- afterwards ------------------------------------------------------------------------------------------------------


def test_in_the_middle_of_a_session() -> None:
    """<-- SK {N(REDIRECT)}  --> SK {}, and --> SK {D(IKE)} (§5)."""
    gone = a_child(2, name="dmz", phase=Phase.LINGERING)
    sa = an_sa(a_child(1), gone, peer=FOLLOWS, todo=(CreateChild("voice"),))
    done = step(sa, asks(TO_V4), an_env())
    assert kinds(done)[0] is Respond
    assert the(Call, done).payloads == (Delete(ProtocolId.IKE),)
    assert the(Redirected, done) == Redirected("right", V4, RIGHT, ("lan", "voice"))
    assert isinstance(done.sa, Closing)
    assert done.sa.asked


def test_while_something_is_unanswered() -> None:
    done = step(an_sa(peer=FOLLOWS, doing=Probing()), asks(TO_V4), an_env())
    assert isinstance(done.sa, Closing)
    assert done.sa.waiting


def test_while_both_are_rekeying() -> None:
    """What the peer has made of the IKE SA goes with it."""
    key_pair = dh.generate(Ke.CURVE25519, an_env().entropy)
    doing = RekeyingIke(RekeyIke(), b"newspi_i", b"n" * 32, Ke.CURVE25519, key_pair, Rival(b"therival", b""))
    done = step(an_sa(peer=FOLLOWS, doing=doing), asks(TO_V4), an_env())
    assert isinstance(done.sa, Closing)
    assert the(Tell, done) == Tell(b"therival", Terminate(b"therival"))


@pytest.mark.parametrize("changes", [{"peer": TO_RIGHT}, {"peer": FOLLOWS, "began": False}])
def test_who_is_not_sent(changes: dict[str, Any]) -> None:
    """Whose owner does not want it; and whoever was called."""
    sa = an_sa(**changes)
    assert not wanted(sa, asks(TO_V4))
    assert step(sa, asks(TO_V4), an_env()) == Step(sa, (Respond(asks(TO_V4)),))


def test_in_the_answer_to_ike_auth() -> None:
    """<-- SK {IDr, AUTH, N(REDIRECT)}: the gateway has shown who it is, and the IKE SA goes again (§6)."""
    opened = open_sa(FOLLOWS, (TO_LEFT,), "lan")
    answer = auth_response(opened.answered(), redirect(TO_V4), without=(SecurityAssociation, TrafficSelectorsI))
    done = ike_auth_initiator.on_response(opened.authenticating, answer, opened.left)
    assert isinstance(done.sa, Closing)
    assert the(Redirected, done).children == ("lan",)
    assert the(Call, done).payloads == (Delete(ProtocolId.IKE),)
