"""What a person or a script gets to read, and the exit status beside it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

GOOD, FAILED, BAD_CONFIG = 0, 1, 2
"""Exit status: done, not done, and not done because of what the configuration says."""


RED, GREEN, YELLOW = 31, 32, 33
COLOURS: Mapping[str, int] = {
    **dict.fromkeys(("up", "in", "good", "works"), GREEN),
    **dict.fromkeys(("connecting", "warning"), YELLOW),
    **dict.fromkeys(("down", "bad", "error"), RED),
}
"""How states and levels are shown on a terminal, by their first word."""


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


def painted(text: str, state: str = "") -> str:
    """A state or level in its colour, where standard output is a terminal and NO_COLOR is not set.

    `state` is what it means where the text is no English word.
    """
    return _in_colour(text, COLOURS.get((state or text).strip().lower().partition(" ")[0]), sys.stdout)


def _in_colour(text: str, colour: int | None, stream: TextIO) -> str:
    plain = colour is None or not stream.isatty() or os.environ.get("NO_COLOR")
    return text if plain else f"\x1b[{colour}m{text}\x1b[0m"


def warn(warnings: Iterable[object]) -> None:
    """Say what is odd and hinders nothing."""
    head = _in_colour("warning:", RED, sys.stderr)
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
