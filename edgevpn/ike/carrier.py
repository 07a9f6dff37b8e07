"""Carries out what handlers want: keeps the new state, and turns directives into effects.

step -> respond, call: the window numbers and seals      -> send
     -> spawn, tell, supersede: steps of other IKE SAs   -> the same again, after this one is done
     -> effects of their own                             -> handed on
     -> the earliest time of state and window            -> the one timer
"""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.frozen import replace
from edgevpn.ike.contract import (
    Ask,
    Effect,
    Env,
    IkeSaDown,
    IkeSaUp,
    Initiate,
    Level,
    SetTimer,
    StopTimer,
    Terminate,
    report,
)
from edgevpn.ike.exchange import ike_sa_init
from edgevpn.ike.machine import step
from edgevpn.ike.peer import NEVER, IpAddress
from edgevpn.ike.questions import Release
from edgevpn.ike.session import Who
from edgevpn.ike.state import Closed, Closing, Contending, Established, Probe, Rekeyed
from edgevpn.ike.steps import (
    Call,
    CallOpen,
    Directive,
    Event,
    Followed,
    IkeSa,
    Inherit,
    NotFollowed,
    Reauthenticate,
    Respond,
    Secure,
    Spawn,
    Step,
    Supersede,
    Superseded,
    Suspect,
    TakeUp,
    Tell,
    Unanswered,
)
from edgevpn.ike.table import Slot, Table
from edgevpn.ike.window import Seal, Window

Elsewhere = Spawn | Tell | Supersede | Suspect | Reauthenticate
"""What concerns other IKE SAs than the one that wants it."""


class Carrier:
    """Works on the slots of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def tell(self, spi: bytes | None, event: Event, env: Env) -> Iterator[Effect]:
        """Let the IKE SA with this SPI of ours do what that event makes it do."""
        slot = self._table.get(spi) if spi else None
        if slot is None or spi is None:
            yield report(Level.DEBUG, "too_late", input=type(event).__name__)
            return
        yield from self.apply(spi, slot, step(slot.sa, event, env), env)

    def terminate(self, event: Terminate, env: Env) -> Iterator[Effect]:
        """Close an IKE SA, and what is under way to follow it."""
        yield from self.tell(event.spi, event, env)
        follower = self._table.follower(event.spi)
        if follower is not None and not isinstance(follower[1].sa, Established):
            yield from self.tell(follower[0], Terminate(follower[0]), env)

    def stands(self, peer: str, identity: Who) -> int:
        """How many IKE SAs stand with that peer under that identity."""
        return self._table.standing_count(peer, identity)

    # --- one step ---

    def apply(self, spi: bytes, slot: Slot, made: Step, env: Env) -> Iterator[Effect]:
        """Keep the new state, and turn directives into effects; those for other IKE SAs come last."""
        lent = _lent(slot.sa, made)
        was_up = isinstance(slot.sa, Established | Contending | Rekeyed | Closing)
        window = slot.window
        later: list[Elsewhere] = []
        for effect in made.effects:
            if isinstance(effect, Elsewhere):
                later.append(effect)
            else:
                window, effects = self._turned(slot.follows, window, effect, was_up, env)
                yield from effects
        slot, effects = self._kept(spi, slot, made.sa, window)
        yield from effects
        if lent:
            yield Release(spi, lent)
        for directive in later:
            yield from self._carry_out(spi, slot, directive, env)
        if not was_up:
            yield from self._settle(spi, slot, env)
        if self._table.leaving_count > env.settings.session_limit:
            yield from self._let_go(env)

    def _let_go(self, env: Env) -> Iterator[Effect]:
        """Wait no longer for one that is leaving: a peer could rekey, or come anew, for ever, and delete nothing."""
        spi, slot = self._table.longest_leaving
        yield from self.apply(spi, slot, step(slot.sa, Unanswered(), env), env)

    def _turned(
        self, follows: bytes, window: Window, effect: Effect | Directive, was_up: bool, env: Env
    ) -> tuple[Window, tuple[Effect, ...]]:
        """What the world has to do about it, and the window after that."""
        match effect:
            case Respond(request, payloads):
                return window.respond(request.exchange, payloads, request.path, env)
            case Call(exchange, payloads, path):
                return window.call(exchange, payloads, path, env)
            case CallOpen(octets, path):
                return window.call_open(octets, path, env)
            case Secure(secured):
                return window.sealed_by(secured), ()
            case IkeSaUp(spi=spi, replaces=bytes() as old):
                self._table.hand_on(old, spi)
                return window, (effect,)
            case IkeSaUp() if self._table.get(follows) is not None:
                return window, (replace(effect, replaces=follows),)
            case IkeSaDown(reason=reason) if follows and not was_up:
                return window, (report(Level.WARNING, "reauthentication_failed", peer=effect.peer, why=reason),)
            case Spawn() | Tell() | Supersede() | Suspect() | Reauthenticate():
                raise AssertionError(effect)
            case _:
                return window, (effect,)

    def _kept(self, spi: bytes, before: Slot, sa: IkeSa, window: Window) -> tuple[Slot, tuple[Effect, ...]]:
        """Put the slot back, or forget it; set its one timer where that has changed.

        What we repeat follows an IKE SA that has moved (RFC 4555 §3.5).
        """
        if isinstance(sa, Closed):
            self._table.drop(spi)
            return replace(before, sa=sa, window=window), (StopTimer(spi),)
        if isinstance(sa, Established):
            window = window.on_path(sa.path)
        due = min(sa.due, window.due)
        slot = replace(before, sa=sa, window=window, timer=due)
        self._table.put(spi, slot)
        if due == before.timer:
            return slot, ()
        return slot, (StopTimer(spi) if due == NEVER else SetTimer(spi, due),)

    # --- other IKE SAs ---

    def _carry_out(self, spi: bytes, slot: Slot, directive: Elsewhere, env: Env) -> Iterator[Effect]:
        match directive:
            case Spawn(sa, secured):
                fresh = Slot(sa, Window(seal=Seal.of(secured)), env.now)
                made = step(sa, TakeUp(), env) if isinstance(sa, Established) else Step(sa)
                yield from self.apply(secured.spi, fresh, made, env)
            case Tell(other, event):
                yield from self.tell(other, event, env)
            case Supersede(peer, identity, silently):
                for other, sa in self._same(spi, peer, identity):
                    if sa.since < slot.since:  # else the peer could not know of it yet
                        yield from self.tell(other, Superseded(silently), env)
            case Suspect(peer, identity):
                for other, _ in self._same(spi, peer, identity):
                    yield from self.tell(other, Ask(other, Probe()), env)
            case Reauthenticate():
                yield from self._reauthenticate(spi, slot, env)

    def _same(self, spi: bytes, peer: str, identity: Who) -> list[tuple[bytes, Established]]:
        """Other IKE SAs that stand with the same peer under the same identity."""
        return [(other, sa) for other, sa in self._table.standing(peer, identity) if other != spi]

    def _reauthenticate(self, spi: bytes, slot: Slot, env: Env) -> Iterator[Effect]:
        """Make an IKE SA that follows this one, with the peer as it is configured now (RFC 7296 §2.8.3)."""
        old = slot.sa
        assert isinstance(old, Established)
        peer = env.peer(old.peer.name)
        if peer is None:
            return
        if peer.wants and old.session.got:
            peer = replace(peer, wants=replace(peer.wants, before=old.session.got.addresses))
        names = tuple(dict.fromkeys(child.name for child in old.children if child.lives))
        made = ike_sa_init.initiate(peer, Initiate(peer.name, old.path, names), False, env)
        fresh = Slot(made.sa, Window(), env.now, follows=spi)
        yield from self.apply(ike_sa_init.spi_of(made), fresh, made, env)

    # --- when an IKE SA has come up, or has not ---

    def _settle(self, spi: bytes, slot: Slot, env: Env) -> Iterator[Effect]:
        """See to it that there is no other for the same purpose."""
        if isinstance(slot.sa, Established):
            yield from self._settle_crossing(spi, slot.sa, slot.since, env)
        if slot.follows and isinstance(slot.sa, Established | Closed):
            event = Followed() if isinstance(slot.sa, Established) else NotFollowed()
            yield from self.tell(slot.follows, event, env)

    def _settle_crossing(self, spi: bytes, fresh: Established, began: float, env: Env) -> Iterator[Effect]:
        """Both sides have called each other at the same time: one IKE SA is enough, the one with the higher SPIi."""
        for other, sa in self._table.standing(fresh.peer.name, fresh.identity, began=(not fresh.began,)):
            if sa.since >= began:
                lower = min((sa.secured.spi_i, other), (fresh.secured.spi_i, spi))[1]
                yield from self.tell(lower, Superseded(silently=False), env)
                if lower == spi:
                    return


def _lent(sa: IkeSa, made: Step) -> tuple[IpAddress, ...]:
    """Addresses that come back because an IKE SA ends here, and hands what it has to no other."""
    if not isinstance(sa, Established) or not isinstance(made.sa, Closed | Closing):
        return ()
    handed_on = any(isinstance(effect, Tell) and isinstance(effect.event, Inherit) for effect in made.effects)
    return () if handed_on else sa.session.lent.addresses
