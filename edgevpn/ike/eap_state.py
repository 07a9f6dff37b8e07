"""How far a conversation of EAP has come, on either side: RFC 3748, RFC 5216; the methods are in `exchange`."""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import Cause
from edgevpn.ike.wire.mschapv2 import ChallengeResponse

# --- authenticator ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskedIdentity:
    """EAP-Request/Identity is unanswered."""

    identifier: int


@dataclass(frozen=True, slots=True)
class Challenged:
    """An MSCHAPv2 challenge is unanswered.

    `failed` says how the tries before went wrong, if there were any, and `tried` whom the last of them named.
    """

    identifier: int
    identity: str
    challenge: bytes = field(repr=False)
    failed: tuple[Cause, ...] = ()
    tried: str = ""

    @property
    def user(self) -> str:
        """Who logs in, as far as that has come out: the EAP identity may be empty."""
        return self.tried or self.identity


@dataclass(frozen=True, slots=True)
class Confirming:
    """The password is right, and we have shown that we know it; the peer has not said that it believes us."""

    identifier: int
    user: str
    msk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusing:
    """The peer has been told that it does not come in; it has not said that it has seen it."""

    identifier: int
    user: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class TlsTalking:
    """A request of EAP-TLS is unanswered: that to begin, a fragment of ours, or leave to send the next of theirs.

    `sending` is what of our message still has to go, `received` what of the peer's has come, and `total` how long that
    is to be, as far as it has said. `begun`: the peer has shown that it wants to do it.
    """

    identifier: int
    identity: str
    sending: bytes = field(default=b"", repr=False)
    received: bytes = field(default=b"", repr=False)
    total: int = 0
    begun: bool = False


@dataclass(frozen=True, slots=True)
class TlsConfirming:
    """TLS is done, and the last of it is on its way to the peer."""

    identifier: int
    user: str
    msk: bytes = field(repr=False)
    sending: bytes = field(default=b"", repr=False)


EapServer = AskedIdentity | Challenged | Confirming | Refusing | TlsTalking | TlsConfirming
"""What an authenticator waits for."""


@dataclass(frozen=True, slots=True)
class TlsTurn:
    """A whole message of TLS has come, and the world has not said what to answer."""

    talking: TlsTalking
    octets: bytes = field(repr=False)

    @property
    def user(self) -> str:
        """Who logs in, as far as that is known."""
        return self.talking.identity


@dataclass(frozen=True, slots=True)
class LookUp:
    """A response that cannot be judged before the user's NT hash is there."""

    challenged: Challenged
    response: ChallengeResponse
    user: str


# --- peer ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EapFresh:
    """We have shown no proof yet."""


@dataclass(frozen=True, slots=True)
class EapResponded:
    """We have answered a challenge."""

    peer_challenge: bytes
    challenge: bytes
    nt_response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EapTrusting:
    """The authenticator has shown that it knows the password."""

    msk: bytes = field(repr=False)


EapClient = EapFresh | EapResponded | EapTrusting
"""How far we are, logging in somewhere."""
