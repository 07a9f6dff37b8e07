"""All IKE SAs of this gateway: finds the one that an input is for, and turns what it wants into effects.

    datagram -> header -> slot by our SPI -> window (again? then the same answer) -> seal opened -> payloads
             -> machine.step -> directives -> window seals -> effects

Nothing before the opened seal changes anything. A fault found after it is answered by a Notify.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from edgevpn.ike.contract import (
    Ask,
    Call,
    CallOpen,
    ChildExpired,
    Datagram,
    Directive,
    Due,
    Effect,
    Env,
    Event,
    IkeSaDown,
    IkeSaUp,
    Initiate,
    Input,
    InstallFailed,
    Level,
    Reconfigure,
    RemoveChild,
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
    Tell,
    Terminate,
    TimerFired,
    Traffic,
    Unanswered,
    report,
)
from edgevpn.ike.errors import Discard, IkeError, InvalidMajorVersion
from edgevpn.ike.exchange import ike_sa_init
from edgevpn.ike.exchange.ike_sa_init import Cookies
from edgevpn.ike.iana import ExchangeType
from edgevpn.ike.machine import step
from edgevpn.ike.peer import NEVER, Peer
from edgevpn.ike.state import (
    Address,
    Authenticating,
    Closed,
    Closing,
    Established,
    HalfOpen,
    IkeSa,
    Initiating,
    Path,
    Rekeyed,
)
from edgevpn.ike.window import Seal, Window
from edgevpn.ike.wire.message import Header, decode_message, decode_payloads
from edgevpn.ike.wire.notify import Notify

DEFAULTS = Settings()

WithPeer = Initiating | Authenticating | Established | Rekeyed | Closing


@dataclass(frozen=True, slots=True)
class Slot:
    """One IKE SA, its conversation, and the timer that is set for it."""

    sa: IkeSa
    window: Window
    timer: float = NEVER

    @property
    def due(self) -> float:
        return min(self.sa.due, self.window.due)


class Endpoint:
    """The protocol core. `entropy(n)` gives n unpredictable octets; all else comes by `handle`."""

    def __init__(self, peers: tuple[Peer, ...], entropy: Callable[[int], bytes], settings: Settings = DEFAULTS) -> None:
        self._peers = peers
        self._entropy = entropy
        self._settings = settings
        self._slots: dict[bytes, Slot] = {}
        self._opened: dict[tuple[Address, bytes], bytes] = {}  # where IKE_SA_INIT came from, with which SPI -> our SPI
        self._cookies = Cookies(entropy(32), entropy(32))

    @property
    def sas(self) -> tuple[IkeSa, ...]:
        """Every IKE SA, in the order of its making."""
        return tuple(slot.sa for slot in self._slots.values())

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        """Every IKE SA with a peer, those included that are not up yet, or no longer."""
        return tuple(sa for sa in self.sas if isinstance(sa, WithPeer) and sa.peer.name == peer)

    def handle(self, event: Input, now: float) -> tuple[Effect, ...]:
        """What is to be done about `event` at `now` seconds. Never raises because of what a peer sent."""
        env = Env(now, self._entropy, self._peers, self._settings)
        match event:
            case Datagram():
                return tuple(self._on_datagram(event, env))
            case TimerFired(spi):
                return tuple(self._on_timer(spi, env))
            case Initiate():
                return tuple(self._initiate(event, env))
            case Ask(spi=spi) | Terminate(spi=spi) | Traffic(spi=spi):
                return tuple(self._tell(spi, event, env))
            case ChildExpired(spi_in=spi_in) | InstallFailed(spi_in=spi_in):
                return tuple(self._tell(self._owner(spi_in), event, env))
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
            if header.exchange == ExchangeType.IKE_SA_INIT:
                yield from self._on_ike_sa_init(header, datagram, env)
            else:
                yield from self._on_sealed(header, datagram, env)
        except (Discard, IkeError) as why:
            yield report(Level.DEBUG, "discarded", remote=datagram.path.remote.host, why=str(why))

    def _on_ike_sa_init(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        if header.is_response:
            yield from self._on_init_response(header, datagram, env)
            return
        if header.message_id != 0 or header.spi_r != ike_sa_init.NO_SPI or not header.from_initiator:
            raise Discard("not the first message of an IKE SA")
        path = datagram.path
        known = self._slots.get(self._opened.get((path.remote, header.spi_i), b""))
        if known is not None:
            if isinstance(known.sa, HalfOpen) and known.sa.opening.request == datagram.octets:
                yield Send(path, known.sa.opening.response)
            return
        payloads = decode_message(header, datagram.octets)
        request = Request(header.exchange, 0, payloads, path)
        if self._must_show_cookie(path) and not self._cookies.check(request, header.spi_i):
            yield Send(path, ike_sa_init.challenge(header, self._cookies.make(request, header.spi_i)))
            return
        if len(self._opened) >= self._settings.half_open_limit:
            raise Discard("too many half-open IKE SAs")
        try:
            made = ike_sa_init.on_request(request, header, datagram.octets, env)
        except IkeError as error:
            yield report(
                Level.WARNING, "ike_sa_init_refused", remote=path.remote.host, notify=error.notify.name, why=str(error)
            )
            yield Send(path, ike_sa_init.refusal(header, error))
            return
        assert isinstance(made.sa, HalfOpen)
        self._opened[path.remote, header.spi_i] = made.sa.spi
        yield from self._apply(made.sa.spi, Slot(made.sa, Window(expected_id=1)), made, None, env)

    def _must_show_cookie(self, path: Path) -> bool:
        near = sum(1 for remote, _ in self._opened if remote.host == path.remote.host)
        crowded = len(self._opened) >= self._settings.cookie_threshold
        return crowded or near >= self._settings.half_open_per_address

    def _on_init_response(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        slot = self._slots.get(header.spi_i)
        if slot is None:
            raise Discard("an answer to nothing that we asked")
        slot.window.check_response(header)
        response = Response(header.exchange, decode_message(header, datagram.octets), datagram.path, datagram.octets)
        made = step(slot.sa, response, env)
        if made.sa is slot.sa:  # it does not count: a better answer may come
            yield from self._apply(header.spi_i, slot, made, None, env)
        else:
            again = isinstance(made.sa, type(slot.sa))
            window = slot.window.turned_back() if again else slot.window.answered()
            yield from self._apply(header.spi_i, replace(slot, window=window), made, None, env)

    def _on_sealed(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        spi = header.spi_r if header.from_initiator else header.spi_i
        slot = self._slots.get(spi)
        if slot is None:
            raise Discard("no IKE SA has this SPI")
        if header.is_response:
            yield from self._on_response(spi, slot, header, datagram, env)
        else:
            yield from self._on_request(spi, slot, header, datagram, env)

    def _on_request(self, spi: bytes, slot: Slot, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        if slot.window.is_repeat(header):
            slot.window.check_repeat(header, datagram.octets)
            yield from slot.window.answer_again(datagram.path)
            return
        window, message = slot.window.accept(header, datagram.octets, env)
        slot = self._heard(replace(slot, window=window), env)
        request = Request(header.exchange, header.message_id, (), datagram.path)
        try:
            if message is None:
                made = Step(slot.sa)
            else:
                request = replace(request, payloads=decode_payloads(*message))
                made = step(slot.sa, request, env)
        except IkeError as error:
            made = _refusal(slot.sa, request, error)
        yield from self._apply(spi, slot, made, request, env)

    def _on_response(self, spi: bytes, slot: Slot, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        window, message = slot.window.take_response(header, datagram.octets, env)
        slot = self._heard(replace(slot, window=window), env)
        try:
            if message is None:
                made = Step(slot.sa)
            else:
                made = step(slot.sa, Response(header.exchange, decode_payloads(*message), datagram.path), env)
        except IkeError as error:
            made = _disappointed(slot.sa, error)
        yield from self._apply(spi, slot, made, None, env)

    def _heard(self, slot: Slot, env: Env) -> Slot:
        """The peer has just proved to be there."""
        if not isinstance(slot.sa, Established):
            return slot
        return replace(slot, sa=replace(slot.sa, heard=env.now, probe_at=env.now + slot.sa.peer.liveness))

    # --- everything else ---

    def _initiate(self, ask: Initiate, env: Env) -> Iterator[Effect]:
        peer = next((peer for peer in self._peers if peer.name == ask.peer), None)
        if peer is None:
            yield report(Level.WARNING, "peer_unknown", peer=ask.peer)
            return
        alone = not any(isinstance(sa, Established) and sa.peer.name == peer.name for sa in self.sas)
        made = ike_sa_init.initiate(peer, ask, alone, env)
        assert isinstance(made.sa, Initiating)
        yield from self._apply(made.sa.spi_i, Slot(made.sa, Window()), made, None, env)

    def _on_timer(self, spi: bytes, env: Env) -> Iterator[Effect]:
        slot = self._slots.get(spi)
        if slot is None:
            return
        slot = replace(slot, timer=NEVER, window=slot.window.swept(env.now))
        if slot.window.due <= env.now:
            resent = slot.window.resend(env)
            if resent is None:
                yield from self._apply(spi, slot, step(slot.sa, Unanswered(), env), None, env)
                return
            window, sends = resent
            slot = replace(slot, window=window)
            yield from sends
        made = step(slot.sa, Due(), env) if slot.sa.due <= env.now else Step(slot.sa)
        yield from self._apply(spi, slot, made, None, env)

    def _tell(self, spi: bytes | None, event: Event, env: Env) -> Iterator[Effect]:
        slot = self._slots.get(spi) if spi else None
        if slot is None or spi is None:
            yield report(Level.DEBUG, "too_late", input=type(event).__name__)
            return
        yield from self._apply(spi, slot, step(slot.sa, event, env), None, env)

    def _owner(self, spi_in: bytes) -> bytes | None:
        """The IKE SA whose child receives on this SPI."""
        owners = (
            spi for spi, slot in self._slots.items() if isinstance(slot.sa, Established) and slot.sa.child(spi_in)
        )
        return next(owners, None)

    # --- from what a handler wants to what is done ---

    def _apply(self, spi: bytes, slot: Slot, made: Step, asked: Request | None, env: Env) -> Iterator[Effect]:
        """Keep the new state, and turn directives into effects."""
        slot = replace(slot, sa=made.sa)
        self._slots[spi] = slot
        later: list[Directive] = []
        for effect in made.effects:
            match effect:
                case Respond(payloads=payloads):
                    assert asked is not None
                    window, sends = slot.window.respond(asked.exchange, payloads, asked.path, env)
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
                case Spawn() | Tell() | Supersede():
                    later.append(effect)
                case _:
                    yield effect
        yield from self._kept(spi, slot)
        for directive in later:
            yield from self._carry_out(spi, directive, env)

    def _kept(self, spi: bytes, slot: Slot) -> Iterator[Effect]:
        """Put the slot back, or forget it; set its one timer where that has changed."""
        if not isinstance(slot.sa, HalfOpen):
            self._opened = {key: value for key, value in self._opened.items() if value != spi}
        if isinstance(slot.sa, Closed):
            del self._slots[spi]
            yield StopTimer(spi)
            return
        due = slot.due
        self._slots[spi] = replace(slot, timer=due)
        if due != slot.timer:
            yield StopTimer(spi) if due == NEVER else SetTimer(spi, due)

    def _carry_out(self, spi: bytes, directive: Directive, env: Env) -> Iterator[Effect]:
        """What concerns other IKE SAs than the one that wanted it."""
        match directive:
            case Spawn(sa, secured, replaces):
                assert isinstance(sa, Established)
                yield IkeSaUp(secured.spi, sa.peer.name, sa.remote_id, sa.path, replaces)
                yield from self._apply(secured.spi, Slot(sa, Window(seal=Seal.of(secured))), Step(sa), None, env)
            case Tell(other, event):
                yield from self._tell(other, event, env)
            case Supersede(peer, remote_id, silently):
                others = [
                    (other, slot, slot.sa)
                    for other, slot in self._slots.items()
                    if other != spi
                    and isinstance(slot.sa, Established)
                    and (slot.sa.peer.name, slot.sa.remote_id) == (peer, remote_id)
                ]
                for other, slot, sa in others:
                    made = _forgotten(sa) if silently else step(sa, Terminate(other), env)
                    yield from self._apply(other, slot, made, None, env)
            case _:
                raise AssertionError(directive)


def _refusal(sa: IkeSa, request: Request, error: IkeError) -> Step:
    """Tell the peer what was wrong with its request; give up the IKE SA if the fault is fatal (RFC 7296 §2.21)."""
    answer = Respond(request, (Notify(error.notify, error.data),))
    told = report(Level.WARNING, "request_refused", notify=error.notify.name, why=str(error))
    if isinstance(sa, HalfOpen):
        return Step(Closed(str(error)), (answer, told))
    if not error.fatal or not isinstance(sa, Established):
        return Step(sa, (answer, told))
    gone = _forgotten(sa, str(error))
    return Step(gone.sa, (answer, told, *gone.effects))


def _disappointed(sa: IkeSa, error: IkeError) -> Step:
    """An answer cannot be used: give up, telling the peer where it believes to have an IKE SA (RFC 7296 §2.21.2)."""
    told = report(Level.WARNING, "answer_refused", notify=error.notify.name, why=str(error))
    if isinstance(sa, Established):
        gone = _forgotten(sa, str(error))
        return Step(gone.sa, (told, *gone.effects))
    if isinstance(sa, Closed | HalfOpen):
        return Step(sa, (told,))
    return Step(Closed(str(error)), (told, IkeSaDown(sa.spi, sa.peer.name, str(error))))


def _forgotten(sa: Established, reason: str = "the peer began anew") -> Step:
    """Drop an IKE SA without a word."""
    removals = tuple(RemoveChild(child) for child in sa.children)
    return Step(Closed(reason), (*removals, IkeSaDown(sa.spi, sa.peer.name, reason)))
