from datetime import date, timedelta

import pytest

from edgevpn.daemon.base.state_file import Content
from edgevpn.daemon.figures.usage import DAYS, MONTHS, UNSEEN, Amount, Usage

TODAY = date(2026, 11, 24)


def test_by_day_and_month() -> None:
    usage = Usage({})
    usage.add("phone", Amount(1, 2), TODAY)
    usage.add("phone", Amount(10, 20), TODAY)
    usage.add("phone", Amount(100, 200), TODAY + timedelta(1))
    usage.saw("phone", 1000.0, "192.0.2.1:4500")
    record = usage.of("phone")
    assert record.days == {"2026-11-24": Amount(11, 22), "2026-11-25": Amount(100, 200)}
    assert record.months == {"2026-11": Amount(111, 222)}
    assert (record.seen, record.place) == (1000.0, "192.0.2.1:4500")


def test_kept_over_a_restart() -> None:
    usage = Usage({})
    usage.add("phone", Amount(1, 2), TODAY)
    usage.saw("phone", 1000.0, "192.0.2.1:4500")
    usage.saw("tablet", 1.0, "")
    usage.forget("tablet")
    assert Usage(usage.content()).of("phone") == usage.of("phone")
    assert Usage(usage.content()).of("tablet") == UNSEEN


def test_the_old_is_dropped() -> None:
    """What is kept does not grow with the years."""
    usage = Usage({})
    for day in range(1000):
        usage.add("phone", Amount(1, 1), TODAY + timedelta(day))
    record = usage.of("phone")
    assert (len(record.days), len(record.months)) == (DAYS, MONTHS)
    assert max(record.days) == (TODAY + timedelta(999)).isoformat()


@pytest.mark.parametrize(
    "devices", [{"phone": {"days": 3, "months": {"2026-11": [1]}, "seen": "no", "place": 7}}, {"phone": 1}, {}]
)
def test_odd_content_is_forgotten(devices: Content) -> None:
    assert Usage({"devices": devices}).of("phone") == UNSEEN
