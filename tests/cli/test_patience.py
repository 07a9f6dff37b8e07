"""edgevpn.cli.patience: a person learns what is waited for, a script reads nothing but the answer."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import pytest

from edgevpn.api import METHODS
from edgevpn.cli import main
from edgevpn.cli.output import GOOD
from edgevpn.cli.patience import DOING, MOMENT, telling
from edgevpn.daemon.control.server import Params
from tests.support.daemon import control_server


class Terminal(io.StringIO):
    """Somebody looks at it; `seen` once something stands there."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = threading.Event()

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.seen.set()


def looking(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """To be called by the test itself: pytest takes standard error between a fixture and its test."""
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    return made


def test_what_takes_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = looking(monkeypatch)
    with telling("making keys", moment=0.0):
        assert terminal.seen.wait(5)
    assert terminal.getvalue() == "making keys ...\n"


def test_what_is_done_at_once_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = looking(monkeypatch)
    with telling("making keys", moment=3600.0):
        pass
    assert terminal.getvalue() == ""


def test_a_script_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with telling("making keys", moment=0.0):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_daemon_takes_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = looking(monkeypatch)

    async def slow(params: Params) -> object:
        await asyncio.to_thread(terminal.seen.wait, 10 * MOMENT)
        return []

    path = tmp_path / "control.sock"
    with control_server(path, {"health": slow}):
        assert main(["doctor", "--socket", str(path)]) == GOOD
    assert terminal.getvalue() == f"{DOING['health']} ...\n"


def test_methods_are_those_that_there_are() -> None:
    assert DOING.keys() <= METHODS.keys()
