from __future__ import annotations

from pathlib import Path

import pytest

from edgevpn.api import METHODS
from edgevpn.cli import config, daemon, device, diagnose, live, main, panel, site, upkeep
from edgevpn.cli.arguments import DEFAULT_FILE, FILE_VERBS, FORMS, PEERS, UPKEEP_VERBS, parser, subcommands

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
        ["simulate", "ios", "--server", "vpn.example.org", "--ping", "router"],
        ["simulate", "ios", "--server", "vpn.example.org", "--ping", "10.1.0.1", "--no-ping"],
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


def test_every_verb_is_carried_out_by_somebody() -> None:
    verbs = dict(subcommands(parser()))
    assert verbs.keys() == {
        "run",
        "simulate",
        "bench",
        "replay",
        "completion",
        *FILE_VERBS,
        *UPKEEP_VERBS,
        *daemon.VERBS,
        *diagnose.VERBS,
        *panel.VERBS,
    }
    assert {*upkeep.VERBS, "pki"} == {*UPKEEP_VERBS}
    assert dict(subcommands(verbs["pki"])).keys() == upkeep.PKI.keys()
    for verb, group in (("config", config.VERBS), ("device", device.VERBS), ("site", site.VERBS)):
        assert dict(subcommands(verbs[verb])).keys() == group.keys() | live.VERBS[verb].keys()


def test_who_names_a_file_means_it() -> None:
    """Who names none means what the daemon runs with, and without a daemon the usual file."""
    for words in (["config", "show"], ["device", "list"], ["site", "list"], ["backup", "x"], ["pki", "show"]):
        assert parser().parse_args(words).config is None
        assert parser().parse_args([*words, "-c", "x"]).config == Path("x")
    assert parser().parse_args(["run"]).config == DEFAULT_FILE
    assert parser().parse_args(["check"]).file == DEFAULT_FILE


def test_every_action_of_a_noun_goes_somewhere() -> None:
    """With a daemon as without: what only one of the two can do is named."""
    for verb, group in (("config", config.VERBS), ("device", device.VERBS), ("site", site.VERBS)):
        for action, words in subcommands(dict(subcommands(parser()))[verb]):
            takes = {option for each in words._actions for option in each.option_strings}
            assert (action in group) == ("--socket" not in takes or "--config" in takes)
            assert (action in live.VERBS[verb]) == ("--socket" in takes)


def test_forms_are_those_of_the_protocol() -> None:
    assert set(METHODS["device.export"].params["form"].__args__) == set(FORMS)
    assert set(METHODS["site.snippet"].params["form"].__args__) == set(PEERS)
