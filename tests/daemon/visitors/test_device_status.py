from datetime import UTC, date, datetime

from edgevpn.api.records import DeviceStatus
from edgevpn.daemon.figures.usage import UNSEEN, Amount, Record
from edgevpn.daemon.login.devices import Refusal
from edgevpn.daemon.visitors.device_status import device_status, periods
from tests.support.shapes import misfits
from tests.support.visitors import PHONE, TABLET, gateway

TODAY = date(2026, 11, 24)


def test_device() -> None:
    """Its expiry is the end of the day; usage of other days is not today's."""
    phone = PHONE | {"owner": "Hanako", "platform": "ios", "v4": "10.9.0.7", "expires": "2026-12-31"}
    (device,) = gateway({"phone": phone}).devices
    days = {"2026-11-23": Amount(5, 6), "2026-11-24": Amount(1, 2)}
    record = Record(days, {"2026-11": Amount(6, 8)}, 1000.0, "192.0.2.1:4500")
    status = device_status(device, Refusal.DISABLED, [], record, TODAY)

    assert misfits(status, DeviceStatus) == []
    assert (status["owner"], status["platform"], status["v4"], status["v6"]) == ("Hanako", "ios", "10.9.0.7", "")
    assert status["refused"] == "the device is disabled"
    assert status["expires"] == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert (status["today"]["received"], status["month"]["sent"], status["seen"]) == (1, 8, 1000.0)


def test_device_that_was_never_here() -> None:
    (device,) = gateway({"tablet": TABLET}).devices
    status = device_status(device, None, [], UNSEEN, TODAY)
    assert misfits(status, DeviceStatus) == []
    assert (status["refused"], status["expires"], status["seen"]) == ("", None, None)


def test_periods_are_in_order() -> None:
    amounts = {"2026-11-24": Amount(1, 2), "2026-11-23": Amount(5, 6)}
    assert [each["period"] for each in periods(amounts)] == ["2026-11-23", "2026-11-24"]
