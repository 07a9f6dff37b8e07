from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Request
from edgevpn.ike.crypto.signature import OFFERED_HASHES, OLD_ECDSA, RSA_SHA1, Algorithm, KeyKind, SignatureScheme
from edgevpn.ike.errors import AuthenticationFailed, Cause
from edgevpn.ike.exchange.proof import (
    MAX_CERTIFICATE,
    MAX_CERTIFICATES,
    Audience,
    authorities_of,
    certificate_request,
    certificates_of,
    choose,
    hashes_of,
    is_key_auth,
    key_auth,
    our_octets,
    signed,
    their_octets,
)
from edgevpn.ike.iana import AuthMethod, CertEncoding, ExchangeType, HashAlgorithm, NotifyType
from edgevpn.ike.peer import Certified, Credential, Signing
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Authentication, Certificate, CertificateRequest
from tests.support.handshake import RIGHT_PATH, open_sa
from tests.support.peers import LEFT_ID, RIGHT_ID, TO_LEFT, TO_RIGHT
from tests.support.world import credential

A, B = b"A" * 20, b"B" * 20
RSA, P256 = credential("rsa", KeyKind.RSA, A), credential("p256", KeyKind.P256, A)
P521, ED25519 = credential("p521", KeyKind.P521, A), credential("ed25519", KeyKind.ED25519, A)
PUBLIC = credential("public", KeyKind.RSA, B)

SHA2_256, IDENTITY = HashAlgorithm.SHA2_256, HashAlgorithm.IDENTITY
MODERN = Audience(OFFERED_HASHES, frozenset({KeyKind.RSA}))


def message(*payloads: Payload) -> Request:
    return Request(ExchangeType.IKE_AUTH, 1, payloads, RIGHT_PATH)


# --- what AUTH covers ----------------------------------------------------------------------------------------------


def test_each_side_checks_what_the_other_signs() -> None:
    """The octets of one side are the same, whoever computes them, and differ from those of the other (§2.15)."""
    opened = open_sa(TO_RIGHT, (TO_LEFT,))
    left, right, opening = opened.authenticating.secured, opened.half_open.secured, opened.half_open.opening
    assert our_octets(left, opening, LEFT_ID) == their_octets(right, opening, LEFT_ID)
    assert their_octets(left, opening, RIGHT_ID) == our_octets(right, opening, RIGHT_ID)
    assert our_octets(left, opening, LEFT_ID) != our_octets(right, opening, LEFT_ID)
    assert our_octets(left, opening, LEFT_ID) != our_octets(left, opening, RIGHT_ID)


def test_key() -> None:
    secured = open_sa(TO_RIGHT, (TO_LEFT,)).half_open.secured
    shown = key_auth(secured, b"key", b"octets")
    assert is_key_auth(secured, b"key", b"octets", shown)
    assert not is_key_auth(secured, b"other", b"octets", shown)
    assert not is_key_auth(secured, b"key", b"others", shown)
    assert not is_key_auth(secured, b"key", b"octets", replace(shown, method=AuthMethod.RSA_SIGNATURE))


# --- which certificate ---------------------------------------------------------------------------------------------

CHOICES: dict[str, tuple[tuple[Credential, ...], Audience, Credential]] = {
    "RSA is always understood": ((P256, ED25519, RSA), replace(MODERN, hashes=(SHA2_256,)), RSA),
    "the first in the owner's order": ((RSA, ED25519), MODERN, RSA),
    "Ed25519 for who announces its hash": ((ED25519, RSA), MODERN, ED25519),
    "the kind that the peer signs with": (
        (P521, RSA),
        replace(MODERN, used=(KeyKind.P521, OLD_ECDSA[KeyKind.P521])),
        P521,
    ),
    "a kind that this client is known to verify": (
        (P521, P256, RSA),
        replace(MODERN, verifies=frozenset({KeyKind.RSA, KeyKind.P256})),
        P256,
    ),
    "a kind that its authority signs with": (
        (replace(P256, authority_kind=KeyKind.P256), RSA),
        replace(MODERN, authorities=frozenset({A})),
        replace(P256, authority_kind=KeyKind.P256),
    ),
    "another kind than its authority has tells nothing": (
        (P256, RSA),
        replace(MODERN, authorities=frozenset({A})),
        RSA,
    ),
    "the authority that the peer trusts": ((RSA, PUBLIC), replace(MODERN, authorities=frozenset({B})), PUBLIC),
    "none of the authorities that it trusts": (
        (RSA, PUBLIC),
        replace(MODERN, authorities=frozenset({b"C" * 20})),
        RSA,
    ),
    "nothing that is known to be understood": ((P521, P256), replace(MODERN, hashes=(SHA2_256,)), P521),
    "the old method of a curve": ((ED25519, P256), Audience(None, frozenset()), P256),
}


@pytest.mark.parametrize(("ours", "audience", "chosen"), CHOICES.values(), ids=CHOICES)
def test_certificate(ours: tuple[Credential, ...], audience: Audience, chosen: Credential) -> None:
    assert choose(Signing(ours), audience)[0] == chosen


def test_scheme() -> None:
    """By RFC 7427 where the peer speaks it, with a hash of its; else in the old way."""
    assert choose(Signing((RSA,)), MODERN)[1] == SignatureScheme(
        AuthMethod.DIGITAL_SIGNATURE, Algorithm.PKCS1, SHA2_256
    )
    assert choose(Signing((RSA,)), replace(MODERN, hashes=None))[1] == RSA_SHA1
    assert choose(Signing((P256,)), replace(MODERN, hashes=None))[1] == OLD_ECDSA[KeyKind.P256]


def test_pss_for_who_is_told() -> None:
    """Where the peer can verify it, whatever it uses itself; a key of another kind signs as it does anyway."""
    pkcs1 = SignatureScheme(AuthMethod.DIGITAL_SIGNATURE, Algorithm.PKCS1, SHA2_256)
    for audience in (MODERN, replace(MODERN, used=(KeyKind.RSA, pkcs1))):
        assert choose(Signing((RSA,), pss=True), audience)[1].algorithm is Algorithm.PSS
    assert choose(Signing((RSA,), pss=True), replace(MODERN, hashes=None))[1] == RSA_SHA1
    assert choose(Signing((P256,), pss=True), MODERN)[1].algorithm is Algorithm.ECDSA


def test_pss_for_who_uses_it() -> None:
    pss = SignatureScheme(AuthMethod.DIGITAL_SIGNATURE, Algorithm.PSS, SHA2_256)
    assert choose(Signing((RSA,)), replace(MODERN, used=(KeyKind.RSA, pss)))[1] == pss


@pytest.mark.parametrize(
    ("signing", "hashes"),
    [
        (Signing(()), OFFERED_HASHES),
        (Signing((ED25519,)), None),
        (Signing((ED25519,)), (SHA2_256,)),
        (Signing((RSA,), sha1=False), None),
        (Signing((RSA,)), (HashAlgorithm.SHA1,)),
    ],
    ids=["nothing", "Ed25519 without RFC 7427", "Ed25519 without its hash", "no SHA-1", "SHA-1 by RFC 7427"],
)
def test_nothing_that_the_peer_could_verify(signing: Signing, hashes: tuple[HashAlgorithm, ...] | None) -> None:
    with pytest.raises(AuthenticationFailed) as failed:
        choose(signing, replace(MODERN, hashes=hashes))
    assert failed.value.cause is Cause.CANNOT_SIGN


def test_chain_is_sent_whole() -> None:
    """The certificate first, then what leads to the authority (§3.6)."""
    with_chain = credential("gw", KeyKind.ED25519, A, b"intermediate")
    scheme = SignatureScheme(AuthMethod.DIGITAL_SIGNATURE, Algorithm.ED25519, IDENTITY)
    leaf, intermediate, auth = signed(with_chain, scheme, b"signature")
    assert leaf == Certificate(CertEncoding.X509_SIGNATURE, with_chain.chain[0])
    assert intermediate == Certificate(CertEncoding.X509_SIGNATURE, b"intermediate")
    assert isinstance(auth, Authentication)
    assert auth.method == AuthMethod.DIGITAL_SIGNATURE


# --- what the peer sends -------------------------------------------------------------------------------------------


def test_certificates() -> None:
    """X.509 certificates in their order; CRLs, URLs and whatever else are not looked at."""
    crl, leaf = Certificate(CertEncoding.CRL, b"crl"), Certificate(CertEncoding.X509_SIGNATURE, b"leaf")
    assert certificates_of(message(crl, leaf, replace(leaf, data=b"ca"))) == (b"leaf", b"ca")
    assert certificates_of(message()) == ()


@pytest.mark.parametrize(
    "certificates",
    [(b"c",) * (MAX_CERTIFICATES + 1), (b"c" * (MAX_CERTIFICATE + 1),)],
    ids=["too many", "too long"],
)
def test_more_certificates_than_we_look_at(certificates: tuple[bytes, ...]) -> None:
    payloads = (Certificate(CertEncoding.X509_SIGNATURE, octets) for octets in certificates)
    with pytest.raises(AuthenticationFailed) as failed:
        certificates_of(message(*payloads))
    assert failed.value.cause is Cause.TOO_MANY_CERTIFICATES


def test_hashes() -> None:
    """Unknown ones are passed over; SHA-1 is known, but nothing is ever signed with it by RFC 7427."""
    notify = Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, bytes.fromhex("0001 0002 0005 0006 0400"))
    assert hashes_of(message(notify)) == (HashAlgorithm.SHA1, SHA2_256, IDENTITY)
    assert hashes_of(message()) is None


def test_authorities() -> None:
    trusted = CertificateRequest(CertEncoding.X509_SIGNATURE, (A, B))
    url = CertificateRequest(CertEncoding.HASH_AND_URL_X509, (b"U" * 20,))
    assert authorities_of(message(trusted, url)) == {A, B}
    assert authorities_of(message()) == frozenset()


def test_certificate_request() -> None:
    """Each authority of any of the peers once; none at all where nobody is to be certified."""
    peers = [replace(TO_LEFT, remote_auth=Certified(each)) for each in ((A,), (A, B), ())]
    assert certificate_request((TO_LEFT, *peers)) == (CertificateRequest(CertEncoding.X509_SIGNATURE, (A, B)),)
    assert certificate_request((TO_LEFT,)) == ()
