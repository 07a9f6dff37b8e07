"""The policies that are to be in the kernel: at each place the newest child's, else the trap that waits there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from edgevpn.kernel.batch import raise_first
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import NotFound
from edgevpn.kernel.operations import Delete, Operation, Update
from edgevpn.kernel.spec import PolicyKey, PolicySpec

Held = tuple[bytes, tuple[PolicySpec, ...]]
"""A child that has a policy, by its inbound SPI, and all policies that it has for that half."""


class Policies:
    """Puts them there and takes them away; what does not change is not touched. Every call may raise KernelError."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._traps: dict[PolicyKey, PolicySpec] = {}
        self._held: dict[PolicyKey, tuple[Held, ...]] = {}  # the newest last

    def __iter__(self) -> Iterator[PolicySpec]:
        """All that are to be there."""
        at_each = map(self.at, {**self._traps, **self._held})
        return (policy for policy in at_each if policy is not None)

    def at(self, key: PolicyKey) -> PolicySpec | None:
        """What is to be at that key: the newest child's policy, else the trap, else none."""
        return self._on_top(key, self._held.get(key))

    def are_of_one(self, policies: Iterable[PolicySpec]) -> bool:
        """Whether a single child has these."""
        return all(len(self._held[policy.key]) == 1 for policy in policies)

    def have(self, spi_in: bytes, policies: tuple[PolicySpec, ...]) -> None:
        """These are a child's from now on."""
        own = spi_in, policies
        alone, changed = (own,), list[Operation]()
        for policy in policies:
            key = policy.key
            before = self._held.get(key)
            was = policy if before and before[-1][1] is policies else self._on_top(key, before)
            held = self._held[key] = _with(own, before) if before else alone
            if held[-1] is own and policy != was:
                changed.append(Update(policy))
        self._carry_out(changed)

    def have_no_more(self, spi_in: bytes, policies: tuple[PolicySpec, ...]) -> None:
        """These are a child's no longer."""
        changed: list[Operation] = []
        for policy in policies:
            key = policy.key
            before = self._held.pop(key)
            if held := tuple(each for each in before if each[0] != spi_in):
                self._held[key] = held
            if held and held[-1][1] is before[-1][1]:
                continue
            now = self.at(key)
            if now is None:
                changed.append(Delete(key))
            elif now != _newest(key, before):
                changed.append(Update(now))
        self._carry_out(changed)

    def trap(self, traps: Iterable[PolicySpec]) -> None:
        """These wait where no child's policy is."""
        made = {policy.key: policy for policy in traps}
        before = {key: self.at(key) for key in made}
        self._traps |= made
        now = {key: self.at(key) for key in made}
        self._carry_out([Update(policy) for key, policy in now.items() if policy and policy != before[key]])

    def untrap(self, doomed: Callable[[PolicyKey], bool]) -> None:
        """Traps with such keys wait no longer. Of one that is gone already nobody need be told."""
        traps = [key for key in self._traps if doomed(key)]
        for key in traps:
            del self._traps[key]
        self._kernel.apply([Delete(key) for key in traps])

    def _on_top(self, key: PolicyKey, held: tuple[Held, ...] | None) -> PolicySpec | None:
        return _newest(key, held) if held else self._traps.get(key)

    def _carry_out(self, operations: Sequence[Operation]) -> None:
        fates = self._kernel.apply(operations) if operations else ()
        raise_first(fates, besides=(NotFound,))


def _with(own: Held, held: tuple[Held, ...]) -> tuple[Held, ...]:
    """A child's policies in the place of those that it had, or as the newest."""
    if own[0] not in dict(held):
        return *held, own
    return tuple(own if each[0] == own[0] else each for each in held)


def _newest(key: PolicyKey, held: tuple[Held, ...]) -> PolicySpec:
    """The policy with that key of the child that came last."""
    return next(policy for policy in held[-1][1] if policy.key == key)
