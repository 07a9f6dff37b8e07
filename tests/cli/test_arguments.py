from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevpn.cli import config, daemon, device, diagnose, main, panel, site
from edgevpn.cli.arguments import DEFAULT_FILE, FILE_VERBS, parser

Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["up"],
        ["run", "--kernel", "windows"],
        ["run", "--ports", "500,500"],
        ["web", "--port", "0"],
        ["config"],
        ["config", "set", "gateway.id"],
        ["device", "add"],
        ["device", "add", "phone", "--secret", "hunter2"],
        ["site", "remove"],
    ],
)
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


def choices(of: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The verbs of a parser, or the actions of a verb."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def test_every_verb_is_carried_out_by_somebody() -> None:
    verbs = dict(choices(parser()))
    assert verbs.keys() == {"run", "simulate", *FILE_VERBS, *daemon.VERBS, *diagnose.VERBS, *panel.VERBS}
    for verb, group in (("config", config.VERBS), ("device", device.VERBS), ("site", site.VERBS)):
        assert dict(choices(verbs[verb])).keys() == group.keys()


def test_the_file_is_the_same_for_all() -> None:
    for words in (["run"], ["config", "show"], ["device", "list"], ["site", "list"]):
        assert parser().parse_args(words).config == DEFAULT_FILE
        assert parser().parse_args([*words, "-c", "x"]).config == Path("x")
    assert parser().parse_args(["check"]).file == DEFAULT_FILE
