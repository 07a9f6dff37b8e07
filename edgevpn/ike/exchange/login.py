"""EAP in IKE_AUTH as its responder: round after round, until who logged in has bound that to this IKE SA by AUTH.

RFC 7296 §2.16, RFC 5998.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import Env, Request
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.exchange import eap
from edgevpn.ike.exchange.admission import admit
from edgevpn.ike.exchange.proof import is_key_auth, key_auth, our_octets, their_octets
from edgevpn.ike.exchange.refusal import told
from edgevpn.ike.iana import EapType
from edgevpn.ike.peer import Login
from edgevpn.ike.proving import Claim, Confirming, EapAsking, EapLookingUp, EapProving, Proven
from edgevpn.ike.questions import FindPassword, PasswordFound
from edgevpn.ike.session import ByEap, Proof
from edgevpn.ike.state import Closed
from edgevpn.ike.steps import Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.payloads import Authentication, Eap

BY_MSCHAPV2 = ByEap(EapType.MSCHAPV2)


def begin_login(claim: Claim, identity: tuple[Payload, ...], ours: Proof | None, env: Env) -> Step:
    """Say who we are, and ask who the peer is. `ours` is None where EAP alone is to show who we are."""
    asked = eap.begin(env)
    state = EapAsking(_patient(claim, env), asked.state, ours)
    return Step(state, (Respond(claim.asked, (*identity, asked.message)),))


def on_eap(sa: EapAsking, request: Request, env: Env) -> Step:
    """The peer has answered our EAP request."""
    login = sa.claim.peers[0].remote_auth
    assert isinstance(login, Login)
    if sa.rounds == eap.MAX_ROUNDS:
        raise AuthenticationFailed("EAP does not come to an end", Cause.EAP_ABANDONED)
    claim, message = _patient(sa.claim, env), request.need(Eap)
    match eap.on_response(sa.eap, message, login, env):
        case eap.Ask() as asked:
            return _go_on(EapAsking(claim, asked.state, sa.ours, sa.rounds + 1), request, asked)
        case eap.NeedPassword(look_up):
            state = EapLookingUp(claim, look_up, request, sa.ours, sa.rounds + 1)
            return Step(state, (FindPassword(sa.spi, claim.names, look_up.user),))
        case eap.Succeeded(message, user, msk):
            return Step(EapProving(claim, user, msk, sa.ours), (Respond(request, (message,)),))
        case eap.Failed(message, cause, user):
            why = told(sa, request, cause, "EAP has failed", user=user)
            return Step(Closed("EAP has failed"), (Respond(request, (message,)), why))


def on_password(sa: EapLookingUp, found: PasswordFound, env: Env) -> Step:
    """Judge the peer's proof. Whether there is such a user shows nowhere but in our own log."""
    claim = sa.claim.called(found.peer) if found.nt_hash is not None else None
    asked = eap.on_password(sa.look_up, found.nt_hash if claim else None, env)
    if claim is None or not isinstance(asked.state, Confirming):
        claim = sa.claim  # another try may be that of another user
    return _go_on(EapAsking(claim, asked.state, sa.ours, sa.rounds), sa.request, asked)


def on_bound(sa: EapProving, request: Request, env: Env) -> Step:
    """AUTH by the key that EAP has made shows that who logged in is who began this IKE SA."""
    claim, half_open = sa.claim, sa.claim.half_open
    secured, opening = half_open.secured, half_open.opening
    theirs = their_octets(secured, opening, claim.remote_id)
    if not is_key_auth(secured, sa.msk, theirs, request.need(Authentication)):
        raise AuthenticationFailed("AUTH was not made with the key of EAP", Cause.WRONG_KEY)
    ours = our_octets(secured, opening, claim.local_id)
    auth = key_auth(secured, sa.msk, ours)
    return admit(claim, Proven(sa.ours or BY_MSCHAPV2, BY_MSCHAPV2, sa.user, (auth,)), request, env)


def _go_on(sa: EapAsking, request: Request, asked: eap.Ask) -> Step:
    return Step(sa, (Respond(request, (asked.message,)),))


def _patient(claim: Claim, env: Env) -> Claim:
    """There may be a person at the other end, looking for a password; but not for ever."""
    settings = env.settings
    return replace(claim, due=min(env.now + settings.login_timeout, claim.half_open.due + settings.login_limit))
