"""edgevpn.ike.negotiate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.crypto.suite import Algorithm, ChildSuite, IkeSuite
from edgevpn.ike.errors import NoProposalChosen, TsUnacceptable
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.negotiate import (
    MAX_SELECTORS,
    Chosen,
    acceptable,
    check_answer,
    choose,
    methods,
    narrow,
    narrow_policy,
    offers_additional,
    proposals,
    without_additional,
    without_ke,
)
from edgevpn.ike.peer import Offer
from edgevpn.ike.wire.proposal import Proposal, Transform
from edgevpn.ike.wire.selector import TrafficSelector
from tests.support.peers import (
    ADDKE1_ECP256,
    ADDKE1_ECP384,
    ADDKE1_NONE,
    ADDKE2_X448,
    CBC,
    ECP256,
    ESP_OFFER,
    GCM,
    IKE_OFFER,
    LAN,
    NO_ESN,
    NO_KE,
    PRF_SHA256,
    SHA256,
    X25519,
    selectors,
)
from tests.support.states import CBC_SUITE, IKE_SUITE

IKE, ESP = ProtocolId.IKE, ProtocolId.ESP
GCM_128 = replace(GCM, key_length=128)
ESN = Transform(TransformType.ESN, Esn.ESN)
NO_INTEG = Transform(TransformType.INTEG, Integ.NONE)
ADDKE = Transform(TransformType.ADDKE1, Ke.ML_KEM_768)
NEVER_HEARD_OF = Transform(TransformType(241), 7)


def proposal(*transforms: Transform, number: int = 1, protocol: ProtocolId = ESP) -> Proposal:
    return Proposal(number, protocol, b"spi1", transforms)


# --- algorithms ------------------------------------------------------------------------------------------------------


def test_offers_become_proposals() -> None:
    first, second = proposals((ESP_OFFER, Offer((CBC, SHA256))), ESP, b"spi1")
    assert first == Proposal(1, ESP, b"spi1", ESP_OFFER.transforms)
    assert second == Proposal(2, ESP, b"spi1", (CBC, SHA256))


def test_offer_without_key_exchange() -> None:
    """Within IKE_AUTH (RFC 7296 §1.2)."""
    assert without_ke((ESP_OFFER,)) == (Offer((GCM, NO_ESN)),)


def test_methods_in_order() -> None:
    assert methods((Offer((X25519, ECP256)), Offer((GCM,)), Offer((ECP256, NO_KE)))) == (
        Ke.CURVE25519,
        Ke.ECP_256,
        Ke.NONE,
    )


def test_our_order_wins() -> None:
    """Among our offers, and within each type among its transforms."""
    ours = (Offer((GCM, GCM_128, X25519, ECP256, NO_ESN)), Offer((CBC, SHA256, NO_ESN)))
    theirs = (proposal(CBC, SHA256, NO_ESN), proposal(GCM_128, GCM, ECP256, X25519, NO_ESN, number=2))
    assert choose(ours, theirs, ESP) == Chosen(2, (GCM, X25519, NO_ESN))


def test_our_order_of_ciphers_wins_over_that_of_proposals() -> None:
    """A peer may put each of its ciphers into a proposal of its own."""
    ours = Offer((GCM, GCM_128, NO_ESN))
    theirs = (proposal(GCM_128, NO_ESN), proposal(GCM, NO_ESN, number=2))
    assert choose((ours,), theirs, ESP) == Chosen(2, (GCM, NO_ESN))


def test_answer_repeats_number_and_gives_our_spi() -> None:
    chosen = Chosen(2, (GCM, NO_ESN))
    assert chosen.answer(ESP, b"ours") == (Proposal(2, ESP, b"ours", (GCM, NO_ESN)),)


CHILD_OFFER = (GCM, X25519, NO_KE, NO_ESN)

ADDED = (GCM, X25519, ADDKE1_ECP384)

PICKED: dict[str, tuple[tuple[Transform, ...], tuple[Transform, ...], tuple[Transform, ...] | None]] = {
    "key exchange may be left out": (CHILD_OFFER, (GCM, NO_ESN), (GCM, NO_ESN)),
    "key exchange is taken if it is there": (CHILD_OFFER, (GCM, X25519, NO_ESN), (GCM, X25519, NO_ESN)),
    "NONE is a choice of its own": (CHILD_OFFER, (GCM, ECP256, NO_KE, NO_ESN), (GCM, NO_KE, NO_ESN)),
    "key exchange must not be left out": ((GCM, X25519, NO_ESN), (GCM, NO_ESN), None),
    "key exchange that we do not want": ((GCM, NO_ESN), (GCM, X25519, NO_ESN), None),
    "key exchange that we do not want is optional": ((GCM, NO_ESN), (GCM, X25519, NO_KE, NO_ESN), (GCM, NO_ESN, NO_KE)),
    "integrity NONE beside an AEAD": ((GCM, NO_ESN), (GCM, NO_INTEG, NO_ESN), (GCM, NO_ESN, NO_INTEG)),
    "integrity beside an AEAD": ((GCM, NO_ESN), (GCM, SHA256, NO_ESN), None),
    "no ESN transform means 32 bits": ((GCM, NO_ESN), (GCM,), (GCM,)),
    "ESN where we want none": ((GCM, NO_ESN), (GCM, ESN), None),
    "another key length": ((GCM,), (GCM_128,), None),
    "additional key exchange": ((GCM, NO_ESN), (GCM, NO_ESN, ADDKE), None),
    "additional key exchange that both want": (ADDED, (GCM, X25519, ADDKE1_ECP384), (GCM, X25519, ADDKE1_ECP384)),
    "additional key exchange that is missing": (ADDED, (GCM, X25519), None),
    "additional key exchange may be left out": ((*ADDED, ADDKE1_NONE), (GCM, X25519), (GCM, X25519)),
    "additional key exchange by another method": (ADDED, (GCM, X25519, ADDKE1_ECP256), None),
    "additional key exchange by the same method": ((GCM, ECP256, ADDKE1_ECP256), (GCM, ECP256, ADDKE1_ECP256), None),
    "additional key exchange by a method that is left": (
        (GCM, ECP256, ADDKE1_ECP256, ADDKE1_ECP384),
        (GCM, ECP256, ADDKE1_ECP256, ADDKE1_ECP384),
        (GCM, ECP256, ADDKE1_ECP384),
    ),
    "a type that nobody knows": ((GCM, NO_ESN), (GCM, NO_ESN, NEVER_HEARD_OF), None),
}


@pytest.mark.parametrize(("ours", "theirs", "picked"), PICKED.values(), ids=PICKED)
def test_choice(
    ours: tuple[Transform, ...], theirs: tuple[Transform, ...], picked: tuple[Transform, ...] | None
) -> None:
    """RFC 7296 §3.3.6: one transform of each type, and no type may be passed over."""
    if picked is None:
        with pytest.raises(NoProposalChosen):
            choose((Offer(ours),), (proposal(*theirs),), ESP)
    else:
        assert choose((Offer(ours),), (proposal(*theirs),), ESP).transforms == picked


def test_another_protocol_is_not_chosen() -> None:
    with pytest.raises(NoProposalChosen, match="none of 1 ESP proposals"):
        choose((ESP_OFFER,), (proposal(*CHILD_OFFER, protocol=ProtocolId.AH),), ESP)


def test_chosen_suites() -> None:
    aead, classic = Chosen(1, (GCM, PRF_SHA256, X25519)), Chosen(1, (CBC, SHA256, PRF_SHA256, X25519))
    assert aead.ike_suite() == IKE_SUITE
    assert classic.ike_suite() == CBC_SUITE
    assert Chosen(1, (GCM, NO_ESN)).child_suite() == ChildSuite(Encr.AES_GCM_16, 256, Integ.NONE, esn=False)
    assert Chosen(1, (CBC, SHA256, X25519, ESN)).child_suite() == ChildSuite(
        Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, esn=True, ke=Ke.CURVE25519
    )
    chacha = Transform(TransformType.ENCR, Encr.CHACHA20_POLY1305)
    assert Chosen(1, (chacha,)).child_suite().key_length == 0


OFFERED = (Offer((GCM, X25519, ECP256, NO_ESN)), Offer((CBC, SHA256, NO_ESN)))

BAD_ANSWERS: dict[str, tuple[Proposal, ...]] = {
    "two proposals": (proposal(GCM, X25519, NO_ESN), proposal(CBC, SHA256, NO_ESN, number=2)),
    "a number that we did not give": (proposal(GCM, X25519, NO_ESN, number=3),),
    "number zero": (proposal(GCM, X25519, NO_ESN, number=0),),
    "transforms of another proposal": (proposal(CBC, SHA256, NO_ESN),),
    "a choice left open": (proposal(GCM, X25519, ECP256, NO_ESN),),
    "another protocol": (proposal(GCM, X25519, NO_ESN, protocol=ProtocolId.AH),),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_answer_that_is_none(answer: tuple[Proposal, ...]) -> None:
    with pytest.raises(NoProposalChosen):
        check_answer(OFFERED, answer, ESP)


def test_answer() -> None:
    answer = proposal(CBC, SHA256, NO_ESN, number=2)
    assert check_answer(OFFERED, (answer,), ESP) == Chosen(2, (CBC, SHA256, NO_ESN))


MORE = (Algorithm(TransformType.ADDKE1, Ke.ECP_384),)
MORE_SAFE = Offer((GCM, PRF_SHA256, X25519, ADDKE1_ECP384))

SUITES = {
    "the one that is offered": (IKE_OFFER, IKE_SUITE, True),
    "with an integrity algorithm": (Offer((CBC, SHA256, PRF_SHA256, X25519)), CBC_SUITE, True),
    "another integrity algorithm": (
        Offer((CBC, SHA256, PRF_SHA256, X25519)),
        replace(CBC_SUITE, integ=Integ.HMAC_SHA2_512_256),
        False,
    ),
    "another key length": (IKE_OFFER, replace(IKE_SUITE, key_length=128), False),
    "another prf": (IKE_OFFER, replace(IKE_SUITE, prf=Prf.HMAC_SHA2_512), False),
    "another method": (IKE_OFFER, replace(IKE_SUITE, ke=Ke.MODP_2048), False),
    "additional key exchange": (MORE_SAFE, replace(IKE_SUITE, additional=MORE), True),
    "without the additional key exchange": (MORE_SAFE, IKE_SUITE, False),
    "without one that is optional": (Offer((*MORE_SAFE.transforms, ADDKE1_NONE)), IKE_SUITE, True),
    "with one that is not wanted": (IKE_OFFER, replace(IKE_SUITE, additional=MORE), False),
}


@pytest.mark.parametrize(("offer", "suite", "accepted"), SUITES.values(), ids=SUITES)
def test_suite_of_an_unknown_peer(offer: Offer, suite: IkeSuite, accepted: bool) -> None:
    assert acceptable((Offer((GCM_128,)), offer), suite) is accepted


# --- additional key exchanges -----------------------------------------------------------------------------------------


def test_additional_key_exchanges_go_by_their_types() -> None:
    """Not by their places in the proposal; one of NONE does not take place (RFC 9370 §2.2.1)."""
    third = replace(ADDKE2_X448, transform_type=TransformType.ADDKE3)
    chosen = Chosen(
        1, (GCM, PRF_SHA256, third, ADDKE1_ECP384, X25519, replace(NO_KE, transform_type=TransformType.ADDKE2))
    )
    assert chosen.additional == (
        Algorithm(TransformType.ADDKE1, Ke.ECP_384),
        Algorithm(TransformType.ADDKE3, Ke.CURVE448),
    )
    assert chosen.additional_methods == (Ke.ECP_384, Ke.CURVE448)
    assert chosen.ike_suite().additional == chosen.child_suite().additional == chosen.additional


def test_offers_without_them() -> None:
    optional = Offer((*MORE_SAFE.transforms, ADDKE1_NONE))
    assert without_additional((MORE_SAFE, optional, IKE_OFFER)) == (Offer((GCM, PRF_SHA256, X25519)), IKE_OFFER)
    assert (offers_additional((IKE_OFFER, optional)), offers_additional((IKE_OFFER,))) == (True, False)
    assert without_ke((MORE_SAFE,)) == (Offer((GCM, PRF_SHA256)),)


# --- packets ---------------------------------------------------------------------------------------------------------

WEB, DNS = (6, (443, 443)), (17, (53, 53))


def selector(network: str, protocol: int = 0, ports: tuple[int, int] = (0, 0xFFFF)) -> TrafficSelector:
    (made,) = selectors(network)
    return replace(made, protocol=protocol, start_port=ports[0], end_port=ports[1])


def test_narrowing_takes_what_is_common() -> None:
    """RFC 7296 §2.9."""
    asked = selectors("0.0.0.0/0", "2001:db8::/32")
    assert narrow(asked, selectors("10.1.0.0/16", "2001:db8:1::/48")) == selectors("10.1.0.0/16", "2001:db8:1::/48")
    assert narrow((selector("10.1.0.0/16", *WEB),), (selector("10.0.0.0/8"),)) == (selector("10.1.0.0/16", *WEB),)


def test_narrowing_keeps_no_selector_within_another() -> None:
    """The packet that wanted the child comes first in what is asked (§2.9), and its network after it."""
    packet, network = selector("10.1.0.9/32", *WEB), selector("10.1.0.0/16")
    assert narrow((packet, network), selectors("10.0.0.0/8")) == (network,)
    assert narrow((network, packet), selectors("10.0.0.0/8")) == (network,)


def test_nothing_in_common() -> None:
    with pytest.raises(TsUnacceptable, match="no selector overlaps"):
        narrow(selectors("10.1.0.0/16"), selectors("10.2.0.0/16", "2001:db8::/32"))


def test_too_much_in_common() -> None:
    """Each selector becomes policies; a peer may not have us make any number of them."""
    many = selectors(*(f"10.{number}.0.0/16" for number in range(MAX_SELECTORS + 1)))
    assert len(narrow(many[:-1], selectors("0.0.0.0/0"))) == MAX_SELECTORS
    with pytest.raises(TsUnacceptable, match="more than"):
        narrow(many, selectors("0.0.0.0/0"))


octets = st.integers(0, 3)
networks = st.builds(lambda a, b, size: f"10.{a}.{b}.0/{size}", octets, octets, st.just(24)) | st.builds(
    lambda a: f"10.{a}.0.0/16", octets
)
several = st.lists(
    st.builds(selector, networks, st.just(0)) | networks.map(lambda n: selector(n, *DNS)), min_size=1, max_size=5
).map(tuple)


@given(several, several)
def test_narrowed_is_within_both(asked: tuple[TrafficSelector, ...], allowed: tuple[TrafficSelector, ...]) -> None:
    """Every packet of the result is in both, and every packet of both is in the result; no selector is idle."""
    common = [both for a in asked for b in allowed if (both := a.intersection(b))]
    try:
        narrowed = narrow(asked, allowed)
    except TsUnacceptable:
        assert not common
        return
    assert all(any(a.contains(one) for a in asked) and any(b.contains(one) for b in allowed) for one in narrowed)
    assert all(any(one.contains(both) for one in narrowed) for both in common)
    assert not [(a, b) for a in narrowed for b in narrowed if a is not b and a.contains(b)]


def test_policy_is_the_first_that_fits() -> None:
    dmz = replace(LAN, name="dmz", ts_local=selectors("10.9.0.0/24"), ts_remote=selectors("0.0.0.0/0"))
    fit = narrow_policy((LAN, dmz), ts_remote=selectors("10.2.0.7/32"), ts_local=selectors("10.9.0.0/16"))
    assert (fit.name, fit.ts_local, fit.ts_remote) == ("dmz", selectors("10.9.0.0/24"), selectors("10.2.0.7/32"))


def test_policy_that_fits_whole_comes_before() -> None:
    """A child of its own for some of the packets, and another for all."""
    some = replace(LAN, name="some", ts_local=selectors("10.1.0.0/28"))
    policies = (some, LAN)
    assert narrow_policy(policies, LAN.ts_remote, LAN.ts_local).name == "lan"
    assert narrow_policy(policies, LAN.ts_remote, some.ts_local).name == "some"
    assert narrow_policy(policies, selectors("0.0.0.0/0"), selectors("0.0.0.0/0")).name == "some"


def test_no_policy_fits() -> None:
    with pytest.raises(TsUnacceptable):
        narrow_policy((LAN,), ts_remote=selectors("10.1.0.0/24"), ts_local=selectors("10.2.0.0/24"))
