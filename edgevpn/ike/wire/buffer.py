"""Bounded reading of untrusted octets: the only place where octets are counted."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, IntFlag
from functools import lru_cache
from struct import Struct
from typing import Any, TypeVar

from edgevpn.ike.errors import InvalidSyntax

Registry = TypeVar("Registry", bound=IntEnum | IntFlag)

KEPT_MEMBERS = 512
"""Our own bound: numbers that have been read and may come again."""

U16 = Struct(">H")
U32 = Struct(">I")
U64 = Struct(">Q")


class Reader:
    """Reads `octets` from `start` to `end` once, in order; every shortfall or left-over is InvalidSyntax."""

    __slots__ = ("_end", "_next", "_octets")

    def __init__(self, octets: bytes, start: int = 0, end: int | None = None) -> None:
        self._octets = octets
        self._next = start
        self._end = len(octets) if end is None else end

    @property
    def remaining(self) -> int:
        """Octets not yet read."""
        return self._end - self._next

    def u8(self) -> int:
        return self._octets[self._advance(1)]

    def u16(self) -> int:
        value: int = U16.unpack_from(self._octets, self._advance(2))[0]
        return value

    def u32(self) -> int:
        value: int = U32.unpack_from(self._octets, self._advance(4))[0]
        return value

    def u64(self) -> int:
        value: int = U64.unpack_from(self._octets, self._advance(8))[0]
        return value

    def unpack(self, layout: Struct) -> tuple[Any, ...]:
        """The fields of a fixed `layout`: one step where single reads would be too slow."""
        return layout.unpack_from(self._octets, self._advance(layout.size))

    def take(self, size: int) -> bytes:
        """The next `size` octets."""
        start = self._advance(size)
        return self._octets[start : start + size]

    def rest(self) -> bytes:
        """All octets that remain, possibly none."""
        start, self._next = self._next, self._end
        return self._octets[start : self._end]

    def split(self, size: int) -> tuple[bytes, ...]:
        """All octets that remain, as strings of `size` octets each; `size` is at least one."""
        octets = self.rest()
        if len(octets) % size:
            raise InvalidSyntax(f"{len(octets)} octets are no list of {size}-octet values")
        return tuple(octets[start : start + size] for start in range(0, len(octets), size))

    def sub(self, size: int) -> Reader:
        """A reader of the next `size` octets, without copying them."""
        start = self._advance(size)
        return Reader(self._octets, start, start + size)

    def member(self, registry: type[Registry]) -> Registry:
        """One octet as a member of `registry`; a number that a closed registry lacks is InvalidSyntax."""
        return member(registry, self.u8())

    def finish(self) -> None:
        """Raise InvalidSyntax unless everything was read."""
        if self._next != self._end:
            raise InvalidSyntax(f"{self.remaining} octets left over")

    def _advance(self, size: int) -> int:
        """Step over `size` octets; where they start."""
        start, end = self._next, self._next + size
        if size < 0 or end > self._end:
            raise InvalidSyntax(f"{size} octets wanted, {self._end - start} remain")
        self._next = end
        return start


def member(registry: type[Registry], number: int) -> Registry:
    """A number as a member of `registry`; one that a closed registry lacks is InvalidSyntax."""
    found: Registry = _known(registry, number)
    return found


def _member(registry: Any, number: int) -> Any:
    try:
        return registry(number)
    except ValueError as unknown:
        raise InvalidSyntax(f"{registry.__name__} has no member {number}") from unknown


_known: Callable[[Any, int], Any] = lru_cache(KEPT_MEMBERS)(_member)
