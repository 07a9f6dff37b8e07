from __future__ import annotations

from dataclasses import replace

from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.daemon.figures.meter import Meter, Owner
from edgevpn.daemon.figures.usage import Amount
from edgevpn.ike.state import ChildSa
from tests.support.states import a_child

OFFICE, PHONE = Owner(site="office", child="lan"), Owner(pool="road", device="phone")
FIRST, SECOND = replace(a_child(), spi_in=b"1111"), replace(a_child(), spi_in=b"2222")


class Counters:
    """A kernel's counters, by child."""

    def __init__(self) -> None:
        self.counted: dict[bytes, Traffic] = {}

    def __call__(self, child: ChildSa) -> Traffic:
        return self.counted.get(child.spi_in, Traffic())

    def set(self, child: ChildSa, octets_in: int, octets_out: int) -> None:
        self.counted[child.spi_in] = Traffic(octets_in, octets_out)


def test_what_is_counted_once_is_not_counted_again() -> None:
    meter, counters = Meter(), Counters()
    meter.begin(FIRST, OFFICE)
    counters.set(FIRST, 100, 10)
    meter.look(counters)
    meter.look(counters)
    counters.set(FIRST, 150, 10)
    meter.end(FIRST, counters)
    assert meter.children == {("office", "lan"): Amount(150, 10)}


def test_a_child_that_follows_another_adds_to_it() -> None:
    """Both are there for a while (RFC 7296 §2.8)."""
    meter, counters = Meter(), Counters()
    meter.begin(FIRST, OFFICE)
    counters.set(FIRST, 100, 10)
    meter.begin(SECOND, OFFICE)
    counters.set(SECOND, 1, 2)
    meter.look(counters)
    meter.end(FIRST, counters)
    counters.set(SECOND, 5, 2)
    meter.look(counters)
    assert meter.children == {("office", "lan"): Amount(105, 12)}


def test_what_was_moved_lately() -> None:
    told: list[tuple[Owner, Amount]] = []
    meter, counters = Meter(lambda *each: told.append(each)), Counters()
    meter.begin(FIRST, OFFICE)
    meter.begin(SECOND, PHONE)
    counters.set(FIRST, 100, 0)
    counters.set(SECOND, 0, 7)
    meter.look(counters)
    assert meter.take() == ({"office": Amount(100, 0)}, {"phone": Amount(0, 7)})
    meter.look(counters)
    assert meter.take() == ({}, {})
    assert meter.pools == {"road": Amount(0, 7)}
    assert told == [(OFFICE, Amount(100, 0)), (PHONE, Amount(0, 7))]


def test_what_is_not_known_goes_unnoticed() -> None:
    meter = Meter()
    meter.end(FIRST, Counters())
    assert meter.children == {}


def test_an_sa_that_is_gone_already_takes_nothing_away() -> None:
    meter, counters = Meter(), Counters()
    meter.begin(FIRST, OFFICE)
    counters.set(FIRST, 100, 10)
    meter.look(counters)
    counters.set(FIRST, 0, 15)
    meter.look(counters)
    meter.end(FIRST, counters)
    assert meter.children == {("office", "lan"): Amount(100, 15)}


def test_a_child_that_is_told_of_twice_is_one() -> None:
    """A child whose path has changed is installed again."""
    meter, counters = Meter(), Counters()
    meter.begin(FIRST, OFFICE)
    counters.set(FIRST, 100, 0)
    meter.look(counters)
    meter.begin(FIRST, OFFICE)
    meter.look(counters)
    assert meter.children == {("office", "lan"): Amount(100, 0)}
