from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.config.credential import Psk, Secret
from edgevpn.config.model import Site
from edgevpn.config.reader import load

Output = pytest.CaptureFixture[str]

KEYS = ["remote=office.example.org,192.0.2.7", "local_networks=10.1.0.0/24", "remote_networks=10.2.0.0/24"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "edgevpn.toml"


def site(file: Path, *words: str) -> int:
    """edgevpn site ACTION ... on this file."""
    return main(["site", words[0], "-c", str(file), *words[1:]])


def saved(file: Path, **environ: str) -> Site:
    (found,) = load(file, environ).sites
    return found


def test_add(file: Path, capsys: Output) -> None:
    """With a key of our making, for both ends."""
    assert site(file, "add", "office", *KEYS) == GOOD
    out, err = capsys.readouterr()
    (line,) = (line for line in out.split("\n") if line.startswith("psk: "))
    assert saved(file).psk == Psk("secrets.toml", line.split()[1].encode())
    assert saved(file).remote[0] == "office.example.org"
    assert err == ""


def test_add_with_a_key_that_is_read(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    assert site(file, "add", "office", *KEYS, "--secret", "-", "--json") == GOOD
    assert saved(file).psk.octets == b"correct horse battery staple"
    assert json.loads(capsys.readouterr().out) == {"name": "office"}


def test_add_without_a_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is elsewhere, or none is needed."""
    monkeypatch.setenv("OFFICE", "correct horse battery staple")
    assert site(file, "add", "office", *KEYS, "psk_env=OFFICE") == GOOD
    assert saved(file, OFFICE="correct horse battery staple").psk.source == "psk_env OFFICE"
    assert site(file, "remove", "office") == GOOD
    assert site(file, "add", "office", *KEYS, "auth=certificate") == GOOD
    assert saved(file).credential is None
    assert site(file, "remove", "office") == GOOD
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert site(file, "add", "office", *KEYS, "auth=eap", "eap_id=branch", "--secret", "-") == GOOD
    assert saved(file).credential == Secret("secrets.toml", "correct horse")


def test_add_what_does_not_do(file: Path, capsys: Output) -> None:
    assert site(file, "add", "office", "local_networks=10.1.0.0/24") == BAD_CONFIG
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 2)
    assert "site.office.remote: is missing" in err
    assert site(file, "add", "head office", *KEYS) == FAILED
    assert not file.exists()


def test_list_show_remove(file: Path, capsys: Output) -> None:
    assert site(file, "add", "office", *KEYS) == GOOD
    capsys.readouterr()
    assert site(file, "list") == GOOD
    assert [line.split() for line in capsys.readouterr().out.strip().split("\n")] == [
        ["NAME", "PEER", "AUTH", "HERE", "THERE", "START"],
        ["office", "office.example.org,", "192.0.2.7", "psk", "10.1.0.0/24", "10.2.0.0/24", "load"],
    ]
    assert site(file, "show", "office", "--json") == GOOD
    assert json.loads(capsys.readouterr().out)["interface"] == "evpn-office"
    assert site(file, "remove", "office") == GOOD
    assert file.read_text() == ""


def test_children_are_in_the_list(file: Path, capsys: Output) -> None:
    assert site(file, "add", "office", *KEYS) == GOOD
    words = ["config", "set", "-c", str(file), "site.office.child.voice.remote_networks", "10.9.0.0/24"]
    assert main(words) == GOOD
    capsys.readouterr()
    assert site(file, "list") == GOOD
    assert "10.9.0.0/24" in capsys.readouterr().out
    assert site(file, "show", "office") == GOOD
    assert "child.voice.routes" in capsys.readouterr().out
