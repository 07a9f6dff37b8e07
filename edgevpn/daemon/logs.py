"""Log lines: an event and what belongs to it, as `event key=value`, or as JSON.

What a peer has sent stands in values: it is cut, and nothing in it can end a line or command a terminal.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable

from edgevpn.ike.contract import Level, Report

LONGEST_VALUE = 300
LEVELS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}

_PLAIN = re.compile(r"[!-~]+")
_NOT_PLAIN = re.compile(r'[\s"=]')


def line(event: str, fields: Iterable[tuple[str, object]] = ()) -> str:
    """One line: `ike_up peer=office remote="198.51.100.7:500"`."""
    return " ".join([event, *(f"{name}={value_text(value)}" for name, value in fields)])


def value_text(value: object) -> str:
    """A value on one line: bare where nothing in it could be misread, else as a JSON string in ASCII."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if len(text) > LONGEST_VALUE:
        text = text[:LONGEST_VALUE] + "..."
    return text if _PLAIN.fullmatch(text) and not _NOT_PLAIN.search(text) else json.dumps(text)


def note(log: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Log an event with its fields."""
    if log.isEnabledFor(level):
        log.log(level, "%s", line(event, fields.items()))


def note_report(log: logging.Logger, report: Report) -> None:
    """Log what the core has reported."""
    level = LEVELS[report.level]
    if log.isEnabledFor(level):
        log.log(level, "%s", line(report.event, report.fields))
