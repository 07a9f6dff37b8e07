"""edgevpn.ike.exchange.ike_intermediate: additional key exchanges between IKE_SA_INIT and IKE_AUTH."""

from __future__ import annotations

import hmac
from dataclasses import replace

import pytest

from edgevpn.ike.contract import IkeSaDown, Request, Response, Settings
from edgevpn.ike.crypto.mlkem import AVAILABLE
from edgevpn.ike.crypto.names import suite_name
from edgevpn.ike.errors import Cause, InvalidSyntax, NoProposalChosen
from edgevpn.ike.evidence import Refusal, Silence
from edgevpn.ike.exchange import ike_auth, ike_intermediate, ike_sa_init
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, TransformType
from edgevpn.ike.peer import Offer, Peer
from edgevpn.ike.proving import AddingKeys
from edgevpn.ike.state import Closed, HalfOpen
from edgevpn.ike.steps import Call, Respond, Secure, Step
from edgevpn.ike.wire.message import encode_payloads
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange
from edgevpn.ike.wire.proposal import Transform
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env, answer_init, init_response, initiated, kinds, the
from tests.support.pair import Pair
from tests.support.peers import (
    ADDKE1_ECP384,
    ADDKE1_NONE,
    ADDKE2_X448,
    GCM,
    IKE_OFFER,
    PRF_SHA256,
    TO_RIGHT,
    X25519,
    mirrored,
)

ONE = Offer((GCM, PRF_SHA256, X25519, ADDKE1_ECP384))
TWO = Offer((GCM, PRF_SHA256, X25519, ADDKE1_ECP384, ADDKE2_X448))
OPTIONAL = Offer((*ONE.transforms, ADDKE1_NONE))

ASKED = """\
--> IKE_SA_INIT request 0: SA, KEi, Ni, N(INTERMEDIATE_EXCHANGE_SUPPORTED), N(SIGNATURE_HASH_ALGORITHMS)
<-- IKE_SA_INIT response 0: SA, KEr, Nr, N(INTERMEDIATE_EXCHANGE_SUPPORTED), N(CHILDLESS_IKEV2_SUPPORTED), \
N(SIGNATURE_HASH_ALGORITHMS)
"""
PROVED = """\
--> IKE_AUTH request {0}: IDi, IDr, AUTH, SA, TSi, TSr, N(INITIAL_CONTACT)
<-- IKE_AUTH response {0}: IDr, AUTH, SA, TSi, TSr"""


INTERMEDIATE = ExchangeType.IKE_INTERMEDIATE


def offering(*offers: Offer) -> Peer:
    return replace(TO_RIGHT, offers=offers)


def called(left: Peer, right: Peer | None = None, settings: Settings | None = None) -> Pair:
    """A pair whose left side has called."""
    pair = Pair((left,), (mirrored(right or left),), settings)
    pair.left.initiate("right")
    pair.run(1)
    return pair


# --- the whole way -------------------------------------------------------------------------------------------------


def test_one_more() -> None:
    pair = called(offering(ONE))
    assert pair.agree()
    assert pair.chart() == (
        ASKED + "--> IKE_INTERMEDIATE request 1: KEi\n" + "<-- IKE_INTERMEDIATE response 1: KEr\n" + PROVED.format(2)
    )
    assert suite_name(pair.left.sa.secured.suite) == "aes256gcm16-prfsha256-x25519-ke1_ecp384"
    assert pair.left.sa.secured.keys == pair.right.sa.secured.keys
    assert pair.left.child.keys == pair.right.child.keys


def test_two_more() -> None:
    """Each has keys of its own (RFC 9370 §2.2.2)."""
    pair = called(offering(TWO))
    assert pair.agree()
    assert pair.chart().count("IKE_INTERMEDIATE") == 4
    (history,) = pair.all_secrets.values()
    assert len({secured.keys for secured in history}) == 3


@pytest.mark.parametrize("ke", sorted(AVAILABLE), ids=lambda ke: ke.name)
def test_ml_kem(ke: Ke) -> None:
    """Its messages are long, and come in fragments where the path wants that."""
    offer = Offer((*IKE_OFFER.transforms, Transform(TransformType.ADDKE1, ke)))
    pair = called(replace(offering(offer), fragmentation=True), settings=Settings(fragment_size_v4=576))
    assert pair.agree()
    assert pair.left.sa.secured.suite.additional[0].transform_id == ke
    said = pair.chart()
    assert "--> IKE_INTERMEDIATE request 1: fragment 3 of" in said
    assert "<-- IKE_INTERMEDIATE response 1: fragment 3 of" in said
    assert all(len(octets) < 576 for octets in pair.sent)


WITHOUT = {
    "another proposal": ((ONE, IKE_OFFER), (IKE_OFFER,)),
    "optional": ((OPTIONAL,), (IKE_OFFER,)),
    "another proposal there": ((IKE_OFFER,), (ONE, IKE_OFFER)),
    "optional there": ((IKE_OFFER,), (OPTIONAL,)),
}


@pytest.mark.parametrize("offers", WITHOUT.values(), ids=WITHOUT)
def test_peer_that_does_without(offers: tuple[tuple[Offer, ...], tuple[Offer, ...]]) -> None:
    left, right = offers
    pair = called(offering(*left), offering(*right))
    assert pair.agree()
    assert "IKE_INTERMEDIATE" not in pair.chart()
    assert pair.left.sa.secured.suite.additional == ()


def test_nothing_in_common() -> None:
    pair = called(offering(ONE), offering(IKE_OFFER))
    pair.run(600)
    assert [down.cause for down in pair.left.downs] == [Cause.REFUSED_BY_PEER]
    assert not pair.right.endpoint.sas


@pytest.mark.parametrize("lost", [2, 3], ids=["request", "response"])
def test_lost_once(lost: int) -> None:
    """The request is repeated under the keys that it was made with, when the responder has others already."""
    pair = Pair((offering(TWO),), (mirrored(offering(TWO)),))
    pair.lose(lost, lost + 2)
    pair.left.initiate("right")
    pair.run(20)
    assert pair.agree()
    assert pair.chart().count("lost") == 2


# --- what AUTH covers ------------------------------------------------------------------------------------------------


def opened(offer: Offer = ONE) -> tuple[Step, Step]:
    """IKE_SA_INIT is done: the initiator's step, which asks for the first key exchange, and the responder's."""
    answered = answer_init(initiated(offering(offer)).request, an_env(mirrored(offering(offer)), seed=2))
    octets = answered.effects[-1].octets  # type: ignore[union-attr]
    return ike_sa_init.on_response(initiated(offering(offer)), init_response(octets), an_env()), answered


def asked_by(step: Step, *payloads: KeyExchange) -> Request:
    """The request that an initiator's step sends, or another, as the responder gets it."""
    payloads = payloads or the(Call, step).payloads  # type: ignore[assignment]
    return Request(INTERMEDIATE, 1, payloads, RIGHT_PATH, encode_payloads(payloads)[1])


def answered_by(step: Step) -> Response:
    """The answer that a responder's step sends, as the initiator gets it."""
    payloads = the(Respond, step).payloads
    return Response(INTERMEDIATE, payloads, LEFT_PATH, encode_payloads(payloads)[1])


def test_int_auth() -> None:
    """A hash over each message and the hash before it, under the SK_p of then; RFC 9242 §3.3.2."""
    left, right = opened()
    assert isinstance(left.sa, AddingKeys)
    before = left.sa.secured
    answered = ike_intermediate.on_request(right.sa, asked_by(left), an_env(seed=3))  # type: ignore[arg-type]
    done = ike_intermediate.on_response(left.sa, answered_by(answered), an_env())

    assert kinds(answered) == [Respond, Secure]
    assert kinds(done) == [Secure, Call]
    assert isinstance(answered.sa, HalfOpen)
    opening = answered.sa.opening
    assert done.sa.opening == opening  # type: ignore[union-attr]
    spis = before.spi_i + before.spi_r
    asked = spis + bytes.fromhex("2e 20 2b 08 00000001 00000088  22 00 006c  00 00 0068 0014 0000")
    asked += the(Call, left).payloads[0].data  # type: ignore[union-attr]
    told = spis + bytes.fromhex("2e 20 2b 20 00000001 00000088  22 00 006c  00 00 0068 0014 0000")
    told += the(Respond, answered).payloads[0].data  # type: ignore[union-attr]
    assert opening.int_auth == (
        hmac.digest(before.keys.sk_pi, asked, "sha256")
        + hmac.digest(before.keys.sk_pr, told, "sha256")
        + bytes.fromhex("00000002")  # the message ID of IKE_AUTH
    )
    assert answered.sa.secured.keys != before.keys


def test_without_it_auth_covers_nothing_more() -> None:
    _, right = opened(IKE_OFFER)
    assert isinstance(right.sa, HalfOpen)
    assert right.sa.opening.int_auth == b""


def test_changed_on_the_way() -> None:
    """Who could break the first key exchange and stands between is found by AUTH."""
    left, right = opened()
    answered = ike_intermediate.on_request(right.sa, asked_by(left), an_env(seed=3))  # type: ignore[arg-type]
    done = ike_intermediate.on_response(left.sa, answered_by(answered), an_env())  # type: ignore[arg-type]
    half_open = answered.sa
    assert isinstance(half_open, HalfOpen)
    other = replace(half_open, opening=replace(half_open.opening, int_auth_i=bytes(32)))
    request = Request(ExchangeType.IKE_AUTH, 2, the(Call, done).payloads, RIGHT_PATH)
    env = an_env(mirrored(offering(ONE)), seed=4)
    assert not isinstance(ike_auth.on_request(half_open, request, env).sa, Closed)
    assert isinstance(ike_auth.on_request(other, request, env).sa, Closed)


# --- what is refused -----------------------------------------------------------------------------------------------


def test_another_method_than_agreed() -> None:
    left, right = opened()
    assert isinstance(left.sa, AddingKeys)
    with pytest.raises(InvalidSyntax, match="KE payload of method CURVE25519, ECP_384 comes next"):
        ike_intermediate.on_request(right.sa, asked_by(left, KeyExchange(Ke.CURVE25519, bytes(32))), an_env())  # type: ignore[arg-type]
    with pytest.raises(InvalidSyntax, match="no KeyExchange payload"):
        ike_intermediate.on_response(left.sa, Response(INTERMEDIATE, (), LEFT_PATH), an_env())


def test_more_than_agreed() -> None:
    left, right = opened()
    answered = ike_intermediate.on_request(right.sa, asked_by(left), an_env(seed=3))  # type: ignore[arg-type]
    with pytest.raises(InvalidSyntax, match="no further key exchange"):
        ike_intermediate.on_request(answered.sa, asked_by(left), an_env())  # type: ignore[arg-type]


def test_less_than_agreed() -> None:
    _, right = opened()
    request = Request(ExchangeType.IKE_AUTH, 1, (), RIGHT_PATH)
    refused = ike_auth.on_request(right.sa, request, an_env())  # type: ignore[arg-type]
    assert isinstance(refused.sa, Closed)
    assert "1 key exchanges that were agreed on are to come first" in refused.sa.reason


def test_peer_refuses() -> None:
    left, _ = opened()
    refusal = Response(INTERMEDIATE, (Notify(NotifyType.INVALID_SYNTAX),), LEFT_PATH)
    done = ike_intermediate.on_response(left.sa, refusal, an_env())  # type: ignore[arg-type]
    assert isinstance(done.sa, Closed)
    assert the(IkeSaDown, done).evidence == Refusal(NotifyType.INVALID_SYNTAX, INTERMEDIATE)


def test_peer_that_does_not_say_that_it_can() -> None:
    _, right = opened()
    octets = right.effects[-1].octets  # type: ignore[union-attr]
    response = init_response(octets)
    silent = replace(response, payloads=tuple(p for p in response.payloads if not _announces(p)))
    with pytest.raises(NoProposalChosen, match="without IKE_INTERMEDIATE"):
        ike_sa_init.on_response(initiated(offering(ONE)), silent, an_env())


def test_nobody_answers() -> None:
    pair = Pair((offering(ONE),), (mirrored(offering(ONE)),))
    pair.fate = lambda number, _: (0.01,) if number < 2 else ()
    pair.left.initiate("right")
    pair.run(600)
    assert [down.evidence for down in pair.left.downs] == [Silence(INTERMEDIATE)]
    assert not pair.left.endpoint.sas
    assert not pair.right.endpoint.sas


def _announces(payload: object) -> bool:
    return isinstance(payload, Notify) and payload.notify_type == NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED
