from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.clients import UNKNOWN, WINDOWS
from edgevpn.ike.contract import Level, Report, Request
from edgevpn.ike.errors import AuthenticationFailed, Cause, InvalidSyntax
from edgevpn.ike.evidence import Unfollowed
from edgevpn.ike.exchange import ike_auth
from edgevpn.ike.exchange.refusal import farewell, given_up, not_followed, told, too_late
from edgevpn.ike.iana import EapType, ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.peer import KeyRing
from edgevpn.ike.proving import (
    AskedIdentity,
    Challenged,
    Claim,
    Confirming,
    EapAsking,
    EapProving,
    EapServer,
    FindingKey,
    Refusing,
    TlsConfirming,
    TlsTalking,
)
from edgevpn.ike.session import BY_KEY, ByEap, Proof
from edgevpn.ike.state import Closed
from edgevpn.ike.steps import Respond
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
    """A half-open IKE SA is not worth a line of the log: anybody can leave one behind."""
    o = opened()
    step = not_followed(o.half_open, (2, 3))
    assert isinstance(step.sa, Closed)
    said = the(Report, step)
    assert (said.level, said.cause) == (Level.DEBUG, Cause.NOTHING_FOLLOWED)
    assert said.evidence == Unfollowed(2, 3, nat=False)
    sa = ike_auth.on_request(o.half_open, o.request(), o.right).sa
    assert isinstance(sa, FindingKey)
    step = too_late(sa)
    assert isinstance(step.sa, Closed)
    assert the(Report, step).cause is Cause.TOO_LATE


# --- the peer leaves in the middle of EAP --------------------------------------------------------------------------


def asking(eap: EapServer, ours: Proof | None = BY_KEY) -> EapAsking:
    o = opened()
    return EapAsking(Claim(o.half_open, o.request(), (TO_LEFT,), UNKNOWN, 30.0), eap, ours)


def says(*payloads: Payload) -> Request:
    return Request(ExchangeType.INFORMATIONAL, 2, payloads, RIGHT_PATH)


NOT_CONVINCED = Notify(NotifyType.AUTHENTICATION_FAILED)

PLACES: dict[str, tuple[EapServer, Proof | None, Cause | None]] = {
    "it has seen our certificate": (AskedIdentity(1), BY_KEY, Cause.LEFT_UNCONVINCED),
    "it has seen nothing of us": (AskedIdentity(1), None, None),
    "it has not shown its password": (Challenged(2, "alice", bytes(16)), BY_KEY, None),
    "its password was wrong": (
        Challenged(3, "alice", bytes(16), (Cause.USER_UNKNOWN, Cause.WRONG_PASSWORD)),
        BY_KEY,
        Cause.WRONG_PASSWORD,
    ),
    "its last password was wrong": (Refusing(4, "alice", Cause.USER_UNKNOWN), BY_KEY, Cause.USER_UNKNOWN),
    "it does not believe that we know the password": (
        Confirming(3, "alice", bytes(64)),
        BY_KEY,
        Cause.LEFT_UNCONVINCED,
    ),
    "it does not want to begin with TLS": (TlsTalking(3, "alice"), BY_KEY, None),
    "it has seen our certificate in TLS": (TlsTalking(3, "alice", begun=True), None, Cause.LEFT_UNCONVINCED),
    "it has seen the end of TLS": (TlsConfirming(3, "alice", bytes(64)), BY_KEY, None),
}


@pytest.mark.parametrize(("eap", "ours", "cause"), PLACES.values(), ids=PLACES)
def test_peer_leaves(eap: EapServer, ours: Proof | None, cause: Cause | None) -> None:
    """Few clients say why, but most of what a user does wrong has its place where they go; so has their silence."""
    request = says(NOT_CONVINCED, Delete(ProtocolId.IKE))
    sa = asking(eap, ours)
    step = farewell(sa, request)
    assert isinstance(step.sa, Closed)
    assert the(Respond, step) == Respond(request)
    assert the(Report, step).cause is (cause or Cause.EAP_ABANDONED)
    assert "AUTHENTICATION_FAILED" in str(the(Report, step).fields)
    assert the(Report, too_late(sa)).cause is (cause or Cause.TOO_LATE)


def test_peer_leaves_without_a_word() -> None:
    sa = asking(Challenged(2, "alice", bytes(16)))
    told_of = dict(the(Report, farewell(sa, says(Delete(ProtocolId.IKE)))).fields)
    assert (told_of["user"], told_of["why"]) == ("alice", "the peer leaves (without a reason)")


@pytest.mark.parametrize("eap", [TlsTalking(3, "alice"), TlsConfirming(3, "alice", bytes(64))])
def test_who_leaves_in_the_middle_of_tls(eap: EapServer) -> None:
    assert dict(the(Report, farewell(asking(eap), says(Delete(ProtocolId.IKE)))).fields)["user"] == "alice"


def test_peer_leaves_after_a_try_by_another_name_than_its_identity() -> None:
    sa = asking(Challenged(3, "", bytes(16), (Cause.USER_UNKNOWN,), "carol"))
    for step in (farewell(sa, says(Delete(ProtocolId.IKE))), too_late(sa)):
        assert dict(the(Report, step).fields)["user"] == "carol"


def test_peer_leaves_at_the_very_end() -> None:
    """EAP has succeeded, and it does not bind the login to this IKE SA."""
    proving = EapProving(asking(AskedIdentity(1)).claim, "alice", bytes(64), None, ByEap(EapType.MSCHAPV2))
    for step in (farewell(proving, says()), too_late(proving)):
        assert dict(the(Report, step).fields)["user"] == "alice"
