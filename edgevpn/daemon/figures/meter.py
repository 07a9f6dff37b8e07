"""How much has gone through the tunnels since the start, whatever SAs have come and gone in them.

The kernel counts by SA, and an SA's counters go with it. So each is read once more right before it goes, and what it
has counted since it was read before is added to those whose traffic that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.daemon.figures.usage import NOTHING, Amount
from edgevpn.ike.state import ChildSa

Ask = Callable[[ChildSa], Traffic]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose traffic it is: that of a site's child, or that of a device of a pool."""

    site: str = ""
    child: str = ""
    pool: str = ""
    device: str = ""


@dataclass(slots=True)
class Reading:
    """A child, whose it is, and what has been added of it already."""

    child: ChildSa
    owner: Owner
    counted: Amount = NOTHING


class Meter:
    """Adds up. `told` hears of every amount as it is added."""

    def __init__(self, told: Callable[[Owner, Amount], None] = lambda owner, amount: None) -> None:
        self._told = told
        self._readings: dict[bytes, Reading] = {}  # by spi_in
        self._children: dict[tuple[str, str], Amount] = {}
        self._pools: dict[str, Amount] = {}
        self._sites_lately: dict[str, Amount] = {}
        self._devices_lately: dict[str, Amount] = {}

    @property
    def children(self) -> Mapping[tuple[str, str], Amount]:
        """By site and child, since the start."""
        return self._children

    @property
    def pools(self) -> Mapping[str, Amount]:
        """By pool, since the start."""
        return self._pools

    def begin(self, child: ChildSa, owner: Owner) -> None:
        """A child is up."""
        self._readings.setdefault(child.spi_in, Reading(child, owner))

    def end(self, child: ChildSa, ask: Ask) -> None:
        """A child is about to go: its last octets are counted. Raises KernelError, and then they are lost."""
        if reading := self._readings.pop(child.spi_in, None):
            self._add(reading, ask)

    def look(self, ask: Ask) -> None:
        """Count what has come since the last look. Raises KernelError."""
        for reading in self._readings.values():
            self._add(reading, ask)

    def take(self) -> tuple[Mapping[str, Amount], Mapping[str, Amount]]:
        """What was added since this was last asked, by site and by device."""
        lately = self._sites_lately, self._devices_lately
        self._sites_lately, self._devices_lately = {}, {}
        return lately

    def _add(self, reading: Reading, ask: Ask) -> None:
        now, before, owner = ask(reading.child), reading.counted, reading.owner
        # An SA whose hard lifetime is over is gone already, and with it what it has counted.
        amount = Amount(max(0, now.octets_in - before.received), max(0, now.octets_out - before.sent))
        if amount == NOTHING:
            return
        reading.counted = before + amount
        if owner.site:
            _grow(self._children, (owner.site, owner.child), amount)
            _grow(self._sites_lately, owner.site, amount)
        else:
            _grow(self._pools, owner.pool, amount)
            _grow(self._devices_lately, owner.device, amount)
        self._told(owner, amount)


def _grow(amounts: dict[Key, Amount], key: Key, amount: Amount) -> None:
    amounts[key] = amounts.get(key, NOTHING) + amount
