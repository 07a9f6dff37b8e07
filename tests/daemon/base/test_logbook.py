from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from edgevpn.config.model import Gateway, LogFormat, LogLevel
from edgevpn.daemon.base.logbook import Logbook
from edgevpn.daemon.base.logs import note
from tests.support.configs import config

SETTINGS: Gateway = config().gateway


class Log:
    """A logger of its own, and what it has written."""

    def __init__(self, level: LogLevel | None = None) -> None:
        self.logger = logging.getLogger("test of the logbook")
        self.logger.propagate = False
        self.stream = io.StringIO()
        self.book = Logbook(self.logger, level, self.stream)
        self.book.apply(SETTINGS)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.book.close()


def test_as_the_configuration_says(log: Log) -> None:
    """From the moment on that it says so."""
    note(log.logger, logging.DEBUG, "unseen")
    note(log.logger, logging.INFO, "seen", by="people")
    log.book.apply(replace(SETTINGS, log_level=LogLevel.DEBUG, log_format=LogFormat.JSON))
    note(log.logger, logging.DEBUG, "seen", by="programs")
    people, programs = log.lines()
    assert people == "INFO seen by=people"
    assert json.loads(programs)["by"] == "programs"
    assert [line["text"] for line in log.book.recent.last(9)] == ["seen by=people", "seen by=programs"]


def test_a_level_that_wins() -> None:
    log = Log(LogLevel.ERROR)
    log.book.apply(replace(SETTINGS, log_level=LogLevel.DEBUG))
    note(log.logger, logging.WARNING, "unseen")
    assert log.lines() == []
    log.book.close()
    log.logger.error("closed")
    assert log.lines() == []
