"""What handlers and those who call them say to each other: events of one IKE SA, directives, and the step between.

An event is an input of the world's, a message of the peer's, or a word from another IKE SA of ours. A step is the next
state, and what is to be done: effects for the world, and directives that the carrier turns into effects.
"""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.ike.contract import (
    Ask,
    ChildExpired,
    Effect,
    InstallFailed,
    LocalAddresses,
    MappingChanged,
    MovePath,
    Request,
    Response,
    Terminate,
    Traffic,
)
from edgevpn.ike.iana import ExchangeType
from edgevpn.ike.proving import Answering, Calling
from edgevpn.ike.questions import Answer
from edgevpn.ike.session import Who
from edgevpn.ike.state import Contending, Established, Path, Rekeyed, Secured
from edgevpn.ike.state import IkeSa as Settled
from edgevpn.ike.wire.message import Payload

# --- what one IKE SA is told, once window and endpoint have read the datagram --------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    """A time that the state named has come. `fragments`: how many of a request have come, of how many in all."""

    fragments: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Our request was sent as often as the settings allow, and nothing came."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Our request has been sent several times, and nothing came: perhaps another path works."""


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Begin with what is to be done, if there is anything."""


@dataclass(frozen=True, slots=True)
class Inherit:
    """Of two IKE SAs that were made in the place of `old`, this one stands; all that `old` had is its now."""

    old: Established


@dataclass(frozen=True, slots=True)
class Redundant:
    """Of two IKE SAs that were made in the place of one, the other stands; the peer will close this one."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another IKE SA with the same peer stands in the place of this one. `silently`: the peer has forgotten it."""

    silently: bool


@dataclass(frozen=True, slots=True)
class Followed:
    """Both sides have shown again who they are; this IKE SA stays only until the new one has all children."""


@dataclass(frozen=True, slots=True)
class NotFollowed:
    """The new IKE SA, in which both were to show again who they are, did not come up."""


@dataclass(frozen=True, slots=True)
class RivalGone:
    """The IKE SA that the peer made of this one, while we are rekeying it, is closed again."""


Event = (
    Request
    | Response
    | Due
    | Unanswered
    | Doubtful
    | TakeUp
    | Inherit
    | Redundant
    | RivalGone
    | Superseded
    | Followed
    | NotFollowed
    | Ask
    | Terminate
    | MovePath
    | LocalAddresses
    | MappingChanged
    | ChildExpired
    | InstallFailed
    | Traffic
    | Answer
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
    """A new IKE SA has come out of this one, by rekeying. Done after the effects of the same step."""

    sa: Established | Contending | Rekeyed
    secured: Secured


@dataclass(frozen=True, slots=True)
class Suspect:
    """The IKE SA that stands with the same peer and identity must show that its peer lives."""

    peer: str
    identity: Who


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Make another IKE SA with the same peer, which shall follow this one."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Pass an event to another IKE SA of ours, if it is still there."""

    spi: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class Supersede:
    """Other IKE SAs with the same peer and identity are to go: silently if the peer forgot them (INITIAL_CONTACT)."""

    peer: str
    identity: Who
    silently: bool


IkeSa = Settled | Answering | Calling
Directive = Respond | Call | CallOpen | Secure | Spawn | Tell | Supersede | Suspect | Reauthenticate


@dataclass(frozen=True, slots=True)
class Step:
    """What an event made of an IKE SA: the next state, and what is to be done."""

    sa: IkeSa
    effects: tuple[Effect | Directive, ...] = ()
