"""What libFuzzer tells becomes a line of the table."""

from __future__ import annotations

from tests.fuzz.figures import Figures, figures, table

TOLD = """\
INFO: seed corpus: files: 2 min: 1b max: 4b total: 5b rss: 50Mb
#2	INITED cov: 11 ft: 12 corp: 2/5b exec/s: 0 rss: 50Mb
#900	REDUCE cov: 42 ft: 50 corp: 4/9b lim: 4096 exec/s: 450 rss: 51Mb L: 2/4 MS: 1 EraseBytes-
stat::number_of_executed_units: 1200
stat::average_exec_per_sec:     600
"""


def test_figures() -> None:
    assert figures("stranger", 2.0, TOLD.splitlines()) == Figures("stranger", 2.0, 1200, 42)
    assert figures("stranger", 2.0, ["nothing of the kind"]) == Figures("stranger", 2.0, 0, 0)


def test_table() -> None:
    last = table([Figures("stranger", 90.0, 180, 42)]).splitlines()[-1]
    assert [cell.strip() for cell in last.strip("|").split("|")] == ["stranger", "1.5", "2", "42"]
