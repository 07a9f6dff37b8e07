from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.clients import UNKNOWN, WINDOWS
from edgevpn.ike.contract import Level, Report, Request, Respond
from edgevpn.ike.errors import AuthenticationFailed, Cause, InvalidSyntax
from edgevpn.ike.exchange import ike_auth
from edgevpn.ike.exchange.refusal import farewell, given_up, told, too_late
from edgevpn.ike.iana import ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.peer import KeyRing
from edgevpn.ike.proving import AskedIdentity, Claim, EapAsking, FindingKey
from edgevpn.ike.session import BY_KEY, Proof
from edgevpn.ike.state import Closed
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete
from tests.support.handshake import LEFT, RIGHT_PATH, Opened, open_sa, the
from tests.support.peers import LEFT_ID, TO_LEFT, TO_RIGHT

WRONG_KEY = AuthenticationFailed("the peer has another pre-shared key", Cause.WRONG_KEY)


def opened() -> Opened:
    return open_sa(TO_RIGHT, (replace(TO_LEFT, local_auth=KeyRing(), remote_auth=KeyRing()),))


def test_peer_learns_no_more_than_that_it_failed() -> None:
    o = opened()
    step = given_up(o.half_open, o.request(), WRONG_KEY)
    assert step.sa == Closed("the peer has another pre-shared key")
    assert the(Respond, step).payloads == (Notify(NotifyType.AUTHENTICATION_FAILED),)
    malformed = given_up(o.half_open, o.request(), InvalidSyntax("too short"))
    assert the(Respond, malformed).payloads == (Notify(NotifyType.INVALID_SYNTAX),)
    assert the(Report, malformed).cause is Cause.MALFORMED


def test_owner_learns_who_and_why() -> None:
    """Before the request is read there is the address, after it the identity and the peers that it may have been."""
    o = opened()
    half_open = replace(o.half_open, client=WINDOWS)
    early = told(half_open, o.request(), Cause.WRONG_KEY, "why", user="alice")
    fields = dict(early.fields)
    assert (early.level, early.event, early.cause) == (Level.WARNING, "ike_auth_refused", Cause.WRONG_KEY)
    assert (fields["remote"], fields["identity"], fields["peers"]) == (LEFT, LEFT_ID, ())
    assert (fields["client"], fields["user"], fields["why"]) == ("Windows", "alice", "why")

    sa = ike_auth.on_request(o.half_open, o.request(), o.right).sa
    assert isinstance(sa, FindingKey)
    late = dict(told(sa, sa.request, Cause.KEY_UNKNOWN, "why").fields)
    assert (late["peers"], late["identity"], late["client"]) == (("left",), LEFT_ID, "unknown")


def test_nobody_came() -> None:
    """A half-open IKE SA is nothing to be told of: anybody can leave one behind."""
    o = opened()
    assert too_late(o.half_open).effects == ()
    sa = ike_auth.on_request(o.half_open, o.request(), o.right).sa
    assert isinstance(sa, FindingKey)
    step = too_late(sa)
    assert isinstance(step.sa, Closed)
    assert the(Report, step).cause is Cause.TOO_LATE


# --- the peer leaves in the middle of EAP --------------------------------------------------------------------------


def asking(rounds: int, ours: Proof | None) -> EapAsking:
    o = opened()
    claim = Claim(o.half_open, o.request(), (TO_LEFT,), UNKNOWN, 30.0)
    return EapAsking(claim, AskedIdentity(1), ours, rounds)


def says(*payloads: Payload) -> Request:
    return Request(ExchangeType.INFORMATIONAL, 2, payloads, RIGHT_PATH)


NOT_CONVINCED = Notify(NotifyType.AUTHENTICATION_FAILED)


@pytest.mark.parametrize(
    ("sa", "cause"),
    [
        (asking(0, BY_KEY), Cause.LEFT_UNCONVINCED),
        (asking(0, None), Cause.EAP_ABANDONED),
        (asking(2, BY_KEY), Cause.EAP_ABANDONED),
    ],
    ids=["after our proof", "without a proof of ours", "later"],
)
def test_farewell(sa: EapAsking, cause: Cause) -> None:
    """Who goes when it has seen our certificate does not trust it, or finds another name in it than it typed."""
    request = says(NOT_CONVINCED, Delete(ProtocolId.IKE))
    step = farewell(sa, request)
    assert isinstance(step.sa, Closed)
    assert the(Respond, step) == Respond(request)
    assert the(Report, step).cause is cause
    assert "AUTHENTICATION_FAILED" in str(the(Report, step).fields)
    assert "without a reason" in str(the(Report, farewell(sa, says(Delete(ProtocolId.IKE)))).fields)


def test_silence_after_our_proof() -> None:
    assert the(Report, too_late(asking(0, BY_KEY))).cause is Cause.LEFT_UNCONVINCED
    assert the(Report, too_late(asking(0, None))).cause is Cause.TOO_LATE
    assert the(Report, too_late(asking(2, BY_KEY))).cause is Cause.TOO_LATE
