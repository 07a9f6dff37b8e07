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
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.devices import Devices, Refusal
from edgevpn.daemon.login.keyring import open_keyring, prepare
from edgevpn.daemon.login.vouched import Shown
from edgevpn.ike.contract import Input
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.signature import OLD_ECDSA, RSA_SHA1, KeyKind
from edgevpn.ike.iana import IdType
from edgevpn.ike.peer import NetworkSettings, Unique, Wants
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
    VerifyCertificates,
)
from edgevpn.ike.sa import Address
from edgevpn.ike.wire.payloads import Identification
from edgevpn.pki.errors import PkiError
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store
from tests.support.visitors import LAPTOP, PASSWORD, PHONE, PSK, TABLET, gateway

SPI = b"8 octets"
PLACE = Address(ip_address("198.51.100.1"), 4500)
PEERS = ("road/password", "road/certificate", "road/psk")


def named(name: str) -> Identification:
    return Identification(IdType.KEY_ID, name.encode())


class World:
    """Answers, and what they gave the core."""

    def __init__(self, folder: Path, config: Config) -> None:
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
    world.answers.ask(FindPsk(SPI, PEERS, named("Tablet")))
    assert world.fed == [PskFound(SPI, "road/psk", PSK.encode())]
    assert world.answers.vouched.shown(SPI) == Shown("tablet")


def test_password(world: World) -> None:
    world.answers.ask(FindPassword(SPI, PEERS, "phone"))
    assert world.fed == [PasswordFound(SPI, "road/password", nt_password_hash(PASSWORD))]


@pytest.mark.parametrize("user", ["nobody", "old", "tablet", "\x1b[2J", ""])
def test_who_may_not_come_in(world: World, user: str, caplog: pytest.LogCaptureFixture) -> None:
    """The core is told nothing more than of a stranger; the log tells the owner, and cannot be spoilt by the name."""
    caplog.set_level(logging.INFO)
    world.answers.ask(FindPassword(SPI, ("road/password",), user))
    assert world.fed == [PasswordFound(SPI, "road/password", None)]
    assert "device_refused" in caplog.text
    assert "\x1b" not in caplog.text
    assert world.answers.vouched.shown(SPI) == Shown()


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
    """It is the device that all of them are, and has an address under its own name."""
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
    assert [lease[1] for lease in world.answers.leases.content()["pools"][0]["leases"]] == list(names)


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
    world.answers.ask(FindPsk(SPI, PEERS, named("tablet")))
    world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, PLACE))
    leased = world.fed[1]
    assert isinstance(leased, Leased)
    assert leased.addresses == (ip_address("10.9.0.2"),)
    router = IPv4Address("10.9.0.1")
    assert leased.settings == NetworkSettings(dns=(router, ip_address("fd09::1")), dhcp=router)
    world.answers.release(Release(SPI, leased.addresses))
    world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, PLACE))
    assert world.fed[2] == leased


async def test_a_device_that_is_in_once_only(tmp_path: Path) -> None:
    """It has its address at once, though the session that it replaces is still in."""
    world = World(tmp_path, gateway({"tablet": TABLET | {"unique": "replace"}}))
    wants = Wants(ipv4=True, ipv6=False)
    for _ in range(2):
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet")))
        world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", wants, PLACE))
    _, first, _, second = world.fed
    assert isinstance(first, Leased)
    assert (first, first.unique) == (second, Unique.REPLACE)


def test_a_client_that_shows_anew_who_it_is(world: World) -> None:
    """It keeps its address, as it calls from the same place; another one of the same device does not get it."""
    world.answers.place_of = lambda address: PLACE
    address = ip_address("10.9.0.2")
    for before, place in ((), PLACE), ((address,), replace(PLACE, port=1024)), ((address,), PLACE):
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet")))
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
        world.answers.ask(FindPsk(SPI, PEERS, named("tablet")))
        asked = Wants(ipv4=True, ipv6=False, before=wants)
        world.answers.ask(Lease(SPI, "road/psk", named("tablet"), "", asked, place))
    given = [each.unique for each in world.fed if isinstance(each, Leased)]
    assert given == [Unique.REFUSE, Unique.REFUSE, Unique.SHARE]


async def test_ipv6_that_leads_nowhere(tmp_path: Path) -> None:
    """Whoever sends everything through the tunnel gets it; who sends some does not."""
    split = {"mode": "split", "networks": "192.168.1.0/24"}
    world = World(tmp_path, gateway({"tablet": TABLET, "watch": TABLET | split}, {"v6": None}))
    for name in ("tablet", "watch"):
        world.answers.ask(FindPsk(SPI, PEERS, named(name)))
        world.answers.ask(Lease(SPI, "road/psk", named(name), "", Wants(ipv4=True, ipv6=True), PLACE))
    given = [each.addresses for each in world.fed if isinstance(each, Leased)]
    assert [[address.version for address in addresses] for addresses in given] == [[4, 6], [4]]


def test_lease_of_a_stranger(world: World) -> None:
    """Who came in by the certificate of another CA, say, and is no device."""
    world.answers.ask(Lease(SPI, "road/certificate", named("guest"), "", Wants(ipv4=False, ipv6=True), PLACE))
    assert world.fed == [Leased(SPI, (ip_address("fd09::2"),), None)]
