"""edgevpn.simulate.judge: what a client makes of the certificate that a gateway shows, and of what nobody asks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from edgevpn.daemon.login.keyring import prepare
from edgevpn.ike.crypto.signature import RSA_SHA1
from edgevpn.ike.peer import Wants
from edgevpn.ike.questions import (
    CertificatesRefused,
    CertificatesVerified,
    FindPassword,
    FindPsk,
    Lease,
    Leased,
    PasswordFound,
    PskFound,
    Sign,
    Signed,
    VerifyCertificates,
)
from edgevpn.ike.sa import Address
from edgevpn.pki.keys import KeyKind
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store
from edgevpn.simulate.clients import CLIENTS
from edgevpn.simulate.judge import answer
from edgevpn.simulate.user import ByPassword, Typed, identification
from tests.support.visitors import gateway

NOW = datetime(2027, 3, 1, tzinfo=UTC)
SPI, SERVER = bytes(8), "vpn.example.org"
PLACE = Address(ip_address("198.51.100.1"), 4500)
WINDOWS, ANDROID = CLIENTS["windows11"], CLIENTS["android12"]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A gateway with an ECDSA key."""
    made = Office(Store(tmp_path / "pki"))
    prepare(made, gateway().pki, NOW)
    return made


def typed(office: Office) -> Typed:
    return Typed(SERVER, ByPassword("anna", "secret"), anchors=(office.authority.certificate,))


def shown(office: Office) -> VerifyCertificates:
    bundle = office.server(KeyKind.ECDSA_P256)
    assert bundle is not None
    return VerifyCertificates(SPI, ("gateway",), identification(SERVER), bundle.sent, server=True)


def why(outcome: object) -> str:
    assert isinstance(outcome, CertificatesRefused)
    return str(outcome.reason)


def test_good(office: Office) -> None:
    assert isinstance(answer(shown(office), WINDOWS, typed(office), NOW), CertificatesVerified)


def test_not_good(office: Office) -> None:
    """Another name than was typed, a CA that is not trusted, and a kind of key that Android does not verify."""
    other = replace(typed(office), server="vpn.example.net")
    assert "vpn.example.net" in why(answer(shown(office), WINDOWS, other, NOW))
    assert why(answer(shown(office), WINDOWS, replace(typed(office), anchors=()), NOW))
    assert "ECDSA P-256" in why(answer(shown(office), ANDROID, typed(office), NOW))


def test_nobody_logs_in_to_a_client(office: Office) -> None:
    me = identification("me")
    lease = Lease(SPI, "", me, "", Wants(True, True), PLACE)
    asked = (FindPsk(SPI, (), me, PLACE), FindPassword(SPI, (), "me", PLACE), lease)
    outcomes = [answer(each, WINDOWS, typed(office), NOW) for each in asked]
    assert outcomes == [PskFound(SPI, "", None), PasswordFound(SPI, "", None), Leased(SPI, ())]
    assert answer(Sign(SPI, "device", RSA_SHA1, b""), WINDOWS, typed(office), NOW) == Signed(SPI, None)
