"""What two endpoints do to each other is counted on both sides."""

from __future__ import annotations

import pytest

from edgevpn.daemon.figures.tally import BOUNDS, Histogram, Tally
from edgevpn.ike.contract import IkeSaDown, IkeSaUp, Level, Limit, SetTimer, Shed, StopTimer, refused, report
from edgevpn.ike.errors import Cause
from tests.support.clock import Clock
from tests.support.handshake import LEFT_PATH
from tests.support.peers import RIGHT_ID


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> Tally:
    return Tally(clock)


def up(spi: bytes, replaces: bytes | None = None) -> IkeSaUp:
    return IkeSaUp(spi, "office", RIGHT_ID, LEFT_PATH, replaces)


def test_a_handshake_is_timed(tally: Tally, clock: Clock) -> None:
    tally.hear(SetTimer(b"spi", 130))
    clock.now += 0.2
    tally.hear(SetTimer(b"spi", 160))
    clock.now += 0.1
    tally.hear(up(b"spi"))
    tally.hear(SetTimer(b"spi", 900))
    assert tally.handshakes.total == pytest.approx(0.3)
    assert tally.handshakes.cumulated == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert tally._begun == {}


def test_one_that_comes_to_nothing_leaves_nothing(tally: Tally) -> None:
    tally.hear(SetTimer(b"spi", 130))
    tally.hear(IkeSaDown(b"spi", "office", "the key is wrong", cause=Cause.WRONG_KEY))
    tally.hear(StopTimer(b"spi"))
    assert tally.handshakes.cumulated[-1] == 0
    assert tally.ended == {Cause.WRONG_KEY: 1}
    assert (tally._begun, tally._up) == ({}, set())


def test_new_keys_are_no_handshake(tally: Tally) -> None:
    tally.hear(up(b"old"))
    tally.hear(SetTimer(b"new", 130))
    tally.hear(up(b"new", replaces=b"old"))
    assert (tally.rekeyed, tally.handshakes.cumulated[-1]) == (1, 0)


def test_what_has_new_keys_leaves_nothing(tally: Tally) -> None:
    """Nobody says that it is down: it has a successor."""
    tally.hear(up(b"old"))
    tally.hear(up(b"new", replaces=b"old"))
    tally.hear(SetTimer(b"old", 130))  # until its Delete is answered
    tally.hear(StopTimer(b"old"))
    assert (tally._begun, tally._up) == ({}, {b"new"})


def test_refusals_by_cause(tally: Tally) -> None:
    for cause in (Cause.NO_COMMON_PROPOSAL, Cause.NO_COMMON_PROPOSAL, Cause.OTHER_KE):
        tally.hear(refused("ike_sa_init_refused", cause))
    tally.hear(report(Level.DEBUG, "discarded", why="x"))
    tally.hear(report(Level.INFO, "something"))
    assert tally.refused == {Cause.NO_COMMON_PROPOSAL: 2, Cause.OTHER_KE: 1}
    assert tally.discarded == 1


def test_histogram() -> None:
    """A bound belongs to what is below it."""
    histogram = Histogram()
    for seconds in (0.0, *BOUNDS, 31.0):
        histogram.add(seconds)
    assert histogram.counts == [2, *[1] * len(BOUNDS)]
    assert histogram.cumulated[-1] == len(BOUNDS) + 2


def test_what_was_shed(tally: Tally) -> None:
    for limit, count in ((Limit.HALF_OPEN, 1), (Limit.FIRST_MESSAGES, 500), (Limit.HALF_OPEN, 1)):
        tally.hear(Shed(limit, count=count))
    assert tally.shed == {Limit.HALF_OPEN: 2, Limit.FIRST_MESSAGES: 500}
