from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import OFFICE, PHONE, PUBLIC, STAFF, document, faults, faults_of, staff, warnings_of

A_FILE = __file__
"""One that is there."""
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def devices(**named: dict[str, Any]) -> str:
    return staff(devices={name: PHONE | keys for name, keys in named.items()})


def test_devices_are_told_apart() -> None:
    assert faults_of(devices(phone={}, tablet={"id": "phone"})) == [
        "device.tablet.id: phone is that of device phone too; give it another id"
    ]
    assert warnings_of(devices(phone={}, tablet={})) == []


def test_windows_sends_a_user_name_as_it_was_typed() -> None:
    assert faults_of(devices(phone={}, PHONE={})) == [
        "device.PHONE.id: PHONE is that of device phone too; give it another id"
    ]


def test_a_device_is_no_site() -> None:
    site = {"office": OFFICE | {"remote_id": "phone"}}
    assert faults_of(staff(site=site)) == [
        "device.phone.id: phone is the remote_id of site office too; give it another id"
    ]


def test_a_name_is_one_however_it_is_written() -> None:
    document = devices(phone={"id": "C=CH, CN=Phone"}, tablet={"id": "/C=ch/CN=phone"})
    assert faults_of(document) == ["device.tablet.id: C=ch, CN=phone is that of device phone too; give it another id"]


def test_several_as_one_device() -> None:
    """Each of them has a certificate and an address of its own."""
    everybody = {"id": "*@example.org"}
    certified = everybody | {"login": "certificate"}
    assert warnings_of(staff(devices={"phone": certified})) == []
    assert faults_of(devices(phone=everybody)) == [
        "device.phone.id: lets in several, who would share one secret;"
        ' give each a device of its own, or write login = "certificate"'
    ]
    assert faults_of(staff(devices={"phone": certified | {"v4": "10.9.0.9"}})) == [
        "device.phone.v4: is one address, and *@example.org are several; take it out"
    ]


def test_what_has_expired() -> None:
    """Where it is known what time it is."""
    document = devices(phone={"expires": "2026-05-31"}, tablet={"expires": "2026-06-01"})
    assert warnings_of(document, NOON) == [
        "device.phone.expires: has passed, so the device cannot connect; write a later date"
    ]
    assert warnings_of(document) == []


def test_certificates_have_their_keys() -> None:
    path = "allowed: an absolute path"
    for table in ("pki", "web"):
        assert faults_of(document(**{table: {"certificate": "/c.pem"}})) == [
            f"{table}.certificate_key: is missing, and needed with certificate; {path}"
        ]
        assert faults_of(document(**{table: {"certificate_key": "/k.pem"}})) == [
            f"{table}.certificate: is missing, and needed with certificate_key; {path}"
        ]


def test_devices_need_a_name_to_dial() -> None:
    assert warnings_of(document(pool={"staff": STAFF})) == [
        "pki.public_name: is missing, so no device can connect;"
        ' write the name that devices dial: public_name = "vpn.example.org"'
    ]
    bought = {"certificate": A_FILE, "certificate_key": A_FILE}
    assert warnings_of(document(pool={"staff": STAFF}, pki=bought)) == []
    assert faults_of(document(pool={"staff": STAFF}, pki=PUBLIC | {"local_ca": False})) == [
        "pki.certificate: is missing, and needed with local_ca = false; allowed: an absolute path"
    ]


def test_somebody_vouches_for_certificates() -> None:
    bought = PUBLIC | {"certificate": A_FILE, "certificate_key": A_FILE, "local_ca": False}
    phone = {"phone": {"login": "certificate"}}
    assert faults_of(staff(devices=phone, pki=bought)) == [
        "device.phone.login: has no CA to vouch for it; write local_ca = true or trust in [pki]"
    ]
    site = {key: value for key, value in OFFICE.items() if key != "psk"} | {"auth": "certificate"}
    assert faults_of(document(site={"office": site}, pki={"local_ca": False})) == [
        "site.office.ca: is missing, and no other CA vouches for the peer; write local_ca = true or trust in [pki]"
    ]
    assert warnings_of(document(site={"office": site | {"ca": A_FILE}}, pki={"local_ca": False})) == []
    assert warnings_of(staff(devices=phone, pki=bought | {"trust": A_FILE})) == []


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """They may come yet, so that is no error; whoever asks is told."""
    key = tmp_path / "key.pem"
    tables = {
        "certificate": str(key),
        "certificate_key": A_FILE,
        "trust": [A_FILE, str(tmp_path)],
        "crl_files": "/c.crl",
    }
    assert warnings_of(document(pool={"staff": STAFF}, pki=PUBLIC | tables)) == [
        f'pki.certificate = "{key}": cannot be read: No such file or directory; it is read as soon as it can be',
        f'pki.trust = "{tmp_path}": is no regular file; it is read as soon as it can be',
        'pki.crl_files = "/c.crl": cannot be read: No such file or directory; it is read as soon as it can be',
    ]
    site = {key: value for key, value in OFFICE.items() if key != "psk"} | {"auth": "certificate"}
    missing = {"cert": "/c.pem", "key": "/k.pem", "ca": "/ca.pem"}
    assert [each.partition(" =")[0] for each in warnings_of(document(site={"office": site | missing}))] == [
        "site.office.cert",
        "site.office.key",
        "site.office.ca",
    ]


def test_an_address_is_served_once() -> None:
    """All addresses of a version, and one of them, cannot be bound together."""
    assert faults(gateway={"listen": ["0.0.0.0", "::", "192.0.2.1"]}, office=OFFICE) == [  # noqa: S104 - what is refused
        "gateway.listen: 192.0.2.1 is served already, as all addresses of IPv4 are; take one of the two out"
    ]


def test_an_interface_is_on_one_side() -> None:
    assert faults_of(document(firewall={"lan": ["br-lan", "eth0"], "wan": "eth0"})) == [
        "firewall.wan: eth0 is in lan too"
    ]


@pytest.mark.parametrize("firewall", [{"manage": "off"}, {"reject_v6": False}])
def test_v6_that_passes_beside_the_tunnel(firewall: dict[str, Any]) -> None:
    pools = {"staff": {"v4": "10.9.0.0/24"}}
    assert warnings_of(document(pki=PUBLIC, pool=pools, firewall=firewall)) == [
        "pool.staff.v6: is missing, and the firewall does not turn IPv6 away: it passes beside the full tunnel;"
        " give the pool IPv6 addresses, or let the firewall be managed"
    ]
    assert warnings_of(document(pki=PUBLIC, pool=pools)) == []
    split = {"staff": pools["staff"] | {"mode": "split", "networks": "10.1.0.0/24"}}
    assert warnings_of(document(pki=PUBLIC, pool=split, firewall=firewall)) == []
    assert warnings_of(staff(firewall=firewall)) == []


def test_the_panel_is_for_the_lan() -> None:
    assert faults_of(document(web={"listen": ["192.168.1.1", "198.51.100.1", "8.8.8.8"]})) == [
        "web.listen: 8.8.8.8 is open to the Internet; allowed: private addresses;"
        " if this is meant, write allow_listen_on_public_addresses = true"
    ]
    meant = {"listen": "2600::1", "allow_listen_on_public_addresses": True}
    assert warnings_of(staff(web=meant)) == []


def test_a_session_is_idle_before_it_ends() -> None:
    assert faults_of(document(web={"session_idle": "2h", "session_life": "1h"})) == [
        "web.session_idle: is longer than session_life; allowed: up to session_life"
    ]
