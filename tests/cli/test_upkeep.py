"""What concerns everything at once: by a daemon that keeps the contract, and on files without one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.pki.authority import create_authority
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import pkcs8
from tests.support.certificates import NOW, p256
from tests.support.daemon import control_server
from tests.support.stand_in import StandIn

Output = pytest.CaptureFixture[str]
TEXT = '# ours\n[gateway]\nlog_level = "debug"\n'


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    path = tmp_path / "control.sock"
    monkeypatch.setenv("EDGEVPN_SOCKET", str(path))
    made = StandIn()
    with control_server(path, made.methods()):
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration that no daemon runs with."""
    path = tmp_path / "box" / "edgevpn.toml"
    path.parent.mkdir()
    path.write_text("# before\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def password(tmp_path: Path) -> str:
    (tmp_path / "password").write_text("a long password\n")
    return str(tmp_path / "password")


# --- with a daemon


def test_apply(daemon: StandIn, given: Path, capsys: Output) -> None:
    assert main(["apply", str(given), "--dry-run"]) == GOOD
    assert daemon.asked[-1] == ("config.plan", {"text": TEXT, "name": str(given)})
    assert main(["apply", str(given), "--confirm", "60"]) == GOOD
    assert daemon.asked[-1] == ("config.apply", {"text": TEXT, "confirm": 60, "name": str(given)})
    assert "unless it is confirmed by then: edgevpn confirm" in capsys.readouterr().out
    assert main(["confirm", "--json"]) == GOOD
    assert capsys.readouterr().out == "{}\n"
    assert main(["confirm"]) == GOOD
    assert daemon.asked[-1] == ("config.confirm", {})


def test_certificates(daemon: StandIn, given: Path, capsys: Output) -> None:
    for words, asked in (
        (["show"], ("pki.show", {})),
        (["init", "--name", "Ours"], ("pki.init", {"name": "Ours"})),
        (["renew"], ("pki.renew", {})),
        (["import", str(given)], ("pki.import", {"content": base64.b64encode(TEXT.encode()).decode()})),
    ):
        assert main(["pki", *words]) == GOOD
        assert daemon.asked[-1] == asked
        assert "CN=vpn.example.org" in capsys.readouterr().out
    assert main(["pki", "export-ca"]) == GOOD
    assert capsys.readouterr().out == "-----BEGIN"
    assert main(["pki", "export-ca", "--der"]) == FAILED


def test_backup_and_restore(daemon: StandIn, tmp_path: Path, password: str, capsys: Output) -> None:
    made = tmp_path / "x.backup"
    assert main(["backup", str(made), "--password-file", password]) == GOOD
    assert ("backup.create", {"password": "a long password"}) in daemon.asked
    assert (made.read_bytes(), made.stat().st_mode & 0o777) == (b"sealed", 0o600)
    assert main(["restore", str(made), "--password-file", password]) == GOOD
    method, params = daemon.asked[-1]
    assert (method, base64.b64decode(params["content"])) == ("backup.restore", b"sealed")
    capsys.readouterr()


# --- without


def test_faults_of_a_file_are_told_of_it(
    file: Path, given: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Not of the one that it was to replace."""
    given.write_text("[pond]\n")
    assert main(["apply", str(given), "-c", str(file)]) == BAD_CONFIG
    assert capsys.readouterr().err == f"{given}:1: pond: is not a key here\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[pond]")))
    assert main(["apply", "-", "-c", str(file)]) == BAD_CONFIG
    assert capsys.readouterr().err == "(standard input):1: pond: is not a key here\n"


def test_apply_to_a_file(file: Path, given: Path, capsys: Output) -> None:
    assert main(["apply", str(given), "-c", str(file), "--dry-run"]) == GOOD
    assert file.read_text() == "# before\n"
    assert "log_level" in capsys.readouterr().out
    assert main(["apply", str(given), "-c", str(file)]) == GOOD
    assert file.read_text() == TEXT
    given.write_text("[pond]\n")
    assert main(["apply", str(given), "-c", str(file)]) == BAD_CONFIG
    assert file.read_text() == TEXT
    assert main(["apply", str(given), "-c", str(file), "--confirm", "60"]) == FAILED
    assert "nobody would undo it" in capsys.readouterr().err


def test_certificates_of_files(file: Path, tmp_path: Path, capsys: Output) -> None:
    theirs = create_authority("Their CA", p256(), NOW)
    brought = tmp_path / "ca.pem"
    brought.write_bytes(pkcs8(theirs.key) + pem_of(theirs.certificate))
    assert main(["pki", "show", "-c", str(file)]) == GOOD
    assert "there is no CA yet" in capsys.readouterr().out
    assert main(["pki", "export-ca", "-c", str(file)]) == FAILED
    assert "the CA is missing" in capsys.readouterr().err
    assert main(["pki", "import", str(brought), "-c", str(file), "--json"]) == GOOD
    assert [each["subject"] for each in json.loads(capsys.readouterr().out)] == ["CN=Their CA"]
    assert main(["pki", "export-ca", "-c", str(file)]) == GOOD
    assert capsys.readouterr().out.encode() == pem_of(theirs.certificate)
    assert main(["pki", "init", "-c", str(file)]) == FAILED
    assert "a CA is there already" in capsys.readouterr().err


def test_backup_and_restore_of_files(file: Path, given: Path, tmp_path: Path, password: str, capsys: Output) -> None:
    made, where = tmp_path / "x.backup", ["-c", str(file), "--password-file", password]
    assert main(["backup", str(made), *where]) == GOOD
    assert main(["apply", str(given), "-c", str(file)]) == GOOD
    assert main(["restore", str(made), *where]) == GOOD
    assert file.read_text() == "# before\n"
    (tmp_path / "password").write_text("another password")
    assert main(["restore", str(made), *where]) == FAILED
    assert "the password does not open this backup" in capsys.readouterr().err
    (tmp_path / "password").write_text("short")
    assert main(["backup", str(made), *where]) == FAILED


def test_backup_of_what_is_not_there(tmp_path: Path, password: str, capsys: Output) -> None:
    """As with the daemon stopped, and the file elsewhere: an empty backup would take the place of a good one."""
    made = tmp_path / "x.backup"
    made.write_bytes(b"the last one")
    where = ["-c", str(tmp_path / "none.toml"), "--password-file", password]
    assert main(["backup", str(made), *where]) == FAILED
    sentence = f"there is no {tmp_path / 'none.toml'} to be backed up; name the configuration with -c"
    assert capsys.readouterr().err == f"edgevpn: {sentence}\n"
    assert made.read_bytes() == b"the last one"


def test_backup_says_what_it_lacks(file: Path, tmp_path: Path, password: str, capsys: Output) -> None:
    file.write_text("[pki]\ntrust = ['/etc/ssl/theirs.pem']\n")
    assert main(["backup", str(tmp_path / "x"), "-c", str(file), "--password-file", password]) == GOOD
    named = "not in the backup, as the configuration only names it: /etc/ssl/theirs.pem (pki.trust)"
    assert capsys.readouterr().err == f"warning: {named}\n"


def test_backup_for_programs(daemon: StandIn, tmp_path: Path, password: str, capsys: Output) -> None:
    """It is written where it was asked for all the same."""
    made = tmp_path / "x.backup"
    assert main(["backup", str(made), "--password-file", password, "--json"]) == GOOD
    assert json.loads(capsys.readouterr().out) == {"name": str(made)}
    assert made.read_bytes() == b"sealed"


def test_restored_where_nothing_is_yet(file: Path, tmp_path: Path, password: str, capsys: Output) -> None:
    """As on a new machine, which lacks even the folder; where the disk refuses it, that is said."""
    made, opened = tmp_path / "x.backup", ["--password-file", password]
    assert main(["backup", str(made), "-c", str(file), *opened]) == GOOD
    new = tmp_path / "machine" / "etc" / "e.toml"
    assert main(["restore", str(made), "-c", str(new), *opened]) == GOOD
    assert new.read_text() == "# before\n"
    assert new.parent.stat().st_mode & 0o777 == 0o700
    capsys.readouterr()
    (tmp_path / "taken").write_text("a file where the folder has to be")
    assert main(["restore", str(made), "-c", str(tmp_path / "taken" / "e.toml"), *opened]) == FAILED
    assert capsys.readouterr().err.startswith(f"edgevpn: {tmp_path / 'taken'}: ")


def test_what_only_a_daemon_can_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("EDGEVPN_SOCKET", str(tmp_path / "nobody.sock"))
    for words in (["confirm"], ["pki", "renew"]):
        assert main(words) == FAILED
        assert "the daemon does not run" in capsys.readouterr().err
