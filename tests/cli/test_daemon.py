from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edgevpn import __version__
from edgevpn.api import ErrorCode, RpcError
from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.config.errors import ConfigError, Problem
from edgevpn.config.model import LogLevel
from edgevpn.daemon.base.options import KernelKind, Ports, RunOptions, StartFailed
from edgevpn.daemon.control.server import Method, Params
from tests.support.daemon import answering, control_server, refusing
from tests.support.statuses import OFFICE, STATUS


async def up(params: Params) -> object:
    if params["name"] == "branch":
        raise RpcError(ErrorCode.FAILED, "branch: the peer refused our pre-shared key; compare psk at both ends")
    return OFFICE


METHODS: dict[str, Method] = {
    "status": answering(STATUS),
    "site.up": up,
    "site.down": answering(None),
    "site.rekey": answering(OFFICE),
    "reload": answering(
        {
            "added": ["a", "b"],
            "changed": [],
            "removed": ["c"],
            "unchanged": [],
            "others": ["device.anna: added"],
            "warnings": ["odd"],
        }
    ),
}


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line looks for the daemon."""
    path = tmp_path / "control.sock"
    monkeypatch.setenv("EDGEVPN_SOCKET", str(path))
    return path


Output = pytest.CaptureFixture[str]


def test_status(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["status"]) == GOOD
    assert "office  up" in capsys.readouterr().out


def test_status_for_programs(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["status", "--json"]) == GOOD
    assert json.loads(capsys.readouterr().out) == STATUS


def test_socket_option_wins(tmp_path: Path, socket: Path, capsys: Output) -> None:
    with control_server(tmp_path / "other.sock", METHODS):
        assert main(["down", "office", "--socket", str(tmp_path / "other.sock")]) == GOOD
    assert capsys.readouterr().out == "office: down\n"


def test_up(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["up", "office"]) == GOOD
        assert capsys.readouterr().out == "office: up, peer office.example.org\n"
        assert main(["up", "branch"]) == FAILED
        assert capsys.readouterr().err == (
            "edgevpn: branch: the peer refused our pre-shared key; compare psk at both ends\n"
        )


def test_reload(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["reload"]) == GOOD
    assert capsys.readouterr() == ("added: a, b; removed: c; device.anna: added\n", "warning: odd\n")


FOR_PROGRAMS = {
    "up office": "site.up",
    "down office": None,
    "rekey office": "site.rekey",
    "reload": "reload",
}


@pytest.mark.parametrize("words", FOR_PROGRAMS)
async def test_what_is_done_for_programs(socket: Path, capsys: Output, words: str) -> None:
    """What the daemon has answered, and nothing beside it."""
    with control_server(socket, METHODS):
        assert await asyncio.to_thread(main, [*words.split(), "--json"]) == GOOD
    method = FOR_PROGRAMS[words]
    out, err = capsys.readouterr()
    assert json.loads(out) == (await METHODS[method]({"name": "office"}) if method else {})
    assert err == ""


def test_reload_without_a_difference(socket: Path, capsys: Output) -> None:
    same = {"added": [], "changed": [], "removed": [], "unchanged": ["office"], "others": [], "warnings": []}
    with control_server(socket, {"reload": answering(same)}):
        assert main(["reload"]) == GOOD
    assert capsys.readouterr().out == "nothing has changed\n"


def test_reload_of_a_bad_file(socket: Path, capsys: Output) -> None:
    refusal = refusing(ErrorCode.CONFIG_INVALID, "the file is bad", ["e.toml:1: one", "e.toml:2: two"])
    with control_server(socket, {"reload": refusal}):
        assert main(["reload"]) == BAD_CONFIG
    assert capsys.readouterr() == ("", "e.toml:1: one\ne.toml:2: two\n")


def test_daemon_that_does_not_run(socket: Path, capsys: Output) -> None:
    assert main(["status"]) == FAILED
    assert capsys.readouterr() == (
        "",
        f"edgevpn: the daemon is not running (nobody listens on {socket}); start it with: edgevpn run -c FILE\n",
    )


def test_rekey(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["rekey", "office", "--ike"]) == GOOD
    assert capsys.readouterr().out == "office: has new keys\n"


def test_run_hands_its_options_to_the_daemon(tmp_path: Path, socket: Path) -> None:
    seen: list[RunOptions] = []

    def run(options: RunOptions) -> int:
        seen.append(options)
        return 0

    config, keys = tmp_path / "e.toml", tmp_path / "keys"
    assert main(["run", "-c", str(config)], run) == GOOD
    arguments = ["--kernel", "memory", "--socket", "/run/s", "--export-keys", str(keys), "--log-level", "debug"]
    arguments += ["--ports", "5500,5501"]
    assert main(["run", "-c", str(config), *arguments], run) == GOOD
    assert seen == [
        RunOptions(config, socket),
        RunOptions(config, Path("/run/s"), KernelKind.MEMORY, keys, LogLevel.DEBUG, Ports(5500, 5501)),
    ]


def test_run_that_cannot_start(capsys: Output) -> None:
    def taken(options: RunOptions) -> int:
        raise StartFailed("UDP port 500 is taken by another program; stop it, strongSwan for one")

    def bad(options: RunOptions) -> int:
        raise ConfigError((Problem(file="e.toml", line=3, fault="is not TOML"),))

    def interrupted(options: RunOptions) -> int:
        raise KeyboardInterrupt

    assert main(["run"], taken) == FAILED
    assert main(["run"], bad) == BAD_CONFIG
    assert main(["run"], interrupted) == 130
    assert capsys.readouterr().err == (
        "edgevpn: UDP port 500 is taken by another program; stop it, strongSwan for one\ne.toml:3: is not TOML\n"
    )


def test_version(capsys: Output) -> None:
    assert main(["version"]) == GOOD
    assert capsys.readouterr().out == f"edgevpn {__version__}\n"


LINE = {"at": 1_700_000_000.0, "level": "info", "text": "ike_up peer=office"}


def test_log(socket: Path, capsys: Output) -> None:
    with control_server(socket, {"log.recent": answering([LINE])}):
        assert main(["log", "-n", "5"]) == GOOD
        assert capsys.readouterr().out == "2023-11-14 22:13:20Z INFO ike_up peer=office\n"
        assert main(["log", "--json"]) == GOOD
        assert json.loads(capsys.readouterr().out) == LINE


def test_metrics(socket: Path, capsys: Output) -> None:
    with control_server(socket, {"metrics": answering("edgevpn_build_info 1\n")}):
        assert main(["metrics", "--json"]) == GOOD
        assert json.loads(capsys.readouterr().out) == [{"name": "edgevpn_build_info", "labels": {}, "value": 1.0}]
        assert main(["metrics"]) == GOOD
    assert capsys.readouterr().out == "edgevpn_build_info 1\n"
