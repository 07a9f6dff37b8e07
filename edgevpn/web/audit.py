"""Who did what in the panel, from where and when: a list of late, and a line of the log for each."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from edgevpn.frozen import dataclass

log = logging.getLogger("edgevpn.web")

MOST_ENTRIES = 500
LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. `detail` may hold what anybody has sent."""

    at: float
    address: str
    event: str
    detail: str


class Audit:
    """The last entries, the oldest first. `clock` gives Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)

    def note(self, address: object, event: str, detail: str = "") -> None:
        """Something was done."""
        entry = Entry(self._clock(), str(address), event, detail[:LONGEST_DETAIL])
        self._entries.append(entry)
        log.info("audit event=%s address=%s detail=%s", entry.event, entry.address, encoded(entry.detail))

    def entries(self) -> list[dict[str, Any]]:
        """All of them, as JSON has it."""
        return [asdict(entry) for entry in self._entries]


def encoded(text: str) -> str:
    """Text in which nothing ends a line or moves a cursor."""
    return json.dumps(text)
