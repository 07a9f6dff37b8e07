"""What a person or a script gets to read, and the exit status beside it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence

GOOD, FAILED, BAD_CONFIG = 0, 1, 2
"""Exit status: done, not done, and not done because of what the configuration says."""


def table(rows: Iterable[Sequence[str]], titles: Sequence[str]) -> str:
    """Rows below their titles, in columns as wide as they need."""
    from tabulate import tabulate

    text: str = tabulate(list(rows), titles, tablefmt="plain", disable_numparse=True)
    return text


def as_json(value: object) -> str:
    """A value for programs; dates are strings."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def counted(count: int, noun: str) -> str:
    """ "1 site", "2 sites"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def warn(warnings: Iterable[object]) -> None:
    """Say what is odd and hinders nothing; in red on a terminal, unless NO_COLOR is set."""
    red = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    head = "\x1b[31mwarning:\x1b[0m" if red else "warning:"
    for warning in warnings:
        print(f"{head} {warning}", file=sys.stderr)


def fail(sentence: str) -> int:
    """Say why something was not done."""
    print(f"edgevpn: {sentence}", file=sys.stderr)
    return FAILED


def bad_config(problems: Iterable[object]) -> int:
    """Say all that is wrong with a configuration, a line for each fault."""
    print(*problems, sep="\n", file=sys.stderr)
    return BAD_CONFIG
