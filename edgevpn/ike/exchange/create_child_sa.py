"""CREATE_CHILD_SA: a new child, or a new pair or IKE SA in the place of an old one, RFC 7296 §1.3, §2.8, §2.25.

    Initiator                                      Responder
    SK {SA, Ni, [KEi], TSi, TSr}              -->            a new child
    SK {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr} -->            a child in the place of another
    SK {SA, Ni, KEi}                          -->            an IKE SA in the place of this one
                                              <--  SK {SA, Nr, [KEr], [TSi, TSr]}

The responder of a child's rekey receives on the new pair at once and sends on it when the old one is deleted: only
then is it sure that the initiator has it. Where both rekey the same SA, the pair of nonces with the lowest one of the
four loses, and who asked for it deletes it (§2.8.1).
"""

from __future__ import annotations

from dataclasses import replace

from edgevpn.ike.contract import (
    Call,
    ChildFailed,
    Directive,
    Effect,
    Env,
    Inherit,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    Level,
    RemoveChild,
    Report,
    Request,
    Respond,
    Response,
    Spawn,
    Step,
    Tell,
    Terminate,
    report,
)
from edgevpn.ike.crypto import dh
from edgevpn.ike.crypto.keymat import derive_rekeyed_ike_keys
from edgevpn.ike.crypto.suite import IkeSuite
from edgevpn.ike.errors import ChildSaNotFound, InvalidKePayload, InvalidSyntax, TemporaryFailure
from edgevpn.ike.exchange.child_sa import (
    NONCE_SIZE,
    Nonces,
    accept_answer,
    answer_offer,
    ends,
    exported,
    make_offer,
    offer_payloads,
)
from edgevpn.ike.iana import ExchangeType, Ke, NotifyType, ProtocolId
from edgevpn.ike.negotiate import check_answer, choose, methods, proposals
from edgevpn.ike.peer import NEVER, ChildPolicy
from edgevpn.ike.state import (
    ChildOffer,
    CreateChild,
    CreatingChild,
    DeleteChild,
    Doing,
    Established,
    Phase,
    RekeyChild,
    Rekeyed,
    RekeyIke,
    RekeyingChild,
    RekeyingIke,
    Rival,
    Secured,
)
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce, SecurityAssociation

# Our own choice.
REKEYED_TIMEOUT = 60.0  # seconds that a replaced IKE SA waits for the peer's Delete


# --- asking --------------------------------------------------------------------------------------------------------


def create_child(sa: Established, task: CreateChild, env: Env) -> Step:
    """Ask for a new child of that policy, unless it is no longer configured."""
    policy = sa.peer.child(task.name)
    if policy is None:
        return Step(sa, (report(Level.WARNING, "child_unknown", peer=sa.peer.name, child=task.name),))
    offer = make_offer(policy, env.entropy(NONCE_SIZE), task.ke or _guess(policy), env)
    return _call(replace(sa, doing=CreatingChild(offer, task.ke is not None)), _child_request(offer))


def rekey_child(sa: Established, task: RekeyChild, env: Env) -> Step:
    """Ask for a child in the place of an old one, for the packets that the old one carries."""
    old = sa.child(task.spi_in)
    policy = sa.peer.child(old.name) if old else None
    if old is None or policy is None or old.phase is not Phase.ACTIVE:
        return Step(sa)
    same = replace(policy, ts_local=old.ts_local, ts_remote=old.ts_remote, mode=old.mode)
    offer = make_offer(same, env.entropy(NONCE_SIZE), task.ke or _guess(policy), env)
    rekeys = Notify(NotifyType.REKEY_SA, protocol=ProtocolId.ESP, spi=old.spi_in)
    sa = replace(
        sa.with_child(replace(old, due=NEVER)), doing=RekeyingChild(offer, old.spi_in, None, task.ke is not None)
    )
    return _call(sa, (rekeys, *_child_request(offer)))


def rekey_ike(sa: Established, task: RekeyIke, env: Env) -> Step:
    """Ask for an IKE SA in the place of this one."""
    ke = task.ke or sa.secured.suite.ke
    key_pair, ni, spi = dh.generate(ke, env.entropy), env.entropy(NONCE_SIZE), env.entropy(8)
    payloads = (
        SecurityAssociation(proposals(sa.peer.offers, ProtocolId.IKE, spi)),
        Nonce(ni),
        KeyExchange(ke, key_pair.public),
    )
    return _call(replace(sa, doing=RekeyingIke(spi, ni, ke, key_pair, None, task.ke is not None)), payloads)


def _guess(policy: ChildPolicy) -> Ke | None:
    first = next(iter(methods(policy.offers)), Ke.NONE)
    return first if first != Ke.NONE else None


def _child_request(offer: ChildOffer) -> tuple[Payload, ...]:
    key_pair = offer.key_pair
    ke = (KeyExchange(offer.ke, key_pair.public),) if key_pair else ()
    return (*offer_payloads(offer, in_ike_auth=False), Nonce(offer.ni), *ke)


def _call(sa: Established, payloads: tuple[Payload, ...]) -> Step:
    return Step(sa, (Call(ExchangeType.CREATE_CHILD_SA, payloads, sa.path),))


# --- being asked ---------------------------------------------------------------------------------------------------


def on_request(sa: Established, request: Request, env: Env) -> Step:
    """The peer asks for one of the three; IkeError says why it cannot have it, and is answered."""
    asked = request.need(SecurityAssociation).proposals
    if asked[0].protocol is ProtocolId.IKE:
        return _answer_rekey_ike(sa, request, env)
    if isinstance(sa.doing, RekeyingIke):
        raise TemporaryFailure("this IKE SA is being rekeyed")
    if (rekeys := request.notify(NotifyType.REKEY_SA)) is not None:
        return _answer_rekey_child(sa, request, rekeys, env)
    child, payloads = answer_offer(sa.secured, sa.peer.children, request, _nonces(request, env), False, env)
    effects = (InstallInbound(child, ends(sa)), Respond(request, payloads), InstallOutbound(child, ends(sa)))
    return Step(sa.with_child(child), (*effects, *exported(sa.secured, child, env)))


def _answer_rekey_child(sa: Established, request: Request, rekeys: Notify, env: Env) -> Step:
    old = sa.child_out(rekeys.spi)
    if old is None or old.phase is Phase.LINGERING:
        raise ChildSaNotFound(rekeys.protocol, rekeys.spi)
    if old.phase is Phase.DELETING:
        raise TemporaryFailure("the child is being deleted")
    policies = tuple(p for p in sa.peer.children if p.name == old.name)
    nonces = _nonces(request, env)
    child, payloads = answer_offer(sa.secured, policies, request, nonces, False, env)
    doing = sa.doing
    if isinstance(doing, RekeyingChild) and doing.old == old.spi_in:
        rival = Rival(child.spi_in, min(nonces.ni, nonces.nr))
        sa = replace(sa, doing=replace(doing, rival=rival))
    following = replace(child.turned(Phase.INBOUND, env.now + env.settings.switch_after), replaces=old.spi_in)
    sa = sa.with_child(following).with_child(old.turned(Phase.REPLACED))
    effects = (InstallInbound(following, ends(sa)), Respond(request, payloads))
    return Step(sa, (*effects, *exported(sa.secured, following, env)))


def _answer_rekey_ike(sa: Established, request: Request, env: Env) -> Step:
    """The new IKE SA stands at once; it gets the children now, or when our own rekey has been decided."""
    if sa.doing is not None and not isinstance(sa.doing, RekeyingIke):
        raise TemporaryFailure("an exchange about a child is under way")
    asked = request.need(SecurityAssociation).proposals
    chosen = choose(sa.peer.offers, asked, ProtocolId.IKE)
    ke, ni = request.need(KeyExchange), request.need(Nonce).data
    if ke.method != chosen.ke:
        raise InvalidKePayload(chosen.ke)
    key_pair, nr, spi_r = dh.generate(chosen.ke, env.entropy), env.entropy(NONCE_SIZE), env.entropy(8)
    spi_i = next(proposal.spi for proposal in asked if proposal.number == chosen.number)
    secured = _rekeyed(
        sa, chosen.ike_suite(), (ni, nr), key_pair.shared_secret(ke.data), (spi_i, spi_r), initiator=False
    )
    payloads = (
        SecurityAssociation(chosen.answer(ProtocolId.IKE, spi_r)),
        Nonce(nr),
        KeyExchange(chosen.ke, key_pair.public),
    )
    answered = Respond(request, payloads)
    if isinstance(sa.doing, RekeyingIke):
        waiting = replace(sa.doing, rival=Rival(spi_r, min(ni, nr)))
        return Step(replace(sa, doing=waiting), (*_spawn(sa, secured, env, children=False), answered))
    return Step(_replaced(sa, env), (*_spawn(sa, secured, env, children=True), answered))


def _nonces(request: Request, env: Env) -> Nonces:
    return Nonces(request.need(Nonce).data, env.entropy(NONCE_SIZE))


# --- being answered ------------------------------------------------------------------------------------------------


def on_response(sa: Established, response: Response, env: Env) -> Step:
    """What became of the request that we made."""
    doing, sa = sa.doing, replace(sa, doing=None)
    if (error := response.error()) is not None:
        return _refused(sa, doing, error, env)
    match doing:
        case CreatingChild(offer):
            child = accept_answer(sa.secured, offer, response, response.need(Nonce).data, False, env)
            effects = (InstallInbound(child, ends(sa)), InstallOutbound(child, ends(sa)))
            return Step(sa.with_child(child), (*effects, *exported(sa.secured, child, env)))
        case RekeyingChild():
            return _child_rekeyed(sa, doing, response, env)
        case RekeyingIke():
            return _ike_rekeyed(sa, doing, response, env)
        case _:
            raise InvalidSyntax("an answer to CREATE_CHILD_SA that was not asked")


def _child_rekeyed(sa: Established, doing: RekeyingChild, response: Response, env: Env) -> Step:
    nr = response.need(Nonce).data
    child = accept_answer(sa.secured, doing.offer, response, nr, False, env)
    if doing.rival is not None and min(doing.offer.ni, nr) < doing.rival.lowest:
        # We lose: ours goes again; the peer deletes the old pair, and what it made in its place stays.
        losing = child.turned(Phase.REPLACED)
        effects = (InstallInbound(losing, ends(sa)), *exported(sa.secured, losing, env))
        return Step(sa.with_child(losing).then(DeleteChild(child.spi_in)), effects)
    rival = sa.child(doing.rival.spi) if doing.rival else None
    if rival is not None:
        sa = sa.with_child(rival.turned(Phase.REPLACED))  # the peer deletes what it made
    if (old := sa.child(doing.old)) is not None:
        sa = sa.with_child(old.turned(Phase.REPLACED)).then(DeleteChild(old.spi_in))
    effects = (InstallInbound(child, ends(sa)), InstallOutbound(child, ends(sa)))
    return Step(sa.with_child(child), (*effects, *exported(sa.secured, child, env)))


def _ike_rekeyed(sa: Established, doing: RekeyingIke, response: Response, env: Env) -> Step:
    answer, nr = response.need(SecurityAssociation).proposals, response.need(Nonce).data
    chosen, ke = check_answer(sa.peer.offers, answer, ProtocolId.IKE), response.need(KeyExchange)
    if not chosen.ke == ke.method == doing.ke:
        raise InvalidSyntax(f"KE payload of method {ke.method.name}, chosen is {chosen.ke.name}")
    shared_secret = doing.key_pair.shared_secret(ke.data)
    secured = _rekeyed(
        sa, chosen.ike_suite(), (doing.ni, nr), shared_secret, (doing.spi, answer[0].spi), initiator=True
    )
    rival = doing.rival
    if rival is None:
        return Step(_replaced(sa, env), (*_spawn(sa, secured, env, children=True), Tell(sa.spi, Terminate(sa.spi))))
    if min(doing.ni, nr) < rival.lowest:
        # We lose: the peer's new IKE SA gets the children, and the one that we asked for is closed by us.
        effects = (Tell(rival.spi, Inherit(sa.children, sa.todo)), Tell(doing.spi, Terminate(doing.spi)))
        return Step(_replaced(sa, env), (*_spawn(sa, secured, env, children=False), *effects))
    return Step(_replaced(sa, env), (*_spawn(sa, secured, env, children=True), Tell(sa.spi, Terminate(sa.spi))))


def _refused(sa: Established, doing: Doing | None, error: Notify, env: Env) -> Step:
    told = report(Level.WARNING, "create_child_sa_refused", peer=sa.peer.name, notify=error.notify_type.name)
    task = _task_of(doing)
    if task is None:
        return Step(sa, (told,))
    match error.notify_type:
        case NotifyType.TEMPORARY_FAILURE:
            return Step(replace(sa.then(replace(task, ke=None)), wake=env.soon(env.settings.retry_after)), (told,))
        case NotifyType.INVALID_KE_PAYLOAD if task.ke is None:
            wanted = Ke(int.from_bytes(error.data, "big"))
            return Step(replace(sa, todo=(replace(task, ke=wanted), *sa.todo)), (told,))
        case NotifyType.CHILD_SA_NOT_FOUND if isinstance(doing, RekeyingChild):
            return _child_lost(sa, doing.old, told)
        case refusal if isinstance(doing, CreatingChild):
            failed = ChildFailed(sa.spi, sa.peer.name, doing.offer.policy.name, f"the peer answered {refusal.name}")
            return Step(sa, (told, failed))
        case _:
            return Step(sa, (told,))


def _task_of(doing: Doing | None) -> CreateChild | RekeyChild | RekeyIke | None:
    """The task that `doing` came from; it holds a method if that was the second try."""
    match doing:
        case CreatingChild(offer, retried):
            return CreateChild(offer.policy.name, offer.ke if retried else None)
        case RekeyingChild(offer=offer, old=old, retried=retried):
            return RekeyChild(old, offer.ke if retried else None)
        case RekeyingIke(ke=ke, retried=retried):
            return RekeyIke(ke if retried else None)
        case _:
            return None


def _child_lost(sa: Established, spi_in: bytes, told: Report) -> Step:
    """The peer knows nothing of a child of ours: it is gone, and a new one takes its place (RFC 7296 §2.25)."""
    lost = sa.child(spi_in)
    if lost is None:
        return Step(sa, (told,))
    return Step(sa.without((lost,)).then(CreateChild(lost.name)), (told, RemoveChild(lost)))


# --- the new IKE SA ------------------------------------------------------------------------------------------------


def _rekeyed(
    sa: Established,
    suite: IkeSuite,
    nonces: tuple[bytes, bytes],
    shared_secret: bytes,
    spis: tuple[bytes, bytes],
    initiator: bool,
) -> Secured:
    old = sa.secured
    keys = derive_rekeyed_ike_keys(suite, old.suite.prf, old.keys.sk_d, *nonces, shared_secret, *spis)
    return Secured(*spis, initiator, suite, keys)


def _spawn(sa: Established, secured: Secured, env: Env, children: bool) -> tuple[Effect | Directive, ...]:
    """The IKE SA that follows `sa`, with its children or (until a collision is decided) without."""
    peer = sa.peer
    follower = replace(
        sa,
        secured=secured,
        since=env.now,
        heard=env.now,
        children=sa.children if children else (),
        todo=sa.todo if children else (),
        doing=None,
        wake=NEVER,
        rekey_at=NEVER if peer.rekey_after == NEVER else env.soon(peer.rekey_after),
    )
    keys = (KeysDerived(secured),) if env.settings.export_keys else ()
    return (Spawn(follower, secured, sa.spi), *keys)


def _replaced(sa: Established, env: Env) -> Rekeyed:
    return Rekeyed(sa.secured, sa.peer, sa.path, env.now + REKEYED_TIMEOUT)
