"""The automaton: which handler answers which event in which state.

`step` is the table: one case for each legal pair, the last for all others. After it an Established IKE SA takes up
the next task on its list, if nothing of ours is under way.
"""

from __future__ import annotations

from dataclasses import replace

from edgevpn.ike.contract import (
    Ask,
    ChildExpired,
    Directive,
    Due,
    Effect,
    Env,
    Event,
    IkeSaDown,
    Inherit,
    InstallFailed,
    InstallOutbound,
    Level,
    QueryTraffic,
    RemoveChild,
    Report,
    Request,
    Response,
    Send,
    Step,
    Terminate,
    Traffic,
    Unanswered,
    report,
)
from edgevpn.ike.exchange import create_child_sa, ike_auth, ike_sa_init, informational
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.iana import ExchangeType
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import (
    Authenticating,
    ChildSa,
    Closed,
    Closing,
    CreateChild,
    DeleteChild,
    Established,
    HalfOpen,
    IkeSa,
    Initiating,
    Phase,
    Probe,
    RekeyChild,
    Rekeyed,
    RekeyIke,
)

KEEPALIVE = b"\xff"  # RFC 3948 §2.3


def step(sa: IkeSa, event: Event, env: Env) -> Step:
    """What `event` makes of `sa`. IkeError if the peer's message is at fault; `sa` is then as it was."""
    match sa, event:
        case Initiating(), Response(exchange=ExchangeType.IKE_SA_INIT):
            return ike_sa_init.on_response(sa, event, env)
        case Authenticating(), Response(exchange=ExchangeType.IKE_AUTH):
            return _go_on(ike_auth.on_response(sa, event, env), env)
        case HalfOpen(), Request(exchange=ExchangeType.IKE_AUTH):
            return _go_on(ike_auth.on_request(sa, event, env), env)
        case HalfOpen(), Due():
            return Step(Closed("nobody came to authenticate"))
        case Established(), Request(exchange=ExchangeType.CREATE_CHILD_SA):
            return _go_on(create_child_sa.on_request(sa, event, env), env)
        case Established(), Request(exchange=ExchangeType.INFORMATIONAL):
            return _go_on(informational.on_request(sa, event, env), env)
        case Established(), Response(exchange=ExchangeType.CREATE_CHILD_SA):
            return _go_on(create_child_sa.on_response(sa, event, env), env)
        case Established(), Response(exchange=ExchangeType.INFORMATIONAL):
            return _go_on(informational.on_response(sa, event, env), env)
        case Established(), Due():
            return _go_on(_on_due(sa, env), env)
        case Established(), Traffic(seen=seen):
            return _go_on(_on_traffic(sa, seen, env), env)
        case Established(), Ask(task=task):
            return _go_on(Step(sa.then(task)), env)
        case Established(), Inherit(children=children, todo=todo):
            return _go_on(Step(replace(sa, children=(*sa.children, *children)).then(*todo)), env)
        case Established(), ChildExpired(spi_in=spi_in, hard=hard):
            return _go_on(_on_expired(sa, spi_in, hard), env)
        case Established(), InstallFailed(spi_in=spi_in, reason=reason):
            told = report(Level.ERROR, "child_not_installed", peer=sa.peer.name, spi_in=spi_in.hex(), reason=reason)
            return _go_on(Step(sa.then(DeleteChild(spi_in)), (told,)), env)
        case ((Rekeyed() | Closing()), Request(exchange=ExchangeType.INFORMATIONAL)):
            return informational.on_request(sa, event, env)
        case Closing(), Response():
            return informational.on_response(sa, event, env)
        case ((Established() | Rekeyed()), Terminate()):
            return informational.close(sa)
        case ((Initiating() | Authenticating()), Terminate()):
            return Step(Closed("closed"), (IkeSaDown(sa.spi, sa.peer.name, "closed", asked=True),))
        case Rekeyed(), Due():
            return Step(Closed("replaced"))
        case _, Unanswered():
            return _on_unanswered(sa)
        case _:
            return Step(sa, (unexpected(sa, event),))


def unexpected(sa: IkeSa, event: Event) -> Report:
    """An event that this state has no use for."""
    return report(Level.DEBUG, "unexpected", state=type(sa).__name__, input=type(event).__name__)


def _go_on(done: Step, env: Env) -> Step:
    """Take up tasks until one of them has sent a request."""
    sa, effects = done.sa, done.effects
    while isinstance(sa, Established) and sa.doing is None and sa.todo and sa.wake == NEVER:
        task, sa = sa.todo[0], replace(sa, todo=sa.todo[1:])
        match task:
            case CreateChild():
                started = create_child_sa.create_child(sa, task, env)
            case RekeyChild():
                started = create_child_sa.rekey_child(sa, task, env)
            case RekeyIke():
                started = create_child_sa.rekey_ike(sa, task, env)
            case DeleteChild(spi_in):
                started = informational.delete_child(sa, spi_in)
            case Probe():
                started = informational.probe(sa)
        sa, effects = started.sa, (*effects, *started.effects)
    return Step(sa, effects)


def _on_due(sa: Established, env: Env) -> Step:
    """Everything whose time has come."""
    now = env.now
    effects: list[Effect | Directive] = []
    for child in (child for child in sa.children if child.due <= now):
        sa, done = _aged(sa, child)
        effects += done
    if sa.wake <= now:
        sa = replace(sa, wake=NEVER)
    if sa.rekey_at <= now:
        sa = replace(sa, rekey_at=NEVER).then(RekeyIke())
    if sa.keepalive_at <= now:
        sa = replace(sa, keepalive_at=now + env.settings.keepalive)
        effects.append(Send(sa.path, KEEPALIVE))
    if sa.probe_at <= now:
        sa = replace(sa, probe_at=NEVER)
        effects.append(QueryTraffic(sa.spi, tuple(child.spi_in for child in sa.children)))
    return Step(sa, tuple(effects))


def _aged(sa: Established, child: ChildSa) -> tuple[Established, tuple[Effect, ...]]:
    """The phase of a child has come to its end."""
    match child.phase:
        case Phase.ACTIVE:
            return sa.with_child(replace(child, due=NEVER)).then(RekeyChild(child.spi_in)), ()
        case Phase.INBOUND:  # no Delete of the old pair has come, but the peer surely has the new one by now
            return sa.with_child(child.turned(Phase.ACTIVE, child.rekey_at)), (InstallOutbound(child, ends(sa)),)
        case _:
            return sa.without((child,)), (RemoveChild(child),)


def _on_traffic(sa: Established, seen: float | None, env: Env) -> Step:
    """Ask whether the peer is there, unless something of it came through in the meantime."""
    heard = max(sa.heard, seen or sa.heard)
    probe_at = heard + sa.peer.liveness
    if probe_at > env.now:
        return Step(replace(sa, heard=heard, probe_at=probe_at))
    return Step(replace(sa, probe_at=env.now + sa.peer.liveness).then(Probe()))


def _on_expired(sa: Established, spi_in: bytes, hard: bool) -> Step:
    child = sa.child(spi_in)
    if child is None:
        return Step(sa)
    if hard:
        return Step(sa.then(DeleteChild(spi_in), CreateChild(child.name)))
    return Step(sa.then(RekeyChild(spi_in)))


def _on_unanswered(sa: IkeSa) -> Step:
    """The peer is not there any more, or never was."""
    if isinstance(sa, Initiating | Authenticating | Established | Closing):
        reason = "the peer does not answer"
        children = sa.children if isinstance(sa, Established) else ()
        removals = tuple(RemoveChild(child) for child in children)
        down = IkeSaDown(sa.spi, sa.peer.name, reason, asked=isinstance(sa, Closing))
        return Step(Closed(reason), (*removals, down))
    return Step(Closed("the peer does not answer"))
