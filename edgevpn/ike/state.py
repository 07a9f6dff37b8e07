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

What the records are made of is in `sa` and `tasks`; who uses a state finds all of it here.
"""

from __future__ import annotations

from dataclasses import field
from operator import attrgetter
from typing import Self

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.clients import UNKNOWN, Client
from edgevpn.ike.crypto.dh import KeyPair
from edgevpn.ike.errors import Cause
from edgevpn.ike.iana import HashAlgorithm, Ke
from edgevpn.ike.peer import NEVER, IpAddress, Peer, Ppk
from edgevpn.ike.sa import Address as Address
from edgevpn.ike.sa import ChildSa as ChildSa
from edgevpn.ike.sa import Nat as Nat
from edgevpn.ike.sa import Path as Path
from edgevpn.ike.sa import Phase as Phase
from edgevpn.ike.sa import Secured as Secured
from edgevpn.ike.session import BY_KEY, BY_KEYS, Proof, Session, Who
from edgevpn.ike.tasks import Announce as Announce
from edgevpn.ike.tasks import Announcing as Announcing
from edgevpn.ike.tasks import Asking as Asking
from edgevpn.ike.tasks import CheckingPath as CheckingPath
from edgevpn.ike.tasks import CheckPath as CheckPath
from edgevpn.ike.tasks import ChildOffer as ChildOffer
from edgevpn.ike.tasks import Close as Close
from edgevpn.ike.tasks import CreateChild as CreateChild
from edgevpn.ike.tasks import CreatingChild as CreatingChild
from edgevpn.ike.tasks import DeleteChild as DeleteChild
from edgevpn.ike.tasks import Deleting as Deleting
from edgevpn.ike.tasks import Doing as Doing
from edgevpn.ike.tasks import FollowingUp as FollowingUp
from edgevpn.ike.tasks import Probe as Probe
from edgevpn.ike.tasks import Probing as Probing
from edgevpn.ike.tasks import Promise as Promise
from edgevpn.ike.tasks import RekeyChild as RekeyChild
from edgevpn.ike.tasks import RekeyIke as RekeyIke
from edgevpn.ike.tasks import RekeyingChild as RekeyingChild
from edgevpn.ike.tasks import RekeyingIke as RekeyingIke
from edgevpn.ike.tasks import Rival as Rival
from edgevpn.ike.tasks import Task as Task
from edgevpn.ike.tasks import Update as Update
from edgevpn.ike.tasks import Updating as Updating
from edgevpn.ike.wire.payloads import Identification

DUE, SPI_IN = attrgetter("due"), attrgetter("spi_in")
"""Of children. Of those that only take late packets there may be many, after those that matter came."""


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
    """The two messages and nonces of IKE_SA_INIT, which AUTH covers (RFC 7296 §2.15), and what came before IKE_AUTH.

    `intermediate` counts the IKE_INTERMEDIATE exchanges; `int_auth_i` and `int_auth_r` stand for what the initiator and
    the responder have said in them, all that came before included (RFC 9242 §3.3.2).
    """

    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    ni: bytes = field(repr=False)
    nr: bytes = field(repr=False)
    intermediate: int = 0
    int_auth_i: bytes = field(default=b"", repr=False)
    int_auth_r: bytes = field(default=b"", repr=False)

    @property
    def int_auth(self) -> bytes:
        """IntAuth: both, and the message ID of the first IKE_AUTH request. Empty if there was no such exchange."""
        if not self.intermediate:
            return b""
        return self.int_auth_i + self.int_auth_r + (self.intermediate + 1).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Authenticating:
    """Our (first) IKE_AUTH request is unanswered. `ours` is how we have proved ourselves in it.

    `childless`: it asks for no child (RFC 6023). `ppk` is the key that we offer to put into the keys (RFC 8784).
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
    ppk: Ppk | None = None

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """We answered IKE_SA_INIT; nobody has shown who it is. Given up at `due`.

    `client` is what kind of client it seems to be, `hashes` what it can verify signatures with (RFC 7427 §4). `left`
    are the additional key exchanges that come before IKE_AUTH (RFC 9370). `uses_ppk`: both have said that they can
    (RFC 8784).
    """

    secured: Secured
    path: Path
    nat: Nat
    opening: Opening
    due: float
    client: Client = UNKNOWN
    hashes: tuple[HashAlgorithm, ...] | None = None
    left: tuple[Ke, ...] = ()
    uses_ppk: bool = False

    @property
    def spi(self) -> bytes:
        return self.secured.spi


@dataclass(frozen=True, slots=True)
class Established:
    """Both sides have shown who they are.

    `heard` is when the peer last proved to be there; `wake` when a request refused for now may be tried again.
    `began`: we sent the first IKE_SA_INIT, be it before some rekeyings. At `reauth_at` we are to show again who we are,
    until `auth_until` the peer is to. `followed`: that has been done, and another IKE SA will be there when this one
    goes. `promise` is what the peer has begun to make here.
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
    began: bool = True
    expire_at: float = NEVER
    session: Session = BY_KEYS
    mobility: Mobility | None = None
    reauth_at: float = NEVER
    auth_until: float = NEVER
    idle_at: float = NEVER
    followed: bool = False
    promise: Promise | None = None

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def identity(self) -> Who:
        """Whom the peer has proved to be."""
        return self.session.holder or self.session.user or self.remote_id

    @property
    def being_rekeyed(self) -> bool:
        """Whether we have asked for an IKE SA in its place, and do not know yet what the peer has made of it."""
        about = self.doing.about if isinstance(self.doing, FollowingUp) else self.doing
        return isinstance(about, RekeyingIke)

    @property
    def is_ending(self) -> bool:
        """Whether it is to be closed, and cannot be yet: we do not know what the peer has made of it."""
        return any(isinstance(task, Close) for task in self.todo)

    @property
    def due(self) -> float:
        children = min(map(DUE, self.children), default=NEVER)
        soonest = min(children, self.probe_at, self.rekey_at, self.wake, self.keepalive_at, self.expire_at)
        soonest = min(soonest, self.promise.until) if self.promise else soonest
        return min(soonest, self.reauth_at, self.auth_until, self.idle_at)

    def child(self, spi_in: bytes) -> ChildSa | None:
        """The child that receives on `spi_in`."""
        return next((child for child in reversed(self.children) if child.spi_in == spi_in), None)

    def child_out(self, spi_out: bytes) -> ChildSa | None:
        """The child that sends on `spi_out`, which is how the peer names it."""
        return next((child for child in reversed(self.children) if child.spi_out == spi_out), None)

    def with_child(self, *changed: ChildSa) -> Self:
        """With these children, each in the place of the one with the same inbound SPI, or added."""
        children = dict(zip(map(SPI_IN, self.children), self.children, strict=True))
        children.update(zip(map(SPI_IN, changed), changed, strict=True))
        return replace(self, children=tuple(children.values()))

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

    `busy`: a request of ours is unanswered. `ours`: it is for us to delete it, when it is due. `heir` is the SPI of the
    other where it is not sure that the peer has the children `doubtful`, by their inbound SPIs, there, too.
    """

    secured: Secured
    peer: Peer
    path: Path
    due: float
    busy: bool = False
    ours: bool = False
    heir: bytes = b""
    doubtful: tuple[bytes, ...] = ()

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
