"""edgevpn.ike.matching: who a peer may be, and what is said where it can be nobody."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.dn import der_of
from edgevpn.ike.errors import AuthenticationFailed, Cause, NoProposalChosen
from edgevpn.ike.evidence import Names, Offers, Ways
from edgevpn.ike.iana import AuthMethod, IdType, Ke, ProtocolId
from edgevpn.ike.identity import Below
from edgevpn.ike.matching import agreed, asking_for_us, known_as, near, proving_by, ways_of, wraps
from edgevpn.ike.negotiate import proposals
from edgevpn.ike.peer import Certified, KeyRing, Login, Offer
from edgevpn.ike.wire.payloads import Identification
from tests.support.pair import LEFT, RIGHT
from tests.support.peers import ADDKE1_ECP384, CBC, IKE_OFFER, LEFT_ID, PRF_SHA256, RIGHT_ID, SHA256, TO_LEFT, X25519
from tests.support.states import CBC_SUITE, IKE_SUITE

STRANGER = Identification(IdType.FQDN, b"who.example")
HERE = replace(TO_LEFT, name="here", remote_networks=(ip_network("192.0.2.0/24"),))
ELSEWHERE = replace(TO_LEFT, name="elsewhere", remote_networks=(ip_network("203.0.113.0/24"),))
ANYBODY = replace(TO_LEFT, name="road/psk", remote_id=None, local_auth=KeyRing(), remote_auth=KeyRing())
BY_PASSWORD = replace(ANYBODY, name="road/password", remote_auth=Login())
BY_CERTIFICATE = replace(TO_LEFT, name="signing", remote_auth=Certified())
CBC_OFFER = Offer((CBC, SHA256, PRF_SHA256, X25519))


def test_by_address() -> None:
    assert near((HERE, ELSEWHERE, ANYBODY), RIGHT, LEFT) == (HERE, ANYBODY)
    assert near((HERE, ELSEWHERE), RIGHT, ip_address("10.0.0.1")) == ()


def test_algorithms_of_any_of_them() -> None:
    others = replace(TO_LEFT, offers=(CBC_OFFER,))
    wanted = proposals((CBC_OFFER,), ProtocolId.IKE, b"")
    assert agreed((TO_LEFT, others), LEFT, wanted).ike_suite() == CBC_SUITE
    with pytest.raises(NoProposalChosen) as refusal:
        agreed((TO_LEFT,), LEFT, wanted)
    assert isinstance(refusal.value.evidence, Offers)


def test_additional_key_exchanges_need_ike_intermediate() -> None:
    """RFC 9370 §2.2.1."""
    added = Offer((*CBC_OFFER.transforms, ADDKE1_ECP384))
    peer, wanted = replace(TO_LEFT, offers=(added, CBC_OFFER)), proposals((added, CBC_OFFER), ProtocolId.IKE, b"")
    assert agreed((peer,), LEFT, wanted).additional_methods == (Ke.ECP_384,)
    assert agreed((peer,), LEFT, wanted, intermediate=False).ike_suite() == CBC_SUITE


def test_nobody_may_come_from_there() -> None:
    with pytest.raises(NoProposalChosen) as refusal:
        agreed((), LEFT, proposals((IKE_OFFER,), ProtocolId.IKE, b""))
    assert refusal.value.cause is Cause.ADDRESS_UNKNOWN


def test_in_udp_without_nat() -> None:
    """Who it is has not been said yet. One that may come from anywhere wants nothing for those at an address."""
    wrapped = replace(ANYBODY, name="road/password", force_encapsulation=True)
    assert wraps((ANYBODY, wrapped))
    assert not wraps((ANYBODY,))
    assert not wraps((HERE, wrapped))
    assert wraps((replace(HERE, force_encapsulation=True), HERE, ANYBODY))


def test_by_name() -> None:
    assert known_as((TO_LEFT, ANYBODY), LEFT_ID, IKE_SUITE) == (TO_LEFT, ANYBODY)
    assert known_as((TO_LEFT, ANYBODY), STRANGER, IKE_SUITE) == (ANYBODY,)


def test_suite_that_is_not_its_own() -> None:
    """It was agreed before anybody had a name."""
    with pytest.raises(AuthenticationFailed):
        known_as((TO_LEFT,), LEFT_ID, CBC_SUITE)


def test_nobody_has_that_name() -> None:
    with pytest.raises(AuthenticationFailed) as refusal:
        known_as((TO_LEFT,), STRANGER, IKE_SUITE)
    assert refusal.value.cause is Cause.IDENTITY_UNKNOWN
    assert refusal.value.evidence == Names(STRANGER, (("left", LEFT_ID),))


def test_by_our_name() -> None:
    other = replace(TO_LEFT, name="other", local_id=STRANGER)
    both = (TO_LEFT, other)
    assert asking_for_us(both, None, RIGHT) == both
    assert asking_for_us(both, STRANGER, RIGHT) == (other,)
    with pytest.raises(AuthenticationFailed) as refusal:
        asking_for_us((TO_LEFT,), STRANGER, RIGHT)
    assert refusal.value.cause is Cause.NOT_OUR_NAME
    assert refusal.value.evidence == Names(STRANGER, (("left", RIGHT_ID),))


WAYS = {
    AuthMethod.SHARED_KEY: (TO_LEFT,),
    None: (BY_PASSWORD,),
    AuthMethod.DIGITAL_SIGNATURE: (BY_CERTIFICATE,),
    AuthMethod.RSA_SIGNATURE: (BY_CERTIFICATE,),
}


@pytest.mark.parametrize("method", WAYS, ids=str)
def test_by_proof(method: AuthMethod | None) -> None:
    """Who is known by name leaves nothing to who may be anybody."""
    assert proving_by((ANYBODY, TO_LEFT, BY_PASSWORD, BY_CERTIFICATE), method) == WAYS[method]


def test_anybody_where_nobody_has_a_name() -> None:
    assert proving_by((ANYBODY, BY_CERTIFICATE), AuthMethod.SHARED_KEY) == (ANYBODY,)


def test_a_name_comes_before_a_pattern() -> None:
    """And a narrow pattern before a wide one; whoever may be anybody comes last."""
    wide, narrow = (replace(TO_LEFT, name=str(like), remote_id=like) for like in (Below("example"), Below("a.example")))
    peers = (ANYBODY, wide, narrow, TO_LEFT)
    assert known_as(peers, STRANGER, IKE_SUITE) == (ANYBODY, wide)
    assert proving_by(peers, AuthMethod.SHARED_KEY) == (TO_LEFT,)
    assert proving_by(peers[:3], AuthMethod.SHARED_KEY) == (narrow,)
    assert proving_by(peers[:2], AuthMethod.SHARED_KEY) == (wide,)


def test_a_name_of_ours_in_other_octets() -> None:
    """RFC 5280 §7.1: whoever asks for us writes our name as it likes."""
    ours, asked = (Identification(IdType.DER_ASN1_DN, der_of((("2.5.4.3", name),))) for name in ("gw", "GW"))
    peer = replace(TO_LEFT, local_id=ours)
    assert asking_for_us((peer,), asked, RIGHT) == (peer,)
    assert peer.called(asked, RIGHT) == ours


def test_another_proof() -> None:
    with pytest.raises(AuthenticationFailed) as refusal:
        proving_by((TO_LEFT,), None)
    assert refusal.value.cause is Cause.METHOD_NOT_ALLOWED
    assert refusal.value.evidence == Ways(None, ("left",))


def test_proof_that_is_nobodys() -> None:
    with pytest.raises(AuthenticationFailed) as refusal:
        ways_of(AuthMethod.NULL)
    assert refusal.value.evidence == Ways(AuthMethod.NULL, ())
