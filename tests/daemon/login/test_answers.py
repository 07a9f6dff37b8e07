"""What the core asks is answered once, at once or by a thread; a stranger learns nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from edgevpn.config.model import Config
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.base.sparing import AT_ONCE
from edgevpn.daemon.login import answers
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.devices import Devices, Refusal
from edgevpn.daemon.login.keyring import open_keyring, prepare
from edgevpn.daemon.login.tries import MOST
from edgevpn.daemon.login.vouched import Shown
from edgevpn.ike.contract import Input
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.signature import OLD_ECDSA, RSA_SHA1, KeyKind
from edgevpn.ike.errors import Cause
from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import NetworkSettings, Ppk, Unique, Wants
from edgevpn.ike.questions import (
    CertificatesRefused,
    CertificatesVerified,
    FindPassword,
    FindPsk,
    Lease,
    Leased,
    PasswordFound,
    PskFound,
    Release,
    Sign,
    Signed,
    TalkTls,
    TlsAnswered,
    TlsRefused,
    TlsSucceeded,
    VerifyCertificates,
)
from edgevpn.ike.sa import Address
from edgevpn.ike.session import Holder as SessionHolder
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.office import Office
from edgevpn.pki.records import Holder
from edgevpn.pki.store import Store
from tests.support.tls_client import Client
from tests.support.visitors import LAPTOP, PASSWORD, PHONE, PSK, TABLET, Table, gateway

SPI = b"8 octets"
PLACE = Address(ip_address("198.51.100.1"), 4500)
PEERS = ("road/password", "road/certificate", "road/psk")


def named(name: str) -> Identification:
    return Identification(IdType.KEY_ID, name.encode())


class World:
    """Answers, and what they gave the core."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.config = config
        self.fed: list[Input] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.answers = Answers(self.fed.append, self.begin)
        self.office = Office(Store(folder))
        now = datetime.now(UTC)
        prepare(self.office, config.pki, now)
        self.answers.keyring = open_keyring(config, self.office, now)
        self.answers.use(config, Devices(config, lambda: now), Leases(config, {}, lambda: 0.0))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def worked(self) -> Input:
        """What a thread came to."""
        await asyncio.gather(*self.tasks)
        (answer,) = self.fed
        return answer


@pytest.fixture
def world(tmp_path: Path) -> World:
    split = {"mode": "split", "networks": "192.168.1.0/24", "dns": "192.168.1.1"}
    laptop = LAPTOP | split
    return World(tmp_path / "pki", gateway({"phone": PHONE, "tablet": TABLET, "laptop": laptop, "old": OLD}))


OLD = {"password": PASSWORD, "enabled": False}


def test_psk(world: World) -> None:
    world.answers.ask(FindPsk(SPI, PEERS, named("Tablet"), PLACE))
    assert world.fed == [PskFound(SPI, "road/psk", PSK.encode(), None, SessionHolder("tablet"))]
    assert world.answers.vouched.shown(SPI) == Shown("tablet")


def test_password(world: World) -> None:
    world.answers.ask(FindPassword(SPI, PEERS, "phone", PLACE))
    assert world.fed == [PasswordFound(SPI, "road/password", nt_password_hash(PASSWORD), None, SessionHolder("phone"))]


@pytest.mark.parametrize("user", ["nobody", "old", "tablet", "\x1b[2J", ""])
def test_who_may_not_come_in(world: World, user: str, caplog: pytest.LogCaptureFixture) -> None:
    """The core is told nothing more than of a stranger; the log tells the owner, and cannot be spoilt by the name."""
    caplog.set_level(logging.INFO)
    world.answers.ask(FindPassword(SPI, ("road/password",), user, PLACE))
    assert world.fed == [PasswordFound(SPI, "road/password", None)]
    assert "device_refused" in caplog.text
    assert "\x1b" not in caplog.text
    assert world.answers.vouched.shown(SPI) == Shown()


def test_nobody_guesses_for_long(world: World) -> None:
    """Keys neither; the owner, who is elsewhere, does not notice."""
    for _ in range(MOST + 1):
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), PLACE))
    world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), replace(PLACE, host=ip_address("203.0.113.1"))))

    found = [answer.key is not None for answer in world.fed if isinstance(answer, PskFound)]
    assert found == [True] * MOST + [False, True]
    assert world.answers.refused == {Refusal.TOO_MANY_TRIES: 1}


def test_who_comes_in_has_not_guessed(world: World) -> None:
    for _ in range(2 * MOST):
        world.answers.ask(FindPassword(SPI, PEERS, "phone", PLACE))
        world.answers.came_in("phone", PLACE)

    assert all(answer.nt_hash for answer in world.fed if isinstance(answer, PasswordFound))


def test_strangers_do_not_fill_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for number in range(1000):
        world.answers.ask(FindPassword(SPI, PEERS, f"nobody{number}", PLACE))

    assert caplog.text.count("device_refused") == AT_ONCE
    assert world.answers.refused == {Refusal.UNKNOWN: 1000}


def test_signing_on_a_curve_is_done_at_once(world: World) -> None:
    (name,) = world.answers.keyring.keys
    world.answers.ask(Sign(SPI, name, OLD_ECDSA[KeyKind.P256], b"octets"))
    (answer,) = world.fed
    assert isinstance(answer, Signed)
    assert answer.signature


async def test_signing_with_rsa_is_a_threads(tmp_path: Path) -> None:
    world = World(tmp_path / "pki", gateway({}, pki={"public_name": "vpn.example.org", "key_type": "rsa2048"}))
    name = next(each for each in world.answers.keyring.keys if "rsa" in each)
    world.answers.ask(Sign(SPI, name, RSA_SHA1, b"octets"))
    assert not world.fed
    answer = await world.worked()
    assert isinstance(answer, Signed)
    assert answer.signature


def test_the_post_quantum_key_of_who_was_found(tmp_path: Path) -> None:
    ppk: Table = {"ppk": "0x" + "42" * 32, "ppk_id": "winter", "ppk_required": False}
    world = World(tmp_path / "pki", gateway({"phone": PHONE | ppk, "tablet": TABLET | ppk}))
    world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), PLACE))
    world.answers.ask(FindPassword(SPI, PEERS, "phone", PLACE))
    world.answers.ask(FindPassword(SPI, PEERS, "nobody", PLACE))
    keys = [answer.ppk for answer in world.fed if isinstance(answer, PskFound | PasswordFound)]
    assert keys == [Ppk(b"winter", b"B" * 32, required=False)] * 2 + [None]


async def test_the_post_quantum_key_of_who_has_a_certificate(tmp_path: Path) -> None:
    world = World(tmp_path / "pki", gateway({"laptop": LAPTOP | {"ppk": "0x" + "42" * 32}}))
    mail, sent = (
        Identification(IdType.RFC822_ADDR, b"laptop@example.org"),
        certificate(world, "laptop", "laptop@example.org"),
    )
    world.answers.ask(VerifyCertificates(SPI, ("road/certificate",), mail, sent, server=False))
    answer = await world.worked()
    assert isinstance(answer, CertificatesVerified)
    assert answer.ppk == Ppk(b"laptop", b"B" * 32)


def certificate(world: World, name: str, identity: str) -> tuple[bytes, ...]:
    return world.office.enrol_device(name, identity, datetime.now(UTC)).sent


async def test_certificate_of_a_device(world: World) -> None:
    sent = certificate(world, "laptop", "laptop@example.org")
    mail = Identification(IdType.RFC822_ADDR, b"laptop@example.org")
    world.answers.ask(VerifyCertificates(SPI, ("road/certificate",), mail, sent, server=False))
    answer = await world.worked()
    assert isinstance(answer, CertificatesVerified)
    assert answer.peer == "road/certificate"
    shown = world.answers.vouched.shown(SPI)
    assert shown.device == "laptop"
    assert shown.verified is not None


async def test_certificate_of_one_of_many(tmp_path: Path) -> None:
    """It is the device that all of them are, and has an address of its own."""
    world = World(tmp_path / "pki", gateway({"staff": {"login": "certificate", "id": "*@example.org"}}))
    names = ("carol@example.org", "dave@example.org")
    for name in names:
        mail = Identification(IdType.RFC822_ADDR, name.encode())
        sent = certificate(world, name.partition("@")[0], name)
        world.answers.ask(VerifyCertificates(SPI, ("road/certificate",), mail, sent, server=False))
        assert isinstance(await world.worked(), CertificatesVerified)
        assert world.answers.vouched.shown(SPI).device == "staff"
        world.fed.clear()
        world.answers.ask(Lease(SPI, "road/certificate", mail, "", Wants(ipv4=True, ipv6=False), PLACE))
        (leased,) = world.fed
        assert isinstance(leased, Leased)
        world.fed.clear()
    assert [lease[1] for lease in world.answers.leases.content()["pools"][0]["leases"]] == [
        f"staff: {name}" for name in names
    ]


async def test_certificate_of_nobody(world: World) -> None:
    """Our CA made it, yet no device of the configuration has it."""
    sent = certificate(world, "gone", "gone@example.org")
    mail = Identification(IdType.RFC822_ADDR, b"gone@example.org")
    world.answers.ask(VerifyCertificates(SPI, ("road/certificate",), mail, sent, server=False))
    assert await world.worked() == CertificatesRefused(SPI, Refusal.UNKNOWN)


async def test_certificate_that_is_none(world: World) -> None:
    world.answers.ask(VerifyCertificates(SPI, PEERS, named("laptop"), (b"no certificate",), server=False))
    answer = await world.worked()
    assert isinstance(answer, CertificatesRefused)
    assert isinstance(answer.reason, PkiError)


def test_lease(world: World) -> None:
    """A device that is known keeps its address under its name, and is told of its own networks."""
    wants = Wants(ipv4=True, ipv6=False)
    world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), PLACE))
    world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, PLACE))
    leased = world.fed[1]
    assert isinstance(leased, Leased)
    assert leased.addresses == (ip_address("10.9.0.2"),)
    router = IPv4Address("10.9.0.1")
    assert leased.settings == NetworkSettings(dns=(router, ip_address("fd09::1")), dhcp=router)
    world.answers.release(Release(SPI, leased.addresses))
    world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, PLACE))
    assert world.fed[2] == leased


def test_one_of_several_has_no_other_devices_address(tmp_path: Path) -> None:
    """Whatever it calls itself: its CA may have other rules for names than we have for devices."""
    staff = {"login": "certificate", "id": "*@example.org"}
    world = World(tmp_path, gateway({"tablet": TABLET | {"v4": "10.9.0.77"}, "staff": staff}))
    world.answers.vouched.note(SPI, Shown("staff"))
    world.answers.ask(Lease(SPI, "road/certificate", named("tablet"), "tablet", Wants(ipv4=True, ipv6=False), PLACE))
    (leased,) = world.fed
    assert isinstance(leased, Leased)
    assert leased.addresses == (ip_address("10.9.0.2"),)


async def test_a_device_that_is_in_once_only(tmp_path: Path) -> None:
    """It has its address at once, though the session that it replaces is still in."""
    world = World(tmp_path, gateway({"tablet": TABLET | {"unique": "replace"}}))
    wants = Wants(ipv4=True, ipv6=False)
    for _ in range(2):
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), PLACE))
        world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, PLACE))
    _, first, _, second = world.fed
    assert isinstance(first, Leased)
    assert (first, first.unique) == (second, Unique.REPLACE)


def test_a_client_that_shows_anew_who_it_is(world: World) -> None:
    """It keeps its address, as it calls from the same place; another one of the same device does not get it."""
    world.answers.place_of = lambda address: PLACE
    address = ip_address("10.9.0.2")
    for before, place in ((), PLACE), ((address,), replace(PLACE, port=1024)), ((address,), PLACE):
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), PLACE))
        wants = Wants(ipv4=True, ipv6=False, before=before)
        world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, place))
    given = [each.addresses for each in world.fed if isinstance(each, Leased)]
    assert given == [(address,), (ip_address("10.9.0.3"),), (address,)]


def test_a_device_that_is_in_once_only_shows_anew_who_it_is(tmp_path: Path) -> None:
    """From the same place it is no second session; from another it is."""
    world = World(tmp_path, gateway({"tablet": TABLET | {"unique": "refuse"}}))
    world.answers.place_of = lambda address: PLACE
    before = (ip_address("10.9.0.2"),)
    for wants, place in ((), PLACE), (before, replace(PLACE, port=1024)), (before, PLACE):
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet"), PLACE))
        asked = Wants(ipv4=True, ipv6=False, before=wants)
        world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", asked, place))
    given = [each.unique for each in world.fed if isinstance(each, Leased)]
    assert given == [Unique.REFUSE, Unique.REFUSE, Unique.SHARE]


async def test_ipv6_that_leads_nowhere(tmp_path: Path) -> None:
    """Whoever sends everything through the tunnel gets it; who sends some does not."""
    split = {"mode": "split", "networks": "192.168.1.0/24"}
    world = World(tmp_path, gateway({"tablet": TABLET, "watch": TABLET | split}, {"v6": None}))
    for name in ("tablet", "watch"):
        world.answers.ask(FindPsk(SPI, PEERS, named(name), PLACE))
        world.answers.ask(Lease(SPI, "road/psk", named(name), "", Wants(ipv4=True, ipv6=True), PLACE))
    given = [each.addresses for each in world.fed if isinstance(each, Leased)]
    assert [[address.version for address in addresses] for addresses in given] == [[4, 6], [4]]


def test_lease_of_a_stranger(world: World) -> None:
    """Who came in by the certificate of another CA, say, and is no device."""
    world.answers.ask(Lease(SPI, "road/certificate", named("guest"), "", Wants(ipv4=False, ipv6=True), PLACE))
    assert world.fed == [Leased(SPI, (ip_address("fd09::2"),), None)]


# --- EAP-TLS -------------------------------------------------------------------------------------------------------

TLS_PEERS = ("road/eap-tls",)
BY_TLS: Table = {"laptop": {"login": "eap-tls", "id": "laptop.example"}, "old": {"login": "eap-tls", "enabled": False}}


def tls_world(folder: Path, **pki: object) -> World:
    config = gateway(BY_TLS, {"logins": ["eap-tls"]}, pki={"public_name": "vpn.example.org"} | pki)
    return World(folder / "pki", config)


async def talked(world: World, name: str, identity: str) -> tuple[TlsSucceeded | TlsRefused, Client]:
    """A whole handshake by a certificate of our CA, and what the core is told in the end."""
    bundle = world.office.enrol_device(name, identity, datetime.now(UTC))
    client, octets = Client("1.2", bundle), b""
    for _ in range(9):
        octets = client.turn(octets)
        world.answers.ask(TalkTls(SPI, TLS_PEERS, octets))
        answer = await world.worked()
        world.fed.clear()
        world.tasks.clear()
        match answer:
            case TlsAnswered(octets=octets):
                continue
            case TlsSucceeded() | TlsRefused():
                return answer, client
    raise AssertionError("it does not come to an end")


def test_tls_without_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answers, "is_there", lambda: False)
    tls_world(tmp_path)
    assert "eap_tls_not_possible" in caplog.text
    assert "edgevpn[eap-tls]" in caplog.text


async def test_tls(tmp_path: Path) -> None:
    world = tls_world(tmp_path)
    answer, client = await talked(world, "laptop", "laptop.example")
    assert isinstance(answer, TlsSucceeded)
    client.turn(answer.octets)
    holder = SessionHolder("laptop")
    assert answer == TlsSucceeded(SPI, answer.octets, "road/eap-tls", "laptop.example", client.msk, None, holder)
    shown = world.answers.vouched.shown(SPI)
    assert shown.device == "laptop"
    assert shown.verified is not None
    assert len(world.answers.handshakes) == 0


@pytest.mark.parametrize(
    ("name", "identity", "why"),
    [("stranger", "stranger.example", Refusal.UNKNOWN), ("old", "old", Refusal.DISABLED)],
)
async def test_tls_of_who_may_not_come_in(tmp_path: Path, name: str, identity: str, why: Refusal) -> None:
    world = tls_world(tmp_path)
    answer, _ = await talked(world, name, identity)
    assert answer == TlsRefused(SPI, Cause.CERTIFICATE_REFUSED, why)
    assert world.answers.vouched.shown(SPI) == Shown()
    assert len(world.answers.handshakes) == 0


async def test_tls_with_a_certificate_that_is_revoked(tmp_path: Path) -> None:
    """By our own list; nobody has to ask OpenSSL."""
    world, now = tls_world(tmp_path), datetime.now(UTC)
    bundle = world.office.enrol_device("laptop", "laptop.example", now)
    world.office.revoke(Holder.DEVICE, "laptop", now)
    world.answers.keyring = open_keyring(world.config, world.office, now)
    client, octets = Client("1.2", bundle), b""
    octets = client.turn(octets)
    world.answers.ask(TalkTls(SPI, TLS_PEERS, octets))
    greeting = await world.worked()
    assert isinstance(greeting, TlsAnswered)
    world.fed.clear()
    world.answers.ask(TalkTls(SPI, TLS_PEERS, client.turn(greeting.octets)))
    answer = await world.worked()
    assert isinstance(answer, TlsRefused)
    assert isinstance(answer.reason, PkiError)
    assert answer.reason.reason in (Reason.BLOCKED, Reason.REVOKED_LEAF)


async def test_tls_that_comes_to_nothing(tmp_path: Path) -> None:
    world = tls_world(tmp_path)
    world.answers.ask(TalkTls(SPI, TLS_PEERS, b"GET / HTTP/1.1\r\n\r\n"))
    assert await world.worked() == TlsRefused(SPI, Cause.EAP_ABANDONED)
    assert len(world.answers.handshakes) == 0
