"""`diagnose`: why somebody could not connect. `doctor`: whether we are well ourselves. `repair`: so that we are."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

from edgevpn.api.records import Attempt, Health, Repair
from edgevpn.cli.output import FAILED, GOOD, as_json, bad_config, fail, painted
from edgevpn.cli.patience import connect
from edgevpn.cli.status import age
from edgevpn.cli.words import ENGLISH, LANGUAGES, Words, language_of
from edgevpn.client import Client

LAST = "last"
GRAVITY = {"bad": 0, "warning": 1, "good": 2}
NO_FIREWALL = "there is no table of ours: without a kernel no firewall is managed, and no traffic flows"
OTHER_FIREWALL = "there is no table of ours: the firewall is somebody else's (OpenWrt: its zone evpn)"
EVERYTHING: frozenset[str] = frozenset()
REACHING = frozenset({"ports", "firewall", "wan", "name"})
"""Checks that tell whether callers reach us."""
LOOKING = 60.0
"""Seconds for all checks: names are looked up, certificates read."""


def diagnose(options: argparse.Namespace) -> int:
    """The last attempt of everybody, of one peer, or of whoever came last; the first line names the setting."""
    if options.bundle:
        return _bundle(options)
    language = _language(options)
    with connect(options) as client:
        attempts = _attempts(client, options.peer, language)
    if options.peer == LAST:
        attempts = attempts[:1]
    if options.json:
        print(as_json(attempts))
        return GOOD
    if not attempts:
        whom = "" if options.peer in (None, LAST) else f" of {options.peer}"
        return fail(f"no attempt to connect{whom} has been seen since the daemon was started")
    print("\n\n".join(attempt_text(each, time.time(), LANGUAGES[language]) for each in _latest(attempts)))
    return GOOD


def _bundle(options: argparse.Namespace) -> int:
    """Loaded only when it is wanted, with all that reads configurations."""
    from edgevpn.cli.bundle import print_bundle
    from edgevpn.config.errors import ConfigError

    try:
        return print_bundle(options)
    except ConfigError as error:
        return bad_config(error.problems)


def firewall(options: argparse.Namespace) -> int:
    """Our rules; or, of the gateway's health, what decides whether callers reach it."""
    if options.action == "check":
        return doctor(options, REACHING)
    with connect(options) as client:
        table: str = client.call("firewall.show", LOOKING)
        in_memory = not table and client.status()["kernel"] == "memory"
    if options.json:
        print(as_json({"table": table}))
    else:
        print(table.rstrip() or (NO_FIREWALL if in_memory else OTHER_FIREWALL))
    return GOOD


def doctor(options: argparse.Namespace, wanted: frozenset[str] = EVERYTHING) -> int:
    """The gateway's own health: what is wrong first. Fails if anything is bad."""
    language = _language(options)
    with connect(options) as client:
        found: list[Health] = client.call("health", LOOKING, language=language)
    checks = [check for check in found if not wanted or check["id"] in wanted]
    if options.json:
        print(as_json(checks))
    else:
        worst_first = sorted(checks, key=lambda check: GRAVITY[check["level"]])
        print("\n".join(check_text(each, LANGUAGES[language]) for each in worst_first))
    return FAILED if any(check["level"] == "bad" for check in checks) else GOOD


def repair(options: argparse.Namespace) -> int:
    """What was not as it should be, a command for each. Fails if something could not be done."""
    with connect(options) as client:
        found: Repair = client.call("repair", LOOKING, dry_run=options.dry_run)
    print(as_json(found) if options.json else repair_text(found, options.dry_run))
    return FAILED if any(step["fault"] for step in found["steps"]) else GOOD


def repair_text(found: Repair, dry_run: bool) -> str:
    """The commands, and which SAs no command can put back."""
    head = "would do: " if dry_run else "done: "
    lines = [
        f"not done: {step['command']}\n  {step['fault']}" if step["fault"] else head + step["command"]
        for step in found["steps"]
    ]
    lines += [f"{head}new keys in the place of {sa}, which somebody has removed" for sa in found["renewed"]]
    return "\n".join(lines) or "everything is as it should be"


def check_text(check: Health, words: Words = ENGLISH) -> str:
    """What was found, and what helps."""
    cure = f"\n  {words.cure.format(check['cure'])}" if check["cure"] else ""
    return f"{painted(words.levels[check['level']], check['level'])}  {check['message']}{cure}"


def attempt_text(attempt: Attempt, now: float, words: Words = ENGLISH) -> str:
    """What happened, what helps, and who it was; `now` is a Unix time in seconds."""
    who = attempt["identity"] or attempt["peer"]
    known = [
        words.peer.format(attempt["peer"]) if attempt["peer"] and attempt["peer"] != who else "",
        who,
        (words.called if attempt["called"] else words.origin).format(attempt["remote"]) if attempt["remote"] else "",
        words.client.format(attempt["client"]) if attempt["client"] not in ("", "unknown") else "",
        words.unsent if attempt["stage"] == "unsent" else words.stage.format(attempt["stage"]),
        words.tries.format(attempt["tries"]) if attempt["tries"] > 1 else "",
        words.ago.format(age(now - attempt["at"])),
    ]
    side, fact = attempt["side"], attempt["fact"]
    lines = [
        attempt["sentence"] or words.connected.format(who or attempt["remote"]),
        f"  {words.cure.format(attempt['cure'])}" if attempt["cure"] else "",
        f"  {words.where.format(side=words.sides[side], fact=fact)}" if side else "",
        "  " + ", ".join(filter(None, known)),
    ]
    return "\n".join(filter(None, lines))


def _language(options: argparse.Namespace) -> str:
    return options.language or language_of(os.environ)


def _latest(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The newest of each peer, identity and address."""
    newest: dict[tuple[str, str, str], Attempt] = {}
    for each in attempts:
        newest.setdefault((each["peer"], each["identity"], each["remote"]), each)
    return list(newest.values())


def _attempts(client: Client, peer: str | None, language: str) -> list[Attempt]:
    asked = "" if peer in (None, LAST) else peer
    found: list[Attempt] = client.call("attempts", peer=asked, language=language)
    return found


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "diagnose": diagnose,
    "doctor": doctor,
    "firewall": firewall,
    "repair": repair,
}
