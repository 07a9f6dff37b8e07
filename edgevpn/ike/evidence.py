"""What a refusal rests on, for the owner: both sides' wishes as they were compared. Nothing here is told to a peer.

An `IkeError`, a `Report`, an `IkeSaDown` or a `ChildFailed` carries one of these beside its `Cause`; a `Report` also
what was `Asked` in all, so that it can be judged again by other peers.
"""

from __future__ import annotations

from edgevpn.frozen import dataclass
from edgevpn.ike.iana import AuthMethod, ExchangeType, Ke, NotifyType, ProtocolId, TransformType
from edgevpn.ike.identity import Meant
from edgevpn.ike.peer import IpAddress, Offer, Wants
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Proposal
from edgevpn.ike.wire.selector import TrafficSelector


@dataclass(frozen=True, slots=True)
class Offers:
    """Proposals that have nothing in common; `differs` are the types in which the two nearest of them do not meet."""

    protocol: ProtocolId
    ours: tuple[Offer, ...]
    theirs: tuple[Proposal, ...]
    differs: tuple[TransformType, ...]


@dataclass(frozen=True, slots=True)
class OtherMethod:
    """A key exchange method that one side wants and the other has not."""

    wanted: Ke
    ours: tuple[Ke, ...]


@dataclass(frozen=True, slots=True)
class Selectors:
    """Packets that the peer asks for, and for each child of ours what it may carry: its name, our end, the peer's."""

    ts_local: tuple[TrafficSelector, ...]
    ts_remote: tuple[TrafficSelector, ...]
    ours: tuple[tuple[str, tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]], ...]


@dataclass(frozen=True, slots=True)
class Names:
    """Who somebody says to be, and for each peer that it might be, by our name for it, who that should be."""

    shown: Identification
    expected: tuple[tuple[str, Meant], ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """How a peer shows who it is (None: it wants to log in by EAP), and which peers, by our names, it might be."""

    shown: AuthMethod | None
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the world has said of a certificate, as it came."""

    reason: object


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the peer has answered to a request of ours, of which it says nothing more."""

    notify: NotifyType
    exchange: ExchangeType


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing has come in answer to this."""

    exchange: ExchangeType


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """IKE_SA_INIT was all that came of a peer; of IKE_AUTH perhaps some fragments, of so many in all."""

    fragments: int
    total: int
    nat: bool


@dataclass(frozen=True, slots=True)
class KernelSays:
    """Why the kernel did not take a child."""

    reason: str


@dataclass(frozen=True, slots=True)
class PpkNamed:
    """Which post-quantum pre-shared key a peer names, as PPK_IDENTITY has it, and if it does `without`, too (RFC 8784).

    None: it uses such keys, and has not come to name one.
    """

    identity: bytes | None = None
    without: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What whoever began has asked for and claimed, without keys and proofs. What it has not said is empty.

    With an `idi`, `method` None is the wish to log in by EAP, and `user` under which name. `ppk` None: it uses none.
    `peer`: who is in already, and asks for a child more, or for the `child` of that name anew. Proposals are without
    their SPIs.
    """

    local: IpAddress
    remote: IpAddress
    ike: tuple[Proposal, ...] = ()
    idi: Identification | None = None
    idr: Identification | None = None
    method: AuthMethod | None = None
    user: str = ""
    ppk: PpkNamed | None = None
    wants: Wants | None = None
    peer: str = ""
    child: str = ""
    esp: tuple[Proposal, ...] = ()
    tsi: tuple[TrafficSelector, ...] = ()
    tsr: tuple[TrafficSelector, ...] = ()
