import logging

import pytest

from edgevpn.daemon.logs import LONGEST_VALUE, line, note, note_report, value_text
from edgevpn.ike.contract import Level, report

VALUES: dict[str, tuple[object, str]] = {
    "word": ("office", "office"),
    "address": ("198.51.100.7:4500", "198.51.100.7:4500"),
    "SPI": (bytes.fromhex("00c0ffee"), "00c0ffee"),
    "nothing": ("", '""'),
    "spaces": ("a b", '"a b"'),
    "quote": ('a"b', '"a\\"b"'),
    "looks like a field": ("x=1", '"x=1"'),
    "end of line": ("a\nERROR forged=1", '"a\\nERROR forged=1"'),
    "terminal": ("\x1b[2J", '"\\u001b[2J"'),
    "not ASCII": ("\u6771\u4eac", '"\\u6771\\u4eac"'),
    "right to left": ("\u202eabc", '"\\u202eabc"'),
}


@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_values_stay_on_their_line(value: object, text: str) -> None:
    assert value_text(value) == text


def test_long_values_are_cut() -> None:
    assert value_text("x" * 5000) == "x" * LONGEST_VALUE + "..."


def test_line() -> None:
    assert line("ike_up", (("peer", "office"), ("id", "Bob's"))) == "ike_up peer=office id=Bob's"
    assert line("stopped") == "stopped"


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("edgevpn.test")
    caplog.set_level(logging.INFO, "edgevpn.test")
    note(log, logging.DEBUG, "unseen")
    note_report(log, report(Level.DEBUG, "unseen"))
    note(log, logging.INFO, "up", peer="office")
    note_report(log, report(Level.WARNING, "refused", why="no key"))
    assert caplog.record_tuples == [
        ("edgevpn.test", logging.INFO, "up peer=office"),
        ("edgevpn.test", logging.WARNING, 'refused why="no key"'),
    ]
