"""The two vocabularies of the core: what the world tells it (inputs), and what it asks of the world (effects)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.peer import Peer
from edgevpn.ike.state import ChildSa, IkeSa, Path, Secured, Task
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Identification

P = TypeVar("P")

# --- inputs of the endpoint ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram without its non-ESP marker."""

    path: Path
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time that `SetTimer` named has come."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class Initiate:
    """Bring up an IKE SA with this peer, and these of its children (all of them if none is named)."""

    peer: str
    path: Path
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a task of the owner's or the kernel's on the list of the IKE SA with this SPI of ours."""

    spi: bytes
    task: Task


@dataclass(frozen=True, slots=True)
class Terminate:
    """Close the IKE SA with this SPI of ours, telling the peer."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class ChildExpired:
    """The kernel says that the SA with this inbound SPI is near (or, `hard`, past) the end of its lifetime."""

    spi_in: bytes
    hard: bool


@dataclass(frozen=True, slots=True)
class InstallFailed:
    """The kernel refused the child with this inbound SPI; `reason` is for the log."""

    spi_in: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """The answer to `QueryTraffic`: when a packet of the peer last came through a child, if ever."""

    spi: bytes
    seen: float | None


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """From now on these are the peers; IKE SAs that stand keep what they were made with."""

    peers: tuple[Peer, ...]


Input = Datagram | TimerFired | Initiate | Ask | Terminate | ChildExpired | InstallFailed | Traffic | Reconfigure


# --- what one IKE SA is told, once window and endpoint have read the datagram --------------------------------------


class Payloads:
    """How handlers look into a message."""

    __slots__ = ()
    payloads: tuple[Payload, ...]

    def first(self, kind: type[P]) -> P | None:
        """The first payload of that kind."""
        return next((payload for payload in self.payloads if isinstance(payload, kind)), None)

    def need(self, kind: type[P]) -> P:
        """The first payload of that kind; InvalidSyntax if there is none."""
        payload = self.first(kind)
        if payload is None:
            raise InvalidSyntax(f"no {kind.__name__} payload")
        return payload

    def notify(self, notify_type: NotifyType) -> Notify | None:
        """The first Notify of that type."""
        return next((n for n in self.payloads if isinstance(n, Notify) and n.notify_type == notify_type), None)

    def error(self) -> Notify | None:
        """The first Notify that reports an error."""
        return next((n for n in self.payloads if isinstance(n, Notify) and n.notify_type.is_error), None)


@dataclass(frozen=True, slots=True)
class Request(Payloads):
    """The peer asks something; its ICV was right."""

    exchange: ExchangeType
    message_id: int
    payloads: tuple[Payload, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Response(Payloads):
    """The peer answers what we are waiting for. `octets` is the datagram itself, which AUTH covers in IKE_SA_INIT."""

    exchange: ExchangeType
    payloads: tuple[Payload, ...]
    path: Path
    octets: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Due:
    """A time that the state named has come."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Our request was sent as often as the settings allow, and nothing came."""


@dataclass(frozen=True, slots=True)
class Inherit:
    """These children were those of an IKE SA that this one follows."""

    children: tuple[ChildSa, ...]
    todo: tuple[Task, ...]


Event = Request | Response | Due | Unanswered | Inherit | Ask | Terminate | ChildExpired | InstallFailed | Traffic


# --- effects: carried out by the runner, in order ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send a datagram; the transport adds the non-ESP marker where the path's ports ask for it."""

    path: Path
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Answer with `TimerFired(spi)` at this time; replaces the timer set before for the same IKE SA."""

    spi: bytes
    at: float


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Forget the timer of this IKE SA."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the data plane must know of the IKE SA around a child."""

    peer: str
    path: Path
    nat: bool  # ESP travels in UDP


@dataclass(frozen=True, slots=True)
class InstallInbound:
    """Be ready to receive on this child. Comes before the peer can have it."""

    child: ChildSa
    ends: Endpoints


@dataclass(frozen=True, slots=True)
class InstallOutbound:
    """Send on this child from now on."""

    child: ChildSa
    ends: Endpoints


@dataclass(frozen=True, slots=True)
class RemoveOutbound:
    """Never send on this child again."""

    child: ChildSa


@dataclass(frozen=True, slots=True)
class RemoveChild:
    """Remove both directions of this child, whatever of them is installed."""

    child: ChildSa


@dataclass(frozen=True, slots=True)
class QueryTraffic:
    """Answer with `Traffic(spi, ...)`: when did a packet last arrive on one of these inbound SPIs?"""

    spi: bytes
    spis_in: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class IkeSaUp:
    """The peer is authenticated. `replaces`: the SPI of the IKE SA that this one follows by rekeying."""

    spi: bytes
    peer: str
    remote_id: Identification
    path: Path
    replaces: bytes | None = None


@dataclass(frozen=True, slots=True)
class IkeSaDown:
    """The IKE SA is gone, or never came to be. `asked`: we were told to close it."""

    spi: bytes
    peer: str
    reason: str
    asked: bool = False


@dataclass(frozen=True, slots=True)
class ChildFailed:
    """A child that we asked for did not come to be; `reason` is for people."""

    spi: bytes
    peer: str
    child: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChildClosed:
    """The peer has deleted a child that nothing follows; the IKE SA stands."""

    spi: bytes
    peer: str
    child: str


@dataclass(frozen=True, slots=True)
class KeysDerived:
    """The keys of an IKE SA or a child, for a decoder; given only to an endpoint that was told to."""

    secured: Secured = field(repr=False)
    child: ChildSa | None = field(default=None, repr=False)


class Level(Enum):
    """How much an owner should care: nothing, a change that can be felt, odd but alive, to be repaired."""

    DEBUG = auto()
    INFO = auto()
    WARNING = auto()
    ERROR = auto()


@dataclass(frozen=True, slots=True)
class Report:
    """Something to be logged; `fields` are name and value, and hold no secret."""

    level: Level
    event: str
    fields: tuple[tuple[str, object], ...] = ()


Effect = (
    Send
    | SetTimer
    | StopTimer
    | InstallInbound
    | InstallOutbound
    | RemoveOutbound
    | RemoveChild
    | QueryTraffic
    | IkeSaUp
    | IkeSaDown
    | ChildFailed
    | ChildClosed
    | KeysDerived
    | Report
)


# --- directives: what handlers ask of window and endpoint, which turn them into effects ----------------------------


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer this request. The window numbers, seals, sends and keeps it."""

    request: Request
    payloads: tuple[Payload, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """Send a request of ours. The window numbers, seals, sends and repeats it."""

    exchange: ExchangeType
    payloads: tuple[Payload, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class CallOpen:
    """Send an IKE_SA_INIT request, which is not sealed: AUTH will cover these octets, so the handler wrote them."""

    octets: bytes = field(repr=False)
    path: Path


@dataclass(frozen=True, slots=True)
class Secure:
    """Seal and open with these keys from now on."""

    secured: Secured


@dataclass(frozen=True, slots=True)
class Spawn:
    """A new IKE SA has come out of the one with SPI `replaces`, by rekeying."""

    sa: IkeSa
    secured: Secured
    replaces: bytes


@dataclass(frozen=True, slots=True)
class Tell:
    """Pass an event to another IKE SA of ours, if it is still there."""

    spi: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class Supersede:
    """Other IKE SAs with the same peer and identity are to go: silently if the peer forgot them (INITIAL_CONTACT)."""

    peer: str
    remote_id: Identification
    silently: bool


Directive = Respond | Call | CallOpen | Secure | Spawn | Tell | Supersede


@dataclass(frozen=True, slots=True)
class Step:
    """What an event made of an IKE SA: the next state, and what is to be done."""

    sa: IkeSa
    effects: tuple[Effect | Directive, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Our own choices, the same for all peers. Times in seconds."""

    ike_port: int = 500
    nat_port: int = 4500
    half_open_timeout: float = 30.0
    half_open_limit: int = 300
    half_open_per_address: int = 5
    cookie_threshold: int = 30
    retransmit_first: float = 2.0
    retransmit_factor: float = 1.8
    retransmit_tries: int = 5
    fragment_size_v4: int = 1280  # octets of an IP packet; smaller ones cross nearly every path (RFC 7383 §2.5.1)
    fragment_size_v6: int = 1280
    reassembly_timeout: float = 30.0
    keepalive: float = 20.0
    linger: float = 5.0  # an old inbound SA takes late packets for so long
    switch_after: float = 5.0  # the peer has surely installed what we answered
    retry_after: float = 5.0  # after TEMPORARY_FAILURE, jittered
    jitter: float = 0.1  # part of a lifetime by which rekeys are moved forward
    export_keys: bool = False


@dataclass(frozen=True, slots=True)
class Env:
    """What a handler may know beyond its IKE SA: the time, chance, the peers and our settings."""

    now: float
    entropy: Callable[[int], bytes] = field(repr=False)
    peers: tuple[Peer, ...] = ()
    settings: Settings = Settings()

    def soon(self, seconds: float) -> float:
        """The time `seconds` from now, moved forward by up to `settings.jitter` of it, so that sides do not collide."""
        chance = int.from_bytes(self.entropy(2), "big") / 0x10000
        return self.now + seconds * (1 - self.settings.jitter * chance)


def report(level: Level, event: str, **fields: object) -> Report:
    """A Report with its fields by name."""
    return Report(level, event, tuple(fields.items()))
