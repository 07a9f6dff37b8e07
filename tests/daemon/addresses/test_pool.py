from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.daemon.addresses.pool import Exhausted, IpAddress, Lease, Pool, Span


def span(first: str, last: str) -> Span:
    return Span(ip_address(first), ip_address(last))


THREE = [span("10.9.0.1", "10.9.0.3")]
ONE, TWO, LAST, OUTSIDE = (ip_address(f"10.9.0.{number}") for number in (1, 2, 3, 77))


def test_in_order() -> None:
    pool = Pool(THREE, {})
    assert [pool.take(holder) for holder in ("phone", "laptop", "tablet")] == [ONE, TWO, LAST]
    assert pool.in_use == {ONE: "phone", TWO: "laptop", LAST: "tablet"}


def test_exhausted() -> None:
    pool = Pool(THREE, {})
    for holder in ("phone", "laptop", "tablet"):
        pool.take(holder)
    with pytest.raises(Exhausted, match="all 3 addresses are in use"):
        pool.take("watch")


def test_the_same_again() -> None:
    """A lease is kept while its holder is away."""
    pool = Pool(THREE, {})
    pool.take("phone")
    pool.give_back(ONE, 100.0)
    assert pool.take("laptop") == TWO
    assert pool.take("phone") == ONE


def test_who_is_away_longest_loses_first() -> None:
    pool = Pool(THREE, {})
    for holder in ("phone", "laptop", "tablet"):
        pool.take(holder)
    pool.give_back(TWO, 100.0)
    pool.give_back(ONE, 200.0)
    assert pool.take("watch") == TWO
    assert pool.take("laptop") == ONE
    with pytest.raises(Exhausted):
        pool.take("phone")


def test_what_was_given_before_a_change_of_the_spans() -> None:
    """It is no address of this pool any more."""
    pool = Pool(THREE, {}, (), {OUTSIDE: Lease("phone", 5.0), TWO: Lease("laptop", 7.0)})
    assert (pool.take("phone"), pool.take("laptop")) == (ONE, TWO)
    assert OUTSIDE not in pool.away


def test_alone() -> None:
    """A holder's own address is its again, another's is not."""
    pool = Pool(THREE, {"laptop": TWO})
    assert [pool.take(holder, alone=True) for holder in ("phone", "laptop", "phone", "laptop")] == [ONE, TWO, ONE, TWO]
    assert pool.take("tablet", ONE, alone=True) == LAST


def test_again() -> None:
    """Who has what it wishes has it once more, whichever of its own that is."""
    pool = Pool(THREE, {})
    assert [pool.take("phone"), pool.take("phone"), pool.take("laptop")] == [ONE, TWO, LAST]
    assert pool.take("phone", TWO, again=True) == TWO
    with pytest.raises(Exhausted):
        pool.take("phone", LAST, again=True)


def test_there_twice() -> None:
    """The second session of a holder has an address of its own, which is not kept."""
    pool = Pool(THREE, {})
    assert (pool.take("phone"), pool.take("phone")) == (ONE, TWO)
    pool.give_back(TWO, 100.0)
    pool.give_back(ONE, 200.0)
    assert dict(pool.away) == {ONE: Lease("phone", 200.0)}


def test_fixed_address_is_nobody_elses() -> None:
    pool = Pool(THREE, {"printer": ONE, "camera": OUTSIDE}, reserved=[TWO])
    assert pool.take("phone", wish=ONE) == LAST
    assert (pool.take("printer"), pool.take("camera")) == (ONE, OUTSIDE)
    pool.give_back(ONE, 100.0)
    assert pool.take("printer") == ONE
    assert not pool.away


def test_wishes() -> None:
    pool = Pool(THREE, {})
    assert pool.take("phone", wish=TWO) == TWO
    assert pool.take("laptop", wish=TWO) == ONE
    assert pool.take("tablet", wish=OUTSIDE) == LAST


def test_remembered_from_before() -> None:
    """What no longer fits is forgotten: addresses outside, fixed for others, or a second one of a holder."""
    before = {
        LAST: Lease("phone", 100.0),
        TWO: Lease("laptop", 200.0),
        ONE: Lease("phone", 300.0),
    }
    pool = Pool(THREE, {"printer": TWO}, remembered=before)
    assert list(pool.away) == [LAST]
    assert pool.take("phone") == LAST
    assert pool.take("laptop") == ONE


def test_ipv6() -> None:
    pool = Pool([span("fd09::1", "fd09::ffff:ffff:ffff:ffff")], {})
    assert pool.take("phone") == ip_address("fd09::1")
    assert ONE not in span("fd09::1", "fd09::2")


def test_claims_after_a_change() -> None:
    """Who is here stays where it is, if the new pool can give that."""
    pool = Pool(THREE, {"printer": TWO, "camera": OUTSIDE}, remembered={LAST: Lease("tablet", 1.0)})
    assert pool.claim("phone", ONE)
    assert pool.claim("camera", OUTSIDE)
    assert pool.claim("watch", LAST)
    assert not pool.claim("laptop", ONE)
    assert not pool.claim("laptop", TWO)
    assert not pool.claim("laptop", OUTSIDE)
    assert pool.in_use == {ONE: "phone", OUTSIDE: "camera", LAST: "watch"}
    assert not pool.away


STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60)


@given(STEPS)
def test_never_two_for_one_address(steps: list[tuple[str, bool]]) -> None:
    """Whatever comes and goes: each address has one holder, and none is lost."""
    pool = Pool(THREE, {"a": ONE})
    held: dict[str, list[IpAddress]] = {}
    for now, (holder, arrives) in enumerate(steps):
        if arrives:
            try:
                address = pool.take(holder)
            except Exhausted:
                assert len(pool.in_use) == (3 if ONE in pool.in_use else 2)
                continue
            held.setdefault(holder, []).append(address)
        elif held.get(holder):
            address = held[holder].pop()
            pool.give_back(address, float(now))
        everything: list[IpAddress] = [address for addresses in held.values() for address in addresses]
        assert len(set(everything)) == len(everything)
        assert set(everything) == set(pool.in_use)
        assert pool.in_use.keys().isdisjoint(pool.away)
