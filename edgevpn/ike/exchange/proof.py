"""The AUTH payload and the certificates beside it: what is signed, with which key, and whether it is right.

RFC 7296 §2.15, §3.6 to §3.8; RFC 7427 for the choice of hash and key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.keymat import psk_auth, signed_octets
from edgevpn.ike.crypto.signature import (
    EDWARDS_KINDS,
    HASHES,
    RSA_SHA1,
    Algorithm,
    KeyKind,
    SignatureScheme,
    auth_data,
    read_auth_data,
    schemes,
    verify,
)
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.iana import AuthMethod, CertEncoding, HashAlgorithm, NotifyType
from edgevpn.ike.inbound import Payloads
from edgevpn.ike.peer import Certified, Credential, Peer, Signing
from edgevpn.ike.state import Opening, Secured
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.payloads import Authentication, Certificate, CertificateRequest, Identification

# Our own bounds, for what anybody may send.
MAX_CERTIFICATES = 8
MAX_CERTIFICATE = 8192  # octets; one with many names has some 4,000


# --- what AUTH covers ----------------------------------------------------------------------------------------------


def our_octets(secured: Secured, opening: Opening, identity: Identification) -> bytes:
    """What our AUTH covers."""
    message, nonce = (opening.request, opening.nr) if secured.initiator else (opening.response, opening.ni)
    return signed_octets(message, nonce, secured.suite.prf, secured.sk_p_local, identity.encode(), opening.int_auth)


def their_octets(secured: Secured, opening: Opening, identity: Identification) -> bytes:
    """What the peer's AUTH covers."""
    message, nonce = (opening.response, opening.ni) if secured.initiator else (opening.request, opening.nr)
    return signed_octets(message, nonce, secured.suite.prf, secured.sk_p_remote, identity.encode(), opening.int_auth)


# --- by key --------------------------------------------------------------------------------------------------------


def key_auth(secured: Secured, key: bytes, octets: bytes) -> Authentication:
    """AUTH by a shared key, or by the MSK of EAP."""
    return Authentication(AuthMethod.SHARED_KEY, psk_auth(secured.suite.prf, key, octets))


def is_key_auth(secured: Secured, key: bytes, octets: bytes, shown: Authentication) -> bool:
    """Whether the peer has that key."""
    expected = psk_auth(secured.suite.prf, key, octets)
    return shown.method == AuthMethod.SHARED_KEY and hmac.compare_digest(expected, shown.data)


# --- by signature: ours --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Audience:
    """What the peer has shown of the signatures that it can verify.

    `hashes` is None for one that does not speak RFC 7427; `authorities` are those that it trusts, if it names any;
    `used` is how it signed itself, if it did.
    """

    hashes: tuple[HashAlgorithm, ...] | None
    verifies: frozenset[KeyKind]
    authorities: frozenset[bytes] = frozenset()
    used: tuple[KeyKind, SignatureScheme] | None = None

    def understands(self, credential: Credential) -> bool:
        """Whether the peer has said, or is known, to verify that kind of key."""
        kind = credential.kind
        return (
            kind in self.verifies
            or (self.used is not None and kind is self.used[0])
            or (kind in EDWARDS_KINDS and self.hashes is not None and HashAlgorithm.IDENTITY in self.hashes)
            or (credential.authority in self.authorities and credential.authority_kind is kind)
        )


def choose(signing: Signing, audience: Audience) -> tuple[Credential, SignatureScheme]:
    """The certificate that we show and how we sign; AuthenticationFailed if the peer could verify nothing of ours.

    Of those whose authority the peer trusts, the first that it understands; else one with RSA, which is most likely to
    be understood; else the first.
    """
    usable = [
        (credential, ways[0])
        for credential in signing.credentials
        if (ways := _ways(credential.kind, audience, signing))
    ]
    trusted = [pair for pair in usable if pair[0].authority in audience.authorities] or usable
    for fits in (audience.understands, lambda credential: credential.kind is KeyKind.RSA, lambda credential: True):
        if (found := next((pair for pair in trusted if fits(pair[0])), None)) is not None:
            return found
    raise AuthenticationFailed("no key of ours makes a signature that the peer can verify", Cause.CANNOT_SIGN)


def _ways(kind: KeyKind, audience: Audience, signing: Signing) -> list[SignatureScheme]:
    """Schemes for a key, that algorithm first which we are told, or which the peer uses itself."""
    ways = schemes(kind, audience.hashes, signing.sha1)
    used = audience.used[1].algorithm if audience.used else Algorithm.PKCS1
    first = Algorithm.PSS if signing.pss else used
    return sorted(ways, key=lambda scheme: scheme.algorithm is not first)


def signed(credential: Credential, scheme: SignatureScheme, signature: bytes) -> tuple[Payload, ...]:
    """CERT and AUTH; certificates go out unasked, for there are clients that never ask."""
    certificates = (Certificate(CertEncoding.X509_SIGNATURE, octets) for octets in credential.chain)
    return (*certificates, Authentication(scheme.method, auth_data(scheme, signature)))


# --- by signature: the peer's --------------------------------------------------------------------------------------


def certificates_of(message: Payloads) -> tuple[bytes, ...]:
    """The peer's certificate and those that it sent along; AuthenticationFailed for more than we look at."""
    found = tuple(p.data for p in message.all(Certificate) if p.encoding == CertEncoding.X509_SIGNATURE)
    if len(found) > MAX_CERTIFICATES or any(len(octets) > MAX_CERTIFICATE for octets in found):
        raise AuthenticationFailed(f"{len(found)} certificates, or a huge one", Cause.TOO_MANY_CERTIFICATES)
    return found


def check_signature(
    shown: Authentication, public_key: bytes, octets: bytes, allowed: Certified
) -> tuple[KeyKind, SignatureScheme]:
    """The kind of the peer's key, and how it signed; AuthenticationFailed if it did not."""
    scheme, signature = read_auth_data(shown.method, shown.data)
    if scheme == RSA_SHA1 and not allowed.sha1:
        raise AuthenticationFailed("a signature with SHA-1 is not allowed", Cause.SIGNATURE_UNKNOWN)
    return verify(public_key, scheme, signature, octets), scheme


# --- what is said about signatures ---------------------------------------------------------------------------------


def hashes_of(message: Payloads) -> tuple[HashAlgorithm, ...] | None:
    """SIGNATURE_HASH_ALGORITHMS of the peer: those that we know too; None if it did not send any."""
    notify = message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS)
    if notify is None:
        return None
    numbers = (int.from_bytes(notify.data[at : at + 2], "big") for at in range(0, len(notify.data), 2))
    known = (*HASHES, HashAlgorithm.IDENTITY)
    return tuple(HashAlgorithm(number) for number in numbers if number in known)


def authorities_of(message: Payloads) -> frozenset[bytes]:
    """The authorities that the peer trusts, as far as it says."""
    requests = message.all(CertificateRequest)
    return frozenset(a for r in requests if r.encoding == CertEncoding.X509_SIGNATURE for a in r.authorities)


def certificate_request(peers: Iterable[Peer]) -> tuple[CertificateRequest, ...]:
    """CERTREQ for the authorities that any of these peers is to be certified by."""
    certified = (peer.remote_auth for peer in peers if isinstance(peer.remote_auth, Certified))
    authorities = tuple(dict.fromkeys(each for auth in certified for each in auth.authorities))
    return (CertificateRequest(CertEncoding.X509_SIGNATURE, authorities),) if authorities else ()
