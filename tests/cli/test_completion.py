"""edgevpn.cli.completion: the same everywhere; tests/openwrt/test_deb.py has a shell complete by it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgevpn.cli import main
from edgevpn.cli.arguments import SHELLS
from edgevpn.cli.output import FAILED, GOOD
from openwrt.builder.deb import COMPLETIONS


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_completed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == GOOD
    out = capsys.readouterr().out
    assert all(word in out for word in ("setup-token", "export-ca", "--on-demand", "mobileconfig", "--language"))


def test_bash_can_read_it(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    subprocess.run(["/bin/bash", "-n"], input=capsys.readouterr().out.encode(), check=True)


def test_a_router_may_lack_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == FAILED
    assert "shtab is missing for that" in capsys.readouterr().err


def test_shells_are_those_of_the_package() -> None:
    assert COMPLETIONS.keys() == set(SHELLS)
