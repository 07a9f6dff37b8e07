"""Chance that repeats itself, and that a test can make low, so that it knows who wins."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


class Chance:
    """Gives octets like `os.urandom`, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._first: int | None = None

    def __call__(self, size: int) -> bytes:
        octets = self._random.randbytes(size)
        return octets if self._first is None or size < 16 else bytes([self._first]) + octets[1:]

    @contextmanager
    def low(self) -> Iterator[None]:
        """Nonces drawn within begin with the lowest octet: what they belong to loses a collision."""
        self._first = 0
        yield
        self._first = None
