"""edgevpn.simulate.replay: numbers that come in any order, some of them again, with 32 bits and with 64."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.simulate.replay import HALF, SIZE, ReplayWindow


def after(*numbers: int, esn: bool = False) -> ReplayWindow:
    """A window in which these have come."""
    window = ReplayWindow(esn)
    for number in numbers:
        window.accept(number)
    return window


FRESH = {
    "the first": ((), 1, True),
    "never sent": ((), 0, False),
    "the next": ((7,), 8, True),
    "the same again": ((7,), 7, False),
    "far ahead": ((7,), 7 + 10 * SIZE, True),
    "overtaken": ((5, 7), 6, True),
    "overtaken, and come again": ((5, 7, 6), 6, False),
    "as old as may be": ((SIZE,), 1, True),
    "too old": ((SIZE + 1,), 1, False),
    "seen before a jump": ((5, SIZE), 5, False),
    "not seen before a jump": ((5, SIZE), 6, True),
    "behind a jump over all": ((5, 5 + 2 * SIZE), 5 + SIZE, False),
}


@pytest.mark.parametrize(("come", "number", "fresh"), FRESH.values(), ids=FRESH)
def test_fresh(come: tuple[int, ...], number: int, fresh: bool) -> None:
    assert after(*come).is_fresh(number) is fresh


@given(st.lists(st.integers(0, 200), max_size=60))
def test_nothing_passes_twice(numbers: list[int]) -> None:
    window, passed = ReplayWindow(esn=False), set[int]()
    for number in numbers:
        fresh = number > 0 and number not in passed and number > max(passed, default=0) - SIZE
        assert window.is_fresh(number) is fresh
        if fresh:
            window.accept(number)
            passed.add(number)


WHOLE = {
    "from the beginning": (0, 1, 1),
    "the next": (100, 101, 101),
    "far ahead": (100, HALF - 1, HALF - 1),
    "over the edge": (HALF - 1, 0, HALF),
    "a little over the edge": (HALF - 10, 5, HALF + 5),
    "overtaken at the edge": (HALF + 5, HALF - 3, HALF - 3),
    "in the window": (HALF + 100, 90, HALF + 90),
    "too old is taken for the next round": (HALF + 100, 10, 2 * HALF + 10),
    "before the very first": (5, HALF - 3, -3),
}


@pytest.mark.parametrize(("top", "low", "whole"), WHOLE.values(), ids=WHOLE)
def test_upper_half_is_found(top: int, low: int, whole: int) -> None:
    """RFC 4303 appendix A2.1."""
    window = after(*([top] if top else []), esn=True)
    assert window.whole(low) == whole
    assert window.is_fresh(whole) is (whole > 0)


def test_short_numbers_are_whole() -> None:
    assert after(HALF - 1).whole(5) == 5
