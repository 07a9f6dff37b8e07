"""IKE_AUTH: show who we are, see who the peer is, and make the first child, RFC 7296 §1.2, §2.15.

Initiator                                       Responder
SK {IDi, [IDr], AUTH, SA, TSi, TSr, N+}  -->
                                         <--  SK {IDr, AUTH, SA, TSi, TSr, N+}
                                     or  <--  SK {IDr, AUTH, N(error of the child)}    the IKE SA stands alone
                                     or  <--  SK {N(AUTHENTICATION_FAILED)}
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from edgevpn.ike.contract import (
    Call,
    ChildFailed,
    Directive,
    Effect,
    Env,
    IkeSaDown,
    IkeSaUp,
    InstallInbound,
    InstallOutbound,
    Level,
    Request,
    Respond,
    Response,
    Step,
    Supersede,
    report,
)
from edgevpn.ike.crypto.keymat import psk_auth, signed_octets
from edgevpn.ike.errors import AuthenticationFailed, Cause, IkeError
from edgevpn.ike.exchange.child_sa import (
    Nonces,
    accept_answer,
    answer_offer,
    ends,
    exported,
    make_offer,
    offer_payloads,
)
from edgevpn.ike.iana import AuthMethod, ExchangeType, NotifyType
from edgevpn.ike.negotiate import acceptable
from edgevpn.ike.peer import NEVER, Peer, Psk, Unique
from edgevpn.ike.state import (
    Authenticating,
    Closed,
    CreateChild,
    Established,
    HalfOpen,
    Initiating,
    Nat,
    Opening,
    Path,
    Secured,
)
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Authentication, Identification, IdI, IdR, SecurityAssociation

# --- initiator -----------------------------------------------------------------------------------------------------


def ask_ike_auth(sa: Initiating, secured: Secured, nat: Nat, path: Path, opening: Opening, env: Env) -> Step:
    """Show who we are, and ask for the first child."""
    peer = sa.peer
    policy = peer.child(sa.children[0]) if sa.children else None
    offer = make_offer(policy, opening.ni, None, env) if policy else None
    local_id = peer.identity_at(path.local.host)
    auth = _auth(peer, opening.request, opening.nr, secured, secured.sk_p_local, local_id)
    payloads = (
        IdI(local_id),
        *((IdR(peer.remote_id),) if peer.remote_id else ()),
        Authentication(AuthMethod.SHARED_KEY, auth),
        *(offer_payloads(offer, in_ike_auth=True) if offer else ()),
        *((Notify(NotifyType.INITIAL_CONTACT),) if sa.initial_contact else ()),
    )
    waiting = Authenticating(secured, peer, path, nat, opening, offer, sa.children[1:])
    return Step(waiting, (Call(ExchangeType.IKE_AUTH, payloads, path),))


def on_response(sa: Authenticating, response: Response, env: Env) -> Step:
    """See who the peer is; AuthenticationFailed if it is not who it should be."""
    if (error := response.error()) is not None and response.first(Authentication) is None:
        reason = f"the peer answered {error.notify_type.name}"
        return Step(Closed(reason), (IkeSaDown(sa.spi, sa.peer.name, reason),))
    remote_id = response.need(IdR).identification
    if sa.peer.remote_id not in (None, remote_id):
        raise AuthenticationFailed(f"the peer is {remote_id}, expected is {sa.peer.remote_id}", Cause.OTHER_IDENTITY)
    shown = response.need(Authentication)
    expected = _auth(sa.peer, sa.opening.response, sa.opening.ni, sa.secured, sa.secured.sk_p_remote, remote_id)
    _check(shown, expected, sa.peer)
    up = _established(sa.secured, sa.peer, remote_id, sa.path, sa.nat, env).then(*map(CreateChild, sa.children))
    effects: tuple[Effect | Directive, ...] = (IkeSaUp(sa.spi, sa.peer.name, remote_id, sa.path),)
    if sa.offer is None:
        return Step(up, effects)
    if (error := response.error()) is not None:
        told = report(
            Level.WARNING, "child_refused", peer=sa.peer.name, child=sa.offer.policy.name, notify=error.notify_type.name
        )
        failed = ChildFailed(sa.spi, sa.peer.name, sa.offer.policy.name, f"the peer answered {error.notify_type.name}")
        return Step(up, (*effects, told, failed))
    child = accept_answer(sa.secured, sa.offer, response, sa.opening.nr, True, env)
    installs = (InstallInbound(child, ends(up)), InstallOutbound(child, ends(up)))
    return Step(up.with_child(child), (*effects, *installs, *exported(sa.secured, child, env)))


# --- responder -----------------------------------------------------------------------------------------------------


def on_request(sa: HalfOpen, request: Request, env: Env) -> Step:
    """See who the peer is, show who we are, and make the child; AuthenticationFailed closes the IKE SA."""
    id_claimed, shown = request.need(IdI).identification, request.need(Authentication)
    wanted = request.first(IdR)
    peer = _find(_candidates(sa, request, env.peers), id_claimed, wanted, request.path)
    expected = _auth(peer, sa.opening.request, sa.opening.nr, sa.secured, sa.secured.sk_p_remote, id_claimed)
    _check(shown, expected, peer)
    local_id = peer.identity_at(request.path.local.host)
    auth = _auth(peer, sa.opening.response, sa.opening.ni, sa.secured, sa.secured.sk_p_local, local_id)
    identity = (IdR(local_id), Authentication(AuthMethod.SHARED_KEY, auth))
    up = _established(sa.secured, peer, id_claimed, request.path, sa.nat, env)
    initial_contact = request.notify(NotifyType.INITIAL_CONTACT) is not None
    effects: list[Effect | Directive] = [IkeSaUp(sa.spi, peer.name, id_claimed, request.path)]
    if initial_contact or peer.unique is Unique.REPLACE:
        effects.append(Supersede(peer.name, id_claimed, silently=initial_contact))
    if request.first(SecurityAssociation) is None:
        return Step(up, (*effects, Respond(request, identity)))  # childless, RFC 6023
    nonces = Nonces(sa.opening.ni, sa.opening.nr)
    try:
        child, payloads = answer_offer(sa.secured, peer.children, request, nonces, True, env)
    except IkeError as error:
        if error.fatal:
            raise
        refused = report(Level.WARNING, "child_refused", peer=peer.name, notify=error.notify.name, why=str(error))
        return Step(up, (*effects, Respond(request, (*identity, Notify(error.notify, error.data))), refused))
    effects.append(InstallInbound(child, ends(up)))
    effects.append(Respond(request, (*identity, *payloads)))
    effects.append(InstallOutbound(child, ends(up)))
    return Step(up.with_child(child), (*effects, *exported(sa.secured, child, env)))


def _candidates(sa: HalfOpen, request: Request, peers: Iterable[Peer]) -> list[Peer]:
    """Peers that may be at these addresses and would have agreed to the suite of this IKE SA."""
    path = request.path
    near = [peer for peer in peers if peer.accepts(path.local.host, path.remote.host)]
    return [peer for peer in near if acceptable(peer.offers, sa.secured.suite)]


def _find(peers: list[Peer], id_claimed: Identification, wanted: IdR | None, path: Path) -> Peer:
    """The peer of that identity that knows us by the wanted one; who is named comes before who may be anybody."""
    known = [
        peer
        for peer in peers
        if (wanted is None or wanted.identification == peer.identity_at(path.local.host))
        and peer.remote_id in (None, id_claimed)
    ]
    if not known:
        raise AuthenticationFailed(f"no peer is known as {id_claimed}", Cause.IDENTITY_UNKNOWN)
    return min(known, key=lambda peer: peer.remote_id is None)


# --- both ----------------------------------------------------------------------------------------------------------


def _auth(peer: Peer, message: bytes, nonce: bytes, secured: Secured, sk_p: bytes, identity: Identification) -> bytes:
    octets = signed_octets(message, nonce, secured.suite.prf, sk_p, identity.encode())
    assert isinstance(peer.local_auth, Psk)
    return psk_auth(secured.suite.prf, peer.local_auth.key, octets)


def _check(shown: Authentication, expected: bytes, peer: Peer) -> None:
    if shown.method != AuthMethod.SHARED_KEY:
        raise AuthenticationFailed(
            f"peer {peer.name} shows {shown.method.name}, expected is SHARED_KEY", Cause.METHOD_NOT_ALLOWED
        )
    if not hmac.compare_digest(shown.data, expected):
        raise AuthenticationFailed(f"peer {peer.name} has another pre-shared key", Cause.WRONG_KEY)


def _established(
    secured: Secured, peer: Peer, remote_id: Identification, path: Path, nat: Nat, env: Env
) -> Established:
    return Established(
        secured=secured,
        peer=peer,
        remote_id=remote_id,
        path=path,
        nat=nat,
        since=env.now,
        heard=env.now,
        probe_at=env.now + peer.liveness,
        rekey_at=NEVER if peer.rekey_after == NEVER else env.soon(peer.rekey_after),
        keepalive_at=env.now + env.settings.keepalive if nat.local else NEVER,
    )
