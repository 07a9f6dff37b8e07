from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgevpn import __version__
from edgevpn.api import ErrorCode, RpcError, Status
from edgevpn.cli import BAD_CONFIG, FAILED, GOOD, main, status_text
from edgevpn.config.errors import ConfigError, Problem
from edgevpn.config.model import LogLevel
from edgevpn.daemon.control import Method, Params
from edgevpn.daemon.options import KernelKind, Ports, RunOptions, StartFailed
from tests.support.configs import OFFICE as OFFICE_TABLE
from tests.support.configs import toml
from tests.support.daemon import answering, control_server, refusing
from tests.support.statuses import BRANCH, OFFICE, STARTED, STATUS

TABLE = """\
edgevpn 0.1.0, running for 1h 0m

SITE    STATE       PEER                FOR     CHILD    HERE         THERE        IN     OUT      CIPHER
office  up          198.51.100.7:4500   59m 0s  lan      10.1.0.0/24  10.2.0.0/24  999 B  12.3 MB  aes256gcm16
                                                         fd01::/64    fd02::/64
office  up          198.51.100.7:4500   59m 0s  voice    10.1.9.0/24  10.2.9.0/24  0 B    0 B      aes256gcm16
branch  connecting  branch.example.org"""


async def up(params: Params) -> object:
    if params["name"] == "branch":
        raise RpcError(ErrorCode.FAILED, "branch: the peer refused our pre-shared key; compare psk at both ends")
    return OFFICE


METHODS: dict[str, Method] = {
    "status": answering(STATUS),
    "site.up": up,
    "site.down": answering(None),
    "site.rekey": answering(OFFICE),
    "reload": answering({"added": ["a", "b"], "changed": [], "removed": ["c"], "unchanged": [], "warnings": ["odd"]}),
}


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line looks for the daemon."""
    path = tmp_path / "control.sock"
    monkeypatch.setenv("EDGEVPN_SOCKET", str(path))
    return path


Output = pytest.CaptureFixture[str]


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


def test_site_without_a_child_is_shown() -> None:
    childless: Any = {**OFFICE, "ike": [{**OFFICE["ike"][0], "children": []}]}
    last = status_text({**STATUS, "sites": [childless]}, STARTED + 120).split("\n")[-1]
    assert last.split() == ["office", "up", "198.51.100.7:4500", "1m", "0s"]


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
    assert capsys.readouterr() == ("added: a, b; removed: c\n", "warning: odd\n")


def test_reload_without_a_difference(socket: Path, capsys: Output) -> None:
    same = {"added": [], "changed": [], "removed": [], "unchanged": ["office"], "warnings": []}
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


def test_check_of_a_good_file(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "edgevpn.toml"
    path.write_text(toml(office=OFFICE_TABLE | {"psk": "short"}))
    path.chmod(0o600)
    assert main(["check", str(path)]) == GOOD
    out, err = capsys.readouterr()
    assert out == f"{path}: good, 1 site\n"
    assert err.startswith(f"warning: {path}:5: site.office.psk = ***: the key has fewer than 16 octets")


def test_check_of_a_bad_file(tmp_path: Path, capsys: Output) -> None:
    """File, line, key, value, what is allowed: a line for each fault."""
    path = tmp_path / "edgevpn.toml"
    path.write_text(toml(office=OFFICE_TABLE | {"mtu": 1, "encap": "yes"}))
    assert main(["check", str(path)]) == BAD_CONFIG
    assert capsys.readouterr() == (
        "",
        f"{path}:8: site.office.mtu = 1: is too small; allowed: 1280 to 9200 octets\n"
        f'{path}:9: site.office.encap = "yes": is a string; allowed: true | false;'
        " write true or false, without quotes\n",
    )


def test_check_of_no_file(tmp_path: Path, capsys: Output) -> None:
    assert main(["check", str(tmp_path / "none.toml")]) == BAD_CONFIG
    assert "none.toml: cannot be read: No such file or directory" in capsys.readouterr().err


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


def test_output_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `edgevpn version | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["version"]) == FAILED


@pytest.mark.parametrize("arguments", [[], ["fly"], ["up"], ["run", "--kernel", "windows"], ["run", "--ports", "500,500"]])
def test_misuse_is_explained(arguments: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: edgevpn" in capsys.readouterr().err


def test_every_verb_has_its_help(capsys: Output) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(verb in out for verb in ("run", "check", "status", "up", "down", "reload", "version"))
