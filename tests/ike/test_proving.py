"""edgevpn.ike.proving: what every state that waits has in common. How they follow each other is told in exchange."""

from __future__ import annotations

from dataclasses import replace

from edgevpn.ike.clients import UNKNOWN
from edgevpn.ike.contract import Request
from edgevpn.ike.crypto.signature import RSA_SHA1
from edgevpn.ike.iana import EapType
from edgevpn.ike.peer import NEVER, Ppk, PpkRing
from edgevpn.ike.proving import (
    AskedIdentity,
    Challenged,
    CheckingCertificates,
    CheckingResponder,
    Claim,
    EapAnswering,
    EapAsking,
    EapFresh,
    EapLookingUp,
    EapProven,
    EapProving,
    FindingKey,
    LeasingAddress,
    LookUp,
    PreparingAuth,
    Proven,
    SigningAnswer,
)
from edgevpn.ike.session import BY_KEY, ByEap
from edgevpn.ike.wire.mschapv2 import ChallengeResponse
from tests.support.handshake import auth_request, auth_response, open_sa
from tests.support.peers import LEFT_ID, RIGHT_ID, TO_LEFT, TO_RIGHT
from tests.support.world import credential

OPENED = open_sa(TO_RIGHT, (TO_LEFT,))
GUESTS = replace(TO_LEFT, name="guests")
CLAIM = Claim(OPENED.half_open, OPENED.request(), (TO_LEFT, GUESTS), UNKNOWN, due=30.0)
LATER = auth_request((), message_id=3)
LOOK_UP = LookUp(Challenged(1, "alice", b"c" * 16), ChallengeResponse(1, bytes(16), b"n" * 24, b"alice"), "alice")
CREDENTIAL = credential("gateway")
PPK, OTHER_PPK = Ppk(b"winter", b"a key"), Ppk(b"summer", b"another")

RESPONDER: tuple[tuple[object, Request], ...] = (
    (FindingKey(CLAIM), CLAIM.asked),
    (CheckingCertificates(CLAIM), CLAIM.asked),
    (SigningAnswer(CLAIM, CREDENTIAL, RSA_SHA1, None), CLAIM.asked),
    (EapLookingUp(CLAIM, LOOK_UP, LATER, None, 1), LATER),
    (LeasingAddress(CLAIM, Proven(BY_KEY, BY_KEY), LATER), LATER),
)


def test_claim() -> None:
    assert CLAIM.remote_id == LEFT_ID
    assert CLAIM.names == ("left", "guests")


def test_claim_is_narrowed_to_one_of_its_peers() -> None:
    guests = CLAIM.called("guests")
    assert guests is not None
    assert guests.peers == (GUESTS,)
    assert CLAIM.called("strangers") is None


def test_what_a_ring_has_for_a_peer_takes_its_place() -> None:
    """A key that is the peer's own stays."""
    ringed = replace(CLAIM, peers=(replace(GUESTS, ppk=PpkRing()),))
    found, without = ringed.called("guests", OTHER_PPK), ringed.called("guests")
    own = replace(CLAIM, peers=(replace(GUESTS, ppk=PPK),)).called("guests", OTHER_PPK)
    assert [claim.peers[0].ppk for claim in (found, without, own) if claim] == [OTHER_PPK, None, PPK]


def test_responder_knows_what_it_is_answering() -> None:
    for sa, request in RESPONDER:
        assert sa.request is request  # type: ignore[attr-defined]
        assert (sa.spi, sa.due) == (OPENED.half_open.spi, 30.0)  # type: ignore[attr-defined]


def test_responder_waits_for_the_peer_as_long() -> None:
    for sa in (
        EapAsking(CLAIM, AskedIdentity(1), None),
        EapProving(CLAIM, "alice", b"m" * 64, None, ByEap(EapType.MSCHAPV2)),
    ):
        assert (sa.spi, sa.due) == (OPENED.half_open.spi, 30.0)


def test_initiator_is_known_by_its_first_request() -> None:
    first = OPENED.authenticating
    waiting = (
        PreparingAuth(first, CREDENTIAL, RSA_SHA1, True, 30.0),
        CheckingResponder(first, auth_response(OPENED.answered()), 30.0),
    )
    asking = (EapAnswering(first, RIGHT_ID, None, EapFresh()), EapProven(first, RIGHT_ID, None, b"m" * 64))
    for sa in (*waiting, *asking):
        assert (sa.spi, sa.peer, sa.path) == (first.spi, TO_RIGHT, first.path)
    assert {sa.due for sa in waiting} == {30.0}
    assert {sa.due for sa in asking} == {NEVER}


def test_secrets_are_not_shown() -> None:
    shown = repr(
        (
            LOOK_UP,
            EapProving(CLAIM, "alice", b"m" * 64, None, ByEap(EapType.MSCHAPV2)),
            EapProven(OPENED.authenticating, RIGHT_ID, None, b"m" * 64),
        )
    )
    for secret in ("cccc", "nnnn", "mmmm"):
        assert secret not in shown
