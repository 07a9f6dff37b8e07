"""What time, and the kernel's counters, make of an IKE SA that stands: RFC 7296 §2.4, §2.8."""

from __future__ import annotations

from operator import attrgetter

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    Effect,
    Env,
    InstallOutbound,
    QueryTraffic,
    RemoveChild,
    Send,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.exchange import informational
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import ChildSa, CreateChild, DeleteChild, Established, Phase, Probe, RekeyChild, RekeyIke
from edgevpn.ike.steps import Directive, Reauthenticate, Step

KEEPALIVE = b"\xff"  # RFC 3948 §2.3

SAME_PACKETS = attrgetter("name", "ts_local", "ts_remote")

Effects = tuple[Effect | Directive, ...]


def on_due(sa: Established, env: Env) -> Step:
    """Everything whose time has come."""
    now = env.now
    if min(sa.expire_at, sa.auth_until) <= now and sa.being_rekeyed:
        later = now + env.settings.retry_after  # the peer may have its follower, which we could not close yet
        sa = replace(sa, expire_at=max(sa.expire_at, later), auth_until=max(sa.auth_until, later))
    if sa.expire_at <= now:
        return informational.close(sa, "its lifetime is over", asked=False, cause=Cause.EXPIRED)
    if sa.auth_until <= now:
        reason = "the peer has not shown again who it is"
        return informational.close(sa, reason, asked=False, cause=Cause.NOT_AUTHENTICATED_ANEW)
    effects: list[Effect | Directive] = []
    for child in (child for child in sa.children if child.due <= now):
        sa, done = _aged(sa, child)
        effects += done
    if sa.promise is not None and sa.promise.until <= now:
        sa = replace(sa, promise=None)  # the peer does not go on with it
    if sa.wake <= now:
        sa = replace(sa, wake=NEVER)
    if sa.rekey_at <= now:
        sa = replace(sa, rekey_at=NEVER).then(RekeyIke())
    if sa.keepalive_at <= now:
        sa = replace(sa, keepalive_at=now + env.settings.keepalive)
        effects.append(Send(sa.path, KEEPALIVE))
    if sa.reauth_at <= now:
        sa = replace(sa, reauth_at=NEVER)
        effects.append(Reauthenticate())
    if sa.probe_at <= now or sa.idle_at <= now:
        probe_at, idle_at = (at if at > now else NEVER for at in (sa.probe_at, sa.idle_at))
        sa = replace(sa, probe_at=probe_at, idle_at=idle_at)
        effects.append(QueryTraffic(sa.spi, tuple(child.spi_in for child in sa.children)))
    return Step(sa, tuple(effects))


def _aged(sa: Established, child: ChildSa) -> tuple[Established, Effects]:
    """The phase of a child has come to its end."""
    match child.phase:
        case Phase.ACTIVE:
            return sa.with_child(child.turned(Phase.ACTIVE)).then(RekeyChild(child.spi_in)), ()
        case Phase.INBOUND:  # the peer does not delete the old pair, but has the new one by now
            return sa.with_child(child.turned(Phase.ACTIVE, child.rekey_at)), (InstallOutbound(child, ends(sa)),)
        case Phase.REPLACED:  # the Delete was the peer's to send
            renewals = (RekeyChild(other.spi_in) for other in _rivals_of(sa, child))
            return sa.with_child(child.turned(Phase.REPLACED)).then(*renewals, DeleteChild(child.spi_in)), ()
        case _:
            return sa.without((child,)), (RemoveChild(child),)


def _rivals_of(sa: Established, lost: ChildSa) -> tuple[ChildSa, ...]:
    """The pair that stands where two were made in the place of one, and that one lost (RFC 7296 §2.8.1).

    A peer that has not deleted what it had to may go by it, and by nothing else: to libreswan the tunnel is down once
    we delete that. A pair that follows the rival is what both go by.
    """
    if any(child.replaces == lost.spi_in for child in sa.children):
        return ()
    standing = (child for child in sa.children if child.phase is Phase.ACTIVE)
    return tuple(child for child in standing if SAME_PACKETS(child) == SAME_PACKETS(lost))


def on_traffic(sa: Established, seen: float | None, env: Env) -> Step:
    """Ask whether the peer is there, unless something of it came through; close what nobody uses."""
    if sa.idle_at == NEVER and sa.peer.idle != NEVER:  # that is why it was asked
        idle_at = env.now if seen is None else seen + sa.peer.idle
        if idle_at <= env.now and sa.being_rekeyed:
            idle_at = env.now + env.settings.retry_after
        if idle_at <= env.now:
            return informational.close(sa, "nothing has come through for long", cause=Cause.IDLE)
        sa = replace(sa, idle_at=idle_at)
    heard = max(sa.heard, seen or sa.heard)
    probe_at = heard + sa.peer.liveness
    if probe_at > env.now:
        return Step(replace(sa, heard=heard, probe_at=probe_at))
    return Step(replace(sa, heard=heard, probe_at=env.now + sa.peer.liveness).then(Probe()))


def on_expired(sa: Established, spi_in: bytes, hard: bool) -> Step:
    """The kernel has counted enough packets on a child, or (`hard`) too many; the one who began makes a new one."""
    child = sa.child(spi_in)
    if child is None:
        return Step(sa)
    if not hard:
        return Step(sa.then(RekeyChild(spi_in)))
    again = (CreateChild(child.name),) if sa.began and child.lives else ()
    return Step(sa.then(DeleteChild(spi_in), *again))


def followed(sa: Established, env: Env) -> Established:
    """Another IKE SA stands, in which both have shown again who they are: this one stays a moment, and does no more."""
    until = min(sa.expire_at, env.now + env.settings.overlap)
    times = replace(sa, expire_at=until, rekey_at=NEVER, reauth_at=NEVER, auth_until=NEVER, idle_at=NEVER)
    return replace(times, followed=True, todo=())
