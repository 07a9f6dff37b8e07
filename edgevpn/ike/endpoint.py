"""All IKE SAs of this gateway: finds the one that an input is for, and turns what it wants into effects.

    datagram -> header -> slot by our SPI -> window (again? then the same answer) -> seal opened -> payloads
             -> machine.step -> directives -> window seals -> effects

Nothing before the opened seal changes anything. A fault found after it is answered by a Notify.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from edgevpn.ike.clients import recognise_init
from edgevpn.ike.contract import (
    Ask,
    Call,
    CallOpen,
    ChildExpired,
    Datagram,
    Directive,
    Doubtful,
    Due,
    Effect,
    Env,
    Event,
    Followed,
    IkeSa,
    IkeSaDown,
    IkeSaUp,
    Inherit,
    Initiate,
    Input,
    InstallFailed,
    Level,
    LocalAddresses,
    MappingChanged,
    MovePath,
    NotFollowed,
    Reauthenticate,
    Reconfigure,
    Request,
    Respond,
    Response,
    Secure,
    Send,
    SetTimer,
    Settings,
    Spawn,
    Step,
    StopTimer,
    Supersede,
    Superseded,
    TakeUp,
    Tell,
    Terminate,
    TimerFired,
    Traffic,
    Unanswered,
    refused,
    report,
)
from edgevpn.ike.errors import Discard, IkeError, InvalidMajorVersion
from edgevpn.ike.exchange import ike_sa_init, nat
from edgevpn.ike.exchange.ike_sa_init import Cookies
from edgevpn.ike.iana import ExchangeType
from edgevpn.ike.machine import disappointed, refusal, step
from edgevpn.ike.peer import NEVER, IpAddress, Peer
from edgevpn.ike.questions import (
    CertificatesRefused,
    CertificatesVerified,
    Leased,
    PasswordFound,
    PskFound,
    Release,
    Signed,
)
from edgevpn.ike.state import Closed, Closing, Contending, Established, HalfOpen, Initiating, Path, Rekeyed
from edgevpn.ike.table import Slot, Table
from edgevpn.ike.table import WithPeer as WithPeer
from edgevpn.ike.window import Seal, Window
from edgevpn.ike.wire.message import Header, decode_message, decode_payloads
from edgevpn.ike.wire.payloads import Identification

DEFAULTS = Settings()


class Endpoint:
    """The protocol core. `entropy(n)` gives n unpredictable octets; all else comes by `handle`."""

    def __init__(self, peers: tuple[Peer, ...], entropy: Callable[[int], bytes], settings: Settings = DEFAULTS) -> None:
        self._peers = peers
        self._entropy = entropy
        self._settings = settings
        self._hosts: tuple[IpAddress, ...] = ()
        self._table = Table()
        self._cookies = Cookies(entropy(32), entropy(32))

    @property
    def sas(self) -> tuple[IkeSa, ...]:
        """Every IKE SA, in the order of its making."""
        return tuple(slot.sa for slot in self._table)

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        """Every IKE SA with a peer, those included that are not up yet, or no longer."""
        return tuple(sa for _, sa in self._table.of_peer(peer))

    def sa(self, spi: bytes) -> IkeSa | None:
        """The IKE SA with this SPI of ours."""
        slot = self._table.get(spi)
        return slot.sa if slot else None

    def handle(self, event: Input, now: float) -> tuple[Effect, ...]:
        """What is to be done about `event` at `now` seconds. Never raises because of what a peer sent."""
        env = Env(now, self._entropy, self._peers, self._settings, self._stands, self._hosts)
        match event:
            case Datagram():
                return tuple(self._on_datagram(event, env))
            case TimerFired(spi):
                return tuple(self._on_timer(spi, env))
            case Initiate():
                return tuple(self._initiate(event, env))
            case Terminate(spi):
                return tuple(self._terminate(spi, event, env))
            case Ask(spi=spi) | Traffic(spi=spi) | MovePath(spi=spi):
                return tuple(self._tell(spi, event, env))
            case ChildExpired(spi_in=spi_in) | InstallFailed(spi_in=spi_in) | MappingChanged(spi_in=spi_in):
                return tuple(self._tell(self._table.owner(spi_in), event, env))
            case Leased(spi, addresses) if self._table.get(spi) is None:
                return (Release(spi, addresses),) if addresses else ()  # nobody waits for them any more
            case Signed(spi=spi) | CertificatesVerified(spi=spi) | CertificatesRefused(spi=spi) | Leased(spi=spi):
                return tuple(self._tell(spi, event, env))
            case PskFound(spi=spi) | PasswordFound(spi=spi):
                return tuple(self._tell(spi, event, env))
            case LocalAddresses(hosts):
                self._hosts = hosts
                return tuple(self._tell_all(event, replace(env, hosts=hosts)))
            case Reconfigure(peers):
                self._peers = peers
                return ()

    # --- datagrams ---

    def _on_datagram(self, datagram: Datagram, env: Env) -> Iterator[Effect]:
        try:
            header = Header.decode(datagram.octets)
            try:
                header.check_version()
            except InvalidMajorVersion as error:
                if not header.is_response:
                    yield Send(datagram.path, ike_sa_init.refusal(header, error))
                return
            if header.exchange != ExchangeType.IKE_SA_INIT:
                yield from self._on_sealed(header, datagram, env)
            elif header.is_response:
                yield from self._on_init_response(header, datagram, env)
            else:
                yield from self._on_init_request(header, datagram, env)
        except (Discard, IkeError) as why:
            yield report(Level.DEBUG, "discarded", remote=datagram.path.remote.host, why=str(why))

    def _on_init_request(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        if header.message_id != 0 or header.spi_r != ike_sa_init.NO_SPI or not header.from_initiator:
            raise Discard("not the first message of an IKE SA")
        path, octets = datagram.path, datagram.octets
        known = self._table.half_open((path.remote, header.spi_i))
        if known is not None:
            if isinstance(known.sa, HalfOpen) and known.sa.opening.request == octets:
                yield Send(path, known.sa.opening.response)
            return
        request = Request(header.exchange, 0, decode_message(header, octets), path)
        if self._must_show_cookie(datagram) and not self._cookies.check(request, header.spi_i):
            yield Send(path, ike_sa_init.challenge(header, self._cookies.make(request, header.spi_i)))
            return
        if self._table.half_open_count >= self._settings.half_open_limit:
            raise Discard("too many half-open IKE SAs")
        try:
            made = ike_sa_init.on_request(request, header, octets, env)
        except IkeError as error:
            client = recognise_init(request.payloads).name
            told = {"remote": path.remote.host, "client": client, "notify": error.notify.name, "why": str(error)}
            yield refused("ike_sa_init_refused", error.cause, **told)
            yield Send(path, ike_sa_init.refusal(header, error))
            return
        assert isinstance(made.sa, HalfOpen)
        yield from self._apply(made.sa.spi, Slot(made.sa, Window(expected_id=1), env.now), made, None, env)

    def _must_show_cookie(self, datagram: Datagram) -> bool:
        """Many are half-open, in all or from that address: whoever asks must show that it is there (RFC 7296 §2.6)."""
        near = self._table.half_open_near(datagram.path.remote.host)
        crowded = self._table.half_open_count >= self._settings.cookie_threshold
        return crowded or near >= self._settings.half_open_per_address

    def _on_init_response(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        slot = self._table.get(header.spi_i)
        if slot is None:
            raise Discard("an answer to nothing that we asked")
        slot.window.check_response(header)
        response = Response(header.exchange, decode_message(header, datagram.octets), datagram.path, datagram.octets)
        try:
            made = step(slot.sa, response, env)
        except IkeError as error:
            made = disappointed(slot.sa, error)
        if any(isinstance(effect, CallOpen) for effect in made.effects):
            slot = replace(slot, window=slot.window.turned_back())
        elif not isinstance(made.sa, Initiating):  # else it does not count: a better answer may come
            slot = replace(slot, window=slot.window.answered())
        yield from self._apply(header.spi_i, slot, made, None, env)

    def _on_sealed(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        spi = header.spi_r if header.from_initiator else header.spi_i
        slot = self._table.get(spi)
        if slot is None:
            raise Discard("no IKE SA has this SPI")
        if header.is_response:
            yield from self._on_response(spi, slot, header, datagram, env)
        elif slot.window.is_repeat(header):
            slot.window.check_repeat(header, datagram.octets)
            yield from slot.window.answer_again(datagram.path)
        else:
            yield from self._on_request(spi, slot, header, datagram, env)

    def _on_request(self, spi: bytes, slot: Slot, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        window, message = slot.window.accept(header, datagram.octets, env)
        slot, effects = self._heard(replace(slot, window=window), datagram.path, env)
        yield from effects
        request = Request(header.exchange, header.message_id, (), datagram.path)
        try:
            made = Step(slot.sa)
            if message is not None:
                request = replace(request, payloads=decode_payloads(*message))
                made = step(slot.sa, request, env)
        except IkeError as error:
            made = refusal(slot.sa, request, error)
        yield from self._apply(spi, slot, made, request, env)

    def _on_response(self, spi: bytes, slot: Slot, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        window, message = slot.window.take_response(header, datagram.octets, env)
        slot, effects = self._heard(replace(slot, window=window), datagram.path, env)
        yield from effects
        try:
            made = Step(slot.sa)
            if message is not None:
                made = step(slot.sa, Response(header.exchange, decode_payloads(*message), datagram.path), env)
        except IkeError as error:
            made = disappointed(slot.sa, error)
        yield from self._apply(spi, slot, made, None, env)

    def _heard(self, slot: Slot, path: Path, env: Env) -> tuple[Slot, tuple[Effect, ...]]:
        """The peer has just proved to be there, perhaps at another address."""
        if not isinstance(slot.sa, Established):
            return slot, ()
        heard = replace(slot.sa, heard=env.now, probe_at=env.now + slot.sa.peer.liveness)
        sa, effects = nat.followed(heard, path.remote, env)
        return replace(slot, sa=sa), effects

    # --- everything else ---

    def _initiate(self, ask: Initiate, env: Env) -> Iterator[Effect]:
        peer = self._peer(ask.peer)
        if peer is None:
            yield report(Level.WARNING, "peer_unknown", peer=ask.peer)
            return
        alone = not any(isinstance(sa, Established) for _, sa in self._table.of_peer(peer.name))
        made = ike_sa_init.initiate(peer, ask, alone, env)
        assert isinstance(made.sa, Initiating)
        yield from self._apply(made.sa.spi_i, Slot(made.sa, Window(), env.now), made, None, env)

    def _reauthenticate(self, spi: bytes, slot: Slot, env: Env) -> Iterator[Effect]:
        """Make an IKE SA that follows this one, with the peer as it is configured now."""
        old = slot.sa
        peer = self._peer(old.peer.name) if isinstance(old, Established) else None
        if peer is None or not isinstance(old, Established):
            return
        if peer.wants and old.session.got:
            peer = replace(peer, wants=replace(peer.wants, before=old.session.got.addresses))
        names = tuple(dict.fromkeys(child.name for child in old.children if child.lives))
        made = ike_sa_init.initiate(peer, Initiate(peer.name, old.path, names), False, env)
        assert isinstance(made.sa, Initiating)
        yield from self._apply(made.sa.spi_i, Slot(made.sa, Window(), env.now, follows=spi), made, None, env)

    def _peer(self, name: str) -> Peer | None:
        return next((peer for peer in self._peers if peer.name == name), None)

    def _on_timer(self, spi: bytes, env: Env) -> Iterator[Effect]:
        slot = self._table.get(spi)
        if slot is None:
            return
        slot = replace(slot, timer=NEVER, window=slot.window.swept(env.now))
        if slot.window.due <= env.now:
            resent = slot.window.resend(env)
            if resent is None:
                slot = replace(slot, window=slot.window.answered())
                yield from self._apply(spi, slot, step(slot.sa, Unanswered(), env), None, env)
                return
            window, sends = resent
            slot = replace(slot, window=window)
            yield from sends
            if window.tries == self._settings.doubt_after and isinstance(slot.sa, Established):
                yield from self._apply(spi, slot, step(slot.sa, Doubtful(), env), None, env)
                return  # what else is due has its own timer now
        made = step(slot.sa, Due(), env) if slot.sa.due <= env.now else Step(slot.sa)
        yield from self._apply(spi, slot, made, None, env)

    def _tell(self, spi: bytes | None, event: Event, env: Env) -> Iterator[Effect]:
        slot = self._table.get(spi) if spi else None
        if slot is None or spi is None:
            yield report(Level.DEBUG, "too_late", input=type(event).__name__)
            return
        yield from self._apply(spi, slot, step(slot.sa, event, env), None, env)

    def _terminate(self, spi: bytes, event: Terminate, env: Env) -> Iterator[Effect]:
        """Close an IKE SA, and what is under way to follow it."""
        slot = self._table.get(spi)
        name = slot.sa.peer.name if slot and isinstance(slot.sa, WithPeer) else ""
        yield from self._tell(spi, event, env)
        for other, _ in self._table.of_peer(name):
            follower = self._table.get(other)
            if follower is not None and follower.follows == spi and not isinstance(follower.sa, Established):
                yield from self._tell(other, Terminate(other), env)

    def _tell_all(self, event: Event, env: Env) -> Iterator[Effect]:
        for slot in tuple(self._table):
            if isinstance(slot.sa, Established):
                yield from self._tell(slot.sa.spi, event, env)

    # --- from what a handler wants to what is done ---

    def _apply(self, spi: bytes, slot: Slot, made: Step, asked: Request | None, env: Env) -> Iterator[Effect]:
        """Keep the new state, and turn directives into effects; those for other IKE SAs come last."""
        lent = _lent(slot.sa, made)
        up = isinstance(slot.sa, Established | Contending | Rekeyed | Closing)
        came_up = isinstance(made.sa, Established) and not up
        slot = replace(slot, sa=made.sa)
        later: list[Directive] = []
        for effect in made.effects:
            match effect:
                case Respond(request, payloads):
                    window, sends = slot.window.respond(request.exchange, payloads, request.path, env)
                    slot = replace(slot, window=window)
                    yield from sends
                case Call(exchange, payloads, path):
                    window, sends = slot.window.call(exchange, payloads, path, env)
                    slot = replace(slot, window=window)
                    yield from sends
                case CallOpen(octets, path):
                    window, sends = slot.window.call_open(octets, path, env)
                    slot = replace(slot, window=window)
                    yield from sends
                case Secure(secured):
                    slot = replace(slot, window=replace(slot.window, seal=Seal.of(secured)))
                case Spawn() | Tell() | Supersede() | Reauthenticate():
                    later.append(effect)
                case IkeSaUp() if self._table.get(slot.follows) is not None:
                    yield replace(effect, replaces=slot.follows)
                case IkeSaDown(reason=reason) if slot.follows and not came_up and not up:
                    yield report(Level.WARNING, "reauthentication_failed", peer=effect.peer, why=reason)
                case _:
                    yield effect
        yield from self._keep(spi, slot)
        if lent:
            yield Release(spi, lent)
        for directive in later:
            yield from self._carry_out(spi, slot, directive, env)
        if came_up:
            yield from self._settle_crossing(spi, slot.since, env)
        if slot.follows and not up and (came_up or isinstance(slot.sa, Closed)):
            yield from self._tell(slot.follows, Followed() if came_up else NotFollowed(), env)

    def _keep(self, spi: bytes, slot: Slot) -> Iterator[Effect]:
        """Put the slot back, or forget it; set its one timer where that has changed.

        What we repeat follows an IKE SA that has moved (RFC 4555 §3.5).
        """
        if isinstance(slot.sa, Established):
            slot = replace(slot, window=slot.window.on_path(slot.sa.path))
        if isinstance(slot.sa, Closed):
            self._table.drop(spi)
            yield StopTimer(spi)
            return
        due = slot.due
        self._table.put(spi, replace(slot, timer=due))
        if due != slot.timer:
            yield StopTimer(spi) if due == NEVER else SetTimer(spi, due)

    def _carry_out(self, spi: bytes, slot: Slot, directive: Directive, env: Env) -> Iterator[Effect]:
        """What concerns other IKE SAs than the one that wanted it."""
        match directive:
            case Spawn(sa, secured):
                fresh = Slot(sa, Window(seal=Seal.of(secured)), env.now)
                made = step(sa, TakeUp(), env) if isinstance(sa, Established) else Step(sa)
                yield from self._apply(secured.spi, fresh, made, None, env)
            case Tell(other, event):
                yield from self._tell(other, event, env)
            case Reauthenticate():
                yield from self._reauthenticate(spi, slot, env)
            case Supersede(peer, identity, silently):
                for other, sa in self._same(spi, peer, identity):
                    if sa.since >= slot.since:
                        continue  # the peer could not know of it yet
                    yield from self._tell(other, Superseded(silently), env)
            case _:
                raise AssertionError(directive)

    def _stands(self, peer: str, identity: Identification | str) -> bool:
        """Whether an IKE SA stands with that peer under that identity."""
        return bool(self._same(b"", peer, identity))

    def _same(self, spi: bytes, peer: str, identity: Identification | str) -> list[tuple[bytes, Established]]:
        """Other IKE SAs that stand with the same peer under the same identity."""
        return [
            (other, sa)
            for other, sa in self._table.of_peer(peer)
            if other != spi and isinstance(sa, Established) and sa.identity == identity
        ]

    def _settle_crossing(self, spi: bytes, began: float, env: Env) -> Iterator[Effect]:
        """Both sides have called each other at the same time: one IKE SA is enough, the one with the higher SPIi."""
        slot = self._table.get(spi)
        if slot is None or not isinstance(slot.sa, Established):
            return
        fresh = slot.sa
        for other, sa in self._same(spi, fresh.peer.name, fresh.identity):
            if sa.began != fresh.began and sa.since >= began:
                lower = min((sa.secured.spi_i, other), (fresh.secured.spi_i, spi))[1]
                yield from self._tell(lower, Superseded(silently=False), env)
                if lower == spi:
                    return


def _lent(sa: IkeSa, made: Step) -> tuple[IpAddress, ...]:
    """Addresses that come back because an IKE SA ends here, and hands what it has to no other."""
    handed_on = any(isinstance(effect, Tell) and isinstance(effect.event, Inherit) for effect in made.effects)
    if not isinstance(sa, Established) or not isinstance(made.sa, Closed | Closing) or handed_on:
        return ()
    return sa.session.lent.addresses
