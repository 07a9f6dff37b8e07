from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from edgevpn.config.credential import NtHash, Psk, Secret
from edgevpn.config.device import Device, Platform
from edgevpn.config.identity import Identity, IdentityKind, identity
from edgevpn.config.pool import Login, TunnelMode
from edgevpn.config.tunnel import Unique
from edgevpn.pki import wishes
from tests.support.configs import PHONE, read, staff


def device(name: str = "phone", pool: dict[str, Any] | None = None, **keys: Any) -> Device:
    (made,) = read(staff(pool, {name: PHONE | keys})).devices
    return made


def test_device_as_it_comes() -> None:
    """By password, in the only pool, as that pool says."""
    phone = device()
    assert (phone.name, phone.pool, phone.login) == ("phone", "staff", Login.PASSWORD)
    assert phone.credential == Secret("password", PHONE["password"])
    assert phone.id == identity("phone")
    assert (phone.enabled, phone.expires, phone.owner, phone.platform) == (True, None, None, Platform.OTHER)
    assert (phone.v4, phone.v6) == (None, None)
    assert (phone.mode, phone.networks, phone.unique) == (TunnelMode.FULL, (), Unique.KEEP)
    assert phone.dns == (ip_address("10.9.0.1"), ip_address("fd09::1"))


def test_device_as_its_pool() -> None:
    pool = {"mode": "split", "networks": "192.168.1.0/24", "dns": "192.168.1.1", "unique": "replace"}
    phone = device(pool=pool)
    assert (phone.mode, phone.networks) == (TunnelMode.SPLIT, (ip_network("192.168.1.0/24"),))
    assert (phone.dns, phone.unique) == ((ip_address("192.168.1.1"),), Unique.REPLACE)


def test_device_unlike_its_pool() -> None:
    keys = {"mode": "split", "networks": "10.1.0.0/16", "dns": "10.1.0.1", "unique": "refuse"}
    phone = device(pool={"unique": "replace"}, **keys)
    assert (phone.mode, phone.networks) == (TunnelMode.SPLIT, (ip_network("10.1.0.0/16"),))
    assert (phone.dns, phone.unique) == ((ip_address("10.1.0.1"),), Unique.REFUSE)


def test_fixed_addresses_and_expiry() -> None:
    phone = device(v4="10.9.0.7", v6="fd09::7", expires="2027-03-31", owner="Anna", platform="ios")
    assert (phone.v4, phone.v6) == (ip_address("10.9.0.7"), ip_address("fd09::7"))
    assert phone.expires == datetime(2027, 4, 1, tzinfo=UTC)
    assert (phone.owner, phone.platform) == ("Anna", Platform.IOS)


@pytest.mark.parametrize(
    ("keys", "credential"),
    [
        ({"login": "psk", "psk": "a key for this device"}, Psk("psk", b"a key for this device")),
        ({"login": "certificate"}, None),
        ({"nt_hash": "00112233445566778899aabbccddeeff"}, NtHash("nt_hash", bytes(range(0, 256, 17)))),
    ],
)
def test_logins(keys: dict[str, Any], credential: object) -> None:
    (phone,) = read(staff(devices={"phone": keys})).devices
    assert phone.credential == credential


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("phone", IdentityKind.FQDN),
        ("anna@example.org", IdentityKind.RFC822_ADDR),
        ("Anna's 電話", IdentityKind.KEY_ID),
        ("any", IdentityKind.KEY_ID),
    ],
)
def test_a_name_is_an_identity(name: str, kind: IdentityKind) -> None:
    assert device(name).id == Identity(kind, name.encode())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("phone", "phone"),
        ("phone.example.org", "phone.example.org"),
        ("anna@example.org", "anna@example.org"),
        ("Anna's phone", "annas-phone-a42ffb"),
        ("my_phone", "my-phone-3b97a2"),
        ("10.0.0.7", "10-0-0-7-130e4d"),
        ("電話", "device-5154b7"),
        ("x" * 64, f"{'x' * 48}-7ce100"),
    ],
)
def test_an_identity_that_a_certificate_can_prove(name: str, shown: str) -> None:
    (made,) = read(staff(devices={name: {"login": "certificate"}})).devices
    kind = IdentityKind.RFC822_ADDR if "@" in name else IdentityKind.FQDN
    assert made.id == Identity(kind, shown.encode())
    assert wishes.identity(shown, "") == shown.lower()


def test_an_identity_of_its_own() -> None:
    assert device(id="keyid:CORP\\anna").id == Identity(IdentityKind.KEY_ID, b"CORP\\anna")
