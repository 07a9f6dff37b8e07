"""How often one may guess: five times from each address, then after growing pauses, and not too often all together.

Only the socket's address counts, as headers are anybody's. Attempts are counted when they begin, so that many at once
gain nothing. An address from which somebody has logged in is not held up by what others guess.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from edgevpn.frozen import dataclass, replace

FREE_TRIES = 5
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 900.0
FORGET_AFTER = 3600.0
MOST_ADDRESSES = 1024

ALL_TRIES = 30
ALL_REFILL = 5.0
"""Seconds after which one more attempt is allowed to all together."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Record:
    failures: int = 0
    last: float = 0.0
    welcome: bool = False


class Throttle:
    """The attempts of late. `now` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._records: OrderedDict[object, _Record] = OrderedDict()
        self._budget = float(ALL_TRIES)
        self._filled = 0.0

    def begin(self, address: Address, now: float) -> float:
        """Seconds to wait; if 0, the attempt counts as failed until `succeeded`."""
        record = self._record(address, now)
        self._budget = min(ALL_TRIES, self._budget + (now - self._filled) / ALL_REFILL)
        self._filled = now
        wait = max(0.0, record.last + _pause(record.failures) - now)
        if not wait and not record.welcome and self._budget < 1:
            wait = (1 - self._budget) * ALL_REFILL
        if wait:
            return wait
        if not record.welcome:
            self._budget -= 1
        self._keep(address, replace(record, failures=record.failures + 1, last=now))
        return 0.0

    def succeeded(self, address: Address, now: float) -> None:
        """That was no guess: the address starts anew."""
        if not self._record(address, now).welcome:
            self._budget = min(ALL_TRIES, self._budget + 1)
        self._keep(address, _Record(last=now, welcome=True))

    def _record(self, address: Address, now: float) -> _Record:
        record = self._records.get(_neighbourhood(address), _Record())
        return _Record() if now - record.last > FORGET_AFTER else record

    def _keep(self, address: Address, record: _Record) -> None:
        key = _neighbourhood(address)
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > MOST_ADDRESSES:
            self._records.popitem(last=False)


def _pause(failures: int) -> float:
    over = failures - FREE_TRIES
    return 0.0 if over < 0 else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(over, 16))


def _neighbourhood(address: Address) -> object:
    """An IPv6 host has a whole /64 of addresses to guess from."""
    return IPv6Network((int(address) >> 64 << 64, 64)) if isinstance(address, IPv6Address) else address
