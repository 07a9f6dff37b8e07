"""Addresses for clients: each has its own as long as it can be kept for it.

An address that is given back is remembered for its holder, and goes to another only when no fresh one is left: then the
one that has been away longest loses it. Nothing here costs more with more leases.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from edgevpn.frozen import dataclass

IpAddress: TypeAlias = IPv4Address | IPv6Address


class Exhausted(Exception):  # noqa: N818 - what is the case
    """Every address of the pool is in use."""


@dataclass(frozen=True, slots=True)
class Span:
    """Addresses from `first` to `last`, both included."""

    first: IpAddress
    last: IpAddress

    def __contains__(self, address: object) -> bool:
        return (
            isinstance(address, IPv4Address | IPv6Address)
            and address.version == self.first.version
            and int(self.first) <= int(address) <= int(self.last)
        )

    def __iter__(self) -> Iterator[IpAddress]:
        return (self.first + offset for offset in range(int(self.last) - int(self.first) + 1))


@dataclass(frozen=True, slots=True)
class Lease:
    """An address that is kept for a holder who is away since then (Unix time, seconds)."""

    holder: str
    since: float


class Pool:
    """The addresses of one IP version of one pool.

    `fixed` are addresses that belong to one holder for good, inside the spans or not; `reserved` are nobody's.
    `remembered` are leases from before, the longest away first; those outside the spans are forgotten.
    """

    def __init__(
        self,
        spans: Iterable[Span],
        fixed: Mapping[str, IpAddress],
        reserved: Collection[IpAddress] = (),
        remembered: Mapping[IpAddress, Lease] | None = None,
    ) -> None:
        self._spans = tuple(spans)
        self._fixed = dict(fixed)
        self._closed = {*reserved, *fixed.values()}
        self._fresh = (address for span in self._spans for address in span)
        self._returned: deque[IpAddress] = deque()  # by holders who have a better one
        self._in_use: dict[IpAddress, str] = {}
        self._away: OrderedDict[IpAddress, Lease] = OrderedDict()
        self._homes: dict[str, IpAddress] = {}
        for address, lease in (remembered or {}).items():
            if self._is_inside(address) and self._is_free(address) and lease.holder not in self._homes:
                self._away[address] = lease
                self._homes[lease.holder] = address

    @property
    def size(self) -> int:
        """How many addresses there are to give: those inside that are nobody's are none."""
        inside = {address for address in self._closed if any(address in span for span in self._spans)}
        whole = sum(int(span.last) - int(span.first) + 1 for span in self._spans)
        return whole - len(inside - {*self._fixed.values()})

    @property
    def in_use(self) -> Mapping[IpAddress, str]:
        """Who has which address now."""
        return self._in_use

    @property
    def away(self) -> Mapping[IpAddress, Lease]:
        """Addresses that are kept, the longest away first."""
        return self._away

    def take(
        self, holder: str, wish: IpAddress | None = None, *, alone: bool = False, again: bool = False
    ) -> IpAddress:
        """An address for `holder`: its fixed one, the one it had, the one it wishes, a fresh one, the oldest one kept.

        A holder that has one already gets another: it is there twice. One that is `alone` gets the same once more, and
        has it until it is given back for the first time; one that has what it wishes, and asks `again`, likewise.
        Raises Exhausted.
        """
        address = self._choose(holder, wish, alone, again)
        self._occupy(holder, address)
        return address

    def claim(self, holder: str, address: IpAddress) -> bool:
        """Let a holder keep the address that it has already; False if this pool cannot give it."""
        mine = self._fixed.get(holder) == address
        inside = self._is_inside(address) and address not in self._closed
        if address in self._in_use or not (mine or inside):
            return False
        self._occupy(holder, address)
        return True

    def give_back(self, address: IpAddress, now: float) -> None:
        """The holder is gone; keep its address for it, unless it has a better one."""
        holder = self._in_use.pop(address)
        if self._homes.get(holder) == address:
            self._away[address] = Lease(holder, now)
        elif address not in self._closed:
            self._returned.append(address)

    def _occupy(self, holder: str, address: IpAddress) -> None:
        lost = self._away.pop(address, None)
        if lost is not None and lost.holder != holder:
            del self._homes[lost.holder]
        self._in_use[address] = holder
        if address not in self._closed:
            self._homes.setdefault(holder, address)

    def _choose(self, holder: str, wish: IpAddress | None, alone: bool, again: bool) -> IpAddress:
        if again and wish is not None and self._in_use.get(wish) == holder:
            return wish
        for address in (self._fixed.get(holder), self._homes.get(holder)):
            taken = address in self._in_use and not (alone and self._in_use[address] == holder)
            if address is not None and not taken:
                return address
        if wish is not None and self._is_inside(wish) and self._is_free(wish):
            return wish
        while self._returned:
            if self._is_free(address := self._returned.popleft()):
                return address
        for address in self._fresh:
            if self._is_free(address):
                return address
        if self._away:
            return next(iter(self._away))
        raise Exhausted(f"all {len(self._in_use)} addresses are in use")

    def _is_inside(self, address: IpAddress) -> bool:
        return any(address in span for span in self._spans)

    def _is_free(self, address: IpAddress) -> bool:
        """Nobody has it, nobody had it, nobody is to have it for good."""
        return address not in self._in_use and address not in self._away and address not in self._closed
