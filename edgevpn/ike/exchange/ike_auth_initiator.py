"""IKE_AUTH as its initiator: show who we are, see who the peer is, take an address, and get the first child.

RFC 7296 §1.2, §2.15, §2.16, §2.19, RFC 5998. The messages are drawn in `ike_auth`, which is the other side.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    ChildFailed,
    Effect,
    Env,
    IkeSaDown,
    IkeSaUp,
    InstallInbound,
    InstallOutbound,
    Level,
    Response,
    refused,
    report,
)
from edgevpn.ike.crypto.signature import KeyKind, auth_data
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.evidence import Names, Refusal, Verdict
from edgevpn.ike.exchange import eap, extensions, ppk, redirect
from edgevpn.ike.exchange.child_sa import accept_answer, ends, exported, make_offer, offer_payloads
from edgevpn.ike.exchange.configuration import read_reply, request, using
from edgevpn.ike.exchange.informational import close
from edgevpn.ike.exchange.proof import (
    Audience,
    authorities_of,
    certificate_request,
    certificates_of,
    check_signature,
    choose,
    hashes_of,
    is_key_auth,
    key_auth,
    our_octets,
    signed,
    their_octets,
)
from edgevpn.ike.iana import EapType, ExchangeType, NotifyType
from edgevpn.ike.lifetime import established
from edgevpn.ike.peer import Certified, Password, Psk, Signing
from edgevpn.ike.proving import CheckingResponder, EapAnswering, EapFresh, EapProven, PreparingAuth
from edgevpn.ike.questions import (
    Answer,
    CertificatesRefused,
    CertificatesVerified,
    Configured,
    Sign,
    Signed,
    VerifyCertificates,
)
from edgevpn.ike.session import BY_KEY, NOTHING, ByEap, BySignature, Proof, Session
from edgevpn.ike.state import Authenticating, Closed, CreateChild, Established, Initiating, Nat, Opening, Path, Secured
from edgevpn.ike.steps import Call, Directive, Step
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Authentication, Eap, Identification, IdI, IdR

BY_MSCHAPV2 = ByEap(EapType.MSCHAPV2)

EVERY_KIND = frozenset(KeyKind)  # nobody says what a responder verifies; our first choice is the owner's


# --- the first request ---------------------------------------------------------------------------------------------


def ask_ike_auth(
    sa: Initiating, secured: Secured, nat: Nat, path: Path, opening: Opening, answer: Response, env: Env
) -> Step:
    """Show who we are, at once or when we have signed. `answer` is that to IKE_SA_INIT."""
    childless = extensions.begins_childless(sa.peer, answer)
    first = Authenticating(
        secured, sa.peer, path, nat, opening, None, sa.children, childless=childless, ppk=ppk.offered(sa.peer, answer)
    )
    match sa.peer.local_auth:
        case Psk(key):
            return _ask(first, _by_key(first, key), BY_KEY, sa.initial_contact, env)
        case Password() as password:
            alone = (Notify(NotifyType.EAP_ONLY_AUTHENTICATION),) if password.alone else ()
            return _ask(first, alone, BY_MSCHAPV2, sa.initial_contact, env)
        case Signing() as signing:
            audience = Audience(hashes_of(answer), EVERY_KIND, authorities_of(answer))
            credential, scheme = choose(signing, audience)
            due = env.now + env.settings.half_open_timeout
            waiting = PreparingAuth(first, credential, scheme, sa.initial_contact, due)
            return Step(waiting, (Sign(waiting.spi, credential.name, scheme, _octets(first, mixed=True)),))
        case _:
            raise AuthenticationFailed("we have no way to show who we are", Cause.CANNOT_SIGN)


def _on_signed(sa: PreparingAuth, answer: Signed, env: Env) -> Step:
    if answer.signature is None:
        raise AuthenticationFailed(f"the key of {sa.credential.name} does not sign", Cause.CANNOT_SIGN)
    if sa.ready:
        proof = (*sa.ready, ppk.without(auth_data(sa.scheme, answer.signature)))
    else:
        proof = (*signed(sa.credential, sa.scheme, answer.signature), *ppk.named(sa.first))
        if ppk.may_do_without(sa.first):
            octets = _octets(sa.first, mixed=False)
            return Step(replace(sa, ready=proof), (Sign(sa.spi, sa.credential.name, sa.scheme, octets),))
    return _ask(sa.first, proof, BySignature(sa.scheme), sa.initial_contact, env)


def _by_key(sa: Authenticating, key: bytes) -> tuple[Payload, ...]:
    """AUTH with a shared key or that of EAP, and what has to be said of the PPK that is in it."""
    auth = key_auth(sa.secured, key, _octets(sa, mixed=True))
    if not ppk.may_do_without(sa):
        return (auth, *ppk.named(sa))
    return (auth, *ppk.named(sa), ppk.without(key_auth(sa.secured, key, _octets(sa, mixed=False)).data))


def _octets(sa: Authenticating, *, mixed: bool) -> bytes:
    """What our AUTH covers, with or without the PPK that we offer."""
    secured = sa.secured.mixed(sa.ppk) if mixed and sa.ppk is not None else sa.secured
    return our_octets(secured, sa.opening, _local_id(sa))


def _ask(first: Authenticating, proof: tuple[Payload, ...], ours: Proof, initial_contact: bool, env: Env) -> Step:
    peer, opening = first.peer, first.opening
    at_once = first.children[: 0 if first.childless else 1]
    policy = peer.child(at_once[0]) if at_once else None
    offer = make_offer(policy, opening.ni, None, env) if policy else None
    payloads = (
        IdI(_local_id(first)),
        *certificate_request((peer,)),
        *((IdR(peer.wanted),) if peer.wanted else ()),
        *proof,
        *((request(peer.wants, peer.manners.asks),) if peer.wants else ()),
        *(offer_payloads(offer, in_ike_auth=True) if offer else ()),
        *((Notify(NotifyType.INITIAL_CONTACT),) if initial_contact else ()),
        *extensions.in_auth_request(peer, first.path, env),
    )
    waiting = replace(first, offer=offer, children=first.children[len(at_once) :], ours=ours)
    return Step(waiting, (Call(ExchangeType.IKE_AUTH, payloads, first.path),))


# --- the answers ---------------------------------------------------------------------------------------------------


def on_response(sa: Authenticating | EapAnswering | EapProven, response: Response, env: Env) -> Step:
    """The peer's next message; AuthenticationFailed if it is not who it should be."""
    expected = Eap if isinstance(sa, EapAnswering) else Authentication
    if (error := response.error()) is not None and response.first(expected) is None:
        reason = f"the peer answered {error.notify_type.name}"
        evidence = Refusal(error.notify_type, ExchangeType.IKE_AUTH)
        down = IkeSaDown(sa.spi, sa.peer.name, reason, cause=Cause.REFUSED_BY_PEER, evidence=evidence)
        return Step(Closed(reason), (down,))
    match sa:
        case Authenticating():
            return _on_first(sa, response, env)
        case EapAnswering():
            return _on_eap(sa, response, env)
        case EapProven():
            return _on_bound(sa, response, env)


def on_answer(sa: PreparingAuth | CheckingResponder, answer: Answer, env: Env) -> Step:
    """What was asked of the world is there; AuthenticationFailed if that is the end of it."""
    match sa, answer:
        case PreparingAuth(), Signed():
            return _on_signed(sa, answer, env)
        case CheckingResponder(), CertificatesVerified():
            return _on_public_key(sa, answer, env)
        case CheckingResponder(), CertificatesRefused(reason=reason):
            text = f"the peer's certificate is refused: {reason}"
            raise AuthenticationFailed(text, Cause.CERTIFICATE_REFUSED, Verdict(reason))
        case _:
            return Step(sa, (report(Level.DEBUG, "unexpected", state=type(sa).__name__, input=type(answer).__name__),))


def _on_first(sa: Authenticating, response: Response, env: Env) -> Step:
    """See who the peer is, as far as it has shown it."""
    remote_id, shown = response.need(IdR).identification, response.first(Authentication)
    if not sa.peer.may_be(remote_id):
        text, names = f"the peer is {remote_id}, expected is {sa.peer.remote_id}", ((sa.peer.name, sa.peer.remote_id),)
        raise AuthenticationFailed(text, Cause.OTHER_IDENTITY, Names(remote_id, names))
    if not isinstance(sa.peer.local_auth, Password):  # who logs in by EAP names its PPK later
        sa = ppk.settled(sa, response)
    match sa.peer.remote_auth, shown:
        case _, None:
            if isinstance(sa.peer.local_auth, Password) and sa.peer.local_auth.alone:
                return _go_on(sa, response, remote_id, None, env)
            raise AuthenticationFailed("the peer does not show who it is", Cause.SERVER_NOT_PROVEN)
        case Psk(key), Authentication():
            octets = their_octets(sa.secured, sa.opening, remote_id)
            if not is_key_auth(sa.secured, key, octets, shown):
                raise AuthenticationFailed("the peer has another pre-shared key", Cause.WRONG_KEY)
            return _go_on(sa, response, remote_id, BY_KEY, env)
        case Certified(), _:
            certificates = certificates_of(response)
            asked = VerifyCertificates(sa.spi, (sa.peer.name,), remote_id, certificates, server=True)
            return Step(CheckingResponder(sa, response, env.now + env.settings.half_open_timeout), (asked,))
        case _:
            raise AuthenticationFailed("there is no way in which the peer can show who it is", Cause.METHOD_NOT_ALLOWED)


def _on_public_key(sa: CheckingResponder, verified: CertificatesVerified, env: Env) -> Step:
    first, remote_id = sa.first, sa.response.need(IdR).identification
    allowed = first.peer.remote_auth
    assert isinstance(allowed, Certified)
    octets = their_octets(first.secured, first.opening, remote_id)
    _, theirs = check_signature(sa.response.need(Authentication), verified.public_key, octets, allowed)
    return _go_on(first, sa.response, remote_id, BySignature(theirs), env)


def _go_on(sa: Authenticating, response: Response, remote_id: Identification, theirs: Proof | None, env: Env) -> Step:
    """The peer has shown who it is (or is to do so by EAP): log in, or come to the end."""
    if isinstance(sa.peer.local_auth, Password):
        return _on_eap(EapAnswering(sa, remote_id, theirs, EapFresh()), response, env)
    assert theirs is not None
    return _finish(sa, response, remote_id, theirs, env)


# --- EAP -----------------------------------------------------------------------------------------------------------


def _on_eap(sa: EapAnswering, response: Response, env: Env) -> Step:
    password = sa.peer.local_auth
    assert isinstance(password, Password)
    if sa.rounds == eap.MAX_ROUNDS:
        raise AuthenticationFailed("EAP does not come to an end", Cause.EAP_ABANDONED)
    match eap.on_request(sa.eap, response.need(Eap), password, env):
        case eap.Answer(state, message):
            return _call(replace(sa, eap=state, rounds=sa.rounds + 1), message)
        case eap.LoggedIn(msk):
            return _call(EapProven(sa.first, sa.remote_id, sa.theirs, msk), *_by_key(sa.first, msk))
        case eap.Rejected(cause, text):
            return Step(Closed(text), (IkeSaDown(sa.spi, sa.peer.name, text, cause=cause),))


def _on_bound(sa: EapProven, response: Response, env: Env) -> Step:
    """AUTH by the key that EAP has made shows that who let us in is who answered us."""
    first = ppk.settled(sa.first, response)
    octets = their_octets(first.secured, first.opening, sa.remote_id)
    if not is_key_auth(first.secured, sa.msk, octets, response.need(Authentication)):
        raise AuthenticationFailed("AUTH was not made with the key of EAP", Cause.SERVER_NOT_PROVEN)
    return _finish(first, response, sa.remote_id, sa.theirs or BY_MSCHAPV2, env)


def _call(sa: EapAnswering | EapProven, *payloads: Payload) -> Step:
    return Step(sa, (Call(ExchangeType.IKE_AUTH, payloads, sa.path),))


# --- the end -------------------------------------------------------------------------------------------------------


def _finish(sa: Authenticating, response: Response, remote_id: Identification, theirs: Proof, env: Env) -> Step:
    """Both are who they say: take what the peer gives, and get the child."""
    peer, wants = sa.peer, sa.peer.wants
    got = read_reply(response.first(Configuration), wants) if wants else NOTHING
    session = Session(sa.ours, theirs, got=got)
    peer = using(peer, got) if got else peer
    up = established(sa.secured, peer, remote_id, sa.path, sa.nat, session, env, began=True)
    up = extensions.agreed(up, response, env).then(*map(CreateChild, sa.children))
    if redirect.wanted(up, response):
        first = (CreateChild(sa.offer.policy.name),) if sa.offer else ()
        return redirect.on_auth(replace(up, todo=(*first, *up.todo)), response)
    effects: tuple[Effect | Directive, ...] = (
        IkeSaUp(up.spi, peer.name, remote_id, up.path, session=session),
        *ppk.unused(up),
    )
    if wants and not got:
        return _without_address(up, response, effects)
    if got:
        effects = (*effects, Configured(up.spi, peer.name, got))
    return _with_child(up, sa, response, effects, env)


def _with_child(
    up: Established, sa: Authenticating, response: Response, effects: Iterable[Effect | Directive], env: Env
) -> Step:
    if sa.offer is None:
        return Step(up, tuple(effects))
    child_name = sa.offer.policy.name
    if (error := response.error()) is not None:
        name, evidence = error.notify_type.name, Refusal(error.notify_type, ExchangeType.IKE_AUTH)
        told = report(Level.WARNING, "child_refused", peer=up.peer.name, child=child_name, notify=name)
        failed = ChildFailed(up.spi, up.peer.name, child_name, f"the peer answered {name}", evidence)
        return Step(up, (*effects, told, failed))
    child = accept_answer(up.secured, sa.offer, response, sa.opening.nr, True, env)
    installs = (InstallInbound(child, ends(up)), InstallOutbound(child, ends(up)))
    return Step(up.with_child(child), (*effects, *installs, *exported(up.secured, child, env)))


def _without_address(up: Established, response: Response, effects: Iterable[Effect | Directive]) -> Step:
    """We cannot do without an address: close, and let the owner's settings decide when to try again (§3.15.4)."""
    error = response.error()
    reason = f"the peer gives us no address ({error.notify_type.name if error else 'it says nothing of one'})"
    told = refused("address_not_given", Cause.ADDRESS_NOT_GIVEN, peer=up.peer.name, why=reason)
    closing = close(replace(up, todo=()), reason, asked=False, cause=Cause.ADDRESS_NOT_GIVEN)
    return Step(closing.sa, (*effects, told, *closing.effects))


def _local_id(sa: Authenticating) -> Identification:
    return sa.peer.identity_at(sa.path.local.host)
