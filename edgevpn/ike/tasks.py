"""What is to be done on an IKE SA, and the one thing that is being done: a window of one, RFC 7296 §2.3."""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.dh import KeyPair
from edgevpn.ike.errors import Cause
from edgevpn.ike.iana import Ke
from edgevpn.ike.peer import NEVER, ChildPolicy
from edgevpn.ike.sa import ChildSa, Path, Secured
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.selector import TrafficSelector

# What waits for its turn.


# Of the first three, `ke` is how to do it after the peer refused our guess: with this method, or NONE for without any.
# `refused_since` is when the peer first had no time for it, if it has had none whenever it was asked.


@dataclass(frozen=True, slots=True)
class CreateChild:
    """A child of this policy is wanted; `packet` is the local and remote selector of the packet that wants it."""

    name: str
    ke: Ke | None = None
    packet: tuple[TrafficSelector, TrafficSelector] | None = None
    refused_since: float = field(default=NEVER, compare=False)


@dataclass(frozen=True, slots=True)
class RekeyChild:
    """The child with this inbound SPI is to be followed by a new one."""

    spi_in: bytes
    ke: Ke | None = None
    refused_since: float = field(default=NEVER, compare=False)


@dataclass(frozen=True, slots=True)
class RekeyIke:
    """This IKE SA is to be followed by a new one."""

    ke: Ke | None = None
    refused_since: float = field(default=NEVER, compare=False)


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
    """The IKE SA is to go. `cause` is None where somebody here wants it."""

    reason: str
    cause: Cause | None = None

    @property
    def asked(self) -> bool:
        """Whether somebody here wants it."""
        return self.cause is None


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


Asking = CreatingChild | RekeyingChild | RekeyingIke
"""What CREATE_CHILD_SA is asked for."""


@dataclass(frozen=True, slots=True)
class FollowingUp:
    """IKE_FOLLOWUP_KE with a key exchange of method `ke` is unanswered; `left` come after it (RFC 9370 §2.2.4).

    `about` is what CREATE_CHILD_SA was asked for, `answer` what came; `secrets` are those of the exchanges between.
    """

    about: Asking
    answer: tuple[Payload, ...] = field(repr=False)
    ke: Ke
    key_pair: KeyPair = field(repr=False)
    left: tuple[Ke, ...]
    secrets: bytes = field(default=b"", repr=False)


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


Doing = Asking | FollowingUp | Deleting | Probing | Updating | CheckingPath | Announcing


# What we have promised to make for the peer.


@dataclass(frozen=True, slots=True)
class Promise:
    """We have answered CREATE_CHILD_SA, and made nothing yet: the key exchanges of `left` are to come before `until`.

    `what` has keys that lack their secrets. `link` is how the peer names it, `secrets` are those of the exchanges since
    CREATE_CHILD_SA, whose own are the nonces and the `shared_secret`.
    """

    what: ChildSa | Secured
    ni: bytes = field(repr=False)
    nr: bytes = field(repr=False)
    shared_secret: bytes = field(repr=False)
    link: bytes
    left: tuple[Ke, ...]
    until: float
    secrets: bytes = field(default=b"", repr=False)
