from __future__ import annotations

from typing import Any

from edgevpn.api import Status
from edgevpn.cli.status import carriers, status_text
from tests.support.stand_in import device, session
from tests.support.statuses import BRANCH, OFFICE, STARTED, STATUS

TABLE = """\
edgevpn 0.1.0, running for 1h 0m

SITE    STATE       PEER                FOR     CHILD    HERE         THERE        IN     OUT      CIPHER       BY
office  up          198.51.100.7:4500   59m 0s  lan      10.1.0.0/24  10.2.0.0/24  999 B  12.3 MB  aes256gcm16  cpu
                                                         fd01::/64    fd02::/64
office  up          198.51.100.7:4500   59m 0s  voice    10.1.9.0/24  10.2.9.0/24  0 B    0 B      aes256gcm16  cpu
branch  connecting  branch.example.org"""


def test_status_for_people() -> None:
    lines = status_text(STATUS, STARTED + 3600).split("\n")
    assert [line.rstrip() for line in lines] == TABLE.split("\n")


def test_status_without_a_kernel() -> None:
    status: Status = {**STATUS, "kernel": "memory", "sites": [BRANCH]}
    assert status_text(status, STARTED).startswith(
        "edgevpn 0.1.0, running for 0s, without a kernel: NO TRAFFIC FLOWS\n"
    )


def test_status_without_sites() -> None:
    status: Status = {**STATUS, "sites": []}
    assert status_text(status, STARTED + 2 * 86400) == "edgevpn 0.1.0, running for 2d 0h; no site is configured"


def test_why_a_site_is_not_up() -> None:
    """That of one that is up by now is past."""
    sites: Any = [{**OFFICE, "why": "it was past"}, {**BRANCH, "why": "no way leads to 192.0.2.7"}]
    assert status_text({**STATUS, "sites": sites}, STARTED + 120).endswith("\n\nbranch: no way leads to 192.0.2.7")
    assert "past" not in status_text({**STATUS, "sites": sites}, STARTED + 120)


def test_who_ciphers_may_differ_by_direction() -> None:
    assert carriers("cpu", "cpu") == "cpu"
    assert carriers("cpu", "crypto(wan)") == "in cpu, out crypto(wan)"


def test_site_without_a_child_is_shown() -> None:
    childless: Any = {**OFFICE, "ike": [{**OFFICE["ike"][0], "children": []}]}
    last = status_text({**STATUS, "sites": [childless]}, STARTED + 120).split("\n")[-1]
    assert last.split() == ["office", "up", "198.51.100.7:4500", "1m", "0s"]


def test_weak_site() -> None:
    """Of its IKE SA too, whose suite is not in the table."""
    ike: Any = {**OFFICE["ike"][0], "weak": ["prfsha1: SHA-1 is old"], "children": OFFICE["ike"][0]["children"][:1]}
    shown = status_text({**STATUS, "sites": [{**OFFICE, "ike": [ike]}]}, STARTED + 120)
    assert "WEAK: prfsha1" in shown
    assert "WEAK" not in status_text(STATUS, STARTED + 120)


def test_weak_session() -> None:
    """What is weak in it stands below its cipher."""
    weak = ["sha1: SHA-1 is old", "modp1024: an observer can compute it"]
    phone: Any = device("phone", sessions=[session(suite="aes256-sha1-prfsha1-modp1024", weak=weak)])
    last = status_text({**STATUS, "sites": [], "devices": [phone]}, STARTED + 1200).split("\n")[-1]
    assert last.split() == ["WEAK:", "sha1,", "modp1024"]
