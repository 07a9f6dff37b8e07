"""Which sequence numbers have come: the anti-replay window of an SA, RFC 4303 §3.4.3, and with ESN appendix A2."""

from __future__ import annotations

SIZE = 64
"""Packets that may be overtaken: the RFC's default."""
HALF = 1 << 32


class ReplayWindow:
    """The last numbers of an SA that were accepted. `esn`: they have 64 bits, of which packets show the lower half."""

    def __init__(self, esn: bool, size: int = SIZE) -> None:
        self._esn = esn
        self._size = size
        self._top = 0
        self._seen = 0  # bit n: the number n below the top

    def whole(self, low: int) -> int:
        """The number that a packet with this lower half has, as far as one can tell; negative: it cannot be.

        Whoever takes it must check the ICV with it, and only then `accept` it.
        """
        if not self._esn:
            return low
        high, top_low = divmod(self._top, HALF)
        bottom = top_low - self._size + 1
        if bottom >= 0:
            return (high + (low < bottom)) * HALF + low
        return (high - (low >= bottom + HALF)) * HALF + low

    def is_fresh(self, number: int) -> bool:
        """Whether it has not come yet, and is not too old to tell."""
        below = self._top - number
        return number > 0 and (below < 0 or (below < self._size and not self._seen >> below & 1))

    def accept(self, number: int) -> None:
        """It has come now, in a packet whose ICV is right."""
        ahead = number - self._top
        if ahead > 0:
            self._top = number
            self._seen = (self._seen << min(ahead, self._size)) & ((1 << self._size) - 1)
        self._seen |= 1 << (self._top - number)
