"""EAP in IKE_AUTH as its responder: round after round, until who logged in has bound that to this IKE SA by AUTH.

RFC 7296 §2.16, RFC 5998.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import Env, Request
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.exchange import eap, eap_tls, ppk
from edgevpn.ike.exchange.admission import admit
from edgevpn.ike.exchange.eap_outcome import Ask, Failed, NeedPassword, NeedTls, Succeeded
from edgevpn.ike.exchange.proof import key_auth, our_octets
from edgevpn.ike.exchange.refusal import told
from edgevpn.ike.iana import EapType
from edgevpn.ike.peer import Login
from edgevpn.ike.proving import (
    Claim,
    Confirming,
    EapAsking,
    EapLookingUp,
    EapProving,
    LookUp,
    Proven,
    TlsConfirming,
    TlsTalking,
    TlsTurn,
)
from edgevpn.ike.questions import FindPassword, PasswordFound, TalkTls, TlsAnswered, TlsRefused, TlsSucceeded
from edgevpn.ike.session import ByEap, Proof
from edgevpn.ike.state import Closed
from edgevpn.ike.steps import Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.payloads import Eap


def begin_login(claim: Claim, identity: tuple[Payload, ...], ours: Proof | None, env: Env) -> Step:
    """Say who we are, and ask who the peer is. `ours` is None where EAP alone is to show who we are."""
    asked = eap.begin(env)
    state = EapAsking(_patient(claim, env), asked.state, ours)
    return Step(state, (Respond(claim.asked, (*identity, asked.message)),))


def on_eap(sa: EapAsking, request: Request, env: Env) -> Step:
    """The peer has answered our EAP request."""
    if sa.rounds == (eap_tls.MAX_ROUNDS if isinstance(sa.eap, TlsTalking | TlsConfirming) else eap.MAX_ROUNDS):
        raise AuthenticationFailed("EAP does not come to an end", Cause.EAP_ABANDONED)
    claim, message = _patient(sa.claim, env), request.need(Eap)
    match eap.on_response(sa.eap, message, _login(claim), env):
        case Ask() as asked:
            return _go_on(EapAsking(claim, asked.state, sa.ours, sa.rounds + 1), request, asked)
        case NeedPassword(look_up):
            state = EapLookingUp(claim, look_up, request, sa.ours, sa.rounds + 1)
            names = claim.logging_in_by(EapType.MSCHAPV2).names
            return Step(state, (FindPassword(sa.spi, names, look_up.user, request.path.remote),))
        case NeedTls(turn):
            state = EapLookingUp(claim, turn, request, sa.ours, sa.rounds + 1)
            names = claim.logging_in_by(EapType.TLS).names
            return Step(state, (TalkTls(sa.spi, names, turn.octets),))
        case Succeeded(message, user, msk, method):
            return Step(EapProving(claim, user, msk, sa.ours, ByEap(method)), (Respond(request, (message,)),))
        case Failed() as failed:
            return _fail(sa, request, failed)


def on_password(sa: EapLookingUp, found: PasswordFound, env: Env) -> Step:
    """Judge the peer's proof. Whether there is such a user shows nowhere but in our own log."""
    claim = sa.claim.called(found.peer, found.ppk, found.holder) if found.nt_hash is not None else None
    assert isinstance(sa.look_up, LookUp)
    asked = eap.on_password(sa.look_up, found.nt_hash if claim else None, env)
    if claim is None or not isinstance(asked.state, Confirming):
        claim = sa.claim  # another try may be that of another user
    return _go_on(EapAsking(claim, asked.state, sa.ours, sa.rounds), sa.request, asked)


def on_tls(sa: EapLookingUp, answer: TlsAnswered | TlsSucceeded | TlsRefused) -> Step:
    """Go on with what TLS says."""
    assert isinstance(sa.look_up, TlsTurn)
    claim = sa.claim.called(answer.peer, answer.ppk, answer.holder) if isinstance(answer, TlsSucceeded) else sa.claim
    if claim is None:
        raise AuthenticationFailed("the certificate is that of another peer", Cause.CERTIFICATE_REFUSED)
    match eap_tls.on_answer(sa.look_up, sa.request.need(Eap), answer):
        case Ask() as asked:
            return _go_on(EapAsking(claim, asked.state, sa.ours, sa.rounds), sa.request, asked)
        case Failed() as failed:
            return _fail(sa, sa.request, failed)


def on_bound(sa: EapProving, request: Request, env: Env) -> Step:
    """AUTH by the key that EAP has made shows that who logged in is who began this IKE SA."""
    claim = ppk.proved_by_key(sa.claim, sa.msk, request)
    secured = claim.half_open.secured
    auth = key_auth(secured, sa.msk, our_octets(secured, claim.half_open.opening, claim.local_id))
    return admit(claim, Proven(sa.ours or sa.by, sa.by, sa.user, (auth,)), request, env)


def _login(claim: Claim) -> Login:
    """All methods of those who may be logging in, in the order of the peers."""
    logins = (peer.remote_auth for peer in claim.peers)
    methods = (method for login in logins if isinstance(login, Login) for method in login.methods)
    return Login(tuple(dict.fromkeys(methods)))


def _fail(sa: EapAsking | EapLookingUp, request: Request, failed: Failed) -> Step:
    why = told(sa, request, failed.cause, "EAP has failed", failed.evidence, user=failed.user)
    return Step(Closed("EAP has failed"), (Respond(request, (failed.message,)), why))


def _go_on(sa: EapAsking, request: Request, asked: Ask) -> Step:
    return Step(sa, (Respond(request, (asked.message,)),))


def _patient(claim: Claim, env: Env) -> Claim:
    """There may be a person at the other end, looking for a password; but not for ever."""
    settings = env.settings
    return replace(claim, due=min(env.now + settings.login_timeout, claim.half_open.due + settings.login_limit))
