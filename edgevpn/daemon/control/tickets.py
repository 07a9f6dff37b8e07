"""Tickets into the panel: for whoever may use the control socket and has no password, or none any more."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

SIZE = 16
LIFE = 600.0
"""Seconds: long enough to type an address from a console into a phone."""
MOST = 16

Entropy = Callable[[int], bytes]


class Tickets:
    """Each is good once, within ten minutes. Only what cannot be turned back into a ticket is kept."""

    def __init__(self, entropy: Entropy, clock: Callable[[], float]) -> None:
        self._entropy = entropy
        self._clock = clock
        self._ends: dict[bytes, float] = {}

    def make(self) -> str:
        """A new one; the oldest goes when there are too many."""
        now = self._clock()
        self._ends = {digest: ends for digest, ends in self._ends.items() if now < ends}
        while len(self._ends) >= MOST:
            del self._ends[next(iter(self._ends))]
        ticket = urlsafe_b64encode(self._entropy(SIZE)).decode().rstrip("=")
        self._ends[_digest(ticket)] = now + LIFE
        return ticket

    def redeem(self, ticket: str) -> bool:
        """Whether it is good; it is used up by that."""
        ends = self._ends.pop(_digest(ticket), None)
        return ends is not None and self._clock() < ends


def _digest(ticket: str) -> bytes:
    return sha256(ticket.encode()).digest()
