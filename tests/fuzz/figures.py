"""What came of a run, as libFuzzer tells it, and a table of all runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tabulate import tabulate

EDGES = re.compile(r" cov: (\d+) ")
EXECUTIONS = re.compile(r"^stat::number_of_executed_units: +(\d+)$")
HEAD = ("harness", "CPU minutes", "executions a second of it", "edges covered")


@dataclass(frozen=True, slots=True)
class Figures:
    """One harness, so many seconds of CPU."""

    harness: str
    cpu: float
    executions: int
    edges: int


def figures(harness: str, cpu: float, lines: Iterable[str]) -> Figures:
    """What the lines of libFuzzer say in the end; of what they do not say, 0."""
    executions = edges = 0
    for line in lines:
        if found := EXECUTIONS.search(line):
            executions = int(found[1])
        elif found := EDGES.search(line):
            edges = int(found[1])
    return Figures(harness, cpu, executions, edges)


def table(runs: Iterable[Figures]) -> str:
    """A line for each harness."""
    cells = [(run.harness, f"{run.cpu / 60:.1f}", f"{run.executions / run.cpu:.0f}", run.edges) for run in runs]
    return str(tabulate(cells, HEAD, tablefmt="github"))
