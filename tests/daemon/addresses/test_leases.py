from __future__ import annotations

from ipaddress import ip_address

import pytest

from edgevpn.daemon.addresses.leases import Fullness, Leases
from edgevpn.daemon.addresses.pool import IpAddress
from edgevpn.daemon.base.state_file import Content
from edgevpn.daemon.dataplane.caught import caught
from edgevpn.ike.peer import Wants
from tests.support.visitors import PHONE, TABLET, Table, gateway

BOTH, V4 = Wants(ipv4=True, ipv6=True), Wants(ipv4=True, ipv6=False)


def addresses(*texts: str) -> tuple[IpAddress, ...]:
    return tuple(map(ip_address, texts))


def leases(content: Content | None = None, pool: Table | None = None, **devices: Table) -> Leases:
    config = gateway(devices or {"phone": PHONE, "tablet": TABLET}, pool)
    return Leases(config, content or {}, lambda: 1000.0)


def test_one_of_each_version() -> None:
    """The first address is our own; only what is asked for is given."""
    known = leases()
    assert known.take("road", "phone", BOTH) == addresses("10.9.0.2", "fd09::2")
    assert known.take("road", "tablet", V4) == addresses("10.9.0.3")
    assert known.take("gone", "phone", BOTH) == ()


def test_fixed_address() -> None:
    known = leases(phone=PHONE | {"v4": "10.9.0.77"}, tablet=TABLET)
    assert known.take("road", "phone", V4) == addresses("10.9.0.77")


def test_what_leads_nowhere() -> None:
    """A pool without IPv6 lends an address that only catches it; the first is ours."""
    config = gateway({"phone": PHONE}, {"v6": None})
    (pool,) = config.pools
    spare = caught(config, pool)
    assert spare is not None
    known = Leases(config, {}, lambda: 1000.0)
    assert known.take("road", "phone", BOTH) == (ip_address("10.9.0.2"), spare.first + 1)
    assert known.take("road", "tablet", Wants(ipv4=False, ipv6=True)) == ()  # alone it is of no use
    assert known.fullness("road", 6).used == 1


def test_the_same_again_after_a_restart() -> None:
    """What is written is what the next daemon begins with; who was here is remembered first."""
    before = leases()
    before.take("road", "phone", BOTH)
    tablet = before.take("road", "tablet", BOTH)
    before.give_back(tablet)
    after = leases(before.content())
    assert after.take("road", "tablet", BOTH) == tablet
    assert after.take("road", "phone", BOTH) == addresses("10.9.0.2", "fd09::2")


def test_wish() -> None:
    wants = Wants(ipv4=True, ipv6=False, before=addresses("10.9.0.50"))
    assert leases().take("road", "phone", wants) == addresses("10.9.0.50")


def test_exhausted() -> None:
    """The other version may still have some."""
    known = leases(pool={"v4": "10.9.0.0/30"})
    assert known.take("road", "phone", BOTH) == addresses("10.9.0.2", "fd09::2")
    assert known.take("road", "tablet", BOTH) == addresses("fd09::3")
    assert known.take("road", "tablet", V4) == ()


def test_given_back_twice() -> None:
    known = leases()
    taken = known.take("road", "phone", V4)
    known.give_back(taken)
    known.give_back(taken)
    assert known.take("road", "phone", V4) == taken


def test_one_session_replaces_another() -> None:
    """The new one has its addresses at once; they are kept when both are gone, whatever changes between."""
    known = leases(phone=PHONE | {"v6": "fd09::77"}, tablet=TABLET)
    first = known.take("road", "phone", BOTH)
    assert known.take("road", "phone", BOTH, alone=True) == first == addresses("10.9.0.2", "fd09::77")
    assert known.fullness("road", 4).used == 1

    after = leases(phone=PHONE | {"v6": "fd09::77"}, tablet=TABLET)
    after.carry_over(known)
    after.give_back(first)
    assert after.take("road", "tablet", BOTH) == addresses("10.9.0.3", "fd09::2")
    assert after.take("road", "phone", BOTH, alone=True) == first
    after.give_back(first)
    after.give_back(first)
    assert after.fullness("road", 4).used == 1
    assert after.take("road", "phone", V4) == first[:1]


def test_a_change_leaves_who_is_here() -> None:
    """A smaller pool keeps those whose address it still has, and they can give it back."""
    old = leases()
    phone, tablet = old.take("road", "phone", V4), old.take("road", "tablet", V4)
    new = leases(pool={"v4": "10.9.0.0/30"})
    new.carry_over(old)
    assert (new.are_lent(phone), new.are_lent(tablet)) == (True, False)
    assert new.take("road", "tablet", V4) == ()
    new.give_back(phone)
    new.give_back(tablet)
    assert new.take("road", "phone", V4) == phone


ODD = [
    {"pools": [{"pool": "road", "version": 4, "leases": [["10.9.0.300", "phone", 1], ["10.9.0.9"], 7]}]},
    {"pools": [{"pool": "road", "version": 4, "leases": [["10.9.0.2\0", "phone", 1]]}]},
    {"pools": [{"pool": "road", "version": "four"}, {"pool": "road", "version": 5, "leases": []}, 3]},
    {"pools": []},
    {},
]


@pytest.mark.parametrize("content", ODD)
def test_odd_content_is_forgotten(content: Content) -> None:
    assert leases(content).take("road", "phone", V4) == addresses("10.9.0.2")


def test_how_full_a_pool_is() -> None:
    """Our own address is none to give; a fixed one is."""
    known = leases(phone=PHONE | {"v4": "10.9.0.77"}, tablet=TABLET)
    assert known.fullness("road", 4) == Fullness(253, 0)
    known.take("road", "phone", BOTH)
    known.take("road", "tablet", V4)
    assert known.fullness("road", 4) == Fullness(253, 2)
    assert known.fullness("road", 6) == Fullness(2**64 - 2, 1)
    assert known.fullness("gone", 4) == Fullness()
