"""What only the world knows or can do while two sides prove themselves: questions (effects) and answers (inputs).

Each question is asked on behalf of the IKE SA with this SPI of ours, and wants one answer with the same SPI. Nobody
waits in the meantime but that IKE SA, so an answer may take its time; it may also come too late, which does no harm. A
question that names several peers leaves open which of them it is about: the answer says so. `ppk` in it is the
post-quantum pre-shared key of whoever was found, where the peer has a `PpkRing`; None if it has none. `holder` is
whoever was found; None if that is one of several whom the world does not tell apart.
"""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.signature import SignatureScheme
from edgevpn.ike.errors import Cause
from edgevpn.ike.peer import IpAddress, NetworkSettings, Ppk, Unique, Wants
from edgevpn.ike.sa import Address
from edgevpn.ike.session import Given, Holder
from edgevpn.ike.wire.payloads import Identification

# --- our own signature ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign these octets with the private key of the credential `name`, as `crypto.signature.sign` does."""

    spi: bytes
    name: str
    scheme: SignatureScheme
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """The signature; None if there is no such key, or it does not work."""

    spi: bytes
    signature: bytes | None = field(repr=False)


# --- the peer's certificate ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VerifyCertificates:
    """Is the first of these (DER; the rest may help) good for this identity, with one of these peers?

    Empty if the peer sent none: the world may have its certificate. `server`: the peer was called by us, so it must be
    the certificate of a gateway, not that of a client.
    """

    spi: bytes
    peers: tuple[str, ...]
    identity: Identification
    certificates: tuple[bytes, ...] = field(repr=False)
    server: bool


@dataclass(frozen=True, slots=True)
class CertificatesVerified:
    """It is good: for this peer, with this public key (SubjectPublicKeyInfo, DER)."""

    spi: bytes
    peer: str
    public_key: bytes = field(repr=False)
    ppk: Ppk | None = None
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class CertificatesRefused:
    """It is not good; the reason is for the owner, and is handed on as it is."""

    spi: bytes
    reason: object


# --- secrets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FindPsk:
    """What is the pre-shared key of this identity, with one of these peers? `place`: where whoever has it would be."""

    spi: bytes
    peers: tuple[str, ...]
    identity: Identification
    place: Address


@dataclass(frozen=True, slots=True)
class PskFound:
    """The key; None if that identity has none (then `peer` says nothing)."""

    spi: bytes
    peer: str
    key: bytes | None = field(repr=False)
    ppk: Ppk | None = None
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class FindPassword:
    """What is the NT hash of this user's password, with one of these peers? The name is what a stranger typed.

    `place`: where that stranger is.
    """

    spi: bytes
    peers: tuple[str, ...]
    user: str
    place: Address


@dataclass(frozen=True, slots=True)
class PasswordFound:
    """The hash; None if there is no such user, or it may not come in (then `peer` says nothing)."""

    spi: bytes
    peer: str
    nt_hash: bytes | None = field(repr=False)
    ppk: Ppk | None = None
    holder: Holder | None = None


# --- TLS -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TalkTls:
    """What does a TLS server answer to this message, which wants a certificate of one of these peers? (RFC 5216)

    There is one conversation on an IKE SA, which begins with the first message.
    """

    spi: bytes
    peers: tuple[str, ...]
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TlsAnswered:
    """This, and then it goes on."""

    spi: bytes
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TlsSucceeded:
    """This, and that is all: `user` of that peer has a good certificate. `msk`: RFC 5216 §2.3, RFC 9190 §2.3."""

    spi: bytes
    octets: bytes = field(repr=False)
    peer: str
    user: str
    msk: bytes = field(repr=False)
    ppk: Ppk | None = None
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class TlsRefused:
    """Nothing comes of it. `reason` is why a certificate is refused, if that is the cause."""

    spi: bytes
    cause: Cause
    reason: object = None


# --- addresses -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """Addresses inside the tunnel for this client; `user` is who EAP logged in, empty without EAP.

    `place` is where the client is outside of it.
    """

    spi: bytes
    peer: str
    remote_id: Identification
    user: str
    wants: Wants
    place: Address


@dataclass(frozen=True, slots=True)
class Leased:
    """What the client gets: no address if there is none left.

    `settings` None for those of the peer's `pool`; `unique` None for what the peer's says of a second session.
    """

    spi: bytes
    addresses: tuple[IpAddress, ...]
    settings: NetworkSettings | None = None
    unique: Unique | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """These addresses, which an answer to `Lease` gave, are free again. Needs no answer.

    `spi` is that of the last IKE SA that had them: a rekeyed IKE SA hands them on to the one that follows it.
    """

    spi: bytes
    addresses: tuple[IpAddress, ...]


@dataclass(frozen=True, slots=True)
class Configured:
    """The peer has given us addresses, and told us of its network; before the first child is installed. No answer.

    They are ours as long as the IKE SA, or one that follows it, is up.
    """

    spi: bytes
    peer: str
    given: Given


Question = Sign | VerifyCertificates | FindPsk | FindPassword | TalkTls | Lease
Answer = (
    Signed
    | CertificatesVerified
    | CertificatesRefused
    | PskFound
    | PasswordFound
    | TlsAnswered
    | TlsSucceeded
    | TlsRefused
    | Leased
)
News = Release | Configured
