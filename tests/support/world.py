"""What the core asks for while two sides prove themselves, answered at once: keys, certificates, users, addresses.

A certificate here is any octets that the world has been told the key of: whether a real one is good is no matter of the
core's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.signature import KeyKind, PrivateKey, sign
from edgevpn.ike.errors import Cause
from edgevpn.ike.peer import Credential, IpAddress, NetworkSettings, Ppk
from edgevpn.ike.questions import (
    Answer,
    CertificatesRefused,
    CertificatesVerified,
    FindPassword,
    FindPsk,
    Lease,
    Leased,
    PasswordFound,
    PskFound,
    Question,
    Release,
    Sign,
    Signed,
    TalkTls,
    TlsAnswered,
    TlsRefused,
    TlsSucceeded,
    VerifyCertificates,
)
from edgevpn.ike.session import Holder
from tests.support.keys import private_key, public_key

MSK = bytes(range(64))
"""What a conversation of TLS comes to here."""


@dataclass
class World:
    """Knows just what a test tells it. `asked` and `released` are what the core came with.

    `trusted`: certificate -> public key. `psks`: identity's octets -> key. `users`: name -> password. `peer`: which of
    the peers that a question names the answer is about, the first if it is empty. `free`: addresses to be leased.
    `ppk` and `holder`: what is told of everybody who is found.
    """

    keys: Mapping[str, PrivateKey] = field(default_factory=dict)
    trusted: Mapping[bytes, bytes] = field(default_factory=dict)
    psks: Mapping[bytes, bytes] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    free: Sequence[IpAddress] = ()
    ppk: Ppk | None = None
    holder: Holder | None = None
    tls_greeting: bytes = b"who are you?"
    settings: NetworkSettings | None = None
    asked: list[Question] = field(default_factory=list, init=False)
    released: list[Release] = field(default_factory=list, init=False)

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        match question:
            case Sign(spi, name, scheme, octets):
                return Signed(spi, sign(self.keys[name], scheme, octets) if name in self.keys else None)
            case VerifyCertificates(spi, peers, certificates=certificates):
                key = self.trusted.get(certificates[0]) if certificates else None
                if key is None:
                    return CertificatesRefused(spi, "UNKNOWN")
                return CertificatesVerified(spi, self._of(peers), key, self.ppk, self.holder)
            case FindPsk(spi, peers, identity):
                return PskFound(spi, self._of(peers), self.psks.get(identity.data), self.ppk, self.holder)
            case FindPassword(spi, peers, user):
                password = self.users.get(user)
                nt_hash = nt_password_hash(password) if password else None
                return PasswordFound(spi, self._of(peers), nt_hash, self.ppk, self.holder)
            case TalkTls(spi, peers, octets):
                return self._tls(spi, self._of(peers), octets)
            case Lease(spi, wants=wants):
                return Leased(spi, self._lease(wants.ipv4, wants.ipv6), self.settings)

    def _tls(self, spi: bytes, peer: str, octets: bytes) -> Answer:
        """No TLS, but as many messages: a name is asked for, and whoever is known by it is let in."""
        user = octets.removeprefix(b"I am ").decode()
        if octets == b"hello":
            return TlsAnswered(spi, self.tls_greeting)
        if user not in self.users:
            return TlsRefused(spi, Cause.CERTIFICATE_REFUSED, "REVOKED_LEAF")
        return TlsSucceeded(spi, b"welcome", peer, user, MSK, self.ppk, self.holder)

    def take_back(self, release: Release) -> None:
        """Addresses are free again."""
        self.released.append(release)
        self.free = (*self.free, *release.addresses)

    def _lease(self, ipv4: bool, ipv6: bool) -> tuple[IpAddress, ...]:
        families = ([4] if ipv4 else []) + ([6] if ipv6 else [])
        firsts = [next((a for a in self.free if a.version == family), None) for family in families]
        found = tuple(address for address in firsts if address is not None)
        self.free = tuple(address for address in self.free if address not in found)
        return found

    def _of(self, peers: tuple[str, ...]) -> str:
        return self.peer or peers[0]


def credential(name: str, kind: KeyKind = KeyKind.RSA, authority: bytes = b"", *more: bytes) -> Credential:
    """A certificate by name; `more` leads to its authority."""
    return Credential(name, kind, (certificate(name), *more), authority)


def certificate(name: str) -> bytes:
    """The octets that stand for it."""
    return f"certificate of {name}".encode()


def holding(*credentials: Credential) -> dict[str, PrivateKey]:
    """Their private keys."""
    return {each.name: private_key(each.kind) for each in credentials}


def trusting(*credentials: Credential) -> dict[bytes, bytes]:
    """The public keys that they are good for."""
    return {each.chain[0]: public_key(each.kind) for each in credentials}
