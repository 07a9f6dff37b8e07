"""The last lines of the log in memory, for whoever asks or listens. A bounded number of bounded lines."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Literal

from edgevpn.api.records import LogLine

KEPT = 1000
LONGEST = 2000
"""Characters of a line."""

Level = Literal["debug", "info", "warning", "error"]


class Recent(logging.Handler):
    """Keeps what is logged. `told` hears of each line, in the thread that logs it."""

    def __init__(self, told: Callable[[LogLine], None] = lambda line: None, kept: int = KEPT) -> None:
        super().__init__()
        self._lines: deque[LogLine] = deque(maxlen=kept)
        self.told = told

    def emit(self, record: logging.LogRecord) -> None:
        made = LogLine(at=record.created, level=_level(record.levelno), text=_text(record))
        self._lines.append(made)
        self.told(made)

    def last(self, limit: int) -> list[LogLine]:
        """The last lines, the oldest first."""
        return list(islice(self._lines, max(0, len(self._lines) - limit), None))


def _text(record: logging.LogRecord) -> str:
    """The line. Of an exception its type alone: what else it says may quote what was being worked on."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[0]:
        text += f" exception={record.exc_info[0].__name__}"
    return text[:LONGEST] + "..." if len(text) > LONGEST else text


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
