"""The automaton: which handler answers which event in which state.

`step` is the table: one case for each legal pair, the last for all others. After it an Established IKE SA takes up
the next task on its list, if nothing of ours is under way.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike import aging
from edgevpn.ike.contract import (
    Ask,
    ChildExpired,
    ChildFailed,
    Env,
    IkeSaDown,
    InstallFailed,
    Level,
    LocalAddresses,
    MappingChanged,
    MovePath,
    RemoveChild,
    Request,
    Response,
    Terminate,
    Traffic,
    refused,
    report,
)
from edgevpn.ike.errors import Cause, ChildSaNotFound, Discard, IkeError, InvalidSyntax, TemporaryFailure
from edgevpn.ike.evidence import KernelSays, Silence
from edgevpn.ike.exchange import (
    create_child_sa,
    ike_auth,
    ike_auth_initiator,
    ike_intermediate,
    ike_sa_init,
    informational,
    mobike,
    nat,
    reauthentication,
    redirect,
    rekey_ike,
)
from edgevpn.ike.exchange.asked import asked_by_peer
from edgevpn.ike.exchange.refusal import farewell, given_up, not_followed, too_late
from edgevpn.ike.iana import ExchangeType, ProtocolId
from edgevpn.ike.peer import NEVER
from edgevpn.ike.proving import (
    AddingKeys,
    Answering,
    Calling,
    CheckingResponder,
    EapAnswering,
    EapAsking,
    EapProven,
    EapProving,
    PreparingAuth,
    Waiting,
)
from edgevpn.ike.questions import Answer
from edgevpn.ike.state import (
    Announce,
    Authenticating,
    CheckPath,
    Close,
    Closed,
    Closing,
    Contending,
    CreateChild,
    DeleteChild,
    Established,
    HalfOpen,
    Initiating,
    Probe,
    RekeyChild,
    Rekeyed,
    RekeyIke,
    RekeyingIke,
    Rival,
    Task,
    Update,
)
from edgevpn.ike.steps import (
    Call,
    Doubtful,
    Due,
    Event,
    Followed,
    IkeSa,
    Inherit,
    NotFollowed,
    Redundant,
    Respond,
    RivalGone,
    Step,
    Superseded,
    TakeUp,
    Tell,
    Unanswered,
)
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete

MAY_WAIT = CreateChild | RekeyChild | RekeyIke  # while the peer says that it has no time for them
MUST_NOT_WAIT = Probe | Close  # while the peer is at the key exchanges of an SA that it makes

NO_ANSWER = "the peer does not answer"

CREATE_CHILD_SA, INFORMATIONAL = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL


def step(sa: IkeSa, event: Event, env: Env) -> Step:
    """What `event` makes of `sa`. IkeError if the peer's message is at fault, Discard if it comes too early."""
    match sa:
        case Established():
            return take_up(_in_established(sa, event, env), env)
        case Contending():
            return take_up(_in_contending(sa, event, env), env)
        case Rekeyed() | Closing():
            return _at_the_end(sa, event, env)
        case _ if isinstance(sa, Answering):
            return take_up(_while_answering(sa, event, env), env)
        case _ if isinstance(sa, Calling):
            return take_up(_while_calling(sa, event, env), env)
        case _:
            return take_up(_at_the_beginning(sa, event, env), env)


def _at_the_beginning(sa: IkeSa, event: Event, env: Env) -> Step:
    match sa, event:
        case Initiating(), Response(exchange=ExchangeType.IKE_SA_INIT):
            return ike_sa_init.on_response(sa, event, env)
        case Authenticating(), Response(exchange=ExchangeType.IKE_AUTH):
            return ike_auth_initiator.on_response(sa, event, env)
        case ((Initiating() | Authenticating()), Request()):
            raise Discard("the peer asks before we have its answer to IKE_AUTH")
        case HalfOpen(), Request(exchange=ExchangeType.IKE_INTERMEDIATE):
            return ike_intermediate.on_request(sa, event, env)
        case HalfOpen(), Request(exchange=ExchangeType.IKE_AUTH):
            return ike_auth.on_request(sa, event, env)
        case HalfOpen(), Due(fragments=fragments):
            return not_followed(sa, fragments)
        case Initiating(refused=(reason, cause)), Unanswered():
            return Step(Closed(reason), (IkeSaDown(sa.spi, sa.peer.name, reason, cause=cause),))
        case ((Initiating() | Authenticating()), Unanswered()):
            return Step(Closed(NO_ANSWER), (_unheard(sa, Cause.NO_ANSWER),))
        case ((Initiating() | Authenticating()), Terminate()):
            return _called_off(sa)
        case _:
            return _unexpected(sa, event)


def _while_answering(sa: Answering, event: Event, env: Env) -> Step:
    match sa, event:
        case ((EapAsking() | EapProving()), Request(exchange=ExchangeType.IKE_AUTH)):
            return ike_auth.on_request(sa, event, env)
        case ((EapAsking() | EapProving()), Request(exchange=ExchangeType.INFORMATIONAL)):
            return farewell(sa, event)
        case _, Due():
            return too_late(sa)
        case _ if isinstance(sa, Waiting) and isinstance(event, Answer):
            return ike_auth.on_answer(sa, event, env)
        case _:
            return _unexpected(sa, event)


def _while_calling(sa: Calling, event: Event, env: Env) -> Step:
    match sa, event:
        case AddingKeys(), Response(exchange=ExchangeType.IKE_INTERMEDIATE):
            return ike_intermediate.on_response(sa, event, env)
        case ((EapAnswering() | EapProven()), Response(exchange=ExchangeType.IKE_AUTH)):
            return ike_auth_initiator.on_response(sa, event, env)
        case _, Request():
            raise Discard("the peer asks before we have its answer to IKE_AUTH")
        case _, (Unanswered() | Due()):
            cause = Cause.NO_ANSWER if isinstance(event, Unanswered) else Cause.TOO_LATE
            return Step(Closed(NO_ANSWER), (_unheard(sa, cause),))
        case _, Terminate():
            return _called_off(sa)
        case _ if isinstance(sa, PreparingAuth | CheckingResponder) and isinstance(event, Answer):
            try:
                return ike_auth_initiator.on_answer(sa, event, env)
            except IkeError as error:
                return disappointed(sa, error)
        case _:
            return _unexpected(sa, event)


def _unheard(sa: Initiating | Authenticating | Calling, cause: Cause) -> IkeSaDown:
    """The peer has not answered, or the world not in time."""
    match sa:
        case Initiating():
            asked = ExchangeType.IKE_SA_INIT
        case AddingKeys():
            asked = ExchangeType.IKE_INTERMEDIATE
        case _:
            asked = ExchangeType.IKE_AUTH
    return IkeSaDown(sa.spi, sa.peer.name, NO_ANSWER, cause=cause, evidence=Silence(asked))


def _called_off(sa: Initiating | Authenticating | Calling) -> Step:
    return Step(Closed("closed"), (IkeSaDown(sa.spi, sa.peer.name, "closed", asked=True, cause=Cause.ASKED),))


def _in_established(sa: Established, event: Event, env: Env) -> Step:
    match event:
        case Request(exchange=ExchangeType.CREATE_CHILD_SA):
            return create_child_sa.on_request(sa, event, env)
        case Request(exchange=ExchangeType.IKE_FOLLOWUP_KE):
            return create_child_sa.on_followup(sa, event, env)
        case Request(exchange=ExchangeType.INFORMATIONAL):
            rival = _rival(sa)
            if rival is not None and informational.closes(event):
                return rekey_ike.bequeathed(sa, rival, "replaced", Respond(event))
            if redirect.wanted(sa, event) and not informational.closes(event):
                return redirect.on_request(sa, event)
            sa = reauthentication.told_again(sa, event, env)
            if sa.mobility is not None and not informational.closes(event):
                return mobike.on_request(sa, event, env)
            return informational.on_request(sa, event, env)
        case Response(exchange=ExchangeType.CREATE_CHILD_SA | ExchangeType.IKE_FOLLOWUP_KE):
            return create_child_sa.on_response(sa, event, env)
        case Response(exchange=ExchangeType.INFORMATIONAL):
            if sa.mobility is not None:
                return mobike.on_response(sa, event, env)
            return informational.on_response(sa, event, env)
        case Due():
            return aging.on_due(sa, env)
        case Traffic(seen=seen):
            return aging.on_traffic(sa, seen, env)
        case ChildExpired(spi_in=spi_in, hard=hard):
            return aging.on_expired(sa, spi_in, hard)
        case Ask(task=task):
            return Step(sa.then(task))
        case InstallFailed(spi_in=spi_in, reason=reason):
            return _not_installed(sa, spi_in, reason)
        case RivalGone() if isinstance(sa.doing, RekeyingIke):
            return Step(replace(sa, doing=replace(sa.doing, rival=None)))
        case Followed():
            return Step(aging.followed(sa, env))
        case NotFollowed():
            return Step(replace(sa, reauth_at=env.soon(env.settings.rekey_again)))
        case MovePath():
            return mobike.on_move(sa, event, env)
        case LocalAddresses():
            return mobike.on_local_addresses(sa, event, env)
        case MappingChanged(remote=remote):
            return nat.mapping_changed(sa, remote, env)
        case Doubtful():
            return mobike.on_doubt(sa)
        case TakeUp():
            return Step(sa)
        case Terminate(reason=reason, cause=cause):
            return _close(sa, Close(reason, cause))
        case Superseded(silently):
            if silently:
                return forgotten(sa, "the peer began anew", Cause.BEGUN_ANEW)
            return _close(sa, Close("another IKE SA with the peer replaces it", Cause.REPLACED))
        case Unanswered():
            if (rival := _rival(sa)) is not None:
                return rekey_ike.bequeathed(sa, rival, NO_ANSWER)
            return forgotten(sa, NO_ANSWER, Cause.NO_ANSWER)
        case _:
            return _unexpected(sa, event)


def _in_contending(sa: Contending, event: Event, env: Env) -> Step:
    match event:
        case Request() if informational.closes(event):
            return rekey_ike.given_up(sa, event)
        case Request():
            raise Discard("it is not known yet whether this IKE SA stands")
        case Inherit(old):
            return rekey_ike.inherit(sa, old, env)
        case Redundant():
            return Step(rekey_ike.redundant(sa, env))
        case Terminate():
            closing = informational.close(rekey_ike.redundant(sa, env))
            return Step(closing.sa, (*closing.effects, Tell(sa.replaces, RivalGone())))
        case _:
            return _unexpected(sa, event)


def _at_the_end(sa: Rekeyed | Closing, event: Event, env: Env) -> Step:
    match sa, event:
        case _, Request(exchange=ExchangeType.INFORMATIONAL):
            return informational.on_request(sa, event, env)
        case _, Request(exchange=ExchangeType.CREATE_CHILD_SA | ExchangeType.IKE_FOLLOWUP_KE):
            raise TemporaryFailure("this IKE SA is at its end")
        case Closing(), Response():
            return informational.closed(sa)
        case Closing(), Unanswered():
            return informational.given_up(sa)
        case Rekeyed(), Response():
            return Step(replace(sa, busy=False))
        case Rekeyed(), Terminate():
            return informational.close(sa)
        case Rekeyed(ours=True), Due():
            return informational.close(sa)
        case Rekeyed(), (Due() | Unanswered()):
            return Step(Closed("replaced"))
        case _:
            return _unexpected(sa, event)


def _unexpected(sa: IkeSa, event: Event) -> Step:
    """An event that this state has no use for. A request must have its answer."""
    if isinstance(event, Request):
        raise InvalidSyntax(f"{event.exchange.name} in state {type(sa).__name__}")
    return Step(sa, (report(Level.DEBUG, "unexpected", state=type(sa).__name__, input=type(event).__name__),))


def _rival(sa: Established) -> Rival | None:
    """The IKE SA that the peer has made of this one while we are rekeying it."""
    return sa.doing.rival if isinstance(sa.doing, RekeyingIke) else None


def _close(sa: Established, close: Close) -> Step:
    """Close it at once; while we are rekeying it, as soon as we know what the peer has made of it."""
    if sa.being_rekeyed:
        return Step(replace(sa, todo=(close,)))
    return informational.close(sa, close.reason, asked=close.asked, cause=close.cause)


# --- tasks ---------------------------------------------------------------------------------------------------------


def take_up(done: Step, env: Env) -> Step:
    """Begin with tasks until one of them has sent a request."""
    sa, effects = done.sa, done.effects
    while isinstance(sa, Established) and sa.doing is None:
        task = next((task for task in sa.todo if _has_time(sa, task)), None)
        if task is None:
            break
        sa = replace(sa, todo=tuple(other for other in sa.todo if other is not task))
        match task:
            case CreateChild():
                started = create_child_sa.create_child(sa, task, env)
            case RekeyChild():
                started = create_child_sa.rekey_child(sa, task, env)
            case RekeyIke():
                started = rekey_ike.rekey_ike(sa, task, env)
            case DeleteChild(spi_in):
                started = informational.delete_child(sa, spi_in)
            case Probe():
                started = mobike.probe(sa) if sa.mobility is not None else informational.probe(sa)
            case Update():
                started = mobike.update(sa, task, env)
            case CheckPath():
                started = mobike.check_path(sa, env)
            case Announce():
                started = mobike.announce(sa, env)
            case Close(reason, cause) as close:
                started = informational.close(sa, reason, asked=close.asked, cause=cause)
        sa, effects = started.sa, (*effects, *started.effects)
    return Step(sa, effects)


def _has_time(sa: Established, task: Task) -> bool:
    if sa.promise is not None:
        return isinstance(task, MUST_NOT_WAIT)
    return sa.wake == NEVER or not isinstance(task, MAY_WAIT)


def _not_installed(sa: Established, spi_in: bytes, reason: str) -> Step:
    child = sa.child(spi_in)
    if child is None:
        return Step(sa)
    told = report(Level.ERROR, "child_not_installed", peer=sa.peer.name, spi_in=spi_in.hex(), reason=reason)
    failed = ChildFailed(sa.spi, sa.peer.name, child.name, reason, KernelSays(reason))
    return Step(sa.then(DeleteChild(spi_in)), (told, failed))


# --- what faults make of an IKE SA -----------------------------------------------------------------------------------


def refusal(sa: IkeSa, request: Request, error: IkeError) -> Step:
    """Tell the peer what was wrong with its request; give up the IKE SA if the fault is fatal (RFC 7296 §2.21)."""
    protocol, spi = (ProtocolId.ESP, error.spi) if isinstance(error, ChildSaNotFound) else (ProtocolId.NONE, b"")
    answer = Respond(request, (Notify(error.notify, error.data, protocol, spi),))
    whose = {"spi": sa.spi.hex(), "peer": sa.peer.name} if isinstance(sa, Established) else {}
    why = {"notify": error.notify.name, "why": str(error)} | whose
    asked = asked_by_peer(sa, request) if isinstance(sa, Established) else None
    told = refused("request_refused", error.cause, error.evidence, asked, **why)
    if isinstance(sa, HalfOpen | Answering):
        return given_up(sa, request, error)
    if not error.fatal or not isinstance(sa, Established):
        return Step(sa, (answer, told))
    gone = forgotten(sa, str(error), error.cause)
    return Step(gone.sa, (answer, told, *gone.effects))


def disappointed(sa: IkeSa, error: IkeError) -> Step:
    """An answer cannot be used: give up, telling the peer where it believes to have an IKE SA (RFC 7296 §2.21.2).

    In IKE_SA_INIT a better one may come.
    """
    reason, why = str(error), {"notify": error.notify.name, "why": str(error)}
    told = refused("answer_refused", error.cause, error.evidence, None, **why)
    match sa:
        case Established():
            rival, done = _rival(sa), _closed_for(replace(sa, doing=None), reason, error)
            others = (Tell(rival.spi, Terminate(rival.spi)),) if rival else ()
            return Step(done.sa, (told, *done.effects, *others))
        case Initiating() if error.cause is not Cause.CANNOT_SIGN:  # anybody could have sent it
            return Step(replace(sa, refused=(reason, error.cause)), (told,))
        case Initiating() | PreparingAuth():
            down = IkeSaDown(sa.spi, sa.peer.name, reason, cause=error.cause, evidence=error.evidence)
            return Step(Closed(reason), (told, down))
        case AddingKeys() | Authenticating() | CheckingResponder() | EapAnswering() | EapProven():
            sa = sa if isinstance(sa, AddingKeys | Authenticating) else sa.first
            closing = Closing(sa.secured, sa.peer, sa.path, reason, asked=False, silent=True)
            payloads = (Notify(error.notify, error.data), Delete(ProtocolId.IKE))
            call = Call(ExchangeType.INFORMATIONAL, payloads, sa.path)
            down = IkeSaDown(sa.spi, sa.peer.name, reason, cause=error.cause, evidence=error.evidence)
            return Step(closing, (told, down, call))
        case _:
            return Step(sa, (told,))


def _closed_for(sa: Established, reason: str, error: IkeError) -> Step:
    return informational.close(sa, reason, asked=False, cause=error.cause)


def forgotten(sa: Established, reason: str, cause: Cause) -> Step:
    """Drop an IKE SA without a word."""
    removals = tuple(RemoveChild(child) for child in sa.children)
    rival = _rival(sa)
    others = (Tell(rival.spi, Redundant()),) if rival else ()
    down = () if sa.followed else (IkeSaDown(sa.spi, sa.peer.name, reason, cause=cause),)
    return Step(Closed(reason), (*removals, *down, *others))
