"""edgevpn.cli.replay: the exit status is the answer, and whatever a bundle says is shown and nothing else."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgevpn.cli import main
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD
from edgevpn.daemon.attempts.book import attempt_record
from edgevpn.diagnosis.codes import Code
from tests.support.configs import OFFICE, toml
from tests.support.provocations import PROVOCATIONS
from tests.support.replays import CASES, SITE, played

Output = pytest.CaptureFixture[str]
CASE = CASES[Code.NO_COMMON_SELECTORS]
RECORD: dict[str, Any] = dict(attempt_record(played(CASE.left, CASE.ours), 0.0))
SILENT: dict[str, Any] = dict(attempt_record(PROVOCATIONS[Code.NO_ANSWER]()[0], 0.0))
MENDED = {"remote_networks": ["10.77.0.0/24"]}
PAST = """\
site.office.remote_networks: the peer asks for 10.77.0.0/24, but configured is 10.1.0.0/24.
  With {file}: this would not hinder it any more.
  Needed besides, and not judged here: the same pre-shared key on both sides; a kernel and a path that carry what is \
agreed.
  left.example, peer office, from 192.0.2.1
"""


class Place:
    """A folder with a bundle and a configuration."""

    def __init__(self, folder: Path) -> None:
        self.bundle, self.file = folder / "bundle.json", folder / "edgevpn.toml"

    def replay(self, *words: str, attempts: object = (RECORD,), **keys: object) -> int:
        self.bundle.write_text(json.dumps({"attempts": attempts}))
        self.file.write_text(toml(office=SITE | keys))
        self.file.chmod(0o600)
        return main(["replay", str(self.bundle), "-c", str(self.file), *words])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_it_would_pass(place: Place, capsys: Output) -> None:
    assert place.replay(**MENDED) == GOOD
    assert capsys.readouterr().out == PAST.format(file=place.file)


def test_it_would_fail_again(place: Place, capsys: Output) -> None:
    assert place.replay() == FAILED
    out = capsys.readouterr().out
    assert f"  With {place.file}: it fails in the same way: site.office.remote_networks: the peer asks for" in out
    assert "\n  What helps: What is site.office.remote_networks here must be" in out


def test_it_would_fail_otherwise(place: Place, capsys: Output) -> None:
    assert place.replay(esp_proposals="aes256-sha256", **MENDED) == FAILED
    assert "that is past, but now it fails by this: site.office.esp_proposals: for traffic" in capsys.readouterr().out


def test_it_cannot_be_told(place: Place, capsys: Output) -> None:
    """Nobody answered; whoever asks for the others by name gets what can be told of them."""
    assert place.replay(attempts=(SILENT, RECORD), **MENDED) == FAILED
    assert "cannot be told without the other side." in capsys.readouterr().out
    assert place.replay("--peer", "office", attempts=(SILENT, RECORD), **MENDED) == GOOD
    assert place.replay("--peer", "last", attempts=(SILENT, RECORD), **MENDED) == FAILED


def test_for_programs(place: Place, capsys: Output) -> None:
    assert place.replay("--json", **MENDED) == GOOD
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["cause"], told["outcome"], told["now"]) == ("no-common-selectors", "passes", "")


def test_standard_input(place: Place, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.replay(**MENDED) == GOOD
    with place.bundle.open("rb") as bundle:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(bundle.read())))
    assert main(["replay", "-", "-c", str(place.file)]) == GOOD
    first, second = capsys.readouterr().out.split("site.office.remote_networks")[1:]
    assert first.strip() == second.strip()


def test_nothing_has_failed(place: Place, capsys: Output) -> None:
    assert place.replay(attempts=()) == BAD_CONFIG
    assert place.replay("--peer", "nobody") == BAD_CONFIG
    assert "no attempt of nobody in it has failed" in capsys.readouterr().err


def test_bad_bundle(place: Place, capsys: Output) -> None:
    """Place, fault and cure."""
    assert place.replay(attempts=[RECORD | {"cause": "\x1b[31m"}]) == BAD_CONFIG
    assert capsys.readouterr().err == (
        f'edgevpn: {place.bundle}: attempts[0].cause: "\\x1b[31m" is none that is known here; '
        "make one with `edgevpn diagnose --bundle`, and leave it as it is\n"
    )


def test_no_bundle(place: Place, capsys: Output) -> None:
    assert main(["replay", str(place.bundle / "nowhere"), "-c", str(place.file)]) == BAD_CONFIG
    assert capsys.readouterr().err.endswith("name another\n")


def test_bad_file(place: Place, capsys: Output) -> None:
    assert place.replay(mtu="wide") == BAD_CONFIG
    err = capsys.readouterr().err
    assert "site.office.mtu" in err
    assert OFFICE["psk"] not in err
