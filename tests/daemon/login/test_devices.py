from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edgevpn.config.credential import NtHash
from edgevpn.daemon.login.devices import Devices, Found, Refusal, nt_hash_of, psk_of
from edgevpn.dn import der_of
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.iana import IdType
from edgevpn.ike.wire.payloads import Identification
from tests.support.visitors import LAPTOP, PASSWORD, PHONE, PSK, TABLET, gateway

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
PEERS = ("road/password", "road/certificate", "road/psk")


def devices(at: datetime = NOON, **changes: object) -> Devices:
    config = gateway({"phone": PHONE | changes, "tablet": TABLET, "laptop": LAPTOP})
    return Devices(config, lambda: at)


@pytest.mark.parametrize(
    ("shown", "name", "peer"),
    [
        (b"phone", "phone", "road/password"),
        (b"PHONE", "phone", "road/password"),
        (b"tablet", "tablet", "road/psk"),
        (b"laptop@example.org", "laptop", "road/certificate"),
    ],
)
def test_found_by_what_it_shows(shown: bytes, name: str, peer: str) -> None:
    """Phones like to begin with a capital letter."""
    found = devices().find(PEERS, shown)
    assert isinstance(found, Found)
    assert (found.device.name, found.peer) == (name, peer)


@pytest.mark.parametrize(("peers", "shown"), [(PEERS, b"nobody"), (("road/psk",), b"phone"), ((), b"phone")])
def test_unknown(peers: tuple[str, ...], shown: bytes) -> None:
    """A device that comes by another way than its own is as unknown as a stranger."""
    assert devices().find(peers, shown) is Refusal.UNKNOWN


def many(at: datetime = NOON, **changes: object) -> Devices:
    """Two patterns, one of them inside the other, and one name."""
    ids = {"all": "*.example.org", "lab": "*.lab.example.org", "gw": "C=CH, CN=gw"}
    tables = {name: {"login": "certificate", "id": text} | changes for name, text in ids.items()}
    return Devices(gateway(tables), lambda: at)


def fqdn(text: str) -> Identification:
    return Identification(IdType.FQDN, text.encode())


@pytest.mark.parametrize(("host", "name"), [("a.example.org", "all"), ("a.lab.example.org", "lab")])
def test_one_of_many(host: str, name: str) -> None:
    """The narrowest pattern says which device it is."""
    found = many().among("road/certificate", (Identification(IdType.KEY_ID, b"x"), fqdn(host)))
    assert isinstance(found, Found)
    assert (found.device.name, found.peer) == (name, "road/certificate")


def test_none_of_many() -> None:
    assert many().among("road/certificate", (fqdn("example.org"),)) is Refusal.UNKNOWN
    assert many().among("road/password", (fqdn("a.example.org"),)) is Refusal.UNKNOWN
    assert many(enabled=False).among("road/certificate", (fqdn("a.example.org"),)) is Refusal.DISABLED
    assert many().find(PEERS, b"a.example.org") is Refusal.UNKNOWN


def test_subject_of_a_certificate() -> None:
    """However its issuer has written it."""
    found = many().find(PEERS, der_of((("2.5.4.6", "CH"), ("2.5.4.3", "GW"))))
    assert isinstance(found, Found)
    assert found.device.name == many().name_of(PEERS, "C=ch, CN=GW") == "gw"


def test_disabled() -> None:
    assert devices(enabled=False).find(PEERS, b"phone") is Refusal.DISABLED


def test_name_of_who_shows_itself() -> None:
    """Also of one that may not come in: its owner is told of it."""
    assert devices(enabled=False).name_of(PEERS, "Phone") == "phone"
    assert devices().name_of(("road/psk",), "phone") == ""


def test_expired() -> None:
    """Until the end of its last day."""
    assert isinstance(devices(expires="2030-06-01").find(PEERS, b"phone"), Found)
    late = datetime(2030, 6, 2, tzinfo=UTC)
    assert devices(late, expires="2030-06-01").find(PEERS, b"phone") is Refusal.EXPIRED


def test_secrets_go_with_their_login_alone() -> None:
    known = devices()
    phone, tablet, laptop = (known.get(name) for name in ("phone", "tablet", "laptop"))
    assert phone is not None
    assert tablet is not None
    assert laptop is not None
    assert (nt_hash_of(phone), psk_of(phone)) == (nt_password_hash(PASSWORD), None)
    assert (nt_hash_of(tablet), psk_of(tablet)) == (None, PSK.encode())
    assert (nt_hash_of(laptop), psk_of(laptop)) == (None, None)
    hashed = replace(phone, credential=NtHash("nt_hash", b"h" * 16))
    assert nt_hash_of(hashed) == b"h" * 16


def test_holder_of_a_certificate() -> None:
    """Found by what our CA has written down, whatever name it shows."""
    known = devices()
    found = known.holder("road/certificate", "laptop")
    assert isinstance(found, Found)
    assert found.device.name == "laptop"
    assert known.holder("road/certificate", "phone") is Refusal.UNKNOWN
    assert known.holder("road/certificate", "gone") is Refusal.UNKNOWN
