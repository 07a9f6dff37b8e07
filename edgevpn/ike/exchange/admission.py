"""The end of IKE_AUTH as its responder: addresses, the first child, and the answer; RFC 7296 §1.2, §2.19, §3.15.4.

Both sides have shown who they are. Whatever goes wrong from here on, the IKE SA stands; it is the child that fails.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.clients import adapted
from edgevpn.ike.contract import (
    Effect,
    Env,
    IkeSaUp,
    InstallInbound,
    InstallOutbound,
    Request,
    refused,
)
from edgevpn.ike.errors import AuthenticationFailed, Cause, FailedCpRequired, IkeError, InternalAddressFailure
from edgevpn.ike.evidence import Names
from edgevpn.ike.exchange import extensions, ppk
from edgevpn.ike.exchange.asked import asked_in_auth
from edgevpn.ike.exchange.child_sa import Nonces, answer_offer, ends, exported
from edgevpn.ike.exchange.configuration import lending, reply, wants_of
from edgevpn.ike.exchange.refusal import given_up
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.lifetime import established
from edgevpn.ike.peer import NetworkSettings, Peer, Unique
from edgevpn.ike.proving import Claim, LeasingAddress, Proven
from edgevpn.ike.questions import Lease, Leased, Release
from edgevpn.ike.session import NOTHING, Given, Session, Who
from edgevpn.ike.state import ChildSa, Established
from edgevpn.ike.steps import (
    Directive,
    Respond,
    Step,
    Supersede,
    Suspect,
)
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR


def admit(claim: Claim, proven: Proven, request: Request, env: Env) -> Step:
    """Let the peer in: at once, or when there is an address for it. `request` is what is to be answered."""
    peer = claim.peers[0]
    if env.peer(peer.name) is None:
        nobody = Names(claim.remote_id, ())
        raise AuthenticationFailed("the peer is not configured any more", Cause.IDENTITY_UNKNOWN, nobody)
    _check_shape(claim.asked)
    wants = wants_of(claim.asked.first(Configuration))
    if peer.pool is None or wants is None:
        return _establish(claim, proven, request, NOTHING, env)
    asked = Lease(claim.half_open.spi, peer.name, claim.remote_id, proven.user, wants, request.path.remote)
    return Step(LeasingAddress(claim, proven, request), (asked,))


def on_leased(sa: LeasingAddress, leased: Leased, env: Env) -> Step:
    """There is an address for the peer, or there is none."""
    claim, peer = sa.claim, sa.claim.peers[0]
    if leased.unique not in (None, peer.unique):
        claim = replace(claim, peers=(replace(peer, unique=leased.unique), *claim.peers[1:]))
    settings = leased.settings or peer.pool or NetworkSettings()
    given = Given(leased.addresses, settings) if leased.addresses else NOTHING
    return _establish(claim, sa.proven, sa.request, given, env)


def _one_too_many(claim: Claim, proven: Proven, env: Env) -> AuthenticationFailed | None:
    """Why the peer may not have an IKE SA besides those that stand, unless it means them to go."""
    peer = claim.peers[0]
    if _begins_anew(claim) or peer.unique is Unique.REPLACE:
        return None
    stand = env.stands(peer.name, _who(claim, proven))
    if peer.unique is Unique.REFUSE and stand:
        return AuthenticationFailed("another IKE SA with this peer stands", Cause.SECOND_REFUSED)
    if stand >= env.settings.sessions_of_one:
        return AuthenticationFailed(f"{stand} IKE SAs with this peer stand", Cause.TOO_MANY_SAS)
    return None


def _refused(claim: Claim, proven: Proven, request: Request, given: Given, error: AuthenticationFailed) -> Step:
    """If it is another that stands, and its peer is dead, that will be known soon, and the next try succeeds."""
    done = given_up(LeasingAddress(claim, proven, request), request, error)
    unused = (Release(claim.half_open.spi, given.addresses),) if given else ()
    suspected = (Suspect(claim.peers[0].name, _who(claim, proven)),) if error.cause is Cause.SECOND_REFUSED else ()
    return Step(done.sa, (*done.effects, *unused, *suspected))


def _who(claim: Claim, proven: Proven) -> Who:
    return claim.holder or proven.user or claim.remote_id


def _begins_anew(claim: Claim) -> bool:
    """The peer knows of no earlier IKE SA (RFC 7296 §2.4). A device says so for itself alone: others have its name."""
    return claim.peers[0].pool is None and claim.asked.notify(NotifyType.INITIAL_CONTACT) is not None


def _establish(claim: Claim, proven: Proven, request: Request, given: Given, env: Env) -> Step:
    peer, half_open = claim.peers[0], claim.half_open
    if (fault := _one_too_many(claim, proven, env)) is not None:
        return _refused(claim, proven, request, given, fault)
    session = Session(proven.ours, proven.theirs, proven.user, claim.holder, claim.client, lent=given)
    treated = adapted(_within(peer, given, claim.client.asks_dhcp), claim.client, half_open.nat.remote)
    secured, nat = half_open.secured, half_open.nat
    up = established(secured, treated, claim.remote_id, request.path, nat, session, env, began=False)
    up = extensions.agreed(up, claim.asked, env)
    effects: list[Effect | Directive] = [IkeSaUp(up.spi, peer.name, up.remote_id, up.path, session=session)]
    effects += ppk.unused(up)
    anew = _begins_anew(claim) and peer.unique is not Unique.SHARE
    if anew or peer.unique is Unique.REPLACE:
        effects.append(Supersede(peer.name, up.identity, silently=anew))
    told, more = _reply(claim, given), extensions.in_auth_response(up, env)
    if claim.asked.first(SecurityAssociation) is None:
        extensions.check_childless(peer, claim.asked)
        return Step(up, (*effects, Respond(request, (*proven.identity, *told, *more))))  # childless, RFC 6023
    try:
        extensions.check_childless(peer, claim.asked)
        child, payloads = _first_child(up, claim, env)
    except IkeError as error:
        told_why = {"peer": peer.name, "spi": up.spi.hex(), "notify": error.notify.name, "why": str(error)}
        asked = asked_in_auth(half_open, claim.asked, request, proven.user)
        why = refused("child_refused", error.cause, error.evidence, asked, **told_why)
        answer = (*proven.identity, *told, Notify(error.notify, error.data), *more)
        return Step(up, (*effects, Respond(request, answer), why))
    around = ends(up)
    respond, sending = Respond(request, (*proven.identity, *told, *payloads, *more)), InstallOutbound(child, around)
    stands = env.stands(peer.name, _who(claim, proven))  # what it has already carries the same until it has this, too
    ready = (respond, sending) if stands else (sending, respond)  # else its first packet can be answered at once
    effects += (InstallInbound(child, around), *ready, *exported(up.secured, child, env))
    return Step(up.with_child(child), tuple(effects))


def _within(peer: Peer, given: Given, broadcast: bool) -> Peer:
    """The peer with the children that it may have, now and later: a visitor only for addresses that it is lent."""
    if given:
        return lending(peer, given, broadcast)
    return peer if peer.pool is None else replace(peer, children=())


def _first_child(up: Established, claim: Claim, env: Env) -> tuple[ChildSa, tuple[Payload, ...]]:
    """The child that the peer asked for in its first request, and what says so; IkeError if it cannot have it."""
    if up.peer.pool is not None and not up.session.lent:
        if wants_of(claim.asked.first(Configuration)) is None:
            raise FailedCpRequired("the peer asks for no address")
        raise InternalAddressFailure("there is no address for the peer")
    nonces = Nonces(claim.half_open.opening.ni, claim.half_open.opening.nr)
    made = answer_offer(up.secured, up.peer.children, claim.asked, nonces, True, env)
    return made.child, made.payloads


def _check_shape(asked: Request) -> None:
    """InvalidSyntax if an offer of a child lacks its selectors: that is a fault of the message, not of the child."""
    if asked.first(SecurityAssociation) is not None:
        asked.need(TrafficSelectorsI)
        asked.need(TrafficSelectorsR)


def _reply(claim: Claim, given: Given) -> tuple[Payload, ...]:
    """CFG_REPLY, where the peer has asked for it and gets something."""
    asked = claim.asked.first(Configuration)
    return (reply(asked, given),) if asked is not None and given else ()
