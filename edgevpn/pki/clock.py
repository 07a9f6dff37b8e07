"""What "now" means on a device that may not know the time.

Most routers have no battery behind their clock. After a power cut they believe in the time of the newest file, or in
1970, until NTP has answered, and NTP may have to go through the very tunnel that waits for a certificate. So:

- We know a date that has passed for certain: the later of this release's own date and the newest time that was seen
  on this device and written down (`known_date`; see `office.Office.tend`).
- A clock before that date is wrong. It is not believed, and the time is then "at the known date or later".
- By that time a certificate that ended before the known date has expired for certain: it is refused, clock or no clock.
- One that begins after the known date may have begun: it is accepted, since the alternative would be to lock everyone
  out. The same holds for a CRL's dates.
- Whoever was accepted while the clock was not set is marked so (`VerifiedKey.clock_set` is False), and is to be judged
  again, by the same function, once the clock is.

A clock that runs ahead cannot be told from a right one; it makes certificates expire early and lets none live longer.
So that this ends with its cause, the newest time seen goes on by a month an hour at most.
"""

from __future__ import annotations

from datetime import UTC, datetime

from edgevpn.frozen import dataclass

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""A day before this release was made: no clock that is right shows less."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time by which a certificate is judged: `at` itself, or where the clock is not set, `at` or any time later."""

    at: datetime
    clock_set: bool

    def is_after(self, end: datetime) -> bool:
        """True if it is later than `end` for certain."""
        return self.at > end

    def is_before(self, start: datetime) -> bool:
        """True if it is earlier than `start` for certain."""
        return self.clock_set and self.at < start


def moment(clock: datetime, known_date: datetime = RELEASED) -> Moment:
    """What a clock is worth, given the newest date that is known to have passed."""
    known = max(known_date, RELEASED)
    return Moment(clock, True) if clock >= known else Moment(known, False)
