"""All IKE SAs of this gateway: finds the one that an input is for, and has carried out what it makes of that.

    datagram -> header -> slot by our SPI -> window (again? then the same answer) -> seal opened -> payloads
             -> machine.step -> carrier -> effects

Nothing before the opened seal changes anything. A fault found after it is answered by a Notify.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator

from edgevpn.frozen import replace
from edgevpn.ike.carrier import Carrier
from edgevpn.ike.clients import recognise_init
from edgevpn.ike.contract import (
    Ask,
    ChildExpired,
    Datagram,
    Effect,
    Env,
    Initiate,
    Input,
    InstallFailed,
    Level,
    Limit,
    LocalAddresses,
    MappingChanged,
    MovePath,
    Reconfigure,
    Report,
    Request,
    Response,
    Send,
    Settings,
    Shed,
    Terminate,
    TimerFired,
    Traffic,
    refused,
    report,
)
from edgevpn.ike.cookies import Cookies, Sieve, is_usual
from edgevpn.ike.errors import (
    Cause,
    Discard,
    IkeError,
    InvalidMajorVersion,
    InvalidSyntax,
    OldVersion,
    UnsupportedCriticalPayload,
)
from edgevpn.ike.exchange import ike_sa_init, nat
from edgevpn.ike.exchange.asked import asked_at_first
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
    TlsAnswered,
    TlsRefused,
    TlsSucceeded,
)
from edgevpn.ike.state import Closed, Established, HalfOpen, Initiating, Path
from edgevpn.ike.steps import (
    CallOpen,
    Doubtful,
    Due,
    Event,
    IkeSa,
    Step,
    Unanswered,
)
from edgevpn.ike.table import Slot, Table, Unproven, origin
from edgevpn.ike.table import WithPeer as WithPeer
from edgevpn.ike.window import Message, Window
from edgevpn.ike.wire.message import Header, Payload, decode_message, decode_payloads

DEFAULTS = Settings()


class Endpoint:
    """The protocol core. `entropy(n)` gives n unpredictable octets; all else comes by `handle`."""

    def __init__(self, peers: tuple[Peer, ...], entropy: Callable[[int], bytes], settings: Settings = DEFAULTS) -> None:
        self._peers = peers
        self._entropy = entropy
        self._settings = settings
        self._hosts: tuple[IpAddress, ...] = ()
        self._table = Table()
        self._carrier = Carrier(self._table)
        self._cookies = Cookies.fresh(entropy)
        self._refused_at: deque[float] = deque(maxlen=settings.cookie_threshold)

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
        env = Env(now, self._entropy, self._peers, self._settings, self._carrier.stands, self._hosts)
        match event:
            case Datagram():
                return tuple(self._on_datagram(event, env))
            case TimerFired(spi):
                return tuple(self._on_timer(spi, env))
            case Initiate():
                return tuple(self._initiate(event, env))
            case Terminate():
                return tuple(self._carrier.terminate(event, env))
            case Ask(spi=spi) | Traffic(spi=spi) | MovePath(spi=spi):
                return tuple(self._carrier.tell(spi, event, env))
            case ChildExpired(spi_in=spi_in) | InstallFailed(spi_in=spi_in) | MappingChanged(spi_in=spi_in):
                return tuple(self._carrier.tell(self._table.owner(spi_in), event, env))
            case Leased(spi, addresses) if self._table.get(spi) is None:
                return (Release(spi, addresses),) if addresses else ()  # nobody waits for them any more
            case Signed(spi=spi) | CertificatesVerified(spi=spi) | CertificatesRefused(spi=spi) | Leased(spi=spi):
                return tuple(self._carrier.tell(spi, event, env))
            case PskFound(spi=spi) | PasswordFound(spi=spi) | TlsAnswered(spi=spi):
                return tuple(self._carrier.tell(spi, event, env))
            case TlsSucceeded(spi=spi) | TlsRefused(spi=spi):
                return tuple(self._carrier.tell(spi, event, env))
            case LocalAddresses(hosts):
                self._hosts = hosts
                return tuple(self._tell_all(event, replace(env, hosts=hosts)))
            case Reconfigure(peers):
                self._peers = peers
                return ()

    # --- first messages, where there are very many ---

    def challenge(self, octets: bytes, host: bytes, port: int, now: float) -> bytes | None:
        """What is answered to a first message from there that must show a cookie; None if `handle` is to look at it.

        It is what `handle` would have sent, with much less work.
        """
        if not self._all_must_show_cookie(now) or self._table.proven_count >= self._settings.session_limit:
            return None
        if not is_usual(octets) or self._table.half_open((host, port, octets[:8])) is not None:
            return None
        try:
            return self._current_cookies(now).challenge(octets, host)
        except InvalidSyntax:
            return None

    @property
    def sieves(self) -> tuple[Sieve, ...]:
        """What our cookies fall through, so that others need not be looked at."""
        return self._cookies.sieves

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
        except OldVersion as why:
            told = (("remote", datagram.path.remote.host), ("why", str(why)))
            yield Report(Level.DEBUG, "discarded", told, Cause.OLD_VERSION)
        except (Discard, IkeError) as why:
            yield report(Level.DEBUG, "discarded", remote=datagram.path.remote.host, why=str(why))

    def _on_init_request(self, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        if header.message_id != 0 or header.spi_r != ike_sa_init.NO_SPI or not header.from_initiator:
            raise Discard("not the first message of an IKE SA")
        path, octets = datagram.path, datagram.octets
        known = self._table.half_open(origin(path.remote, header.spi_i))
        if known is not None:
            if isinstance(known.sa, HalfOpen) and known.sa.opening.request == octets:
                yield Send(path, known.sa.opening.response)
            return
        if self._table.proven_count >= self._settings.session_limit:
            yield Shed(Limit.SESSIONS, path.remote.host)  # unanswered: who asks again may find room
            return
        if self._must_show_cookie(path.remote.host, env.now):
            challenge = self._current_cookies(env.now).challenge(octets, path.remote.host.packed)
            if challenge is not None:
                yield Send(path, challenge)
                return
        try:
            request = Request(header.exchange, 0, decode_message(header, octets), path)
        except UnsupportedCriticalPayload as error:
            self._refused_at.append(env.now)
            yield report(Level.DEBUG, "discarded", remote=path.remote.host, why=str(error))
            yield Send(path, ike_sa_init.refusal(header, error))
            return
        if self._table.half_open_near(path.remote.host) >= self._settings.half_open_near:
            yield Shed(Limit.HALF_OPEN_NEAR, path.remote.host)
            return
        try:
            made = ike_sa_init.on_request(request, header, octets, env)
        except IkeError as error:
            client = recognise_init(request.payloads).name
            told = {"remote": path.remote.host, "client": client, "notify": error.notify.name, "why": str(error)}
            near = tuple(peer.name for peer in env.peers if peer.accepts(path.local.host, path.remote.host))
            self._refused_at.append(env.now)
            asked = asked_at_first(request)
            yield refused("ike_sa_init_refused", error.cause, error.evidence, asked, peers=near, **told)
            if not isinstance(error, InvalidSyntax):  # told only within an IKE SA (RFC 7296 §3.10.1)
                yield Send(path, ike_sa_init.refusal(header, error))
            return
        assert isinstance(made.sa, HalfOpen)
        if self._table.half_open_count >= self._settings.half_open_limit and not (yield from self._make_room(env)):
            yield Shed(Limit.HALF_OPEN, path.remote.host)
            return
        yield from self._carrier.apply(made.sa.spi, Slot(made.sa, Window(expected_id=1), env.now), made, env)

    def _make_room(self, env: Env) -> Generator[Effect, None, bool]:
        """Forget the half-open IKE SA that has waited longest; False if all are in the middle of authenticating.

        Who really wants to come in goes on within a moment. So it is those who never will that are forgotten.
        """
        oldest = self._table.longest_half_open
        if oldest is None:
            return False
        yield from self._forget(*oldest, Limit.HALF_OPEN, env)
        return True

    def _make_light(self, spi: bytes, slot: Slot, env: Env) -> Generator[Effect, None, bool]:
        """Forget half-open IKE SAs until there is room for what has come on this one; False if that one is forgotten.

        Who sends most goes first. What authentication takes is little, so that is never one that means it.
        """
        while self._table.held - _held(self._table.get(spi)) + slot.held > self._settings.held_limit:
            heaviest = self._table.heaviest
            if heaviest is None or heaviest[0] == spi or heaviest[1].held <= slot.held:
                yield from self._forget(spi, slot, Limit.HELD, env)
                return False
            yield from self._forget(*heaviest, Limit.HELD, env)
        return True

    def _forget(self, spi: bytes, slot: Slot, limit: Limit, env: Env) -> Iterator[Effect]:
        """Drop a half-open IKE SA: strangers have taken too much."""
        assert isinstance(slot.sa, Unproven)
        half_open = slot.sa if isinstance(slot.sa, HalfOpen) else slot.sa.claim.half_open
        yield Shed(limit, half_open.path.remote.host)
        yield from self._carrier.apply(spi, slot, Step(Closed(f"too much: {limit.value}")), env)

    def _must_show_cookie(self, remote: IpAddress, now: float) -> bool:
        """Whether who asks must show that its address is its own: as all must, or as many are half-open near by."""
        near = self._table.half_open_near(remote)
        return self._all_must_show_cookie(now) or near >= self._settings.half_open_per_address

    def _all_must_show_cookie(self, now: float) -> bool:
        """Whether many are half-open or were refused."""
        if self._table.half_open_count >= (many := self._settings.cookie_threshold):
            return True
        return len(self._refused_at) == many and now - self._refused_at[0] < ike_sa_init.REFUSED_LATELY

    def _current_cookies(self, now: float) -> Cookies:
        """With another secret when the last has been used for long enough."""
        if now >= self._cookies.until:
            self._cookies = self._cookies.renewed(self._entropy, now + self._settings.cookie_lifetime)
        return self._cookies

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
        yield from self._carrier.apply(header.spi_i, slot, made, env)

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
        if isinstance(slot.sa, Unproven):
            slot = replace(slot, received=slot.received + (len(message[1]) if message else 0))
            if not (yield from self._make_light(spi, slot, env)):
                return
        yield from effects
        made, payloads = Step(slot.sa), tuple[Payload, ...]()
        try:
            if message is not None:
                payloads = decode_payloads(*message)
                octets = _covered(header, message)
                made = step(slot.sa, Request(header.exchange, header.message_id, payloads, datagram.path, octets), env)
        except IkeError as error:
            made = refusal(slot.sa, Request(header.exchange, header.message_id, payloads, datagram.path), error)
        yield from self._carrier.apply(spi, slot, made, env)

    def _on_response(self, spi: bytes, slot: Slot, header: Header, datagram: Datagram, env: Env) -> Iterator[Effect]:
        window, message = slot.window.take_response(header, datagram.octets, env)
        slot, effects = self._heard(replace(slot, window=window), datagram.path, env)
        yield from effects
        try:
            made = Step(slot.sa)
            if message is not None:
                octets = _covered(header, message)
                response = Response(header.exchange, decode_payloads(*message), datagram.path, octets)
                made = step(slot.sa, response, env)
        except IkeError as error:
            made = disappointed(slot.sa, error)
        yield from self._carrier.apply(spi, slot, made, env)

    def _heard(self, slot: Slot, path: Path, env: Env) -> tuple[Slot, tuple[Effect, ...]]:
        """The peer has just proved to be there, perhaps at another address."""
        if not isinstance(slot.sa, Established):
            return slot, ()
        heard = replace(slot.sa, heard=env.now, probe_at=env.now + slot.sa.peer.liveness)
        sa, effects = nat.followed(heard, path.remote, env)
        return replace(slot, sa=sa), effects

    # --- everything else ---

    def _initiate(self, ask: Initiate, env: Env) -> Iterator[Effect]:
        peer = env.peer(ask.peer)
        if peer is None:
            yield report(Level.WARNING, "peer_unknown", peer=ask.peer)
            return
        alone = not any(isinstance(sa, Established) for _, sa in self._table.of_peer(peer.name))
        made = ike_sa_init.initiate(peer, ask, alone, env)
        yield from self._carrier.apply(ike_sa_init.spi_of(made), Slot(made.sa, Window(), env.now), made, env)

    def _on_timer(self, spi: bytes, env: Env) -> Iterator[Effect]:
        slot = self._table.get(spi)
        if slot is None:
            return
        due = Due(slot.window.pieces)
        slot = replace(slot, timer=NEVER, window=slot.window.swept(env.now))
        if slot.window.due <= env.now:
            resent = slot.window.resend(env)
            if resent is None:
                slot = replace(slot, window=slot.window.answered())
                yield from self._carrier.apply(spi, slot, step(slot.sa, Unanswered(), env), env)
                return
            window, sends = resent
            slot = replace(slot, window=window)
            yield from sends
            if window.tries == self._settings.doubt_after and isinstance(slot.sa, Established):
                yield from self._carrier.apply(spi, slot, step(slot.sa, Doubtful(), env), env)
                return  # what else is due has its own timer now
        made = step(slot.sa, due, env) if slot.sa.due <= env.now else Step(slot.sa)
        yield from self._carrier.apply(spi, slot, made, env)

    def _tell_all(self, event: Event, env: Env) -> Iterator[Effect]:
        for slot in tuple(self._table):
            if isinstance(slot.sa, Established):
                yield from self._carrier.tell(slot.sa.spi, event, env)


def _held(slot: Slot | None) -> int:
    return slot.held if slot else 0


def _covered(header: Header, message: Message) -> bytes:
    """What AUTH will cover of a message that was sealed; kept only where it does."""
    return message[1] if header.exchange == ExchangeType.IKE_INTERMEDIATE else b""
