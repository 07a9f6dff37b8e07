from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from edgevpn.api.records import LogLine
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.recent import LONGEST, Recent
from tests.support.shapes import misfits


class Log:
    """A logger of its own, with the last three lines kept."""

    def __init__(self) -> None:
        self.told: list[LogLine] = []
        self.recent = Recent(self.told.append, kept=3)
        self.logger = logging.Logger("test", logging.DEBUG)
        self.logger.addHandler(self.recent)


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.recent.close()


def texts(lines: list[LogLine]) -> list[str]:
    return [line["text"] for line in lines]


def test_the_last_lines_are_kept(log: Log) -> None:
    for number in range(5):
        note(log.logger, logging.INFO, "turn", number=number)
    assert texts(log.recent.last(10)) == ["turn number=2", "turn number=3", "turn number=4"]
    assert texts(log.recent.last(2)) == ["turn number=3", "turn number=4"]
    assert log.recent.last(0) == []
    assert len(log.told) == 5


def test_levels(log: Log) -> None:
    for level in (5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        log.logger.log(level, "x")
    assert [line["level"] for line in log.told] == ["debug", "info", "warning", "error", "error"]
    assert misfits(log.told, list[LogLine]) == []


def test_a_line_is_bounded(log: Log) -> None:
    log.logger.info("%s", "x" * 100_000)
    assert texts(log.told) == ["x" * LONGEST + "..."]


def test_of_an_exception_its_type_alone(log: Log) -> None:
    log.logger.error("fault", exc_info=ValueError("with a secret"))
    assert texts(log.told) == ["fault exception=ValueError"]
