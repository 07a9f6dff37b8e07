import io
import json
import re
from datetime import date

import pytest

from edgevpn.cli.output import BAD_CONFIG, FAILED, as_json, bad_config, counted, fail, painted, table, warn

Output = pytest.CaptureFixture[str]


def test_table() -> None:
    """Text stays text, whatever it looks like."""
    made = table([("office", "1e5"), ("b", "007")], ("NAME", "KEY"))
    assert [line.rstrip() for line in made.split("\n")] == ["NAME    KEY", "office  1e5", "b       007"]


def test_json() -> None:
    assert json.loads(as_json({"until": date(2027, 3, 31), "name": "電話"})) == {"until": "2027-03-31", "name": "電話"}
    assert "電話" in as_json("電話")


def test_counted() -> None:
    assert [counted(count, "site") for count in (0, 1, 2)] == ["0 sites", "1 site", "2 sites"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_warnings_are_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    warn(["odd"])
    monkeypatch.setenv("NO_COLOR", "1")
    warn(["odd"])
    assert terminal.getvalue() == "\x1b[31mwarning:\x1b[0m odd\nwarning: odd\n"


def test_states_have_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    """By their first word; blanks that fill a column stay."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert painted("up") == "up"
    monkeypatch.setattr("sys.stdout", Terminal())
    for colour, words in (
        (32, ("up", "in (2)", "good   ")),
        (33, ("connecting", "WARNING")),
        (31, ("down", "bad    ")),
    ):
        assert [painted(word) for word in words] == [f"\x1b[{colour}m{word}\x1b[0m" for word in words]
    assert [painted(word) for word in ("out", "the device is disabled")] == ["out", "the device is disabled"]
    rows = table([(painted("up"), "x"), ("connecting", "x")], ("A", "B")).split("\n")[1:]
    assert [re.sub(r"\x1b\[\d+m", "", row) for row in rows] == ["up          x", "connecting  x"]
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted("up") == "up"


def test_what_goes_wrong_is_not_mixed_with_the_answer(capsys: Output) -> None:
    warn(["odd"])
    assert fail("no") == FAILED
    assert bad_config(["one", "two"]) == BAD_CONFIG
    assert capsys.readouterr() == ("", "warning: odd\nedgevpn: no\none\ntwo\n")
