"""`replay`: whether the attempts in a bundle would come further with this configuration. Offline, on any machine."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from edgevpn.cli.editing import now
from edgevpn.cli.files import read_text
from edgevpn.cli.output import BAD_CONFIG, FAILED, GOOD, as_json, bad_config
from edgevpn.config.errors import ConfigError, Refused
from edgevpn.config.reader import load

if TYPE_CHECKING:
    from edgevpn.daemon.attempts.bundles import Replayed

OUTCOMES = {
    "passes": "this would not hinder it any more.",
    "unknown": "cannot be told without the other side.",
}


def replay(options: argparse.Namespace) -> int:
    """What would become of each attempt; good if all that can be judged would get past where they failed."""
    from edgevpn.daemon.attempts.bundles import BadBundle, failed_attempts, replayed
    from edgevpn.daemon.attempts.replay import Judge

    try:
        failed = failed_attempts(read_text(options.bundle), options.peer or "")
        judge = Judge(load(options.config, now=now()), now)
    except BadBundle as error:
        return _bad(f"{options.bundle}: {error}")
    except Refused as refusal:
        return _bad("; ".join(filter(None, (refusal.fault, refusal.cure))))
    except ConfigError as error:
        return bad_config(error.problems)
    if not failed:
        whom = f" of {options.peer}" if options.peer not in (None, "last") else ""
        return _bad(f"{options.bundle}: no attempt{whom} in it has failed, so there is nothing to replay")
    told = [replayed(each, judge) for each in failed]
    print(as_json(told) if options.json else "\n\n".join(replayed_text(each, str(options.config)) for each in told))
    return GOOD if all(each["outcome"] == "passes" for each in told) else FAILED


def replayed_text(told: Replayed, file: str) -> str:
    """Why it failed, and what holds with the other file."""
    same = "it fails in the same way" if told["now"] == told["cause"] else "that is past, but now it fails by this"
    outcome = OUTCOMES.get(told["outcome"]) or f"{same}: {told['sentence']}"
    from_ = f"from {told['remote']}" if told["remote"] else ""
    who = dict.fromkeys((told["identity"], f"peer {told['peer']}" if told["peer"] else "", from_))
    lines = [
        told["was"],
        f"  With {file}: {outcome}",
        f"  What helps: {told['cure']}" if told["cure"] else "",
        f"  Needed besides, and not judged here: {'; '.join(told['needs'])}." if told["needs"] else "",
        "  " + ", ".join(filter(None, who)),
    ]
    return "\n".join(filter(None, lines))


def _bad(sentence: str) -> int:
    print(f"edgevpn: {sentence}", file=sys.stderr)
    return BAD_CONFIG
