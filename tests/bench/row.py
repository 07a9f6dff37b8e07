"""A figure, and what it is compared with in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Costs: TypeAlias = Sequence[float]
"""Seconds for one of what is measured, in each round."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the median of `runs`, and the distance between their quartiles. `goal`: not more than this."""

    name: str
    value: float
    unit: str
    spread: float
    runs: int
    anchor: str = ""
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """What somebody else took for the same, in the same rounds; and how much of it we may take."""

    words: str
    costs: Costs
    goal: float | None = None


def single(name: str, value: float, unit: str, goal: float | None = None, anchor: str = "") -> Row:
    """A figure that is taken once."""
    return Row(name, value, unit, 0.0, 1, anchor, goal)


def many(name: str, values: Costs, unit: str, anchor: str = "", goal: float | None = None) -> Row:
    """A figure that is taken several times."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return Row(name, statistics.median(values), unit, high - low, len(values), anchor, goal)


def compared(name: str, measure: str, ours: Costs, anchors: Mapping[str, Anchor]) -> Iterator[Row]:
    """Ours, and for each anchor: its own, and how often that goes into ours, round by round."""
    yield many(f"{name}_{measure}_ms", milliseconds(ours), "ms")
    for other, anchor in anchors.items():
        yield many(f"{name}_{other}_{measure}_ms", milliseconds(anchor.costs), "ms", anchor.words)
        yield many(f"{name}_{measure}_vs_{other}", ratios(ours, anchor.costs), "x", anchor.words, anchor.goal)


def milliseconds(costs: Costs) -> list[float]:
    return [each * 1e3 for each in costs]


def ratios(ours: Costs, theirs: Costs) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]
