"""IKE_AUTH as its responder: see who the peer is and show who we are, RFC 7296 §1.2, §2.15.

Initiator                                                           Responder
SK {IDi, [CERT+], [CERTREQ], [IDr], AUTH, [CP], SA, TSi, TSr, N+}  -->
                                               <--  SK {IDr, [CERT+], AUTH, [CP], SA, TSi, TSr, N+}
                                           or  <--  SK {IDr, [CERT+], AUTH, N(error of the child)}
                                           or  <--  SK {N(AUTHENTICATION_FAILED)}

with EAP (§2.16)
SK {IDi, [CERTREQ], [IDr], [CP], SA, TSi, TSr, N+}   -->
                                               <--  SK {IDr, [CERT+], AUTH, EAP}, without CERT and AUTH by RFC 5998
SK {EAP}                                       -->  and so on, until
                                               <--  SK {EAP(Success)}   or   SK {EAP(Failure)}, which is the end
SK {AUTH}                                      -->
                                               <--  SK {AUTH, [CP], SA, TSi, TSr, N+}

Wherever the world is asked the IKE SA rests in a state of `proving`, and `on_answer` goes on from there. This module
holds the way to our own proof, `login` that through EAP, `admission` the end, and `ike_auth_initiator` the other side.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.clients import recognise_auth
from edgevpn.ike.contract import Env, Level, Request, report
from edgevpn.ike.crypto.signature import KeyKind, SignatureScheme
from edgevpn.ike.errors import AuthenticationFailed, Cause, IkeError, InvalidSyntax
from edgevpn.ike.evidence import Names, Verdict
from edgevpn.ike.exchange import ppk
from edgevpn.ike.exchange.admission import admit, on_leased
from edgevpn.ike.exchange.login import begin_login, on_bound, on_eap, on_password, on_tls
from edgevpn.ike.exchange.proof import (
    Audience,
    authorities_of,
    certificates_of,
    choose,
    key_auth,
    our_octets,
    signed,
)
from edgevpn.ike.exchange.refusal import given_up
from edgevpn.ike.iana import AuthMethod, EapType, NotifyType
from edgevpn.ike.matching import asking_for_us, known_as, near, proving_by, ways_of
from edgevpn.ike.peer import Certified, KeyRing, Login, Password, Peer, Psk, Signing
from edgevpn.ike.proving import (
    CheckingCertificates,
    Claim,
    EapAsking,
    EapLookingUp,
    EapProving,
    FindingKey,
    LeasingAddress,
    LookUp,
    Proven,
    SigningAnswer,
    TlsTurn,
    Waiting,
)
from edgevpn.ike.questions import (
    Answer,
    CertificatesRefused,
    CertificatesVerified,
    FindPsk,
    Leased,
    PasswordFound,
    PskFound,
    Sign,
    Signed,
    TlsAnswered,
    TlsRefused,
    TlsSucceeded,
    VerifyCertificates,
)
from edgevpn.ike.session import BY_KEY, BySignature, Proof
from edgevpn.ike.state import HalfOpen
from edgevpn.ike.steps import Step
from edgevpn.ike.wire.payloads import Authentication, IdI, IdR


def on_request(sa: HalfOpen | EapAsking | EapProving, request: Request, env: Env) -> Step:
    """The peer's next message. Whatever is wrong with it is the end of this IKE SA."""
    try:
        match sa:
            case HalfOpen():
                return _on_claim(sa, request, env)
            case EapAsking():
                return on_eap(sa, request, env)
            case EapProving():
                return on_bound(sa, request, env)
    except IkeError as error:
        return given_up(sa, request, error)


def on_answer(sa: Waiting, answer: Answer, env: Env) -> Step:
    """What was asked of the world is there."""
    try:
        match sa, answer:
            case FindingKey(), PskFound():
                return _on_key(sa, answer, env)
            case CheckingCertificates(), CertificatesVerified():
                return _on_public_key(sa, answer, env)
            case CheckingCertificates(), CertificatesRefused(reason=reason):
                text = f"the certificate is refused: {reason}"
                raise AuthenticationFailed(text, Cause.CERTIFICATE_REFUSED, Verdict(reason))
            case SigningAnswer(), Signed():
                return _on_signed(sa, answer, env)
            case EapLookingUp(look_up=LookUp()), PasswordFound():
                return on_password(sa, answer, env)
            case EapLookingUp(look_up=TlsTurn()), (TlsAnswered() | TlsSucceeded() | TlsRefused()):
                return on_tls(sa, answer)
            case LeasingAddress(), Leased():
                return on_leased(sa, answer, env)
            case _:
                stray = report(Level.DEBUG, "unexpected", state=type(sa).__name__, input=type(answer).__name__)
                return Step(sa, (stray,))
    except IkeError as error:
        return given_up(sa, sa.request, error)


# --- who is it -----------------------------------------------------------------------------------------------------


def _on_claim(sa: HalfOpen, request: Request, env: Env) -> Step:
    """Find out who that may be, and begin to see whether it is."""
    if sa.left:
        raise InvalidSyntax(f"{len(sa.left)} key exchanges that were agreed on are to come first (RFC 9370 §2.2.2)")
    shown = request.first(Authentication)
    if shown is None:
        return _before_login(_claim(sa, request, None, env), env)
    ways_of(shown.method)  # one that nobody may use is told before anything else
    claim = _claim(sa, request, shown.method, env)
    if shown.method == AuthMethod.SHARED_KEY:
        return _check_key(claim, env)
    asked = VerifyCertificates(sa.spi, claim.names, claim.remote_id, certificates_of(request), server=False)
    return Step(CheckingCertificates(claim), (asked,))


def _claim(sa: HalfOpen, request: Request, method: AuthMethod | None, env: Env) -> Claim:
    """The peers that may be at these addresses and fit all that is claimed."""
    wanted, local = request.first(IdR), request.path.local.host
    close = near(env.peers, local, request.path.remote.host)
    known = known_as(close, request.need(IdI).identification, sa.secured.suite)
    peers = proving_by(asking_for_us(known, wanted.identification if wanted else None, local), method)
    client = recognise_auth(sa.client, request.payloads)
    return Claim(sa, request, peers, client, env.now + env.settings.half_open_timeout)


def _check_key(claim: Claim, env: Env) -> Step:
    """By a key that we have, or by one that the world has to find."""
    names = Names(claim.remote_id, tuple((peer.name, peer.remote_id) for peer in claim.peers))
    refusals: list[AuthenticationFailed] = []
    for peer in claim.peers:
        if isinstance(peer.remote_auth, Psk):
            try:
                proved = ppk.proved_by_key(replace(claim, peers=(peer,)), peer.remote_auth.key, claim.asked, names)
            except AuthenticationFailed as error:
                refusals.append(error)
            else:
                return _prove(proved, BY_KEY, env, key=peer.remote_auth.key)
    ring = tuple(peer for peer in claim.peers if isinstance(peer.remote_auth, KeyRing))
    if not ring:
        raise refusals[0]
    claim = replace(claim, peers=ring)
    asked = FindPsk(claim.half_open.spi, claim.names, claim.remote_id, claim.asked.path.remote)
    return Step(FindingKey(claim), (asked,))


def _on_key(sa: FindingKey, found: PskFound, env: Env) -> Step:
    claim = sa.claim.called(found.peer, found.ppk, found.holder)
    if found.key is None or claim is None:
        names = Names(sa.claim.remote_id, tuple((peer.name, None) for peer in sa.claim.peers))
        raise AuthenticationFailed(f"{sa.claim.remote_id} has no pre-shared key", Cause.KEY_UNKNOWN, names)
    names = Names(claim.remote_id, tuple((peer.name, None) for peer in claim.peers))
    return _prove(ppk.proved_by_key(claim, found.key, sa.request, names), BY_KEY, env, key=found.key)


def _on_public_key(sa: CheckingCertificates, verified: CertificatesVerified, env: Env) -> Step:
    claim = sa.claim.called(verified.peer, verified.ppk, verified.holder)
    if claim is None:
        raise AuthenticationFailed("the certificate is that of another peer", Cause.CERTIFICATE_REFUSED)
    allowed = claim.peers[0].remote_auth
    assert isinstance(allowed, Certified)
    claim, kind, theirs = ppk.proved_by_signature(claim, verified.public_key, sa.request, allowed)
    return _prove(claim, BySignature(theirs), env, used=(kind, theirs))


# --- who are we ----------------------------------------------------------------------------------------------------


def _prove(
    claim: Claim,
    theirs: Proof,
    env: Env,
    *,
    key: bytes | None = None,
    used: tuple[KeyKind, SignatureScheme] | None = None,
) -> Step:
    """The peer is who it says, by this key or signature; show who we are."""
    match claim.peers[0].local_auth:
        case Signing() as signing:
            return _sign(claim, signing, theirs, used)
        case Psk(ours):
            return _prove_by_key(claim, ours, theirs, env)
        case KeyRing() if key is not None:
            return _prove_by_key(claim, key, theirs, env)
        case KeyRing() | Password():
            raise AuthenticationFailed("we have no way to show who we are", Cause.CANNOT_SIGN)


def _prove_by_key(claim: Claim, key: bytes, theirs: Proof, env: Env) -> Step:
    half_open, local_id = claim.half_open, claim.local_id
    auth = key_auth(half_open.secured, key, our_octets(half_open.secured, half_open.opening, local_id))
    return admit(claim, Proven(BY_KEY, theirs, identity=(IdR(local_id), auth)), claim.asked, env)


def _before_login(claim: Claim, env: Env) -> Step:
    """Show who we are before we ask for anything; not if the peer has asked us not to, and we agree (RFC 5998 §3)."""
    first = claim.peers[0]
    claim = replace(claim, peers=tuple(peer for peer in claim.peers if _greets_as(peer, first)))
    if _is_alone(claim):
        return begin_login(claim, (IdR(claim.local_id),), None, env)
    if not isinstance(first.local_auth, Signing):
        raise AuthenticationFailed("only a signature of ours may come before EAP", Cause.CANNOT_SIGN)
    return _sign(claim, first.local_auth, None, None)


def _greets_as(peer: Peer, other: Peer) -> bool:
    """Whether we show ourselves to both alike, so that it may stay open until the login which of them it is."""
    return (peer.local_id, peer.local_auth) == (other.local_id, other.local_auth)


def _is_alone(claim: Claim) -> bool:
    """Whether EAP alone is to show who we are: the peer wants that, and may have it whoever it is (RFC 5998 §3).

    Who asks for it does not always mean it: with a method such as MSCHAPv2, strongSwan would not go on.
    """
    asks = claim.asked.notify(NotifyType.EAP_ONLY_AUTHENTICATION) is not None
    logins = [peer.remote_auth for peer in claim.peers if isinstance(peer.remote_auth, Login)]
    mutual = all(login.methods == (EapType.TLS,) for login in logins)
    return asks and all(login.alone for login in logins) and (mutual or claim.client.means_eap_only)


def _sign(claim: Claim, signing: Signing, theirs: Proof | None, used: tuple[KeyKind, SignatureScheme] | None) -> Step:
    """Ask for our signature; `theirs` is None if the peer is to log in afterwards, `used` how it signed itself."""
    half_open = claim.half_open
    audience = Audience(half_open.hashes, claim.client.verifies, authorities_of(claim.asked), used)
    credential, scheme = choose(signing, audience)
    octets = our_octets(half_open.secured, half_open.opening, claim.local_id)
    asked = Sign(half_open.spi, credential.name, scheme, octets)
    return Step(SigningAnswer(claim, credential, scheme, theirs), (asked,))


def _on_signed(sa: SigningAnswer, answer: Signed, env: Env) -> Step:
    if answer.signature is None:
        raise AuthenticationFailed(f"the key of {sa.credential.name} does not sign", Cause.CANNOT_SIGN)
    identity = (IdR(sa.claim.local_id), *signed(sa.credential, sa.scheme, answer.signature))
    ours = BySignature(sa.scheme)
    if sa.theirs is None:
        return begin_login(sa.claim, identity, ours, env)
    return admit(sa.claim, Proven(ours, sa.theirs, identity=identity), sa.request, env)
