"""`edgevpn diagnose`: why somebody could not connect. The first line names the setting at fault."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

from edgevpn.api.records import Attempt
from edgevpn.cli.output import GOOD, as_json, fail
from edgevpn.client import Client, socket_path

LAST = "last"


def diagnose(options: argparse.Namespace) -> int:
    """The last attempt of everybody, of one peer, or of whoever came last."""
    with Client(socket_path(options.socket, os.environ)) as client:
        attempts: list[Attempt] = client.call("attempts", **_of(options.peer))
    if options.peer == LAST:
        attempts = attempts[:1]
    if options.json:
        print(as_json(attempts))
        return GOOD
    if not attempts:
        whom = "" if options.peer in (None, LAST) else f" of {options.peer}"
        return fail(f"no attempt to connect{whom} has been seen since the daemon was started")
    print("\n\n".join(attempt_text(each, time.time()) for each in _latest(attempts)))
    return GOOD


def attempt_text(attempt: Attempt, now: float) -> str:
    """What happened, what helps, and who it was; `now` is a Unix time in seconds."""
    who = attempt["identity"] or attempt["peer"]
    known = [
        f"peer {attempt['peer']}" if attempt["peer"] and attempt["peer"] != who else "",
        who,
        f"from {attempt['remote']}" if attempt["remote"] else "",
        f"looks like {attempt['client']}" if attempt["client"] not in ("", "unknown") else "",
        f"came as far as {attempt['stage']}",
        f"{max(0, int(now - attempt['at']))} seconds ago",
    ]
    what = attempt["sentence"] or f"{who or attempt['remote']} has connected; nothing is wrong."
    lines = [what, f"  What helps: {attempt['cure']}" if attempt["cure"] else "", "  " + ", ".join(filter(None, known))]
    return "\n".join(filter(None, lines))


def _latest(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The newest of each peer, identity and address."""
    newest: dict[tuple[str, str, str], Attempt] = {}
    for each in attempts:
        newest.setdefault((each["peer"], each["identity"], each["remote"]), each)
    return list(newest.values())


def _of(peer: str | None) -> dict[str, str]:
    return {} if peer in (None, LAST) else {"peer": str(peer)}


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {"diagnose": diagnose}
