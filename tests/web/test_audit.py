from __future__ import annotations

import logging

import pytest

from edgevpn.web.audit import LONGEST_DETAIL, MOST_ENTRIES, Audit, encoded

HOSTILE = "\x1b[2J\n<script>alert(1)</script>\r\nJan 1 login address=192.168.1.1"


def test_what_was_done_from_where_and_when() -> None:
    audit = Audit(lambda: 1_700_000_000.0)
    audit.note("192.168.1.2", "device.add", "phone")
    assert audit.entries() == [
        {"at": 1_700_000_000.0, "address": "192.168.1.2", "event": "device.add", "detail": "phone"}
    ]


def test_a_line_of_the_log_stays_one_line(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit(lambda: 0.0)
    with caplog.at_level(logging.INFO, "edgevpn.web"):
        audit.note("192.168.1.2", "device.add", HOSTILE)
    (line,) = caplog.messages
    assert line.isprintable()
    assert line.startswith("audit event=device.add address=192.168.1.2 detail=")
    assert encoded(HOSTILE).isprintable()


def test_the_list_is_bounded() -> None:
    audit = Audit(lambda: 0.0)
    for number in range(MOST_ENTRIES + 5):
        audit.note("192.168.1.2", "login_failed", f"{number}" * 300)
    assert len(audit.entries()) == MOST_ENTRIES
    assert audit.entries()[0]["detail"].startswith("5")
    assert all(len(entry["detail"]) <= LONGEST_DETAIL for entry in audit.entries())
