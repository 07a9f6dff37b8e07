"""The states of an IKE SA, one record each, holding exactly what that state has.

                 initiator                              responder

             Initiating                                     -
                 | IKE_SA_INIT answered                     | IKE_SA_INIT answered
           Authenticating                               HalfOpen
                 | IKE_AUTH answered                        | IKE_AUTH answered
                 +--------------> Established <-------------+
                                   |   |    ^
               new IKE SA took over|   |    | ours lost, so this one gets the children
                               Rekeyed |  Contending  (the peer rekeyed an IKE SA that we were rekeying)
                                   |   |    |
                                   v   v    v Delete sent
                                   Closing
                                      |
                                   Closed

Changing state is building the next record, so an exception changes nothing. Every record says at which time
it wants to be looked at again (`due`); the endpoint makes that one timer, so no timer outlives its reason.
All times are seconds of the caller's monotonic clock; `NEVER` is a time that does not come.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Self

from edgevpn.ike.clients import UNKNOWN, Client
from edgevpn.ike.crypto.dh import KeyPair
from edgevpn.ike.crypto.keymat import ChildKeys, IkeKeys
from edgevpn.ike.crypto.suite import ChildSuite, IkeSuite
from edgevpn.ike.errors import Cause
from edgevpn.ike.iana import HashAlgorithm, Ke
from edgevpn.ike.peer import NEVER, ChildPolicy, IpAddress, Mode, Peer
from edgevpn.ike.session import BY_KEY, BY_KEYS, Proof, Session
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.selector import TrafficSelector


@dataclass(frozen=True, slots=True)
class Address:
    """Where one end of IKE sits: host and UDP port."""

    host: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class Path:
    """Our address and the peer's."""

    local: Address
    remote: Address


@dataclass(frozen=True, slots=True)
class Nat:
    """Who sits behind a NAT, by the hashes of RFC 7296 §2.23; either makes ESP travel in UDP.

    `supported`: the peer knows of NATs at all.
    """

    local: bool = False
    remote: bool = False
    supported: bool = True

    def __bool__(self) -> bool:
        return self.local or self.remote


@dataclass(frozen=True, slots=True)
class Secured:
    """What both sides share once keys are agreed (RFC 7296 §2.14). `initiator`: whether we began this IKE SA.

    `fragments`: both know how to put a long message together again (RFC 7383 §2.3).
    """

    spi_i: bytes
    spi_r: bytes
    initiator: bool
    suite: IkeSuite
    keys: IkeKeys = field(repr=False)
    fragments: bool = False

    @property
    def spi(self) -> bytes:
        """The SPI that we chose, by which this IKE SA is known here."""
        return self.spi_i if self.initiator else self.spi_r

    @property
    def sk_p_local(self) -> bytes:
        """The key that covers our identity in AUTH."""
        return self.keys.sk_pi if self.initiator else self.keys.sk_pr

    @property
    def sk_p_remote(self) -> bytes:
        """The key that covers the peer's identity in AUTH."""
        return self.keys.sk_pr if self.initiator else self.keys.sk_pi


class Phase(Enum):
    """How far the life of a CHILD SA has come."""

    INBOUND = auto()  # we answered its rekey: receives; sends when the old pair goes (RFC 7296 §2.8)
    ACTIVE = auto()
    REPLACED = auto()  # a newer pair carries the traffic; a Delete will come, or go at the latest when it is due
    DELETING = auto()  # our Delete waits for its answer
    LINGERING = auto()  # deleted by both sides; receives late packets for a few seconds


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A pair of ESP SAs. `initiator`: whether we asked for it, which tells whose keys are whose.

    `due` is when its phase ends by itself: ACTIVE -> rekey, INBOUND -> send, REPLACED -> delete, LINGERING -> gone.
    `rekey_at` is when an ACTIVE one will be due, for a pair that is not there yet.
    """

    name: str
    spi_in: bytes
    spi_out: bytes
    suite: ChildSuite
    keys: ChildKeys = field(repr=False)
    initiator: bool
    ts_local: tuple[TrafficSelector, ...]
    ts_remote: tuple[TrafficSelector, ...]
    mode: Mode = Mode.TUNNEL
    phase: Phase = Phase.ACTIVE
    due: float = NEVER
    rekey_at: float = NEVER
    replaces: bytes | None = None  # spi_in of the pair that this one was made to follow

    @property
    def lives(self) -> bool:
        """Whether it is there to carry traffic, now or as soon as the pair before it goes."""
        return self.phase in (Phase.INBOUND, Phase.ACTIVE)

    def turned(self, phase: Phase, due: float = NEVER) -> ChildSa:
        """The same pair, further on in its life."""
        return replace(self, phase=phase, due=due)


# What waits for its turn.


# Of the first three, `ke` is how to do it after the peer refused our guess: with this method, or NONE for without any.


@dataclass(frozen=True, slots=True)
class CreateChild:
    """A child of this policy is wanted; `packet` is the local and remote selector of the packet that wants it."""

    name: str
    ke: Ke | None = None
    packet: tuple[TrafficSelector, TrafficSelector] | None = None


@dataclass(frozen=True, slots=True)
class RekeyChild:
    """The child with this inbound SPI is to be followed by a new one."""

    spi_in: bytes
    ke: Ke | None = None


@dataclass(frozen=True, slots=True)
class RekeyIke:
    """This IKE SA is to be followed by a new one."""

    ke: Ke | None = None


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """The child with this inbound SPI is to go."""

    spi_in: bytes


@dataclass(frozen=True, slots=True)
class Probe:
    """The peer is to show that it lives."""


@dataclass(frozen=True, slots=True)
class Update:
    """The peer is to know that this IKE SA goes over another path now (RFC 4555 §3.5). `tries` counts refusals."""

    tries: int = 0


@dataclass(frozen=True, slots=True)
class CheckPath:
    """The peer is to show that it receives what is sent to where it says to be (RFC 4555 §3.7)."""


@dataclass(frozen=True, slots=True)
class Announce:
    """The peer is to know at which other addresses we can be reached (RFC 4555 §3.6)."""


@dataclass(frozen=True, slots=True)
class Close:
    """The IKE SA is to go. `asked`: somebody here wants it."""

    reason: str
    asked: bool


Task = CreateChild | RekeyChild | RekeyIke | DeleteChild | Probe | Update | CheckPath | Announce | Close


# What we may be in the middle of asking; one at a time (window of one, RFC 7296 §2.3).


@dataclass(frozen=True, slots=True)
class ChildOffer:
    """What must be remembered of our offer of a CHILD SA until it is answered."""

    policy: ChildPolicy
    spi_in: bytes
    ni: bytes = field(repr=False)
    ke: Ke = Ke.NONE
    key_pair: KeyPair | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Rival:
    """The SA that the peer made for the same purpose while our request for one was on its way (RFC 7296 §2.8.1).

    `lowest` is the smaller of its two nonces, `spi` what we know the new SA by.
    """

    spi: bytes
    lowest: bytes = field(repr=False)


# `gone` are the SPIs of children that the peer has deleted and we do not know: the answer that is on its way to us may
# have been about one of them.


@dataclass(frozen=True, slots=True)
class CreatingChild:
    """CREATE_CHILD_SA for a new child is unanswered."""

    task: CreateChild
    offer: ChildOffer
    rival: Rival | None = None
    gone: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class RekeyingChild:
    """CREATE_CHILD_SA for a child in the place of another is unanswered."""

    task: RekeyChild
    offer: ChildOffer
    rival: Rival | None = None
    gone: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class RekeyingIke:
    """CREATE_CHILD_SA for a new IKE SA is unanswered; `spi` is what we will know it by."""

    task: RekeyIke
    spi: bytes
    ni: bytes = field(repr=False)
    ke: Ke
    key_pair: KeyPair = field(repr=False)
    rival: Rival | None = None


@dataclass(frozen=True, slots=True)
class Deleting:
    """Delete of the children with these inbound SPIs is unanswered."""

    spis: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Probing:
    """An empty INFORMATIONAL asks whether the peer is there (RFC 7296 §2.4)."""


@dataclass(frozen=True, slots=True)
class Updating:
    """UPDATE_SA_ADDRESSES for this path is unanswered; the answer must bear the same COOKIE2."""

    task: Update
    path: Path
    cookie2: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckingPath:
    """An INFORMATIONAL request with a COOKIE2 is unanswered."""

    cookie2: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Announcing:
    """Our other addresses are on their way."""


Doing = CreatingChild | RekeyingChild | RekeyingIke | Deleting | Probing | Updating | CheckingPath | Announcing


@dataclass(frozen=True, slots=True)
class Mobility:
    """Both sides speak MOBIKE (RFC 4555).

    `addresses` are where the peer can be found beside where it is, `seen_as` is the hash of our address by which it
    has last told how it sees us. `esp_remote` is where its ESP packets come from, if that is not where its messages do:
    a NAT has another mapping for it, and it has not noticed yet.
    """

    addresses: tuple[IpAddress, ...] = ()
    seen_as: bytes = b""
    esp_remote: Address | None = None


@dataclass(frozen=True, slots=True)
class Initiating:
    """Our IKE_SA_INIT request is unanswered. `tries` counts what came back instead of an answer (RFC 7296 §2.6.1).

    `refused` is what came last and might be forged: if nothing better comes, it is the reason.
    """

    peer: Peer
    path: Path
    spi_i: bytes
    ni: bytes = field(repr=False)
    key_pair: KeyPair = field(repr=False)
    ke: Ke
    request: bytes = field(repr=False)
    children: tuple[str, ...]
    initial_contact: bool
    cookie: bytes = b""
    tries: int = 0
    redirected_from: IpAddress | None = None
    refused: tuple[str, Cause] | None = None

    @property
    def spi(self) -> bytes:
        return self.spi_i

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class Opening:
    """The two messages and nonces of IKE_SA_INIT, which AUTH covers (RFC 7296 §2.15)."""

    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    ni: bytes = field(repr=False)
    nr: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticating:
    """Our (first) IKE_AUTH request is unanswered. `ours` is how we have proved ourselves in it.

    `childless`: it asks for no child (RFC 6023).
    """

    secured: Secured
    peer: Peer
    path: Path
    nat: Nat
    opening: Opening
    offer: ChildOffer | None
    children: tuple[str, ...]
    ours: Proof = BY_KEY
    childless: bool = False

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """We answered IKE_SA_INIT; nobody has shown who it is. Given up at `due`.

    `client` is what kind of client it seems to be, `hashes` what it can verify signatures with (RFC 7427 §4).
    """

    secured: Secured
    path: Path
    nat: Nat
    opening: Opening
    due: float
    client: Client = UNKNOWN
    hashes: tuple[HashAlgorithm, ...] | None = None

    @property
    def spi(self) -> bytes:
        return self.secured.spi


@dataclass(frozen=True, slots=True)
class Established:
    """Both sides have shown who they are.

    `heard` is when the peer last proved to be there; `wake` when a request refused for now may be tried again, and
    `refused_since` when it was first refused. `began`: we sent the first IKE_SA_INIT, be it before some rekeyings.
    At `reauth_at` we are to show again who we are, until `auth_until` the peer is to. `followed`: that has been done,
    and another IKE SA will be there when this one goes.
    """

    secured: Secured
    peer: Peer
    remote_id: Identification
    path: Path
    nat: Nat
    since: float
    heard: float
    children: tuple[ChildSa, ...] = ()
    doing: Doing | None = None
    todo: tuple[Task, ...] = ()
    probe_at: float = NEVER
    rekey_at: float = NEVER
    wake: float = NEVER
    keepalive_at: float = NEVER
    refused_since: float = NEVER
    began: bool = True
    expire_at: float = NEVER
    session: Session = BY_KEYS
    mobility: Mobility | None = None
    reauth_at: float = NEVER
    auth_until: float = NEVER
    idle_at: float = NEVER
    followed: bool = False

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def identity(self) -> Identification | str:
        """Whom the peer has proved to be: who logged in by EAP, else the identity of IKE."""
        return self.session.user or self.remote_id

    @property
    def due(self) -> float:
        children = min((child.due for child in self.children), default=NEVER)
        soonest = min(children, self.probe_at, self.rekey_at, self.wake, self.keepalive_at, self.expire_at)
        return min(soonest, self.reauth_at, self.auth_until, self.idle_at)

    def child(self, spi_in: bytes) -> ChildSa | None:
        """The child that receives on `spi_in`."""
        return next((child for child in self.children if child.spi_in == spi_in), None)

    def child_out(self, spi_out: bytes) -> ChildSa | None:
        """The child that sends on `spi_out`, which is how the peer names it."""
        return next((child for child in self.children if child.spi_out == spi_out), None)

    def with_child(self, child: ChildSa) -> Self:
        """With `child` added, or in the place of the one with the same inbound SPI."""
        if self.child(child.spi_in) is None:
            return replace(self, children=(*self.children, child))
        return replace(self, children=tuple(child if c.spi_in == child.spi_in else c for c in self.children))

    def without(self, gone: tuple[ChildSa, ...]) -> Self:
        """Without these children."""
        return replace(self, children=tuple(child for child in self.children if child not in gone))

    def then(self, *tasks: Task) -> Self:
        """With these tasks at the end of the queue, each once."""
        new = tuple(task for task in tasks if task not in self.todo)
        return replace(self, todo=(*self.todo, *new))


@dataclass(frozen=True, slots=True)
class Contending:
    """The peer made this IKE SA of one that we are rekeying too; which of the two stands is not known yet (§2.8.2).

    `replaces` is the SPI of the old one, which knows this one as its rival.
    """

    secured: Secured
    peer: Peer
    path: Path
    replaces: bytes

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """Another IKE SA has taken over the children; this one lives until its Delete, or `due`.

    `busy`: a request of ours is unanswered.
    """

    secured: Secured
    peer: Peer
    path: Path
    due: float
    busy: bool = False

    @property
    def spi(self) -> bytes:
        return self.secured.spi


@dataclass(frozen=True, slots=True)
class Closing:
    """Our Delete of the IKE SA is unanswered, or (`waiting`) a request before it.

    `asked`: we were told to close it; `silent`: another has followed it, so that nobody will miss it.
    """

    secured: Secured
    peer: Peer
    path: Path
    reason: str = "closed"
    asked: bool = True
    silent: bool = False
    waiting: bool = False
    cause: Cause | None = None

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is left but the reason."""

    reason: str

    @property
    def due(self) -> float:
        return NEVER


IkeSa = Initiating | Authenticating | HalfOpen | Established | Contending | Rekeyed | Closing | Closed
