"""States of an IKE SA whose sides have agreed on keys and are showing each other who they are, RFC 7296 §2.15, §2.16.

What takes long, or needs what only the world has, is asked for; until it is there the IKE SA waits, each time in a
record of its own. Which of these it passes depends on how the two sides prove themselves.

    responder                                         initiator

    HalfOpen  <-+  IKE_INTERMEDIATE asked             Initiating
       |    \\___/                                        | IKE_SA_INIT answered
       |                                              AddingKeys        (or no more key exchanges)
       | IKE_AUTH asked                                  | IKE_INTERMEDIATE answered
    FindingKey, CheckingCertificates                  PreparingAuth     we sign
       | (or nothing to wait for)                        | IKE_AUTH sent
    SigningAnswer                                     Authenticating
       |    \\  EAP                                       |    \\  answered
       |   EapAsking <-> EapLookingUp                    |   CheckingResponder
       |      |                                          |      |  EAP
       |   EapProving                                    |   EapAnswering, EapProven
    LeasingAddress                                       |      |
       | answered                                        | answered
    Established                                       Established

A state of the responder holds the request that is to be answered, and is given up at `due` if nothing comes of it.
"""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass, replace
from edgevpn.ike.clients import Client
from edgevpn.ike.crypto.dh import KeyPair
from edgevpn.ike.crypto.signature import SignatureScheme
from edgevpn.ike.eap_state import AskedIdentity as AskedIdentity
from edgevpn.ike.eap_state import Challenged as Challenged
from edgevpn.ike.eap_state import Confirming as Confirming
from edgevpn.ike.eap_state import EapClient as EapClient
from edgevpn.ike.eap_state import EapFresh as EapFresh
from edgevpn.ike.eap_state import EapResponded as EapResponded
from edgevpn.ike.eap_state import EapServer as EapServer
from edgevpn.ike.eap_state import EapTrusting as EapTrusting
from edgevpn.ike.eap_state import LookUp as LookUp
from edgevpn.ike.eap_state import Refusing as Refusing
from edgevpn.ike.eap_state import TlsConfirming as TlsConfirming
from edgevpn.ike.eap_state import TlsTalking as TlsTalking
from edgevpn.ike.eap_state import TlsTurn as TlsTurn
from edgevpn.ike.iana import EapType, Ke
from edgevpn.ike.inbound import Request, Response
from edgevpn.ike.peer import NEVER, Credential, Login, Peer, Ppk, PpkRing
from edgevpn.ike.session import ByEap, Holder, Proof
from edgevpn.ike.state import Authenticating, HalfOpen, Initiating, Nat, Opening, Path, Secured
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.payloads import Identification, IdI, IdR

# --- responder ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """What the first IKE_AUTH request asks and claims. `peers`: who it may be, the likeliest first.

    `holder` is whom the world has found, if it was asked and tells.
    """

    half_open: HalfOpen
    asked: Request
    peers: tuple[Peer, ...]
    client: Client
    due: float
    holder: Holder | None = None

    @property
    def remote_id(self) -> Identification:
        """Who the peer says it is."""
        return self.asked.need(IdI).identification

    @property
    def local_id(self) -> Identification:
        """Who we are, as the peer has asked for us."""
        wanted, local = self.asked.first(IdR), self.asked.path.local.host
        return self.peers[0].called(wanted.identification if wanted else None, local) or self.peers[0].identity_at(
            local
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the peers that it may be."""
        return tuple(peer.name for peer in self.peers)

    def logging_in_by(self, method: EapType) -> Claim:
        """The same, now that it is known by which method of EAP the peer logs in."""
        able = (
            peer for peer in self.peers if isinstance(peer.remote_auth, Login) and method in peer.remote_auth.methods
        )
        return replace(self, peers=tuple(able))

    def called(self, name: str, ppk: Ppk | None = None, holder: Holder | None = None) -> Claim | None:
        """The same, now that it is known to be this peer; None if it cannot be. `ppk` is what a ring has for it."""
        peer = next((peer for peer in self.peers if peer.name == name), None)
        if peer is None:
            return None
        peers = (replace(peer, ppk=ppk) if isinstance(peer.ppk, PpkRing) else peer,)
        return replace(self, peers=peers, holder=holder)


@dataclass(frozen=True, slots=True)
class _Answering:
    """Of every state in which the responder proves and checks."""

    claim: Claim

    @property
    def spi(self) -> bytes:
        return self.claim.half_open.spi

    @property
    def due(self) -> float:
        return self.claim.due

    @property
    def request(self) -> Request:
        """What is to be answered."""
        return self.claim.asked


@dataclass(frozen=True, slots=True)
class FindingKey(_Answering):
    """`FindPsk` is unanswered."""


@dataclass(frozen=True, slots=True)
class CheckingCertificates(_Answering):
    """`VerifyCertificates` is unanswered."""


@dataclass(frozen=True, slots=True)
class SigningAnswer(_Answering):
    """`Sign` is unanswered. `theirs` is how the peer has proved itself; None where it is still to log in by EAP."""

    credential: Credential
    scheme: SignatureScheme
    theirs: Proof | None


@dataclass(frozen=True, slots=True)
class EapAsking(_Answering):
    """Our EAP request is unanswered. `ours` is how we have proved ourselves, None if EAP alone shall."""

    eap: EapServer
    ours: Proof | None
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class EapLookingUp(_Answering):
    """`FindPassword` or `TalkTls` is unanswered."""

    look_up: LookUp | TlsTurn
    under_answer: Request
    ours: Proof | None
    rounds: int

    @property
    def request(self) -> Request:
        return self.under_answer


@dataclass(frozen=True, slots=True)
class EapProving(_Answering):
    """EAP has succeeded, `by` this method; the peer has not bound it to this IKE SA by AUTH yet."""

    user: str
    msk: bytes = field(repr=False)
    ours: Proof | None
    by: ByEap


@dataclass(frozen=True, slots=True)
class Proven:
    """Both sides have shown who they are: how, and what of our answer is ready."""

    ours: Proof
    theirs: Proof
    user: str = ""
    identity: tuple[Payload, ...] = ()


@dataclass(frozen=True, slots=True)
class LeasingAddress(_Answering):
    """`Lease` is unanswered."""

    proven: Proven
    under_answer: Request

    @property
    def request(self) -> Request:
        return self.under_answer


Answering = FindingKey | CheckingCertificates | SigningAnswer | EapAsking | EapLookingUp | EapProving | LeasingAddress
Waiting = FindingKey | CheckingCertificates | SigningAnswer | EapLookingUp | LeasingAddress
"""States of the responder in which the world is asked, and the peer's request is under answer."""


# --- initiator ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddingKeys:
    """Our IKE_INTERMEDIATE request with a key exchange of method `ke` is unanswered; `left` come after it (RFC 9370).

    `asked` and `answer` are of IKE_SA_INIT.
    """

    asked: Initiating
    answer: Response
    secured: Secured
    nat: Nat
    path: Path
    opening: Opening
    left: tuple[Ke, ...]
    ke: Ke = Ke.NONE
    key_pair: KeyPair | None = field(default=None, repr=False)

    @property
    def spi(self) -> bytes:
        return self.secured.spi

    @property
    def peer(self) -> Peer:
        return self.asked.peer

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class _Calling:
    """Of every state but the one in which our first IKE_AUTH request is unanswered; `first` is that."""

    first: Authenticating

    @property
    def spi(self) -> bytes:
        return self.first.spi

    @property
    def peer(self) -> Peer:
        return self.first.peer

    @property
    def path(self) -> Path:
        return self.first.path

    @property
    def due(self) -> float:
        return NEVER


@dataclass(frozen=True, slots=True)
class PreparingAuth(_Calling):
    """`Sign` is unanswered; then our first IKE_AUTH request goes out. `ready` is what of our proof is there already."""

    credential: Credential
    scheme: SignatureScheme
    initial_contact: bool
    until: float
    ready: tuple[Payload, ...] = ()

    @property
    def due(self) -> float:
        return self.until


@dataclass(frozen=True, slots=True)
class CheckingResponder(_Calling):
    """`VerifyCertificates` is unanswered; `response` says what comes after."""

    response: Response
    until: float

    @property
    def due(self) -> float:
        return self.until


@dataclass(frozen=True, slots=True)
class EapAnswering(_Calling):
    """Our EAP response is unanswered. `theirs` is how the responder has proved itself, None if EAP alone shall."""

    remote_id: Identification
    theirs: Proof | None
    eap: EapClient
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class EapProven(_Calling):
    """EAP has succeeded, and our AUTH that binds it to this IKE SA is unanswered."""

    remote_id: Identification
    theirs: Proof | None
    msk: bytes = field(repr=False)


Calling = AddingKeys | PreparingAuth | CheckingResponder | EapAnswering | EapProven
"""States of the initiator beside Initiating and Authenticating."""
