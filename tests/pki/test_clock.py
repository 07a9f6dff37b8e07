from datetime import UTC, datetime, timedelta

from edgevpn.pki.clock import RELEASED, moment

DAY = timedelta(days=1)
SAVED = RELEASED + 30 * DAY


def test_a_clock_that_knows_better_is_believed() -> None:
    now = moment(SAVED + DAY, SAVED)
    assert now.clock_set
    assert now.at == SAVED + DAY
    assert now.is_after(SAVED)
    assert now.is_before(SAVED + 2 * DAY)


def test_a_clock_before_the_known_date_is_not() -> None:
    """1970 after a power cut: what ended before the known date has ended; what begins after it may have begun."""
    now = moment(datetime(1970, 1, 1, tzinfo=UTC), SAVED)
    assert not now.clock_set
    assert now.is_after(SAVED - DAY)
    assert not now.is_after(SAVED + DAY)
    assert not now.is_before(SAVED + DAY)


def test_the_release_itself_is_a_known_date() -> None:
    assert not moment(RELEASED - DAY).clock_set
    assert moment(RELEASED).clock_set
    assert moment(RELEASED - DAY, datetime(1999, 1, 1, tzinfo=UTC)).at == RELEASED
