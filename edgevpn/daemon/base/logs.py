"""Log lines: an event and what belongs to it, as `event key=value`, or as JSON.

What a peer has sent stands in values: it is cut, and nothing in it can end a line or command a terminal.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable

from edgevpn.frozen import dataclass
from edgevpn.ike.contract import Level, Report

LONGEST_VALUE = 300
LEVELS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}
TEXT_FORMAT = "%(levelname)s %(message)s"

_PLAIN = re.compile(r"[!-~]+")
_NOT_PLAIN = re.compile(r'[\s"=]')
_OURS = frozenset({"at", "level", "log", "event", "exception"})
"""What a JSON line says of every event. A field of the same name gets a line below it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its fields, written out only where somebody wants it."""

    event: str
    fields: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        return line(self.event, self.fields)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: when (Unix time), how grave, from where, what, its fields, and what was raised."""

    def format(self, record: logging.LogRecord) -> str:
        entry = record.msg if isinstance(record.msg, Entry) else Entry(record.getMessage())
        written: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "log": record.name,
            "event": _cut(entry.event),
        }
        for name, value in entry.fields:
            written[f"{name}_" if name in _OURS else name] = _plain(value)
        if record.exc_info:
            written["exception"] = self.formatException(record.exc_info)
        return json.dumps(written, separators=(",", ":"))


def formatter(as_json: bool) -> logging.Formatter:
    """How lines are written: for programs, or for people."""
    return JsonFormatter() if as_json else logging.Formatter(TEXT_FORMAT)


def line(event: str, fields: Iterable[tuple[str, object]] = ()) -> str:
    """One line: `ike_up peer=office remote="198.51.100.7:500"`."""
    return " ".join([event, *(f"{name}={value_text(value)}" for name, value in fields)])


def value_text(value: object) -> str:
    """A value on one line: bare where nothing in it could be misread, else as a JSON string in ASCII."""
    match value:
        case bytes():
            text = _cut(value.hex())
        case list() | tuple():
            text = _cut(",".join(map(str, value)))
        case _:
            text = _cut(str(value))
    return text if _PLAIN.fullmatch(text) and not _NOT_PLAIN.search(text) else json.dumps(text)


def note(log: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Log an event with its fields."""
    if log.isEnabledFor(level):
        log.log(level, Entry(event, tuple(fields.items())))


def note_report(log: logging.Logger, report: Report, left_out: int = 0) -> None:
    """Log what the core has reported, with the cause as a word to search for.

    `left_out`: so many like it were not logged.
    """
    level = LEVELS[report.level]
    if log.isEnabledFor(level):
        cause = (("cause", report.cause.value),) if report.cause else ()
        more = (("left_out", left_out),) if left_out else ()
        log.log(level, Entry(report.event, (*report.fields, *cause, *more)))


def _plain(value: object) -> object:
    """A value as JSON has it."""
    match value:
        case None | bool() | int() | float():
            return value
        case bytes():
            return _cut(value.hex())
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    return text[:LONGEST_VALUE] + "..." if len(text) > LONGEST_VALUE else text
