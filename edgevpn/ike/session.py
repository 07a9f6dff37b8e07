"""What is known of a peer beyond its identity: how that was proved, what kind of client it is, what it was given."""

from __future__ import annotations

from edgevpn.frozen import dataclass
from edgevpn.ike.clients import UNKNOWN, Client
from edgevpn.ike.crypto.signature import SignatureScheme
from edgevpn.ike.iana import EapType
from edgevpn.ike.peer import IpAddress, NetworkSettings
from edgevpn.ike.wire.payloads import Identification


@dataclass(frozen=True, slots=True)
class ByKey:
    """By a pre-shared key."""

    def __str__(self) -> str:
        return "pre-shared key"


BY_KEY = ByKey()


@dataclass(frozen=True, slots=True)
class BySignature:
    """By a signature with the key of a certificate."""

    scheme: SignatureScheme

    def __str__(self) -> str:
        return str(self.scheme)


@dataclass(frozen=True, slots=True)
class ByEap:
    """By an EAP method, which both sides take part in."""

    eap_type: EapType

    def __str__(self) -> str:
        return f"EAP-{self.eap_type.name}"


Proof = ByKey | BySignature | ByEap
"""How one side has shown who it is; in words with `str`."""


NOTHING_TO_TELL = NetworkSettings()


@dataclass(frozen=True, slots=True)
class Given:
    """Addresses inside the tunnel, and what else a client is told of the network; by us to the peer, or by it to us."""

    addresses: tuple[IpAddress, ...] = ()
    settings: NetworkSettings = NOTHING_TO_TELL

    def __bool__(self) -> bool:
        return bool(self.addresses)


NOTHING = Given()


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom the world knows a peer as, however that writes its own name: in capitals, or as another type of identity."""

    name: str


Who = Identification | str | Holder
"""Whom a peer has proved to be: as the world knows it, else who EAP logged in, else the identity of IKE."""


@dataclass(frozen=True, slots=True)
class Session:
    """What lasts from one IKE SA to the next when it is rekeyed. `user` is who EAP logged in, empty without EAP.

    `holder` is None where the world does not tell several apart, or was not asked.
    `ours` and `theirs`: how we and the peer proved ourselves. `lent`: what we gave the peer; `got`: what it gave us.
    """

    ours: Proof = BY_KEY
    theirs: Proof = BY_KEY
    user: str = ""
    holder: Holder | None = None
    client: Client = UNKNOWN
    lent: Given = NOTHING
    got: Given = NOTHING


BY_KEYS = Session()
