"""IKE_AUTH that comes to nothing, as its responder: the peer is told so, the owner why (RFC 7296 §2.21.2)."""

from __future__ import annotations

from edgevpn.ike.contract import Level, Report, Request, refused
from edgevpn.ike.errors import Cause, IkeError
from edgevpn.ike.evidence import Unfollowed
from edgevpn.ike.exchange.asked import asked_in_auth
from edgevpn.ike.proving import (
    Answering,
    AskedIdentity,
    Challenged,
    Confirming,
    EapAsking,
    EapProving,
    LeasingAddress,
    Proven,
    Refusing,
    TlsConfirming,
    TlsTalking,
)
from edgevpn.ike.state import Closed, HalfOpen
from edgevpn.ike.steps import Respond, Step
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import IdI


def given_up(sa: HalfOpen | Answering, request: Request, error: IkeError) -> Step:
    """A fault of the peer's, or an answer of the world's, ends it."""
    answer = Respond(request, (Notify(error.notify, error.data),))
    named = {"user": user} if (user := _user(sa)) else {}
    return Step(Closed(str(error)), (answer, told(sa, request, error.cause, str(error), error.evidence, **named)))


def not_followed(sa: HalfOpen, fragments: tuple[int, int]) -> Step:
    """Nobody has come to authenticate, or not all of what was sent for it."""
    why, (come, total) = "nobody came to authenticate", fragments
    told = Report(
        Level.DEBUG,
        "nothing_followed",
        (("spi", sa.spi.hex()), ("remote", sa.path.remote.host), ("client", sa.client.name)),
        Cause.NOTHING_FOLLOWED,
        Unfollowed(come, total, bool(sa.nat)),
    )
    return Step(Closed(why), (told,))


def too_late(sa: Answering) -> Step:
    """The peer, or the world, has let the time pass."""
    why = f"nothing came in state {type(sa).__name__}"
    cause = _unspoken(sa) or Cause.TOO_LATE
    return Step(Closed(why), (told(sa, sa.claim.asked, cause, why, user=_user(sa)),))


def farewell(sa: EapAsking | EapProving, request: Request) -> Step:
    """The peer breaks off in the middle of EAP, by Delete or by saying that our proof is none (§2.21.2)."""
    error = request.error()
    why = f"the peer leaves ({error.notify_type.name if error else 'without a reason'})"
    cause = _unspoken(sa) or Cause.EAP_ABANDONED
    return Step(Closed(why), (Respond(request), told(sa, request, cause, why, user=_user(sa))))


def _unspoken(sa: Answering) -> Cause | None:
    """What the peer's leaving means at this place, if it means anything: clients do not care for the end of EAP."""
    match sa:
        case EapAsking(eap=AskedIdentity(), ours=ours) if ours is not None:
            return Cause.LEFT_UNCONVINCED  # by our certificate
        case EapAsking(eap=Challenged(failed=(*_, last))):
            return last
        case EapAsking(eap=Refusing(cause=cause)):
            return cause
        case EapAsking(eap=Confirming()):
            return Cause.LEFT_UNCONVINCED  # by our proof that we know the password
        case EapAsking(eap=TlsTalking(begun=True)):
            return Cause.LEFT_UNCONVINCED  # by our certificate, in TLS
        case _:
            return None


def _user(sa: HalfOpen | Answering) -> str:
    """Who has tried to log in, or has logged in."""
    match sa:
        case EapAsking(eap=Challenged() | Confirming() | Refusing() | TlsConfirming() as asked):
            return asked.user
        case EapAsking(eap=TlsTalking(identity=identity)):
            return identity
        case EapProving(user=user) | LeasingAddress(proven=Proven(user=user)):
            return user
        case _:
            return ""


def told(
    sa: HalfOpen | Answering, request: Request, cause: Cause, why: str, evidence: object = None, **more: object
) -> Report:
    """All that is known of the peer that did not come in."""
    claim = None if isinstance(sa, HalfOpen) else sa.claim
    half_open, first = (sa, request) if isinstance(sa, HalfOpen) else (sa.claim.half_open, sa.claim.asked)
    claimed, client = first.first(IdI), sa.client if isinstance(sa, HalfOpen) else sa.claim.client
    return refused(
        "ike_auth_refused",
        cause,
        evidence,
        asked_in_auth(half_open, first, request, str(more.get("user", ""))),
        spi=sa.spi.hex(),
        remote=request.path.remote.host,
        peers=claim.names if claim else (),
        identity=claimed.identification if claimed else None,
        client=client.name,
        why=why,
        **more,
    )
