from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import tomli

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.config.explain import reference
from edgevpn.config.schema import schema
from tests.support.configs import OFFICE as OFFICE_TABLE
from tests.support.configs import staff, toml

Output = pytest.CaptureFixture[str]

WRITTEN = """\
# ours
[site.office]   # in Graz
remote = "office.example.org"
psk = "correct horse battery staple"
local_networks = "10.1.0.0/24"
remote_networks = "10.2.0.0/24"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edgevpn.toml"
    path.write_text(WRITTEN)
    path.chmod(0o600)
    return path


def test_check_of_a_good_file(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "edgevpn.toml"
    path.write_text(toml(office=OFFICE_TABLE | {"psk": "short"}))
    path.chmod(0o600)
    assert main(["check", str(path)]) == GOOD
    out, err = capsys.readouterr()
    assert out == f"{path}: good, 1 site\n"
    assert err.startswith(f"warning: {path}:5: site.office.psk = ***: the key has fewer than 16 octets")


def test_check_takes_a_file_as_other_verbs_do(file: Path, capsys: Output) -> None:
    assert main(["check", "-c", str(file)]) == GOOD
    assert capsys.readouterr().out == f"{file}: good, 1 site\n"


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


def test_check_for_programs(file: Path, capsys: Output) -> None:
    assert main(["check", "--json", str(file)]) == GOOD
    assert json.loads(capsys.readouterr().out) == {"good": True, "errors": [], "warnings": []}
    file.write_text(WRITTEN + "mtu = 1\n")
    assert main(["check", "--json", str(file)]) == BAD_CONFIG
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["file"], error["line"], error["key"]) == (str(file), 7, "site.office.mtu")


def test_check_counts_what_there_is(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "edgevpn.toml"
    path.write_text(staff(devices={}))
    assert main(["check", str(path)]) == GOOD
    assert capsys.readouterr().out == f"{path}: good, 0 sites, 1 pool\n"


def test_show_as_written(file: Path, capsys: Output) -> None:
    assert main(["config", "show", "-c", str(file)]) == GOOD
    assert capsys.readouterr() == (WRITTEN.replace("correct horse battery staple", "***"), "")


def test_show_with_defaults(file: Path, capsys: Output) -> None:
    assert main(["config", "show", "--defaults", "-c", str(file)]) == GOOD
    out = capsys.readouterr().out
    assert tomli.loads(out)["site"]["office"]["psk"] == "***"
    assert 'dpd_delay = "30s"   # default\n' in out


def test_show_for_programs(file: Path, capsys: Output) -> None:
    assert main(["config", "show", "--json", "-c", str(file)]) == GOOD
    assert json.loads(capsys.readouterr().out) == {"site": {"office": OFFICE_TABLE | {"psk": "***"}}}
    assert main(["config", "show", "--json", "--defaults", "-c", str(file)]) == GOOD
    shown = json.loads(capsys.readouterr().out)
    assert (shown["site"]["office"]["mtu"], shown["gateway"]["nat_keepalive"]) == (None, "20s")


def test_schema(capsys: Output) -> None:
    assert main(["config", "schema"]) == GOOD
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema()))


def test_explain(capsys: Output) -> None:
    assert main(["config", "explain", "site.office.mtu"]) == GOOD
    assert capsys.readouterr().out.startswith("site.NAME.mtu\n    The MTU of that interface.\n")
    assert main(["config", "explain"]) == GOOD
    assert capsys.readouterr().out == reference() + "\n"
    assert main(["config", "explain", "mtuu"]) == FAILED
    assert capsys.readouterr().err == "edgevpn: mtuu is no key or table; did you mean mtu?\n"


def test_set_and_unset(file: Path, capsys: Output) -> None:
    assert main(["config", "set", "-c", str(file), "site.office.mtu", "1400"]) == GOOD
    assert file.read_text() == WRITTEN + "mtu = 1400\n"
    assert capsys.readouterr() == (
        "site.office: changed\n"
        "  mtu: (what the path and the cipher leave) -> 1400 (at once; nothing drops)\n"
        "have the daemon read it: edgevpn reload\n",
        "",
    )
    assert main(["config", "set", "-c", str(file), "site.office.mtu", "1400"]) == GOOD
    assert capsys.readouterr().out == "nothing has changed\n"
    assert main(["config", "unset", "-c", str(file), "site.office.mtu"]) == GOOD
    assert file.read_text() == WRITTEN


def test_set_for_programs(file: Path, capsys: Output) -> None:
    assert main(["config", "set", "--json", "-c", str(file), "site.office.encap", "true"]) == GOOD
    told = json.loads(capsys.readouterr().out)
    assert (told["drops"], told["changes"][0]["keys"][0]["new"]) == (["site.office"], "true")


def test_set_a_list(file: Path) -> None:
    assert main(["config", "set", "-c", str(file), "site.office.remote", "a.example.org", "192.0.2.7"]) == GOOD
    assert tomli.loads(file.read_text())["site"]["office"]["remote"] == ["a.example.org", "192.0.2.7"]


@pytest.mark.parametrize(
    ("words", "status", "err"),
    [
        (
            ["site.office.mtu", "1"],
            FAILED,
            "edgevpn: site.office.mtu = 1: is too small; allowed: 1280 to 9200 octets\n",
        ),
        (["site.office.mtuu", "1"], FAILED, "edgevpn: site.office.mtuu is not a key; did you mean mtu?\n"),
        (
            ["site.office.psk", "hunter2"],
            FAILED,
            "edgevpn: site.office.psk does not belong on the command line, where others see it; write - and type it\n",
        ),
        (
            ["site.office.remote_networks", "10.1.0.0/24"],
            BAD_CONFIG,
            "{file}:6: site.office.remote_networks: 10.1.0.0/24 is in local_networks too;"
            " keep it where it is; what both ends have cannot be routed\n",
        ),
    ],
)
def test_set_what_does_not_do(file: Path, words: list[str], status: int, err: str, capsys: Output) -> None:
    assert main(["config", "set", "-c", str(file), *words]) == status
    assert capsys.readouterr() == ("", err.format(file=file))
    assert file.read_text() == WRITTEN


def test_a_secret_is_read(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("battery staple and horse\n"))
    assert main(["config", "set", "-c", str(file), "site.office.psk", "-"]) == GOOD
    assert 'psk = "battery staple and horse"\n' in file.read_text()
    assert "battery" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["config", "set", "-c", str(file), "site.office.psk", "-"]) == FAILED


def test_a_file_that_is_still_wrong_is_written_and_told(file: Path, capsys: Output) -> None:
    file.write_text(WRITTEN + "mtu = 1\nencap = 1\n")
    assert main(["config", "unset", "-c", str(file), "site.office.mtu"]) == BAD_CONFIG
    out, err = capsys.readouterr()
    assert (out, err.split("\n")[0]) == ("written\n", "written, but still wrong:")
    assert f"{file}:7: site.office.encap = 1: is a number" in err
    assert file.read_text() == WRITTEN + "encap = 1\n"


def test_versions_and_rollback(file: Path, capsys: Output) -> None:
    assert main(["config", "versions", "-c", str(file)]) == GOOD
    assert capsys.readouterr().out == "no version is kept yet\n"
    assert main(["config", "set", "-c", str(file), "site.office.mtu", "1400"]) == GOOD
    capsys.readouterr()
    assert main(["config", "versions", "-c", str(file)]) == GOOD
    assert capsys.readouterr().out.startswith("VERSION    UNTIL\n1          20")
    assert main(["config", "versions", "--json", "-c", str(file)]) == GOOD
    (version,) = json.loads(capsys.readouterr().out)
    assert version["number"] == 1
    assert main(["config", "rollback", "-c", str(file)]) == GOOD
    assert file.read_text() == WRITTEN
    assert capsys.readouterr().out.startswith("site.office: changed\n  mtu: 1400 -> (what the path")
    assert main(["config", "rollback", "7", "-c", str(file)]) == FAILED
    assert capsys.readouterr().err == "edgevpn: there is no version 7; there are 1 to 2\n"


def test_what_waits_for_a_restart_is_told(file: Path, capsys: Output) -> None:
    assert main(["config", "set", "-c", str(file), "web.port", "4443"]) == GOOD
    assert "\nholds after a restart: web.port\n" in capsys.readouterr().out
