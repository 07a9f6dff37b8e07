from typing import Any

import pytest

from edgevpn.config.reader import parse
from edgevpn.config.secret import Stored
from tests.support.configs import OFFICE, PHONE, PUBLIC, STAFF, document, faults_of, staff, toml

BARE = {key: value for key, value in OFFICE.items() if key != "psk"}
PASSWORD = "one of password, password_file, password_env and nt_hash"


def phone(**keys: Any) -> list[str]:
    return faults_of(staff(devices={"phone": keys}))


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, f"device.phone.password: is missing; allowed: {PASSWORD}"),
        ({"login": "psk"}, "device.phone.psk: is missing; allowed: one of psk, psk_file and psk_env"),
        (
            {"password": "correct horse", "nt_hash": "00" * 16},
            f"device.phone.password: stands beside nt_hash; allowed: {PASSWORD}",
        ),
        (
            {"login": "certificate", "password": "correct horse"},
            'device.phone.password: is of no use with login = "certificate"; take it out, or write login = "password"',
        ),
        (
            {"login": "password", "password": "correct horse", "psk_env": "PHONE"},
            'device.phone.psk_env: is of no use with login = "password"; take it out, or write login = "psk"',
        ),
        (
            {"login": "passport", "password": "correct horse"},
            'device.phone.login = "passport": is none of the choices; allowed: "password" | "certificate" | "psk"'
            ' | "eap-tls"',
        ),
        (
            {"nt_hash": "hunter2"},
            "device.phone.nt_hash = ***: is of another form; allowed: 32 hexadecimal digits",
        ),
    ],
)
def test_the_secret_of_a_device(keys: dict[str, Any], fault: str) -> None:
    assert phone(**keys) == [fault]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, "psk: is missing; allowed: one of psk, psk_file and psk_env"),
        ({"auth": "eap"}, "password: is missing; allowed: one of password, password_file and password_env"),
        (
            {"auth": "certificate", "psk": "a long and random text"},
            'psk: is of no use with auth = "certificate"; take it out, or write auth = "psk"',
        ),
    ],
)
def test_the_secret_of_a_site(keys: dict[str, Any], fault: str) -> None:
    assert faults_of(toml(office=BARE | keys)) == [f"site.office.{fault}"]


def test_the_pool_of_a_device() -> None:
    pools = {"staff": STAFF, "guests": {"v4": "10.8.0.0/24"}}

    def of(pools: dict[str, Any], **keys: Any) -> list[str]:
        return faults_of(document(pki=PUBLIC, pool=pools, device={"phone": PHONE | keys}))

    assert of(pools) == ["device.phone.pool: is missing; allowed: staff, guests"]
    assert of(pools, pool="stuff") == ['device.phone.pool = "stuff": is not configured; allowed: staff, guests']
    assert of({}) == ["device.phone.pool: is missing; write a table such as [pool.staff]"]
    assert of({}, pool="staff") == [
        'device.phone.pool = "staff": is not configured; write a table such as [pool.staff]'
    ]


def test_a_bad_pool_is_not_blamed_on_its_devices() -> None:
    assert faults_of(staff({"mtu": 1})) == ["pool.staff.mtu = 1: is too small; allowed: 1280 to 9200 octets"]


def test_names() -> None:
    assert faults_of(document(pool={"the staff": STAFF})) == [
        'pool."the staff": is no name; allowed: 1 to 32 letters, digits, - and _'
    ]
    assert faults_of(staff(devices={"a\x1bb": PHONE})) == [
        'device."a\\u001bb": is no name; allowed: 1 to 64 printable characters, none of them / or \\'
    ]
    (fault,) = faults_of(staff(devices={"x" * 65536: PHONE}))
    assert len(fault) < 200


def test_a_table_that_is_none() -> None:
    for noun in ("pki", "crypto", "firewall", "web", "pool", "device"):
        assert faults_of(document(**{noun: 1})) == [f"{noun}: is not a table; begin it with [{noun}]"]


def test_a_wrong_key_of_each_table() -> None:
    for noun in ("gateway", "pki", "crypto", "firewall", "web"):
        assert faults_of(document(**{noun: {"colour": "red"}})) == [f"{noun}.colour: is not a key here"]


def test_one_hash_of_the_panel() -> None:
    hashed = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
    assert faults_of(document(web={"password_hash": hashed, "password_hash_env": "PANEL"})) == [
        "web.password_hash: stands beside password_hash_env;"
        " allowed: one of password_hash, password_hash_file and password_hash_env"
    ]


def test_a_wrong_hash_of_the_panel_is_not_shown() -> None:
    (fault,) = faults_of(document(web={"password_hash": "hunter2"}))
    assert fault.startswith("web.password_hash = ***: is of another form; allowed: a scrypt hash")


def test_a_stored_secret_that_is_of_no_use() -> None:
    """It hinders nothing, and means nothing: its owner may think that it does."""
    stored: Stored = {("device", "phone"): {"nt_hash": "00" * 16, "psk": "a long and random text"}}
    read = parse(staff(devices={"phone": {}}), "test.toml", {}, stored)
    assert [str(each) for each in read.warnings] == [
        'test.toml:8: device.phone.psk: is in secrets.toml and is of no use with login = "password";'
        " forget it: edgevpn config unset device.phone.psk"
    ]
