from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import GOOD
from tests.support.daemon import answering, control_server


def test_setup_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address to open for each that the panel listens at, with the port that it was started with."""
    path = tmp_path / "control.sock"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    methods = {
        "web.settings": answering({"https": True, "listen": ["127.0.0.1", "::1"], "port": 443}),
        "web.ticket": answering({"ticket": "abc", "port": port}),
    }
    with control_server(path, methods):
        assert main(["setup-token", "--socket", str(path)]) == GOOD
    out, err = capsys.readouterr()
    assert out == "https://127.0.0.1:8443/#ticket=abc\nhttps://[::1]:8443/#ticket=abc\n".replace("8443", str(port))
    assert err == f"warning: nobody serves the panel at port {port} now; start it with: edgevpn web\n"


def test_setup_token_where_the_panel_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "control.sock"
    with socket.create_server(("127.0.0.1", 0)) as panel:
        methods = {
            "web.settings": answering({"https": True, "listen": ["127.0.0.1"]}),
            "web.ticket": answering({"ticket": "abc", "port": panel.getsockname()[1]}),
        }
        with control_server(path, methods):
            assert main(["setup-token", "--socket", str(path)]) == GOOD
            assert main(["setup-token", "--socket", str(path), "--json"]) == GOOD
            assert json.loads(capsys.readouterr().out.split("\n", 1)[1])["served"] is True
    assert capsys.readouterr().err == ""
