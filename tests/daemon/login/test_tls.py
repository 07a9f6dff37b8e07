"""edgevpn.daemon.login.tls, with OpenSSL as the peer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from OpenSSL import SSL

from edgevpn.daemon.login.keyring import POOLS, Keyring, open_keyring, prepare
from edgevpn.daemon.login.tls import MOST, Handshake, Handshakes, TlsFailed, context_of, is_there
from edgevpn.daemon.peers import Proof
from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.errors import Cause
from edgevpn.ike.peer import Certified, Credential, Signing
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store
from tests.support.certificates import ca, certificate, leaf, rsa_key
from tests.support.tls_client import VERSIONS, Client
from tests.support.visitors import gateway

SPI = b"8 octets"


def meet(client: Client, server: Handshake) -> bytes:
    """Up to the end, as the server sees it; what it has to say then."""
    octets = client.turn(b"")
    for _ in range(9):
        if server.take(octets):
            return server.concluded()
        octets = client.turn(server.said())
    raise AssertionError("they do not come to an end")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    made = Office(Store(tmp_path_factory.mktemp("pki")))
    prepare(made, gateway().pki, datetime.now(UTC))
    return made


@pytest.fixture(scope="module")
def keyring(office: Office) -> Keyring:
    return open_keyring(gateway(), office, datetime.now(UTC))


@pytest.fixture(scope="module")
def bundle(office: Office) -> Bundle:
    return office.enrol_device("laptop", "laptop.example", datetime.now(UTC))


@pytest.mark.parametrize("version", VERSIONS)
def test_both_get_the_same_key(keyring: Keyring, bundle: Bundle, version: str) -> None:
    client, server = Client(version, bundle), Handshake(context_of(keyring))

    last = meet(client, server)
    client.turn(last)

    assert server.msk == client.msk
    assert len(server.msk) == 64
    assert server.certificates[0] == bundle.sent[0]


def test_nothing_but_a_zero_follows_tls_1_3(keyring: Keyring, bundle: Bundle) -> None:
    """RFC 9190 §2.1.1: so the peer knows that no more of the handshake comes."""
    client, server = Client("1.3", bundle), Handshake(context_of(keyring))
    client.turn(meet(client, server))
    assert client.connection.recv(10) == b"\x00"


@pytest.mark.parametrize("version", VERSIONS)
def test_end_is_held_back_until_the_certificate_is_judged(keyring: Keyring, bundle: Bundle, version: str) -> None:
    """And what is not said is not known: a peer that is refused has no proof that we would have let it in."""
    client, server = Client(version, bundle), Handshake(context_of(keyring))
    octets = client.turn(b"")
    while not server.take(octets):
        octets = client.turn(server.said())
    with pytest.raises((SSL.WantReadError, SSL.ZeroReturnError)):
        client.connection.recv(10)


def test_certificates_between(keyring: Keyring) -> None:
    root = ca("root")
    between = ca("between", root)
    owner = leaf("laptop.example", between)
    chain = Bundle(owner.key, owner.certificate, (between.certificate,))
    client, server = Client("1.2", chain), Handshake(context_of(keyring))
    meet(client, server)
    assert server.certificates == (owner.der, between.der)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate(keyring: Keyring, version: str) -> None:
    with pytest.raises(TlsFailed) as failure:
        meet(Client(version, None), Handshake(context_of(keyring)))
    assert failure.value.cause is Cause.NO_CERTIFICATE


@pytest.mark.parametrize("version", VERSIONS)
def test_peer_does_not_believe_us(keyring: Keyring, bundle: Bundle, version: str) -> None:
    with pytest.raises(TlsFailed) as failure:
        meet(Client(version, bundle, b"nobody"), Handshake(context_of(keyring)))
    assert failure.value.cause is Cause.LEFT_UNCONVINCED


def test_old_versions_are_refused(keyring: Keyring) -> None:
    """A ClientHello of TLS 1.0, with nothing else wrong."""
    hello = bytes.fromhex("0301") + bytes(32) + bytes.fromhex("00 0002 002f 01 00")
    record = bytes.fromhex("160301") + (len(hello) + 4).to_bytes(2, "big") + b"\x01" + len(hello).to_bytes(3, "big")
    with pytest.raises(TlsFailed) as failure:
        Handshake(context_of(keyring)).take(record + hello)
    assert failure.value.cause is Cause.NO_COMMON_METHOD


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x16\x03\x01\x00\x05hello"])
def test_junk(keyring: Keyring, octets: bytes) -> None:
    with pytest.raises(TlsFailed) as failure:
        Handshake(context_of(keyring)).take(octets)
    assert failure.value.cause is Cause.EAP_ABANDONED


def test_one_handshake_for_each_ike_sa(keyring: Keyring) -> None:
    handshakes = Handshakes()
    first = handshakes.of(SPI, keyring)
    assert handshakes.of(SPI, keyring) is first
    handshakes.forget(SPI)
    assert handshakes.of(SPI, keyring) is not first
    handshakes.forget(b"never seen")


def test_oldest_gives_way(keyring: Keyring) -> None:
    """Whoever begins and does not go on costs memory; how much is bounded."""
    handshakes = Handshakes()
    first = handshakes.of(SPI, keyring)
    for number in range(MOST):
        handshakes.of(number.to_bytes(8, "big"), keyring)
    assert len(handshakes) == MOST
    assert handshakes.of(SPI, keyring) is not first


def test_without_a_certificate_of_ours() -> None:
    with pytest.raises(TlsFailed) as failure:
        Handshakes().of(SPI, Keyring({}, {}, {}))
    assert failure.value.cause is Cause.CANNOT_SIGN


def test_what_leads_to_the_root_comes_along() -> None:
    root = ca("root")
    between = ca("between", root)
    server = leaf("vpn.example.org", between)
    credential = Credential("gateway", KeyKind.P256, (server.der, between.der))
    keyring = Keyring({POOLS: Proof(Signing((credential,)), Certified())}, {"gateway": server.key}, {})
    client, handshake = Client("1.2", None), Handshake(context_of(keyring))
    handshake.take(client.turn(b""))
    client.turn(handshake.said())
    shown = client.connection.get_peer_cert_chain()
    assert shown is not None
    assert [each.to_cryptography().subject for each in shown] == [server.name, between.name]


def test_key_that_is_of_no_use() -> None:
    """OpenSSL takes no key that is too short to be safe."""
    root = ca("root")
    weak = certificate("vpn.example.org", root, (), key=rsa_key(1024))
    credential = Credential("gateway", KeyKind.RSA, (weak.der,))
    keyring = Keyring({POOLS: Proof(Signing((credential,)), Certified())}, {"gateway": weak.key}, {})
    with pytest.raises(TlsFailed) as failure:
        context_of(keyring)
    assert failure.value.cause is Cause.CANNOT_SIGN


def test_library_may_be_missing(keyring: Keyring) -> None:
    """Then there is no such method, and all others are as ever."""
    assert is_there()
    with pytest.raises(TlsFailed) as failure:
        Handshakes(is_there=lambda: False).of(SPI, keyring)
    assert failure.value.cause is Cause.NO_COMMON_METHOD
