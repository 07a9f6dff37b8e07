import json
import logging
from collections.abc import Callable

import pytest

from edgevpn.daemon.base.logs import LONGEST_VALUE, Entry, JsonFormatter, formatter, line, note, note_report, value_text
from edgevpn.ike.contract import Level, Report, refused, report
from edgevpn.ike.errors import Cause
from tests.support import hostile
from tests.support.provocations import Watched

VALUES: dict[str, tuple[object, str]] = {
    "word": ("office", "office"),
    "address": ("198.51.100.7:4500", "198.51.100.7:4500"),
    "SPI": (bytes.fromhex("00c0ffee"), "00c0ffee"),
    "nothing": ("", '""'),
    "several": (("phones/password", "phones/psk"), "phones/password,phones/psk"),
    "a list with spaces": (["a b", "c"], '"a b,c"'),
    "an empty list": ([], '""'),
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
    note_report(log, report(Level.WARNING, "odd", why="no key"))
    note_report(log, refused("refused", Cause.WRONG_KEY, why="no key"))
    note_report(log, report(Level.WARNING, "odd"), left_out=7)
    assert caplog.record_tuples == [
        ("edgevpn.test", logging.INFO, "up peer=office"),
        ("edgevpn.test", logging.WARNING, 'odd why="no key"'),
        ("edgevpn.test", logging.WARNING, 'refused why="no key" cause=wrong-key'),
        ("edgevpn.test", logging.WARNING, "odd left_out=7"),
    ]


def record(message: object, *, fault: Exception | None = None) -> logging.LogRecord:
    raised = (type(fault), fault, None) if fault else None
    made = logging.LogRecord("edgevpn.test", logging.WARNING, "", 0, message, (), raised)
    made.created = 1_700_000_000.25
    return made


def test_lines_for_people() -> None:
    assert formatter(False).format(record(Entry("up", (("peer", "a b"),)))) == 'WARNING up peer="a b"'


def test_lines_for_programs() -> None:
    fields = (
        ("peer", "a\nb"),
        ("spi", b"\x01\x02"),
        ("count", 3),
        ("names", ["x", 1]),
        ("level", "loud"),
        ("why", "x" * 999),
    )
    written = formatter(True).format(record(Entry("up", fields)))
    assert "\n" not in written
    assert json.loads(written) == {
        "at": 1_700_000_000.25,
        "level": "warning",
        "log": "edgevpn.test",
        "event": "up",
        "peer": "a\nb",
        "spi": "0102",
        "count": 3,
        "names": ["x", 1],
        "level_": "loud",
        "why": "x" * LONGEST_VALUE + "...",
    }


def test_what_others_log_for_programs() -> None:
    written = json.loads(formatter(True).format(record("plain words", fault=ValueError("odd"))))
    assert (written["event"], written["exception"]) == ("plain words", "ValueError: odd")


@pytest.mark.parametrize(("call", "text"), hostile.PLAYED, ids=hostile.IDS)
def test_what_a_stranger_says_stays_on_its_line(call: Callable[[str], Watched], text: str) -> None:
    """In all that is logged of a call that comes to nothing, as text and as JSON."""
    reports = [each for each in call(text).pair.right.told if isinstance(each, Report)]
    assert reports
    for each in reports:
        written = line(each.event, each.fields)
        assert written.isascii()
        assert written.isprintable()
        assert len(written) < 4000
        record = logging.LogRecord("edgevpn", logging.INFO, "", 0, Entry(each.event, each.fields), (), None)
        assert JsonFormatter().format(record).isprintable()
