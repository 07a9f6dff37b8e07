"""edgevpn.cli.bundle: everything is in it but secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, GOOD
from edgevpn.daemon.control.server import Method
from tests.support.configs import OFFICE, PHONE, staff
from tests.support.daemon import answering, control_server
from tests.support.statuses import STATUS

ATTEMPT = {"at": 1.0, "peer": "office", "cause": "wrong-key"}
HEALTH = {"id": "clock", "level": "good", "message": "The clock is right.", "cure": ""}
METHODS: dict[str, Method] = {
    "version": answering({"version": "0.1.0", "api": 1}),
    "status": answering(STATUS),
    "health": answering([HEALTH]),
    "attempts": answering([ATTEMPT]),
    "log.recent": answering([]),
}
Output = pytest.CaptureFixture[str]


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line looks for the daemon."""
    path = tmp_path / "control.sock"
    monkeypatch.setenv("EDGEVPN_SOCKET", str(path))
    return path


def written(folder: Path, text: str) -> str:
    file = folder / "edgevpn.toml"
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


def test_all_but_secrets(tmp_path: Path, socket: Path, capsys: Output) -> None:
    file = written(tmp_path, staff(site={"office": OFFICE}))
    with control_server(socket, METHODS):
        assert main(["diagnose", "--bundle", "-c", file]) == GOOD
    text = capsys.readouterr().out
    told: Any = json.loads(text)
    assert told.keys() == {"edgevpn", "machine", "configuration", "status", "health", "attempts", "log"}
    assert told["attempts"] == [ATTEMPT]
    assert told["configuration"]["site"]["office"]["remote"] == OFFICE["remote"]
    for secret in (OFFICE["psk"], PHONE["password"]):
        assert secret not in text


def test_the_configuration_is_the_daemons(socket: Path, capsys: Output) -> None:
    """Wherever its file is."""
    tables = {"gateway": {"listen": "127.0.0.1"}, "site": {"office": {"psk": "***"}}}
    with control_server(socket, {**METHODS, "config.show": answering(tables)}):
        assert main(["diagnose", "--bundle"]) == GOOD
    assert json.loads(capsys.readouterr().out)["configuration"] == tables


def test_bad_file(tmp_path: Path, socket: Path) -> None:
    """What is wrong with it is said, and nothing of it is shown."""
    file = written(tmp_path, "[site.office]\npsk = 'half a line")
    with control_server(socket, METHODS):
        assert main(["diagnose", "--bundle", "-c", file]) == BAD_CONFIG
