"""What comes of a step of EAP as the authenticator, whatever the method."""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.ike.eap_state import EapServer, LookUp, TlsTurn
from edgevpn.ike.errors import Cause
from edgevpn.ike.iana import EapCode, EapType
from edgevpn.ike.wire.payloads import Eap


@dataclass(frozen=True, slots=True)
class Ask:
    """The conversation goes on with this message."""

    state: EapServer
    message: Eap


@dataclass(frozen=True, slots=True)
class NeedPassword:
    """The NT hash of this user is needed first."""

    look_up: LookUp


@dataclass(frozen=True, slots=True)
class NeedTls:
    """The world has to say what TLS answers."""

    turn: TlsTurn


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The user has shown who it is, by this method; the message tells it so."""

    message: Eap
    user: str
    msk: bytes = field(repr=False)
    method: EapType


@dataclass(frozen=True, slots=True)
class Failed:
    """It ends here; `cause` and `evidence` are for the owner only, the message says nothing of it."""

    message: Eap
    cause: Cause
    user: str = ""
    evidence: object = None


def failed(eap: Eap, cause: Cause, user: str = "", evidence: object = None) -> Failed:
    """The end, in answer to this response."""
    return Failed(Eap(EapCode.FAILURE, eap.identifier), cause, user, evidence)


def following(identifier: int) -> int:
    """The identifier of the next request."""
    return (identifier + 1) % 256
