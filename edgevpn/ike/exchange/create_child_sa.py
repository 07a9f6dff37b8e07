"""CREATE_CHILD_SA: a new child, or a new pair in the place of an old one, RFC 7296 §1.3, §2.8, §2.25.

    Initiator                                      Responder
    SK {SA, Ni, [KEi], TSi, TSr}              -->            a new child
    SK {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr} -->            a child in the place of another
                                              <--  SK {SA, Nr, [KEr], TSi, TSr}

The responder of a rekeying receives on the new pair at once and sends on it when the old one is deleted: only then is
it sure that the initiator has it. Where both rekey the same child, or both make the same new one, the pair with the
lowest of the four nonces loses, and who asked for it deletes it (§2.8.1). Whoever should delete a pair and does not is
helped after a while, so that no pair stays that nobody wants.

Perfect forward secrecy is agreed anew each time. A peer that wants another method, or none, is asked once more. Where
further key exchanges are agreed on, IKE_FOLLOWUP_KE carries them out first (RFC 9370 §2.2.4). While we ask for such,
the peer has to wait with what it wants, so that the two do not meet in the middle.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    ChildClosed,
    ChildFailed,
    Effect,
    Env,
    ExpectInbound,
    InstallInbound,
    InstallOutbound,
    Level,
    Report,
    Request,
    Response,
    report,
)
from edgevpn.ike.errors import Cause, ChildSaNotFound, InvalidSyntax, NoAdditionalSas, TemporaryFailure
from edgevpn.ike.evidence import Refusal
from edgevpn.ike.exchange import ike_followup_ke, informational, rekey_ike
from edgevpn.ike.exchange.child_sa import (
    NONCE_SIZE,
    Nonces,
    accept_answer,
    answer_offer,
    ends,
    exported,
    kept_promise,
    make_offer,
    offer_payloads,
)
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, ProtocolId
from edgevpn.ike.negotiate import check_answer, methods, offers_additional
from edgevpn.ike.peer import Offer
from edgevpn.ike.state import (
    Asking,
    ChildOffer,
    ChildSa,
    CreateChild,
    CreatingChild,
    DeleteChild,
    Doing,
    Established,
    FollowingUp,
    Phase,
    Probe,
    RekeyChild,
    RekeyIke,
    RekeyingChild,
    RekeyingIke,
    Rival,
    Secured,
)
from edgevpn.ike.steps import Call, Directive, Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Nonce, SecurityAssociation
from edgevpn.ike.wire.selector import TrafficSelector

Effects = tuple[Effect | Directive, ...]

# Our own choice.
KEPT_PAIRS = 3  # of each child that a peer may have: the newest, the one before, and one that takes late packets


# --- asking --------------------------------------------------------------------------------------------------------


def create_child(sa: Established, task: CreateChild, env: Env) -> Step:
    """Ask for a new child of that policy, unless it is there, or no longer configured."""
    policy = sa.peer.child(task.name)
    if policy is None:
        return Step(sa, (report(Level.WARNING, "child_unknown", peer=sa.peer.name, child=task.name),))
    if any(_serves(child, task) for child in sa.children):
        return Step(sa)
    if task.packet is not None:
        local, remote = task.packet
        policy = replace(policy, ts_local=_led_by(local, policy.ts_local), ts_remote=_led_by(remote, policy.ts_remote))
    offer = make_offer(policy, env.entropy(NONCE_SIZE), _method(policy.offers, task.ke), env)
    return _call(replace(sa, doing=CreatingChild(task, offer)), offer)


def rekey_child(sa: Established, task: RekeyChild, env: Env) -> Step:
    """Ask for a child in the place of an old one, for the packets that the old one carries."""
    old = sa.child(task.spi_in)
    policy = sa.peer.child(old.name) if old else None
    if old is None or policy is None or old.phase is not Phase.ACTIVE:
        return Step(sa)
    same = replace(policy, ts_local=old.ts_local, ts_remote=old.ts_remote, mode=old.mode)
    offer = make_offer(same, env.entropy(NONCE_SIZE), _method(policy.offers, task.ke), env)
    rekeys = Notify(NotifyType.REKEY_SA, protocol=ProtocolId.ESP, spi=old.spi_in)
    sa = replace(sa.with_child(old.turned(Phase.ACTIVE)), doing=RekeyingChild(task, offer))
    return _call(sa, offer, rekeys)


def _serves(child: ChildSa, task: CreateChild) -> bool:
    """Whether a child does what is asked for."""
    if child.name != task.name or not child.lives:
        return False
    if task.packet is None:
        return True
    local, remote = task.packet
    return any(ts.contains(local) for ts in child.ts_local) and any(ts.contains(remote) for ts in child.ts_remote)


def _led_by(packet: TrafficSelector, policy: tuple[TrafficSelector, ...]) -> tuple[TrafficSelector, ...]:
    """The packet's own selector first, so that a peer that narrows does not narrow it away (RFC 7296 §2.9)."""
    return (packet, *(ts for ts in policy if ts != packet))


def _method(offers: tuple[Offer, ...], asked: Ke | None) -> Ke:
    """The method that the peer asked for, else the one that we want most."""
    return asked if asked is not None else next(iter(methods(offers)), Ke.NONE)


def _call(sa: Established, offer: ChildOffer, *before: Payload) -> Step:
    payloads = (*before, *offer_payloads(offer, in_ike_auth=False))
    return Step(sa, (ExpectInbound(offer.spi_in, ends(sa)), Call(ExchangeType.CREATE_CHILD_SA, payloads, sa.path)))


# --- being asked ---------------------------------------------------------------------------------------------------


def on_request(sa: Established, request: Request, env: Env) -> Step:
    """The peer asks for one of the three; IkeError says why it cannot have it, and is answered."""
    asked = request.need(SecurityAssociation).proposals
    if asked[0].protocol is ProtocolId.IKE:
        return rekey_ike.on_request(sa, request, env)
    if isinstance(sa.doing, RekeyingIke | FollowingUp) or _may_follow_up(sa.doing):
        raise TemporaryFailure("this IKE SA is being rekeyed, or a child needs several exchanges")
    if (rekeys := request.notify(NotifyType.REKEY_SA)) is not None:
        return _answer_rekeying(sa, request, rekeys, env)
    if len(sa.children) >= _most_children(sa, env):
        raise NoAdditionalSas(f"{len(sa.children)} children are enough", Cause.TOO_MANY_SAS)
    nonces = Nonces(request.need(Nonce).data, env.entropy(NONCE_SIZE))
    made = answer_offer(sa.secured, sa.peer.children, request, nonces, False, env)
    answer = Respond(request, made.payloads)
    if made.child.suite.additional:
        return ike_followup_ke.promise(sa, made.child, (nonces.ni, nonces.nr), made.shared_secret, answer, env)
    return _created(sa, made.child, nonces, answer, env)


def on_followup(sa: Established, request: Request, env: Env) -> Step:
    """One more key exchange for what the peer has asked for; after the last it has it (RFC 9370 §2.2.4)."""
    promised, answer = ike_followup_ke.take_part(sa.promise, request, env)
    if promised.left:
        return Step(replace(sa, promise=promised), (answer,))
    sa = replace(sa, promise=None)
    if isinstance(promised.what, Secured):
        return rekey_ike.keep_promise(sa, promised, answer, env)
    child, nonces = kept_promise(sa.secured, promised), Nonces(promised.ni, promised.nr)
    if child.replaces is None:
        return _created(sa, child, nonces, answer, env)
    old = sa.child(child.replaces)
    if old is None or not old.lives:
        raise TemporaryFailure("what was to be rekeyed is gone, or going")
    return _rekeyed(sa, old, child, nonces, answer, env)


def _created(sa: Established, child: ChildSa, nonces: Nonces, answer: Respond, env: Env) -> Step:
    """A new child stands."""
    if isinstance(sa.doing, CreatingChild) and sa.doing.offer.policy.name == child.name:
        sa = replace(sa, doing=replace(sa.doing, rival=_rival(child, nonces)))
    effects = (InstallInbound(child, ends(sa)), answer, InstallOutbound(child, ends(sa)))
    return Step(sa.with_child(child), (*effects, *exported(sa.secured, child, env)))


def _answer_rekeying(sa: Established, request: Request, rekeys: Notify, env: Env) -> Step:
    if sa.nat.local and (refusal := sa.peer.manners.refuses_child_rekey) is not None:
        return Step(sa, (Respond(request, (Notify(refusal),)),))
    old = sa.child_out(rekeys.spi)
    if old is None and isinstance(sa.doing, CreatingChild | RekeyingChild):
        raise TemporaryFailure("perhaps that is the child whose making we wait for")
    if old is None or old.phase is Phase.LINGERING:
        raise ChildSaNotFound(rekeys.protocol, rekeys.spi)
    if old.phase is Phase.DELETING or DeleteChild(old.spi_in) in sa.todo:
        raise TemporaryFailure("the child is being deleted")
    if any(child.replaces == old.spi_in and child.lives for child in sa.children):
        raise TemporaryFailure("the child has been rekeyed, and is yet to be deleted")
    if len(sa.children) >= KEPT_PAIRS * _most_children(sa, env):
        raise TemporaryFailure(f"of {len(sa.children)} children most are yet to be deleted")
    policies = tuple(p for p in sa.peer.children if p.name == old.name)
    nonces = Nonces(request.need(Nonce).data, env.entropy(NONCE_SIZE))
    made = answer_offer(sa.secured, policies, request, nonces, False, env)
    child, answer = replace(made.child, replaces=old.spi_in), Respond(request, made.payloads)
    if child.suite.additional:
        return ike_followup_ke.promise(sa, child, (nonces.ni, nonces.nr), made.shared_secret, answer, env)
    return _rekeyed(sa, old, child, nonces, answer, env)


def _rekeyed(sa: Established, old: ChildSa, new: ChildSa, nonces: Nonces, answer: Respond, env: Env) -> Step:
    """A child stands in the place of an old one."""
    if isinstance(sa.doing, RekeyingChild) and sa.doing.task.spi_in == old.spi_in:
        sa = replace(sa, doing=replace(sa.doing, rival=_rival(new, nonces)))
    switch: Effects = ()
    if old.phase is Phase.INBOUND:  # it is surely there if the peer wants it rekeyed
        switch = (InstallOutbound(old, ends(sa)),)
    child = new.turned(Phase.INBOUND, env.now + env.settings.switch_after)
    sa = _replaced(sa, old, env, child)
    effects = (*switch, InstallInbound(child, ends(sa)), answer)
    return Step(sa, (*effects, *exported(sa.secured, child, env)))


def _most_children(sa: Established, env: Env) -> int:
    return env.settings.children_limit + len(sa.peer.children)


def _may_follow_up(doing: Doing | None) -> bool:
    """Whether what we ask for may need further key exchanges."""
    return isinstance(doing, CreatingChild | RekeyingChild) and offers_additional(doing.offer.policy.offers)


def _rival(child: ChildSa, nonces: Nonces) -> Rival:
    return Rival(child.spi_in, min(nonces.ni, nonces.nr))


# --- being answered ------------------------------------------------------------------------------------------------


def on_response(sa: Established, response: Response, env: Env) -> Step:
    """What became of the request that we made, or of the last one that it has led to."""
    doing, sa = sa.doing, replace(sa, doing=None)
    about = doing.about if isinstance(doing, FollowingUp) else doing
    if (error := response.error()) is not None:
        return _refused(sa, about, error, env)
    match doing:
        case CreatingChild() | RekeyingChild() | RekeyingIke():
            if methods := _further(sa, doing, response):
                return ike_followup_ke.begin(sa, doing, response, methods, env)
            return _done(sa, doing, response, b"", env)
        case FollowingUp(about=about, answer=answer, left=left):
            doing = ike_followup_ke.answered(doing, response)
            if left:
                return ike_followup_ke.go_on(sa, doing, response, env)
            return _done(sa, about, replace(response, payloads=answer), doing.secrets, env)
        case _:
            raise InvalidSyntax("an answer to CREATE_CHILD_SA that was not asked")


def _further(sa: Established, doing: Asking, response: Response) -> tuple[Ke, ...]:
    """The key exchanges that the peer has chosen beside the first; nearly always none."""
    answer = response.need(SecurityAssociation).proposals
    if not any(transform.transform_type.is_additional for transform in answer[0].transforms):
        return ()
    if isinstance(doing, RekeyingIke):
        return rekey_ike.chosen_of(sa, response).additional_methods
    return check_answer(doing.offer.policy.offers, answer, ProtocolId.ESP).additional_methods


def _done(sa: Established, doing: Asking, response: Response, more: bytes, env: Env) -> Step:
    """It is made, with the secrets of these further key exchanges."""
    if isinstance(doing, RekeyingIke):
        return rekey_ike.on_response(sa, doing, response, env, more)
    return _made(sa, doing, response, more, env)


def _made(sa: Established, doing: CreatingChild | RekeyingChild, response: Response, more: bytes, env: Env) -> Step:
    """The new pair is there; what it makes superfluous goes, unless that is the new pair itself."""
    nr = response.need(Nonce).data
    child = accept_answer(sa.secured, doing.offer, response, nr, False, env, more)
    if child.spi_out in doing.gone:
        return _unmade(sa, doing, env)
    rival = sa.child(doing.rival.spi) if doing.rival else None
    if rival is not None and rival.lives and doing.rival and min(doing.offer.ni, nr) < doing.rival.lowest:
        lost = child.turned(Phase.REPLACED, env.now + env.settings.replaced_timeout)
        sa = sa.with_child(lost).then(DeleteChild(lost.spi_in))
        return Step(sa, (InstallInbound(lost, ends(sa)), *exported(sa.secured, lost, env)))
    if rival is not None:
        sa = _replaced(sa, rival, env)  # the peer deletes what it asked for
        if isinstance(doing, CreatingChild):  # if it knows: it may have had its child before it saw our request
            sa = sa.then(DeleteChild(rival.spi_in))
    if isinstance(doing, RekeyingChild) and (old := sa.child(doing.task.spi_in)) is not None:
        sa = _replaced(sa, old, env).then(DeleteChild(old.spi_in))
    effects = (InstallInbound(child, ends(sa)), InstallOutbound(child, ends(sa)))
    return Step(sa.with_child(child), (*effects, *exported(sa.secured, child, env)))


def _unmade(sa: Established, doing: CreatingChild | RekeyingChild, env: Env) -> Step:
    """The peer has deleted the new pair before we heard of it; what it was to replace goes on."""
    match doing:
        case CreatingChild(task):
            return Step(sa, (ChildClosed(sa.spi, sa.peer.name, task.name),))
        case RekeyingChild(task):
            old = sa.child(task.spi_in)
            again = env.soon(env.settings.rekey_again)
            return Step(sa.with_child(old.turned(Phase.ACTIVE, again)) if old and old.phase is Phase.ACTIVE else sa)


def _replaced(sa: Established, old: ChildSa, env: Env, *new: ChildSa) -> Established:
    """Another pair, `new` or known already, carries the traffic of `old`, if it had not gone already."""
    if not old.lives:
        return sa.with_child(*new)
    return sa.with_child(old.turned(Phase.REPLACED, env.now + env.settings.replaced_timeout), *new)


# --- being refused -------------------------------------------------------------------------------------------------


def _refused(sa: Established, doing: Doing | None, error: Notify, env: Env) -> Step:
    told = report(Level.WARNING, "create_child_sa_refused", peer=sa.peer.name, notify=error.notify_type.name)
    if error.notify_type == NotifyType.INVALID_SYNTAX:
        sa = sa.then(Probe())  # it should have given up the IKE SA (RFC 7296 §2.21.3); not every peer does
    match doing:
        case RekeyingIke(rival=Rival() as rival):
            return rekey_ike.forgone(sa, rival, env)
        case CreatingChild(rival=Rival(spi)) | RekeyingChild(rival=Rival(spi)) if _lives(sa, spi):
            return Step(sa, (told,))  # the peer has made itself what it refused to us
        case CreatingChild(task) | RekeyingChild(task) | RekeyingIke(task):
            pass
        case _:
            return Step(sa, (told,))
    match error.notify_type:
        case NotifyType.TEMPORARY_FAILURE | NotifyType.STATE_NOT_FOUND:
            return _postponed(sa, task, told, env)
        case NotifyType.CHILD_SA_NOT_FOUND if isinstance(task, RekeyChild):
            return _child_lost(sa, task.spi_in, told, env)
        case _ if (again := _otherwise(sa, doing, error)) is not None:
            return Step(replace(sa, todo=(again, *sa.todo)), (told,))
        case refusal:
            return _final(sa, task, refusal, told, env)


def _lives(sa: Established, spi_in: bytes) -> bool:
    child = sa.child(spi_in)
    return child is not None and child.lives


def _final(
    sa: Established, task: CreateChild | RekeyChild | RekeyIke, refusal: NotifyType, told: Report, env: Env
) -> Step:
    """No other way to ask is left. What there is stays as long as it may live; perhaps the peer changes its mind."""
    again = env.soon(env.settings.rekey_again)
    match task:
        case CreateChild(name):
            evidence = Refusal(refusal, ExchangeType.CREATE_CHILD_SA)
            failed = ChildFailed(sa.spi, sa.peer.name, name, f"the peer answered {refusal.name}", evidence)
            return Step(sa, (told, failed))
        case RekeyChild(spi_in):
            old = sa.child(spi_in)
            still = old is not None and old.phase is Phase.ACTIVE
            return Step(sa.with_child(replace(old, due=again)) if old and still else sa, (told,))
        case RekeyIke():
            return Step(replace(sa, rekey_at=again), (told,))


def _postponed(sa: Established, task: CreateChild | RekeyChild | RekeyIke, told: Report, env: Env) -> Step:
    """Try again in a while; a peer that has never time is out of step with us (RFC 7296 §2.25)."""
    since = min(task.refused_since, env.now)
    if env.now - since > env.settings.refused_for:
        reason = "the peer refuses everything for now"
        return informational.close(sa, reason, asked=False, cause=Cause.REFUSED_BY_PEER)
    wake = env.soon(env.settings.retry_after)
    return Step(replace(sa.then(replace(task, ke=None, refused_since=since)), wake=wake), (told,))


def _otherwise(
    sa: Established, doing: CreatingChild | RekeyingChild | RekeyingIke, error: Notify
) -> CreateChild | RekeyChild | RekeyIke | None:
    """The same with the method that the peer wants, or without any; once only, so that nobody goes round in circles."""
    task = doing.task
    if task.ke is not None:
        return None
    if isinstance(doing, RekeyingIke):
        offers, asked = sa.peer.offers, doing.ke
    else:
        policy = sa.peer.child(doing.offer.policy.name)
        offers, asked = policy.offers if policy else (), doing.offer.ke
    wanted: Ke | None = None
    if error.notify_type == NotifyType.INVALID_KE_PAYLOAD:
        wanted = Ke(int.from_bytes(error.data, "big"))
    elif error.notify_type == NotifyType.NO_PROPOSAL_CHOSEN:
        # it will not have a key exchange, or must have one, and does not say which: most likely that of the IKE SA
        others = sorted(methods(offers) or (Ke.NONE,), key=lambda method: method != sa.secured.suite.ke)
        wanted = next((method for method in others if (method == Ke.NONE) != (asked == Ke.NONE)), None)
    return replace(task, ke=wanted) if wanted in methods(offers) and wanted != asked else None


def _child_lost(sa: Established, spi_in: bytes, told: Report, env: Env) -> Step:
    """The peer knows nothing of a child of ours, or not here: a new one takes its place (RFC 7296 §2.25).

    Until that stands, packets may pass by the old one all the same: the peer may have it with another IKE SA.
    """
    lost = sa.child(spi_in)
    if lost is None or lost.phase is not Phase.ACTIVE:
        return Step(sa, (told,))
    lost = lost.turned(Phase.LINGERING, env.now + env.settings.linger)
    return Step(sa.with_child(lost).then(CreateChild(lost.name)), (told,))
