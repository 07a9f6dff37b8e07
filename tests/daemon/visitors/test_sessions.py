from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from edgevpn.daemon.login.vouched import Shown
from edgevpn.daemon.visitors.sessions import Sessions
from edgevpn.ike.contract import IkeSaUp
from edgevpn.ike.iana import IdType
from edgevpn.ike.session import Given, Session
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.payloads import Identification

HERE, THERE, ELSEWHERE = (Address(ip_address(text), 4500) for text in ("192.0.2.1", "198.51.100.1", "203.0.113.1"))
LENT = ip_address("10.9.0.2")
UP = IkeSaUp(
    b"one",
    "road/password",
    Identification(IdType.FQDN, b"phone"),
    Path(HERE, THERE),
    session=Session(user="phone", lent=Given((LENT,))),
)
PHONE = Shown("phone")


def test_in_and_out() -> None:
    sessions = Sessions()
    visit = sessions.up(UP, PHONE, 10.0)
    assert (visit.device, visit.pool, visit.since) == ("phone", "road", 10.0)
    assert sessions.of("phone") == (visit,)
    assert sessions.at(LENT) == sessions.get(b"one") == visit
    assert sessions.down(b"one") == visit
    assert (len(sessions), sessions.of("phone"), sessions.at(LENT)) == (0, (), None)
    assert sessions.down(b"one") is None


def test_new_keys_are_the_same_session() -> None:
    """It has lasted since the login, and is still the device's."""
    sessions = Sessions()
    sessions.up(UP, PHONE, 10.0)
    visit = sessions.up(replace(UP, spi=b"two", replaces=b"one"), Shown(), 99.0)
    assert (visit.spi, visit.device, visit.since) == (b"two", "phone", 10.0)
    assert [each.spi for each in sessions] == [b"two"]
    assert sessions.at(LENT) == visit


def test_one_device_twice() -> None:
    sessions = Sessions()
    for spi, address in ((b"one", LENT), (b"two", LENT + 1)):
        sessions.up(replace(UP, spi=spi, session=Session(lent=Given((address,)))), PHONE, 1.0)
    assert [each.spi for each in sessions.of("phone")] == [b"one", b"two"]
    sessions.down(b"one")
    assert [each.spi for each in sessions.of("phone")] == [b"two"]


def test_an_address_is_taken_over() -> None:
    """It is the newer session's, also when the older one ends later."""
    sessions = Sessions()
    sessions.up(UP, PHONE, 1.0)
    newer = sessions.up(replace(UP, spi=b"two"), PHONE, 2.0)
    assert sessions.at(LENT) == newer
    sessions.down(b"one")
    assert sessions.at(LENT) == newer
    sessions.down(b"two")
    assert sessions.at(LENT) is None


def test_moving() -> None:
    sessions = Sessions()
    sessions.up(UP, PHONE, 1.0)
    sessions.moved(b"one", Path(HERE, ELSEWHERE))
    sessions.moved(b"gone", Path(HERE, ELSEWHERE))
    (visit,) = sessions.of("phone")
    assert visit.path.remote == ELSEWHERE


def test_of_no_device_any_more() -> None:
    sessions = Sessions()
    assert sessions.up(UP, Shown(), 1.0).device is None
    assert sessions.of("phone") == ()
