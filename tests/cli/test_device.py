from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
import tomli

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.config.credential import NtHash, Psk
from edgevpn.config.device import Device
from edgevpn.config.generate import ALPHABET
from edgevpn.config.reader import load
from edgevpn.daemon.login.passwords import nt_hash

Output = pytest.CaptureFixture[str]

WRITTEN = """\
# the family
[pki]
public_name = "vpn.example.org"

[pool.home]   # all of us
v4 = "10.9.0.0/24"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edgevpn.toml"
    path.write_text(WRITTEN)
    path.chmod(0o600)
    return path


def device(file: Path, *words: str) -> int:
    """edgevpn device ACTION ... on this file."""
    return main(["device", words[0], "-c", str(file), *words[1:]])


def saved(file: Path, name: str) -> Device:
    return next(each for each in load(file, {}).devices if each.name == name)


def test_add_with_a_password(file: Path, capsys: Output) -> None:
    """It is shown once, and only its hash is kept."""
    assert device(file, "add", "Anna's phone", "platform=ios", "owner=Smith, Anna", "v4=10.9.0.7") == GOOD
    out, err = capsys.readouterr()
    (line,) = (line for line in out.split("\n") if line.startswith("password: "))
    password = line.split()[1]
    assert set(password) <= {*ALPHABET, "-"}
    phone = saved(file, "Anna's phone")
    assert phone.credential == NtHash("secrets.toml", bytes.fromhex(nt_hash(password)))
    assert (phone.owner, str(phone.v4)) == ("Smith, Anna", "10.9.0.7")
    assert file.read_text().startswith(WRITTEN)
    store = file.with_name("secrets.toml")
    assert password not in store.read_text() + file.read_text()
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert err == ""


def test_add_with_a_key(file: Path, capsys: Output) -> None:
    assert device(file, "add", "ben", "login=psk", "--json") == GOOD
    shown = json.loads(capsys.readouterr().out)
    assert saved(file, "ben").credential == Psk("secrets.toml", shown["psk"].encode())
    assert (shown["name"], len(shown["psk"])) == ("ben", 32)


def test_add_with_a_certificate(file: Path, capsys: Output) -> None:
    assert device(file, "add", "ben", "login=certificate") == GOOD
    assert saved(file, "ben").credential is None
    assert capsys.readouterr().out == "device ben is written; have the daemon read it: edgevpn reload\n"
    assert not file.with_name("secrets.toml").exists()


def test_add_with_a_secret_that_is_read(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert device(file, "add", "ben", "--secret", "-") == GOOD
    assert saved(file, "ben").credential == NtHash("secrets.toml", bytes.fromhex(nt_hash("correct horse")))
    assert "horse" not in capsys.readouterr().out


def test_add_with_a_secret_that_is_elsewhere(file: Path, tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("correct horse\n")
    word.chmod(0o600)
    assert device(file, "add", "ben", f"password_file={word}") == GOOD
    assert not file.with_name("secrets.toml").exists()


@pytest.mark.parametrize(
    ("words", "status", "err"),
    [
        (
            ["ben", "v4=10.8.0.7"],
            BAD_CONFIG,
            '{file}: device.ben.v4 = "10.8.0.7": is not in pool home; allowed: 10.9.0.0/24\n',
        ),
        (
            ["ben", "v4=tomorrow"],
            FAILED,
            'edgevpn: device.ben.v4 = "tomorrow": is not an IP address; allowed: an IPv4 address\n',
        ),
        (["ben", "expires=2020-01-01"], FAILED, 'edgevpn: device.ben.expires = "2020-01-01": has passed already;'),
        (["ben", "ownr=Ben"], FAILED, "edgevpn: device.ben.ownr is not a key; did you mean owner?\n"),
        (
            ["ben", "password=hunter2"],
            FAILED,
            "edgevpn: password does not belong on the command line, where others see it; write --secret - instead\n",
        ),
        (["ben", "owner"], FAILED, 'edgevpn: "owner" is not KEY=VALUE\n'),
        (["a\nb"], FAILED, 'edgevpn: "a\\nb" is no name for a device;'),
    ],
)
def test_add_what_does_not_do(file: Path, words: list[str], status: int, err: str, capsys: Output) -> None:
    """No secret is shown for what was not written."""
    assert device(file, "add", *words) == status
    out, found = capsys.readouterr()
    assert (out, found[: len(err.format(file=file))]) == ("", err.format(file=file))
    assert file.read_text() == WRITTEN
    assert not file.with_name("secrets.toml").exists()


def test_a_secret_that_nobody_needs(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert device(file, "add", "ben", "login=certificate", "--secret", "-") == FAILED
    assert capsys.readouterr() == ("", "edgevpn: no secret is needed for this login\n")


def test_set(file: Path, capsys: Output) -> None:
    device(file, "add", "ben", "owner=Ben")
    before = saved(file, "ben").credential
    assert device(file, "set", "ben", "owner=", "mode=split", "networks=10.1.0.0/24, 10.2.0.0/24") == GOOD
    ben = saved(file, "ben")
    assert (ben.owner, [str(each) for each in ben.networks]) == (None, ["10.1.0.0/24", "10.2.0.0/24"])
    assert ben.credential == before
    assert "password" not in capsys.readouterr().out.split("\n", 2)[2]


def test_set_another_login(file: Path, capsys: Output) -> None:
    """It comes with its own secret, and the old one is forgotten."""
    device(file, "add", "ben")
    assert device(file, "set", "ben", "login=psk") == GOOD
    assert isinstance(saved(file, "ben").credential, Psk)
    assert tomli.loads(file.with_name("secrets.toml").read_text())["device"]["ben"].keys() == {"psk"}
    assert device(file, "set", "ben", "login=certificate") == GOOD
    assert file.with_name("secrets.toml").read_text() == ""
    assert device(file, "set", "ben", "login=") == GOOD
    assert isinstance(saved(file, "ben").credential, NtHash)


def test_set_a_new_secret(file: Path, capsys: Output) -> None:
    device(file, "add", "ben")
    before = saved(file, "ben").credential
    capsys.readouterr()
    assert device(file, "set", "ben", "--new-secret") == GOOD
    assert "password: " in capsys.readouterr().out
    assert saved(file, "ben").credential != before


def test_enable_disable_remove(file: Path, capsys: Output) -> None:
    device(file, "add", "ben")
    assert device(file, "disable", "ben") == GOOD
    assert not saved(file, "ben").enabled
    assert device(file, "enable", "ben") == GOOD
    assert saved(file, "ben").enabled
    assert device(file, "remove", "ben") == GOOD
    assert (file.read_text(), file.with_name("secrets.toml").read_text()) == (WRITTEN, "")


@pytest.mark.parametrize("action", ["show", "set", "enable", "disable", "remove"])
def test_one_that_is_not_there(file: Path, action: str, capsys: Output) -> None:
    assert device(file, action, "ben") == FAILED
    assert capsys.readouterr() == ("", 'edgevpn: there is no device "ben"\n')
    assert file.read_text() == WRITTEN


def test_list_and_show(file: Path, capsys: Output) -> None:
    assert device(file, "list") == GOOD
    assert capsys.readouterr().out == "no device is configured\n"
    device(file, "add", "ben", "owner=Ben", "v4=10.9.0.7", "expires=2099-12-31")
    capsys.readouterr()
    assert device(file, "list") == GOOD
    assert [line.split() for line in capsys.readouterr().out.strip().split("\n")] == [
        ["NAME", "OWNER", "PLATFORM", "LOGIN", "POOL", "ADDRESS", "TUNNEL", "EXPIRES", "LET", "IN"],
        ["ben", "Ben", "other", "password", "home", "10.9.0.7", "full", "2099-12-31", "yes"],
    ]
    assert device(file, "list", "--json") == GOOD
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["nt_hash"], listed["dns"]) == ("ben", "***", ["10.9.0.1"])
    assert device(file, "show", "ben", "--json") == GOOD
    assert json.loads(capsys.readouterr().out) == listed
    assert device(file, "show", "ben") == GOOD
    assert ["v4", "10.9.0.7"] in [line.split() for line in capsys.readouterr().out.split("\n")]
