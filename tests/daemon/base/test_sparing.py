"""A flood leaves a few lines, and their number."""

from __future__ import annotations

from edgevpn.daemon.base.sparing import AT_ONCE, EVERY, Sparing
from tests.support.clock import Clock


def test_a_few_are_all_told() -> None:
    sparing = Sparing(Clock())
    assert [sparing.left_out("refused") for _ in range(AT_ONCE)] == [0] * AT_ONCE
    assert sparing.left_out("refused") is None
    assert sparing.left_out("shed") == 0  # another event has lines of its own


def test_of_many_the_number_is_told() -> None:
    clock = Clock()
    sparing = Sparing(clock)
    for _ in range(AT_ONCE + 70):
        sparing.left_out("refused")
    clock.now += EVERY
    assert sparing.left_out("refused") == 70
    assert sparing.left_out("refused") is None


def test_after_a_rest_all_are_told_again() -> None:
    clock = Clock()
    sparing = Sparing(clock)
    for _ in range(AT_ONCE + 5):
        sparing.left_out("refused")
    clock.now += AT_ONCE * EVERY
    assert [sparing.left_out("refused") for _ in range(AT_ONCE + 1)] == [5, *[0] * (AT_ONCE - 1), None]
