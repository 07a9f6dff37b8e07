"""How much each device has moved, by day and month, and when and where it was last seen; kept over restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from typing import Any

from edgevpn.daemon.base.state_file import Content
from edgevpn.frozen import dataclass, replace

VERSION = 1
"""Of the form of what is kept."""
DAYS, MONTHS = 62, 24
"""How many are kept of each."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Octets that a device has sent to us and got from us."""

    received: int = 0
    sent: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.received + other.received, self.sent + other.sent)


NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Record:
    """Of one device. Days are "2026-11-24", months "2026-11", the oldest first; `seen` is a Unix time in seconds."""

    days: Mapping[str, Amount] = field(default_factory=dict)
    months: Mapping[str, Amount] = field(default_factory=dict)
    seen: float | None = None
    place: str = ""


UNSEEN = Record()


class Usage:
    """All devices. Begins with what was kept; whatever of it is written oddly is forgotten."""

    def __init__(self, content: Content) -> None:
        written = content.get("devices", {})
        self._records = {name: _read(each) for name, each in written.items() if isinstance(each, dict)}

    def of(self, device: str) -> Record:
        """What is known of a device."""
        return self._records.get(device, UNSEEN)

    def add(self, device: str, amount: Amount, today: date) -> None:
        """A device has moved so much."""
        record = self.of(device)
        self._records[device] = replace(
            record,
            days=_added(record.days, today.isoformat(), amount, DAYS),
            months=_added(record.months, today.isoformat()[:7], amount, MONTHS),
        )

    def saw(self, device: str, now: float, place: str) -> None:
        """A device was here, from this place."""
        self._records[device] = replace(self.of(device), seen=now, place=place)

    def forget(self, device: str) -> None:
        """A device is no more."""
        self._records.pop(device, None)

    def content(self) -> Content:
        """What is to be kept."""
        return {"devices": {name: _written(record) for name, record in self._records.items()}}


def _added(amounts: Mapping[str, Amount], key: str, amount: Amount, kept: int) -> Mapping[str, Amount]:
    grown = {**amounts, key: amounts.get(key, NOTHING) + amount}
    return {key: grown[key] for key in sorted(grown)[-kept:]}


def _written(record: Record) -> dict[str, Any]:
    days = {key: [each.received, each.sent] for key, each in record.days.items()}
    months = {key: [each.received, each.sent] for key, each in record.months.items()}
    return {"days": days, "months": months, "seen": record.seen, "place": record.place}


def _read(written: Mapping[str, Any]) -> Record:
    seen, place = written.get("seen"), written.get("place")
    return Record(
        _amounts(written.get("days")),
        _amounts(written.get("months")),
        float(seen) if isinstance(seen, int | float) else None,
        place if isinstance(place, str) else "",
    )


def _amounts(written: object) -> dict[str, Amount]:
    if not isinstance(written, dict):
        return {}
    amounts = {}
    for key, each in written.items():
        match each:
            case [int(received), int(sent)]:
                amounts[str(key)] = Amount(received, sent)
    return amounts
