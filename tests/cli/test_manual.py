"""edgevpn.cli.manual: every command is described, and no other."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from edgevpn.api import DEFAULT_SOCKET, SOCKET_VARIABLE
from edgevpn.cli import main
from edgevpn.cli.arguments import DEFAULT_FILE, parser, subcommands
from edgevpn.cli.manual import ALIKE, DESCRIPTIONS


def commands(command: argparse.ArgumentParser, words: str = "") -> Iterator[str]:
    yield words
    for word, below in subcommands(command):
        yield from commands(below, f"{words} {word}".lstrip())


def test_all_are_described() -> None:
    assert DESCRIPTIONS.keys() == set(commands(parser()))
    assert all(text.endswith(".") and text[0].isupper() for text in DESCRIPTIONS.values())


@pytest.mark.parametrize("words", DESCRIPTIONS)
def test_help_is_all_there_is_to_know(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*words.split(), "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "".join(DESCRIPTIONS[words].split()) in "".join(out.split())
    assert out.rstrip().endswith(ALIKE)


def test_what_holds_for_all_is_so() -> None:
    for fact in (SOCKET_VARIABLE, str(DEFAULT_FILE), str(DEFAULT_SOCKET), "NO_COLOR", "LC_MESSAGES"):
        assert fact in ALIKE
