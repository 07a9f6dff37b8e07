from __future__ import annotations

from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import GOOD
from tests.support.daemon import answering, control_server


def test_setup_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address to open for each that the panel listens at, with the port that it was started with."""
    socket = tmp_path / "control.sock"
    methods = {
        "web.settings": answering({"https": True, "listen": ["192.168.1.1", "fd00::1"], "port": 443}),
        "web.ticket": answering({"ticket": "abc", "port": 8443}),
    }
    with control_server(socket, methods):
        assert main(["setup-token", "--socket", str(socket)]) == GOOD
    assert capsys.readouterr().out == ("https://192.168.1.1:8443/#ticket=abc\nhttps://[fd00::1]:8443/#ticket=abc\n")
