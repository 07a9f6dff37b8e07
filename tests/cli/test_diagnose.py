from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevpn.api.records import Attempt, Health
from edgevpn.cli import main
from edgevpn.cli.diagnose import attempt_text
from edgevpn.cli.output import FAILED, GOOD
from edgevpn.daemon.attempts.book import attempt_record
from edgevpn.daemon.control.server import Method, Params
from tests.support import hostile
from tests.support.daemon import answering, control_server
from tests.support.provocations import Watched
from tests.support.statuses import STATUS

WRONG_KEY: Attempt = {
    "at": 100.0,
    "peer": "office",
    "remote": "198.51.100.7",
    "identity": "b.example",
    "client": "strongSwan",
    "stage": "ike_auth",
    "cause": "wrong-key",
    "sentence": "site.office.psk: b.example is known, but its pre-shared key is another one than ours.",
    "cure": "Write the same key on both sides.",
    "side": "both",
    "fact": "RFC 7296 §2.15",
    "tries": 3,
    "called": False,
    "asked": None,
}
NOTHING: Any = {"cause": "", "sentence": "", "cure": "", "side": "", "fact": "", "tries": 1, "called": False}
UP: Attempt = {**WRONG_KEY, "at": 50.0, "peer": "branch", "stage": "up", **NOTHING}
BEFORE: Attempt = {**WRONG_KEY, "at": 20.0, "sentence": "something else"}


async def attempts(params: Params) -> object:
    if params["language"] == "ja":
        return [WRONG_KEY | {"sentence": JAPANESE}]
    return [each for each in (WRONG_KEY, UP, BEFORE) if params["peer"] in ("", each["peer"])]


JAPANESE = "site.office.psk: 事前共有鍵が一致しません。"
METHODS: dict[str, Method] = {"attempts": attempts}
Output = pytest.CaptureFixture[str]


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line looks for the daemon."""
    path = tmp_path / "control.sock"
    monkeypatch.setenv("EDGEVPN_SOCKET", str(path))
    monkeypatch.setenv("LC_ALL", "C")
    return path


TEXT = """\
site.office.psk: b.example is known, but its pre-shared key is another one than ours.
  What helps: Write the same key on both sides.
  Where: here or at the peer (RFC 7296 §2.15)
  peer office, b.example, from 198.51.100.7, looks like strongSwan, came as far as ike_auth, 3 times, 5s ago"""


def test_setting_comes_first() -> None:
    assert attempt_text(WRONG_KEY, 105.0) == TEXT


def test_times_are_told_in_large_units() -> None:
    """And whoever has not come is not said to have."""
    called: Attempt = {**WRONG_KEY, "called": True, "remote": "office.example.org"}
    last = attempt_text(called, 100.0 + 90061).split("\n")[-1]
    assert "called at office.example.org" in last
    assert last.endswith(", 1d 1h ago")


def test_what_never_left_is_told_as_such() -> None:
    last = attempt_text({**WRONG_KEY, "called": True, "stage": "unsent"}, 105.0).split("\n")[-1]
    assert (
        last
        == "  peer office, b.example, called at 198.51.100.7, looks like strongSwan, nothing was sent, 3 times, 5s ago"
    )


def test_success_is_said() -> None:
    assert attempt_text(UP, 50.0).startswith("b.example has connected; nothing is wrong.\n")


@pytest.mark.parametrize(
    ("words", "count"),
    [((), 2), (("last",), 1), (("office",), 1), (("branch",), 1)],
)
def test_of_whom(words: tuple[str, ...], count: int, socket: Path, capsys: Output) -> None:
    """The newest of each."""
    with control_server(socket, METHODS):
        assert main(["diagnose", *words]) == GOOD
    shown = capsys.readouterr().out
    assert shown.count("came as far as") == count
    assert "something else" not in shown


def test_in_japanese(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["diagnose", "last", "--language", "ja"]) == GOOD
    *lines, who = capsys.readouterr().out.splitlines()
    assert lines == [
        JAPANESE,
        "  対処: Write the same key on both sides.",
        "  場所: こちら側または相手側 (RFC 7296 §2.15)",
    ]
    known = (
        "相手 office",
        "b.example",
        "接続元 198.51.100.7",
        "strongSwan と思われます",
        "ike_auth まで進みました",
        "3 回",
    )
    assert who.startswith(f"  {', '.join(known)}, ")
    assert who.endswith(" 前")


def test_for_programs(socket: Path, capsys: Output) -> None:
    """All of them, the newest first."""
    with control_server(socket, METHODS):
        assert main(["diagnose", "office", "--json"]) == GOOD
    told: Any = json.loads(capsys.readouterr().out)
    assert told == [WRONG_KEY, BEFORE]


def test_nothing_was_seen(socket: Path, capsys: Output) -> None:
    with control_server(socket, METHODS):
        assert main(["diagnose", "nobody"]) == FAILED
    assert capsys.readouterr().err == (
        "edgevpn: no attempt to connect of nobody has been seen since the daemon was started\n"
    )


WELL: Health = {"id": "clock", "level": "good", "message": "The clock is right.", "cure": ""}
ILL: Health = {"id": "wan", "level": "bad", "message": "The provider shares its address.", "cure": "Ask for one."}


async def health(params: Params) -> object:
    if params["language"] == "ja":
        return [WELL | {"message": "時計は正しいです。"}, ILL | {"message": "共有されています。", "cure": "頼みます。"}]
    return [WELL, ILL]


async def good_health(params: Params) -> object:
    return [WELL]


def test_doctor(socket: Path, capsys: Output) -> None:
    """What is wrong comes first."""
    with control_server(socket, {"health": health}):
        assert main(["doctor"]) == FAILED
    assert capsys.readouterr().out == (
        "bad      The provider shares its address.\n  What helps: Ask for one.\ngood     The clock is right.\n"
    )


@pytest.mark.parametrize("words", [["doctor"], ["firewall", "check"]], ids=" ".join)
def test_health_in_japanese(words: list[str], socket: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment, or by an option."""
    told = "異常  共有されています。\n  対処: 頼みます。\n"
    with control_server(socket, {"health": health}):
        assert main([*words, "--language", "ja"]) == FAILED
        assert capsys.readouterr().out.startswith(told)
        monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
        assert main(words) == FAILED
    assert capsys.readouterr().out.startswith(told)


def test_doctor_finds_nothing(socket: Path, capsys: Output) -> None:
    with control_server(socket, {"health": good_health}):
        assert main(["doctor", "--json"]) == GOOD
    assert json.loads(capsys.readouterr().out) == [WELL]


TABLE = "table inet edgevpn {\n}\n"


async def table(params: Params) -> object:
    return TABLE


async def no_table(params: Params) -> object:
    return ""


def test_firewall_is_shown(socket: Path, capsys: Output) -> None:
    with control_server(socket, {"firewall.show": table}):
        assert main(["firewall", "show"]) == GOOD
        assert capsys.readouterr().out == TABLE
        assert main(["firewall", "show", "--json"]) == GOOD
    assert json.loads(capsys.readouterr().out) == {"table": TABLE}


def test_no_firewall_of_ours(socket: Path, capsys: Output) -> None:
    for kernel, said in (("netlink", "somebody else's"), ("memory", "no firewall is managed, and no traffic flows")):
        status = answering({**STATUS, "kernel": kernel})
        with control_server(socket, {"firewall.show": no_table, "status": status}):
            assert main(["firewall", "show"]) == GOOD
        assert said in capsys.readouterr().out


def test_firewall_is_checked(socket: Path, capsys: Output) -> None:
    """By what of our health decides whether callers reach us."""
    with control_server(socket, {"health": health}):
        assert main(["firewall", "check"]) == FAILED
    assert "clock" not in capsys.readouterr().out


DAMAGED: Any = {
    "steps": [
        {"command": "ip link set dev evpn-office up", "fault": ""},
        {"command": "ip route add 10.2.0.0/24 dev evpn-office", "fault": "cannot add route: it exists already"},
    ],
    "renewed": ["SA 0000c0de to 192.0.2.1"],
}
SAID = """\
would do: ip link set dev evpn-office up
not done: ip route add 10.2.0.0/24 dev evpn-office
  cannot add route: it exists already
would do: new keys in the place of SA 0000c0de to 192.0.2.1, which somebody has removed
"""


def test_repair(socket: Path, capsys: Output) -> None:
    """Each command for people, all of it for programs; the status tells whether all could be done."""
    asked: list[object] = []

    async def repair(params: Any) -> object:
        asked.append(params)
        return {"steps": [], "renewed": []} if len(asked) == 1 else DAMAGED

    with control_server(socket, {"repair": repair}):
        assert main(["repair"]) == GOOD
        assert capsys.readouterr().out == "everything is as it should be\n"
        assert main(["repair", "--dry-run"]) == FAILED
        assert capsys.readouterr().out == SAID
        main(["repair", "--json"])
        assert json.loads(capsys.readouterr().out) == DAMAGED
    assert asked == [{"dry_run": False}, {"dry_run": True}, {"dry_run": False}]


@pytest.mark.parametrize(("call", "text"), hostile.PLAYED, ids=hostile.IDS)
def test_what_a_stranger_says_is_inert(call: Callable[[str], Watched], text: str, capsys: Output, socket: Path) -> None:
    """For people and for programs: nothing in it commands a terminal, and it is cut."""
    failed = [attempt_record(each, 0.0) for each in call(text).right]

    async def attempts(params: Params) -> object:
        return failed

    assert failed
    with control_server(socket, {"attempts": attempts}):
        assert main(["diagnose", "last"]) == GOOD
        shown = capsys.readouterr().out
        assert main(["diagnose", "--json"]) == GOOD
    as_json = capsys.readouterr().out
    assert all(each.isprintable() for each in (shown + as_json).splitlines())
    assert not set(shown + as_json) & set("<>")
    assert max(map(len, shown.splitlines())) < 800
