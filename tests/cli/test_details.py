"""edgevpn.cli.details: no path of an API, and one sign for what there is not."""

from __future__ import annotations

from typing import Any

from edgevpn.cli.details import device_rows, site_rows
from tests.support.stand_in import device, session
from tests.support.statuses import BRANCH, OFFICE, STARTED

CERTIFICATE = {"what": "device", "subject": "phone", "fingerprint": "ab:cd", "ends": STARTED, "days_left": 0}


def detail(**given: Any) -> Any:
    more = {"networks": [], "dns": ["10.9.0.1"], "unique": "keep", "days": [], "months": [], "certificates": []}
    return {"device": device("phone", **given), **more}


def test_a_site_that_is_up() -> None:
    assert site_rows(OFFICE, STARTED + 3600) == [
        ("state", "up"),
        ("why", "-"),
        ("ike", "192.0.2.1:4500 - 198.51.100.7:4500, for 59m 0s, aes256gcm16-prfsha384-x25519"),
        ("ike.lan", "in 999 B, out 12.3 MB, aes256gcm16, by cpu"),
        ("ike.voice", "in 0 B, out 0 B, aes256gcm16, by cpu"),
    ]


def test_a_site_with_a_post_quantum_key() -> None:
    (ike,) = OFFICE["ike"]
    rows = dict(site_rows({**OFFICE, "ike": [{**ike, "ppk": "winter"}]}, STARTED + 3600))
    assert rows["ike"].endswith("aes256gcm16-prfsha384-x25519 with the PPK winter")


def test_a_site_that_does_not_come_up() -> None:
    assert site_rows({**BRANCH, "why": "no way leads there"}, STARTED) == [
        ("state", "connecting"),
        ("why", "no way leads there"),
    ]


def test_a_device_that_is_out() -> None:
    rows = dict(device_rows(detail(), STARTED))
    assert {key for key, value in rows.items() if value == "-"} == {"owner", "expires", "v4", "v6", "networks"}
    assert (rows["let in"], rows["seen"], rows["used today"]) == ("yes", "never", "in 0 B, out 0 B")
    assert not [key for key in rows if "." in key]


def test_a_device_that_is_in() -> None:
    found = detail(sessions=[session()], seen=STARTED, place="203.0.113.9", expires=STARTED)
    found["certificates"].append(CERTIFICATE)
    rows = dict(device_rows(found, STARTED + 660))
    assert rows["in"] == (
        "from 203.0.113.9:4500, for 1m 0s, as 10.9.0.2, in 120 kB, out 4.5 MB, aes256gcm16-prfsha256-ecp256"
    )
    assert rows["seen"] == "2023-11-14 22:13:20Z, 203.0.113.9"
    assert rows["expires"] == "2023-11-14 22:13:20Z"
    assert rows["certificate"] == "phone, until 2023-11-14 22:13:20Z, ab:cd"


def test_a_device_whose_packets_arrive_spoilt() -> None:
    rows = dict(device_rows(detail(sessions=[session(undeciphered=7)]), STARTED + 660))
    assert "out 4.5 MB, 7 packets that could not be decrypted, aes256gcm16" in rows["in"]


def test_a_device_that_is_kept_out() -> None:
    assert (
        dict(device_rows(detail(refused="the device is disabled"), STARTED))["let in"] == "no: the device is disabled"
    )
