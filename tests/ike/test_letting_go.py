"""A key of no more use is nowhere in memory that something points to: what is taken later opens nothing of before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from hashlib import sha256

import pytest

from edgevpn.ike.contract import Effect, KeysDerived
from edgevpn.ike.state import RekeyChild, RekeyIke
from tests.support.pair import Pair
from tests.support.peers import TO_LEFT, TO_RIGHT

LONG_ENOUGH = 120.0
"""Seconds after which nothing lingers of what has been replaced or deleted."""


class Derived:
    """Digests of all keys that one side has derived, by what they are: this test does not hold the keys either."""

    def __init__(self) -> None:
        self.digests: dict[bytes, str] = {}

    def hear(self, effect: Effect) -> None:
        if not isinstance(effect, KeysDerived):
            return
        keys = effect.secured.keys if effect.child is None else effect.child.keys
        for name in keys.__slots__:
            if octets := getattr(keys, name):
                self.digests[sha256(octets).digest()] = f"{name} number {len(self.digests)}"

    def in_memory(self) -> set[str]:
        gc.collect()
        return {self.digests[digest] for octets in reachable() if (digest := sha256(octets).digest()) in self.digests}


def reachable() -> Iterator[bytes]:
    """All octets that any object points to. Tuples of octets alone are not tracked by the collector."""
    for tracked in gc.get_objects():
        pointed_to = gc.get_referents(tracked)
        for each in pointed_to:
            if type(each) is bytes and len(each) >= 16:
                yield each
            elif type(each) is tuple and not gc.is_tracked(each):
                pointed_to.extend(each)


@pytest.fixture
def derived() -> Derived:
    return Derived()


@pytest.fixture
def pair(derived: Derived) -> Pair:
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.left.did = derived.hear
    pair.left.initiate("right")
    pair.run(1)
    return pair


def forgotten_by_the_test(pair: Pair) -> Pair:
    """What the pair itself has noted down."""
    pair.secrets.clear()
    pair.all_secrets.clear()
    return pair


def test_no_more_than_what_is_still_to_be_used(pair: Pair, derived: Derived) -> None:
    """SK_d for the keys to come, those of ESP while their SAs are there. What seals IKE is within the ciphers, in C."""
    forgotten_by_the_test(pair)
    assert {each.partition(" ")[0] for each in derived.in_memory()} == {"sk_d", "encr_i", "encr_r"}


def test_replaced_keys_are_let_go(pair: Pair, derived: Derived) -> None:
    first = dict(derived.digests)
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.run(1)
    pair.left.ask(RekeyIke())
    pair.run(LONG_ENOUGH)

    forgotten_by_the_test(pair)
    assert derived.in_memory().isdisjoint(first.values())


def test_nothing_is_left_of_an_ike_sa_that_is_gone(pair: Pair, derived: Derived) -> None:
    pair.left.terminate()
    pair.run(LONG_ENOUGH)

    forgotten_by_the_test(pair)
    assert derived.in_memory() == set()
