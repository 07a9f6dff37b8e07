"""edgevpn.ike.exchange.child_sa: RFC 7296 §1.2, §1.3.1, §2.9, §2.17."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Endpoints, Request, Response
from edgevpn.ike.errors import InvalidKePayload, InvalidSyntax, NoProposalChosen, TsUnacceptable
from edgevpn.ike.exchange.child_sa import (
    Nonces,
    accept_answer,
    answer_offer,
    ends,
    exported,
    make_offer,
    new_spi,
    offer_payloads,
)
from edgevpn.ike.iana import Encr, ExchangeType, Ke, NotifyType
from edgevpn.ike.peer import NEVER, ChildPolicy, Mode, Offer
from edgevpn.ike.state import ChildOffer, ChildSa, Nat, Phase
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env
from tests.support.peers import GCM, LAN, NO_ESN, NO_KE, TO_RIGHT, X25519, mirrored, selectors
from tests.support.states import a_child, an_sa, secured

PFS, NO_PFS = Offer((GCM, X25519, NO_ESN)), Offer((GCM, NO_ESN))
NI, NR = bytes(32), bytes(range(32))
BACK = mirrored(TO_RIGHT).children[0]


def asked(policy: ChildPolicy, ke: Ke | None, *more: Payload, in_ike_auth: bool = False) -> tuple[ChildOffer, Request]:
    """Left's offer, and the request as right gets it."""
    offer = make_offer(policy, NI, ke, an_env())
    payloads = (*offer_payloads(offer, in_ike_auth), *more)
    return offer, Request(ExchangeType.CREATE_CHILD_SA, 0, payloads, RIGHT_PATH)


def answered(request: Request, *policies: ChildPolicy, in_ike_auth: bool = False) -> tuple[ChildSa, Response]:
    """Right's child, and its answer as left gets it."""
    right = secured(initiator=False)
    made = answer_offer(right, policies, request, Nonces(NI, NR), in_ike_auth, an_env(seed=2))
    child, payloads = made.child, made.payloads
    return child, Response(ExchangeType.CREATE_CHILD_SA, payloads, LEFT_PATH)


def both(left: ChildPolicy, right: ChildPolicy, ke: Ke | None, *, in_ike_auth: bool = False) -> tuple[ChildSa, ChildSa]:
    """The child that comes of these two policies, as each side has it."""
    offer, request = asked(left, ke, in_ike_auth=in_ike_auth)
    theirs, response = answered(request, right, in_ike_auth=in_ike_auth)
    return accept_answer(secured(), offer, response, NR, in_ike_auth, an_env()), theirs


def with_offers(policy: ChildPolicy, *offers: Offer) -> ChildPolicy:
    return replace(policy, offers=offers)


# --- what is asked ---------------------------------------------------------------------------------------------------


def kinds(payloads: tuple[Payload, ...]) -> list[type[Payload]]:
    return [type(payload) for payload in payloads]


def test_payloads_in_the_order_of_the_rfc() -> None:
    offer = make_offer(LAN, NI, Ke.CURVE25519, an_env())
    assert kinds(offer_payloads(offer, in_ike_auth=False)) == [
        SecurityAssociation,
        Nonce,
        KeyExchange,
        TrafficSelectorsI,
        TrafficSelectorsR,
    ]


def test_nonce_and_keys_are_those_of_ike_auth() -> None:
    """RFC 7296 §1.2: no KE payload there, and so no offer of one."""
    payloads = offer_payloads(make_offer(LAN, NI, None, an_env()), in_ike_auth=True)
    assert kinds(payloads) == [SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR]
    assert isinstance(payloads[0], SecurityAssociation)
    assert payloads[0].proposals[0].transforms == (GCM, NO_ESN)


def test_without_key_exchange_no_method_is_offered() -> None:
    offer = make_offer(with_offers(LAN, PFS, Offer((GCM, X25519, NO_KE, NO_ESN))), NI, Ke.NONE, an_env())
    assert offer.key_pair is None
    assert offer.policy.offers == (NO_PFS,)


@pytest.mark.parametrize("octets", [bytes(4), b"\0\0\0\x01", b"\xff\xff\xff\xff"])
def test_spi_is_none_of_the_reserved(octets: bytes) -> None:
    """RFC 4303 §2.1: 0 to 255 are."""
    spi = new_spi(replace(an_env(), entropy=lambda size: octets[:size]))
    assert int.from_bytes(spi, "big") > 255


# --- what comes of it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_ike_auth", [False, True], ids=["CREATE_CHILD_SA", "IKE_AUTH"])
def test_both_have_the_same_child(in_ike_auth: bool) -> None:
    ours, theirs = both(LAN, BACK, None if in_ike_auth else Ke.CURVE25519, in_ike_auth=in_ike_auth)
    assert (ours.spi_in, ours.spi_out) == (theirs.spi_out, theirs.spi_in)
    assert (ours.keys, ours.suite) == (theirs.keys, theirs.suite)
    assert (ours.initiator, theirs.initiator) == (True, False)
    assert (ours.ts_local, ours.ts_remote) == (theirs.ts_remote, theirs.ts_local) == (LAN.ts_local, LAN.ts_remote)
    assert (ours.name, ours.phase, ours.due) == ("lan", Phase.ACTIVE, NEVER)
    assert ours.suite.ke == (Ke.NONE if in_ike_auth else Ke.CURVE25519)


def test_forward_secrecy_makes_other_keys() -> None:
    """RFC 7296 §2.17: the shared secret goes into them."""
    with_pfs, _ = both(with_offers(LAN, PFS), with_offers(BACK, PFS), Ke.CURVE25519)
    without, _ = both(with_offers(LAN, NO_PFS), with_offers(BACK, NO_PFS), Ke.NONE)
    assert with_pfs.keys != without.keys


def test_responder_narrows() -> None:
    """RFC 7296 §2.9; and the initiator believes no more than it asked for."""
    wide = replace(LAN, ts_local=selectors("10.1.0.0/16"), ts_remote=selectors("0.0.0.0/0"))
    ours, theirs = both(wide, BACK, Ke.CURVE25519)
    assert (ours.ts_local, ours.ts_remote) == (theirs.ts_remote, theirs.ts_local) == (LAN.ts_local, LAN.ts_remote)


def test_several_selectors_of_both_families() -> None:
    """One child carries IPv4 and IPv6, as far as both want it."""
    mixed = replace(
        LAN,
        ts_local=selectors("10.1.0.0/24", "10.3.0.0/24", "2001:db8:1::/48"),
        ts_remote=selectors("10.2.0.0/24", "2001:db8:2::/48"),
    )
    other = replace(
        LAN,
        ts_local=selectors("10.2.0.0/16", "2001:db8:2:1::/64"),
        ts_remote=selectors("10.1.0.0/24", "2001:db8::/32"),
    )
    ours, theirs = both(mixed, other, Ke.CURVE25519)
    assert ours.ts_local == theirs.ts_remote == selectors("10.1.0.0/24", "2001:db8:1::/48")
    assert ours.ts_remote == theirs.ts_local == selectors("10.2.0.0/24", "2001:db8:2:1::/64")


def test_answer_is_cut_to_what_we_asked() -> None:
    offer, request = asked(LAN, Ke.CURVE25519)
    _, response = answered(request, BACK)
    everything = selectors("0.0.0.0/0")
    payloads = tuple(
        replace(p, selectors=everything) if isinstance(p, TrafficSelectorsI | TrafficSelectorsR) else p
        for p in response.payloads
    )
    child = accept_answer(secured(), offer, replace(response, payloads=payloads), NR, False, an_env())
    assert (child.ts_local, child.ts_remote) == (LAN.ts_local, LAN.ts_remote)


MODES = {
    "both": (Mode.TRANSPORT, Mode.TRANSPORT, Mode.TRANSPORT),
    "only we": (Mode.TRANSPORT, Mode.TUNNEL, Mode.TUNNEL),
    "only the peer": (Mode.TUNNEL, Mode.TRANSPORT, Mode.TUNNEL),
}


@pytest.mark.parametrize(("ours", "theirs", "agreed"), MODES.values(), ids=MODES)
def test_transport_mode_if_both_want_it(ours: Mode, theirs: Mode, agreed: Mode) -> None:
    """RFC 7296 §1.3.1: whoever does not say so gets a tunnel."""
    left, right = both(replace(LAN, mode=ours), replace(BACK, mode=theirs), Ke.CURVE25519)
    assert (left.mode, right.mode) == (agreed, agreed)


def test_transport_mode_is_asked_for_by_a_notify() -> None:
    first, *_ = offer_payloads(make_offer(replace(LAN, mode=Mode.TRANSPORT), NI, None, an_env()), in_ike_auth=True)
    assert first == Notify(NotifyType.USE_TRANSPORT_MODE)


def test_rekeyed_a_little_before_its_time() -> None:
    ours, theirs = both(replace(LAN, rekey_after=1000.0), replace(BACK, rekey_after=1000.0), Ke.CURVE25519)
    assert 900 <= ours.due <= 1000
    assert ours.due == ours.rekey_at
    assert theirs.due != ours.due


# --- what does not fit -----------------------------------------------------------------------------------------------


def test_no_common_algorithm() -> None:
    _, request = asked(LAN, Ke.CURVE25519)
    other = replace(GCM, transform_id=Encr.CHACHA20_POLY1305, key_length=None)
    with pytest.raises(NoProposalChosen):
        answered(request, with_offers(BACK, Offer((other, NO_ESN))))


def test_no_common_packets() -> None:
    _, request = asked(LAN, Ke.CURVE25519)
    with pytest.raises(TsUnacceptable):
        answered(request, LAN)
    with pytest.raises(TsUnacceptable):
        answered(request)


@pytest.mark.parametrize("ke", [Ke.NONE, Ke.ECP_256], ids=["none", "another"])
def test_key_exchange_that_we_cannot_use(ke: Ke) -> None:
    """We say which method we have chosen (RFC 7296 §1.3)."""
    _, request = asked(with_offers(LAN, PFS), Ke.CURVE25519)
    payloads: tuple[Payload, ...] = tuple(p for p in request.payloads if not isinstance(p, KeyExchange))
    if ke:
        payloads = (*payloads, KeyExchange(ke, bytes(64)))
    with pytest.raises(InvalidKePayload) as wanted:
        answered(replace(request, payloads=payloads), with_offers(BACK, PFS))
    assert wanted.value.wanted == Ke.CURVE25519


@pytest.mark.parametrize("answer", [(), (KeyExchange(Ke.ECP_256, bytes(64)),)], ids=["none", "another"])
def test_answer_with_another_key_exchange(answer: tuple[Payload, ...]) -> None:
    offer, request = asked(LAN, Ke.CURVE25519)
    _, response = answered(request, BACK)
    payloads = (*(p for p in response.payloads if not isinstance(p, KeyExchange)), *answer)
    with pytest.raises(InvalidSyntax, match="KE payload is missing"):
        accept_answer(secured(), offer, replace(response, payloads=payloads), NR, False, an_env())


def test_answer_chooses_a_key_exchange_that_we_did_not_begin() -> None:
    offer, request = asked(LAN, None)
    _, response = answered(request, with_offers(BACK, NO_PFS))
    (sa,) = (p for p in response.payloads if isinstance(p, SecurityAssociation))
    (proposal,) = sa.proposals
    forged = SecurityAssociation((replace(proposal, transforms=(GCM, X25519, NO_ESN)),))
    payloads = tuple(forged if p is sa else p for p in response.payloads)
    with pytest.raises(InvalidSyntax, match="KE payload is missing"):
        accept_answer(secured(), offer, replace(response, payloads=payloads), NR, False, an_env())


# --- the world's part ------------------------------------------------------------------------------------------------


def test_ends() -> None:
    assert ends(an_sa()) == Endpoints("right", LEFT_PATH, nat=False)
    assert ends(an_sa(nat=Nat(remote=True))).nat


def test_keys_for_a_decoder() -> None:
    quiet, telling = an_env(), replace(an_env(), settings=replace(an_env().settings, export_keys=True))
    assert exported(secured(), a_child(), quiet) == ()
    assert len(exported(secured(), a_child(), telling)) == 1
