"""What a refusal rests on: both sides' wishes, and where they do not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import IkeSaDown
from edgevpn.ike.errors import Cause, NoProposalChosen, TsUnacceptable
from edgevpn.ike.evidence import Offers, Refusal, Selectors, Silence
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, ProtocolId, TransformType
from edgevpn.ike.negotiate import choose, narrow_policy, proposals
from edgevpn.ike.peer import Offer, Peer, Psk
from tests.support.pair import Pair
from tests.support.peers import (
    CBC,
    ECP256,
    ESP_OFFER,
    GCM,
    IKE_OFFER,
    LAN,
    NO_ESN,
    PRF_SHA256,
    SHA256,
    TO_LEFT,
    TO_RIGHT,
    X25519,
    selectors,
)

IKE, ESP = ProtocolId.IKE, ProtocolId.ESP
ENCR, INTEG, KE = TransformType.ENCR, TransformType.INTEG, TransformType.KE
MODP_1024 = replace(X25519, transform_id=Ke.MODP_1024)
GCM_128 = replace(GCM, key_length=128)

APART = {
    "other cipher": (Offer((CBC, SHA256, PRF_SHA256, X25519)), (ENCR, INTEG)),
    "other group": (Offer((GCM, PRF_SHA256, MODP_1024)), (KE,)),
    "other key length": (Offer((GCM_128, PRF_SHA256, ECP256)), (ENCR,)),
}


@pytest.mark.parametrize(("theirs", "differs"), APART.values(), ids=APART)
def test_offers_that_do_not_meet(theirs: Offer, differs: tuple[TransformType, ...]) -> None:
    asked = proposals((theirs,), IKE, b"")
    with pytest.raises(NoProposalChosen) as refusal:
        choose((IKE_OFFER,), asked, IKE)
    assert refusal.value.evidence == Offers(IKE, (IKE_OFFER,), asked, differs)


def test_nearest_pair_tells_what_differs() -> None:
    """Of several proposals that one counts which fails in the least."""
    far, near = Offer((CBC, SHA256, NO_ESN)), Offer((GCM_128, X25519, NO_ESN))
    with pytest.raises(NoProposalChosen) as refusal:
        choose((ESP_OFFER,), proposals((far, near), ESP, b"spi1"), ESP)
    evidence = refusal.value.evidence
    assert isinstance(evidence, Offers)
    assert evidence.differs == (ENCR,)


def test_selectors_that_do_not_meet() -> None:
    asked = selectors("10.9.0.0/24")
    with pytest.raises(TsUnacceptable) as refusal:
        narrow_policy((LAN,), asked, LAN.ts_local)
    assert refusal.value.evidence == Selectors(LAN.ts_local, asked, (("lan", LAN.ts_local, LAN.ts_remote),))


def down(left: Peer, right: Peer = TO_LEFT) -> IkeSaDown:
    """Why left's call has failed."""
    pair = Pair((left,), (right,))
    pair.left.initiate("right")
    pair.run(300)
    return pair.left.downs[0]


def test_peer_that_says_no() -> None:
    told = down(replace(TO_RIGHT, local_auth=Psk(b"another")))
    assert told.cause is Cause.REFUSED_BY_PEER
    assert told.evidence == Refusal(NotifyType.AUTHENTICATION_FAILED, ExchangeType.IKE_AUTH)


@pytest.mark.parametrize(("passing", "exchange"), [(0, ExchangeType.IKE_SA_INIT), (2, ExchangeType.IKE_AUTH)])
def test_peer_that_says_nothing(passing: int, exchange: ExchangeType) -> None:
    """It never did, or after its first answer it no longer does."""
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.fate = lambda number, _: (0.01,) if number < passing else ()
    pair.left.initiate("right")
    pair.run(300)
    (told,) = pair.left.downs
    assert (told.cause, told.evidence) == (Cause.NO_ANSWER, Silence(exchange))
