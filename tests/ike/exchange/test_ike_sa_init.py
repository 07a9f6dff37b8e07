from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from edgevpn.ike.contract import (
    IkeSaDown,
    Initiate,
    KeysDerived,
    Report,
    Send,
    Settings,
)
from edgevpn.ike.errors import Cause, IkeError, InvalidKePayload, InvalidMajorVersion, InvalidSyntax, NoProposalChosen
from edgevpn.ike.exchange import ike_sa_init
from edgevpn.ike.exchange.ike_sa_init import MAX_TRIES, NO_SPI
from edgevpn.ike.iana import ExchangeType, Flag, Ke, NotifyType
from edgevpn.ike.peer import Manners, Offer
from edgevpn.ike.state import Authenticating, Closed, HalfOpen, Initiating, Nat
from edgevpn.ike.steps import Call, CallOpen, Secure
from edgevpn.ike.wire.message import Header, Payload, decode_message, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation, VendorId
from tests.support.handshake import (
    LEFT_PATH,
    RIGHT_PATH,
    all_of,
    an_env,
    answer_init,
    from_port,
    init_request,
    init_response,
    initiated,
    kinds,
    the,
)
from tests.support.peers import ECP256, GCM, IKE_OFFER, PRF_SHA256, TO_LEFT, TO_RIGHT, X25519

ONLY_ECP256 = Offer((GCM, PRF_SHA256, ECP256))
ONLY_X25519 = Offer((GCM, PRF_SHA256, X25519))


def payloads_of(octets: bytes) -> tuple[Payload, ...]:
    return decode_message(Header.decode(octets), octets)


def notifies(octets: bytes) -> list[NotifyType]:
    return [p.notify_type for p in payloads_of(octets) if isinstance(p, Notify)]


def answer(sa: Initiating, *payloads: Payload) -> bytes:
    """An answer that somebody else wrote."""
    return encode_message(Header(sa.spi_i, bytes(range(8)), ExchangeType.IKE_SA_INIT, Flag.RESPONSE, 0), payloads)


# --- asking --------------------------------------------------------------------------------------------------------


def test_initiator_asks() -> None:
    """SAi1, KEi, Ni, and the hashes that find a NAT (§1.2, §2.23)."""
    step = ike_sa_init.initiate(TO_RIGHT, Initiate("right", LEFT_PATH), True, an_env())

    assert isinstance(step.sa, Initiating)
    assert kinds(step) == [CallOpen]
    asked = the(CallOpen, step)
    assert asked.path == LEFT_PATH
    header = Header.decode(asked.octets)
    assert (header.spi_i, header.spi_r) == (step.sa.spi, NO_SPI)
    assert (header.exchange, header.flags, header.message_id) == (ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0)
    assert [type(p) for p in payloads_of(asked.octets)][:3] == [SecurityAssociation, KeyExchange, Nonce]
    assert notifies(asked.octets)[:2] == [
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
    ]
    assert step.sa.children == ("lan",)


def test_manners() -> None:
    """REDIRECT_SUPPORTED first, no word of hashes, and a vendor ID at the end, as some clients have it."""
    manners = Manners(vendors=(b"vendor",), hashes=None, redirect_first=True)
    peer = replace(TO_RIGHT, manners=manners, redirects=True, fragmentation=True)
    step = ike_sa_init.initiate(peer, Initiate("right", LEFT_PATH), True, an_env())
    octets = the(CallOpen, step).octets
    assert notifies(octets) == [
        NotifyType.REDIRECT_SUPPORTED,
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
        NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
    ]
    assert payloads_of(octets)[-1] == VendorId(b"vendor")


def test_both_agree() -> None:
    env, request = an_env(TO_RIGHT), initiated(TO_RIGHT).request

    answered = answer_init(request, an_env(TO_LEFT, now=7.0, seed=2))
    assert isinstance(answered.sa, HalfOpen)
    assert kinds(answered) == [Secure, Send]
    assert answered.sa.due == 7.0 + Settings().half_open_timeout
    agreed = ike_sa_init.on_response(initiated(TO_RIGHT), init_response(the(Send, answered).octets), env)

    assert isinstance(agreed.sa, Authenticating)
    assert kinds(agreed) == [Secure, Call]
    assert the(Call, agreed).exchange == ExchangeType.IKE_AUTH
    left, right = agreed.sa.secured, answered.sa.secured
    assert (left.keys, left.suite, left.spi_i, left.spi_r) == (right.keys, right.suite, right.spi_i, right.spi_r)
    assert (left.initiator, right.initiator) == (True, False)
    assert agreed.sa.opening == answered.sa.opening
    assert agreed.sa.nat == answered.sa.nat == Nat()


def test_keys_are_told_if_wanted() -> None:
    settings = Settings(export_keys=True)
    answered = answer_init(initiated(TO_RIGHT).request, replace(an_env(TO_LEFT, seed=2), settings=settings))
    response = init_response(the(Send, answered).octets)
    agreed = ike_sa_init.on_response(initiated(TO_RIGHT), response, replace(an_env(), settings=settings))

    assert isinstance(answered.sa, HalfOpen)
    assert isinstance(agreed.sa, Authenticating)
    assert the(KeysDerived, answered) == KeysDerived(answered.sa.secured)
    assert the(KeysDerived, agreed) == KeysDerived(agreed.sa.secured)


# --- being turned back ---------------------------------------------------------------------------------------------


def test_cookie_is_shown() -> None:
    """The same request with the cookie before all else (§2.6)."""
    sa = initiated(TO_RIGHT)
    step = ike_sa_init.on_response(sa, init_response(answer(sa, Notify(NotifyType.COOKIE, b"biscuit"))), an_env())

    again = the(CallOpen, step).octets
    assert payloads_of(again) == (Notify(NotifyType.COOKIE, b"biscuit"), *payloads_of(sa.request))


def test_method_is_changed() -> None:
    """INVALID_KE_PAYLOAD names a method that we offered: guess that one, and put its proposal first (§1.2)."""
    peer = replace(TO_RIGHT, offers=(ONLY_X25519, ONLY_ECP256))
    sa = initiated(peer)
    refusal = Notify(NotifyType.INVALID_KE_PAYLOAD, Ke.ECP_256.to_bytes(2, "big"))
    step = ike_sa_init.on_response(sa, init_response(answer(sa, refusal)), an_env(seed=3))

    assert isinstance(step.sa, Initiating)
    assert (step.sa.spi, step.sa.ni, step.sa.ke, step.sa.tries) == (sa.spi, sa.ni, Ke.ECP_256, 1)
    request = init_request(the(CallOpen, step).octets)
    assert request.need(KeyExchange).method == Ke.ECP_256
    assert ECP256 in request.need(SecurityAssociation).proposals[0].transforms
    answered = answer_init(the(CallOpen, step).octets, an_env(replace(TO_LEFT, offers=(ONLY_ECP256,)), seed=2))
    agreed = ike_sa_init.on_response(step.sa, init_response(the(Send, answered).octets), an_env())
    assert isinstance(agreed.sa, Authenticating)


@pytest.mark.parametrize("method", [Ke.CURVE25519, Ke.MODP_1024], ids=["the one we guessed", "one we never offered"])
def test_method_cannot_be_changed(method: Ke) -> None:
    sa = initiated(TO_RIGHT)
    refusal = Notify(NotifyType.INVALID_KE_PAYLOAD, method.to_bytes(2, "big"))
    step = ike_sa_init.on_response(sa, init_response(answer(sa, refusal)), an_env())

    assert isinstance(step.sa, Closed)
    assert kinds(step) == [IkeSaDown]


def test_turned_back_for_ever() -> None:
    """A peer that always wants another cookie is given up (§2.6.1)."""
    sa = initiated(TO_RIGHT)
    for tries in range(MAX_TRIES):
        cookie = Notify(NotifyType.COOKIE, bytes([tries]))
        after = ike_sa_init.on_response(sa, init_response(answer(sa, cookie)), an_env()).sa
        assert isinstance(after, Initiating)
        sa = after
    step = ike_sa_init.on_response(sa, init_response(answer(sa, Notify(NotifyType.COOKIE, b"last"))), an_env())

    assert isinstance(step.sa, Closed)
    assert kinds(step) == [IkeSaDown]


def test_forged_refusal_changes_nothing() -> None:
    """An error in clear may come from anybody: it is told, and the true answer still counts (§2.21.1)."""
    sa = initiated(TO_RIGHT)
    step = ike_sa_init.on_response(sa, init_response(answer(sa, Notify(NotifyType.NO_PROPOSAL_CHOSEN))), an_env())

    assert step.sa == replace(sa, refused=("the peer answered NO_PROPOSAL_CHOSEN", Cause.REFUSED_BY_PEER))
    assert kinds(step) == [Report]


def test_answer_mixes_methods() -> None:
    sa = initiated(TO_RIGHT)
    octets = the(Send, answer_init(sa.request, an_env(TO_LEFT, seed=2))).octets
    sa_payload, ke, nonce = payloads_of(octets)[:3]
    assert isinstance(ke, KeyExchange)
    forged = answer(sa, sa_payload, replace(ke, method=Ke.ECP_256), nonce)
    with pytest.raises(InvalidSyntax):
        ike_sa_init.on_response(sa, init_response(forged), an_env())


# --- being asked ---------------------------------------------------------------------------------------------------


def test_responder_refuses() -> None:
    """Each refusal is an IkeError with its Notify, and nothing is kept."""
    request = initiated(TO_RIGHT).request
    elsewhere = replace(TO_LEFT, remote_networks=(ip_network("203.0.113.0/24"),))
    with pytest.raises(NoProposalChosen, match="no peer may come from"):
        answer_init(request, an_env(elsewhere))
    with pytest.raises(NoProposalChosen):
        answer_init(request, an_env(replace(TO_LEFT, offers=(Offer((GCM, PRF_SHA256)),))))
    with pytest.raises(InvalidKePayload) as refused:
        answer_init(request, an_env(replace(TO_LEFT, offers=(ONLY_ECP256,))))
    assert refused.value.wanted == Ke.ECP_256


def test_offers_of_all_near_peers_count() -> None:
    """Who asks is not known yet: the first offer of any peer at that address that fits is taken."""
    stranger = replace(TO_LEFT, name="stranger", offers=(Offer((GCM, PRF_SHA256)),))
    answered = answer_init(initiated(TO_RIGHT).request, an_env(stranger, TO_LEFT))
    assert isinstance(answered.sa, HalfOpen)


@pytest.mark.parametrize(
    ("error", "notify"),
    [
        (NoProposalChosen("none fits"), Notify(NotifyType.NO_PROPOSAL_CHOSEN)),
        (InvalidKePayload(Ke.ECP_256), Notify(NotifyType.INVALID_KE_PAYLOAD, b"\x00\x13")),
        (InvalidMajorVersion("IKE version 3.0"), Notify(NotifyType.INVALID_MAJOR_VERSION)),
    ],
    ids=["no proposal", "another method", "later version"],
)
def test_refusal_octets(error: IkeError, notify: Notify) -> None:
    header = Header.decode(initiated(TO_RIGHT).request)
    octets = ike_sa_init.refusal(header, error)

    answered = Header.decode(octets)
    assert (answered.spi_i, answered.spi_r, answered.message_id) == (header.spi_i, NO_SPI, 0)
    assert answered.is_response
    assert payloads_of(octets) == (notify,)


# --- NAT -----------------------------------------------------------------------------------------------------------


def test_initiator_behind_nat() -> None:
    """Its port has changed on the way: both see it, and it goes on from port 4500 to port 4500 (§2.23)."""
    sa = initiated(TO_RIGHT)
    answered = answer_init(sa.request, an_env(TO_LEFT, seed=2), from_port(RIGHT_PATH, 61000))
    agreed = ike_sa_init.on_response(sa, init_response(the(Send, answered).octets), an_env())

    assert isinstance(answered.sa, HalfOpen)
    assert isinstance(agreed.sa, Authenticating)
    assert answered.sa.nat == Nat(remote=True)
    assert agreed.sa.nat == Nat(local=True)
    assert (agreed.sa.path.local.port, agreed.sa.path.remote.port) == (4500, 4500)
    assert the(Call, agreed).path == agreed.sa.path


def test_responder_at_a_port_of_its_own() -> None:
    """Behind a NAT only port 500 turns into 4500."""
    path = from_port(LEFT_PATH, 10500)
    sa = replace(initiated(TO_RIGHT), path=path)
    answered = answer_init(sa.request, an_env(TO_LEFT, seed=2), from_port(RIGHT_PATH, 61000))
    agreed = ike_sa_init.on_response(sa, init_response(the(Send, answered).octets, path), an_env())

    assert isinstance(agreed.sa, Authenticating)
    assert (agreed.sa.path.local.port, agreed.sa.path.remote.port) == (4500, 10500)


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_encapsulation_is_forced(side: str) -> None:
    """Either side can make both believe in a NAT."""
    left = replace(TO_RIGHT, force_encapsulation=side == "initiator")
    right = replace(TO_LEFT, force_encapsulation=side == "responder")
    sa = initiated(left)
    answered = answer_init(sa.request, an_env(right, seed=2))
    agreed = ike_sa_init.on_response(sa, init_response(the(Send, answered).octets), an_env())

    assert isinstance(answered.sa, HalfOpen)
    assert isinstance(agreed.sa, Authenticating)
    assert answered.sa.nat
    assert agreed.sa.nat


def test_peer_without_nat_traversal() -> None:
    """No hashes, no NAT traversal: nothing changes port, ESP stays bare."""
    sa = initiated(TO_RIGHT)
    octets = the(Send, answer_init(sa.request, an_env(TO_LEFT, seed=2))).octets
    bare = tuple(p for p in payloads_of(octets) if not isinstance(p, Notify))
    agreed = ike_sa_init.on_response(sa, init_response(answer(sa, *bare)), an_env())

    assert isinstance(agreed.sa, Authenticating)
    assert agreed.sa.nat == Nat(supported=False)
    assert agreed.sa.path == LEFT_PATH


def test_offer_order_follows_the_guess() -> None:
    peer = replace(TO_RIGHT, offers=(ONLY_X25519, IKE_OFFER))
    asked = all_of(CallOpen, ike_sa_init.initiate(peer, Initiate("right", LEFT_PATH), True, an_env()))
    proposals = init_request(asked[0].octets).need(SecurityAssociation).proposals
    assert [proposal.number for proposal in proposals] == [1, 2]
