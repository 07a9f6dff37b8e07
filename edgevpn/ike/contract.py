"""The two vocabularies of the core: what the world tells it (inputs), and what it asks of the world (effects)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import Enum, auto

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import Cause
from edgevpn.ike.evidence import Asked
from edgevpn.ike.inbound import Request as Request
from edgevpn.ike.inbound import Response as Response
from edgevpn.ike.peer import IpAddress, Peer
from edgevpn.ike.questions import Answer, News, Question
from edgevpn.ike.session import BY_KEYS, Session, Who
from edgevpn.ike.state import Address, ChildSa, Path, Secured, Task
from edgevpn.ike.wire.payloads import Identification

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
    redirected_from: IpAddress | None = None
    redirects: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a task of the owner's or the kernel's on the list of the IKE SA with this SPI of ours."""

    spi: bytes
    task: Task


@dataclass(frozen=True, slots=True)
class Terminate:
    """Close the IKE SA with this SPI of ours, telling the peer. Without a `cause` somebody here has asked for it."""

    spi: bytes
    reason: str = "closed"
    cause: Cause | None = None


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
class MovePath:
    """The IKE SA with this SPI of ours is to go from and to these hosts: ours has changed, or the peer has another."""

    spi: bytes
    local: IpAddress
    remote: IpAddress


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """From now on these are all the addresses at which a peer can reach us."""

    hosts: tuple[IpAddress, ...]


@dataclass(frozen=True, slots=True)
class MappingChanged:
    """The kernel took in ESP packets for the child with this inbound SPI from elsewhere than before."""

    spi_in: bytes
    remote: Address


@dataclass(frozen=True, slots=True)
class Traffic:
    """The answer to `QueryTraffic`: when a packet of the peer last came through a child, if ever."""

    spi: bytes
    seen: float | None


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """From now on these are the peers; IKE SAs that stand keep what they were made with."""

    peers: tuple[Peer, ...]


Input = (
    Datagram
    | TimerFired
    | Initiate
    | Ask
    | Terminate
    | MovePath
    | LocalAddresses
    | MappingChanged
    | ChildExpired
    | InstallFailed
    | Traffic
    | Reconfigure
    | Answer
)


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
class ExpectInbound:
    """We ask for a child with this inbound SPI; the peer may send on it before its answer is here (RFC 7296 §2.8)."""

    spi_in: bytes
    ends: Endpoints


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
class MoveChild:
    """Both directions of this child, whatever of them is installed, have other ends from now on."""

    child: ChildSa
    ends: Endpoints


@dataclass(frozen=True, slots=True)
class FindPath:
    """Answer with `MovePath(spi, ...)` if another path may work: to where the peer was last, or to one of `others`."""

    spi: bytes
    peer: str
    path: Path
    others: tuple[IpAddress, ...]


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
    session: Session = BY_KEYS


@dataclass(frozen=True, slots=True)
class IkeSaDown:
    """The IKE SA is gone, or never came to be. `asked`: we were told to close it. `cause` is the reason for code.

    `evidence` is what that rests on, one of the records of `ike.evidence`.
    """

    spi: bytes
    peer: str
    reason: str
    asked: bool = False
    cause: Cause | None = None
    evidence: object = None


@dataclass(frozen=True, slots=True)
class IkeSaMoved:
    """The IKE SA goes over another path from now on."""

    spi: bytes
    peer: str
    path: Path


@dataclass(frozen=True, slots=True)
class Redirected:
    """Call another gateway, by `Initiate` with `redirected_from` and one redirect more than before (RFC 5685).

    `gateway` is an address or a name of the peer's choice; `came_from` is the one that sent us there.
    """

    peer: str
    gateway: IpAddress | str
    came_from: IpAddress
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChildFailed:
    """A child that we asked for did not come to be; `reason` is for people, `evidence` one of `ike.evidence`."""

    spi: bytes
    peer: str
    child: str
    reason: str
    evidence: object = None


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
    """Something to be logged; `fields` are name and value, and hold no secret. `cause` is for code, if it is known.

    `evidence` is what the cause rests on, one of the records of `ike.evidence`; `asked` is all that the peer has asked
    for. Neither is logged.
    """

    level: Level
    event: str
    fields: tuple[tuple[str, object], ...] = ()
    cause: Cause | None = None
    evidence: object = None
    asked: Asked | None = None


class Limit(Enum):
    """What strangers may have only so much of; the words are for counters and the log."""

    FIRST_MESSAGES = "first-messages"
    """Of them the daemon keeps so many waiting."""
    HALF_OPEN = "half-open"
    HALF_OPEN_NEAR = "half-open-of-one-address"
    HELD = "half-open-octets"
    """Of what they have sent after their first message."""
    SESSIONS = "ike-sas"
    """Those that have shown who they are have taken all."""


@dataclass(frozen=True, slots=True)
class Shed:
    """Something of strangers was dropped, as there is too much of its kind. `remote`: the one's address, if known."""

    limit: Limit
    remote: IpAddress | None = None
    count: int = 1


Effect = (
    Send
    | SetTimer
    | StopTimer
    | ExpectInbound
    | InstallInbound
    | InstallOutbound
    | RemoveOutbound
    | RemoveChild
    | MoveChild
    | QueryTraffic
    | FindPath
    | IkeSaUp
    | IkeSaDown
    | IkeSaMoved
    | Redirected
    | ChildFailed
    | ChildClosed
    | KeysDerived
    | Report
    | Shed
    | Question
    | News
)


# --- what is settled beforehand ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """Our own choices, the same for all peers. Times in seconds."""

    ike_port: int = 500
    nat_port: int = 4500
    half_open_timeout: float = 30.0
    login_timeout: float = 60.0  # for each message of EAP: a person may be typing
    login_limit: float = 240.0  # for all of them: until then the IKE SA counts as half-open
    half_open_limit: int = 300  # whoever means it is through within a moment
    half_open_per_address: int = 5  # without a cookie; of IPv6 the first half is the address
    half_open_near: int = 100  # with one: all devices behind one NAT call at once after an outage
    held_limit: int = 300 << 13  # octets that we keep of what strangers have sent after their first message
    cookie_threshold: int = 30
    cookie_lifetime: float = 60.0  # of a secret; it counts for as long again
    session_limit: int = 10_000  # IKE SAs whose peer has shown who it is; as many again that are leaving
    sessions_of_one: int = 2_500  # of them, with one peer under one identity: many may share a login, but none has all
    children_limit: int = 32  # of one IKE SA, beside those that are configured
    retransmit_first: float = 2.0
    retransmit_factor: float = 1.8
    retransmit_tries: int = 5
    doubt_after: int = 2  # repetitions without an answer: look for another path (RFC 4555 §3.5)
    fragment_size_v4: int = 1280  # octets of an IP packet; smaller ones cross nearly every path (RFC 7383 §2.5.1)
    fragment_size_v6: int = 1280
    reassembly_timeout: float = 30.0
    keepalive: float = 20.0
    linger: float = 5.0  # an old inbound SA takes late packets for so long
    switch_after: float = 50.0  # what we answered may have been lost some times, but not for so long
    retry_after: float = 5.0  # after TEMPORARY_FAILURE, jittered
    refused_for: float = 180.0  # TEMPORARY_FAILURE for so long: the two sides are out of step (RFC 7296 §2.25)
    rekey_again: float = 60.0  # after a rekeying that the peer refused
    reauth_grace: float = 60.0  # beyond the time that we told the peer
    overlap: float = 5.0  # an IKE SA that was followed by a newly authenticated one stays so long
    replaced_timeout: float = 60.0  # whoever is to delete what was replaced has surely forgotten it
    jitter: float = 0.1  # part of a lifetime by which rekeys are moved forward
    export_keys: bool = False


@dataclass(frozen=True, slots=True)
class Env:
    """What a handler may know beyond its IKE SA: the time, chance, the peers and our settings.

    `stands(peer, identity)`: how many other IKE SAs with that peer and identity are established. `hosts` are all our
    addresses, as far as they are known.
    """

    now: float
    entropy: Callable[[int], bytes] = field(repr=False)
    peers: tuple[Peer, ...] = ()
    settings: Settings = Settings()
    stands: Callable[[str, Who], int] = field(default=lambda peer, identity: 0, repr=False)
    hosts: tuple[IpAddress, ...] = ()

    def peer(self, name: str) -> Peer | None:
        """The peer of that name, as it is configured now."""
        return next((peer for peer in self.peers if peer.name == name), None)

    def soon(self, seconds: float) -> float:
        """The time `seconds` from now, moved forward by up to `settings.jitter` of it, so that sides do not collide."""
        chance = int.from_bytes(self.entropy(2), "big") / 0x10000
        return self.now + seconds * (1 - self.settings.jitter * chance)


def report(level: Level, event: str, **fields: object) -> Report:
    """A Report with its fields by name."""
    return Report(level, event, tuple(fields.items()))


def refused(event: str, cause: Cause, evidence: object = None, asked: Asked | None = None, **fields: object) -> Report:
    """A Report of something that did not work, and why. That a method was guessed wrongly is nothing odd."""
    level = Level.DEBUG if cause is Cause.OTHER_KE else Level.WARNING
    return Report(level, event, tuple(fields.items()), cause, evidence, asked)
