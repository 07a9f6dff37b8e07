"""Two endpoints for a week, with nobody there to help: no packet is lost, and nothing is kept of what was."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from edgevpn.ike.peer import Peer
from tests.ike.test_life_cycle import PEER, SEVERAL, census
from tests.support.pair import DELAY, Fate, Pair, connected, in_order

MINUTE = 60.0
REST = 200.0
"""Seconds in which a request that was lost time and again is sent for the last time."""
LOST, DOUBLED = 0.05, 0.05


def over_radio(seed: int) -> Fate:
    """One datagram in twenty is lost, one comes twice, and all come when they like."""
    chance = Random(seed)

    def fate(number: int, octets: bytes) -> tuple[float, ...]:
        (copies,) = chance.choices((0, 1, 2), (LOST, 1 - LOST - DOUBLED, DOUBLED))
        return tuple(DELAY + chance.random() / 4 for _ in range(copies))

    return fate


def go_on(pair: Pair, hours: int, seed: int) -> None:
    """Packets go both ways every minute, and all arrive; at the end of each hour both sides have the same."""
    for hour in range(hours):
        pair.fate = over_radio(seed + hour)
        for _ in range(60):
            pair.run(MINUTE)
            assert pair.ping(), f"hour {hour}\n{pair.disagreement()}"
        pair.fate = in_order
        come_to_rest(pair)
        pair.forget()


def come_to_rest(pair: Pair) -> None:
    end = pair.now + REST
    while not pair.agree():
        assert pair.now < end, pair.disagreement()
        pair.run(1)


@pytest.mark.parametrize(
    "peer",
    [pytest.param(PEER, id="classic"), pytest.param(SEVERAL, id="several key exchanges")],
)
@pytest.mark.parametrize("hours", [2, pytest.param(7 * 24, marks=pytest.mark.soak, id="a week")])
def test_as_it_was(peer: Peer, hours: int) -> None:
    """New keys for the IKE SA four times an hour and for its children eight times, wherever it occurs to first."""
    children = tuple(replace(child, rekey_after=450.0) for child in peer.children)
    pair = connected(replace(peer, rekey_after=900.0, children=children))
    go_on(pair, 1, seed=1)
    before, keys = census(), {pair.left.sa.spi, *pair.left.kernel.inbound}

    go_on(pair, hours - 1, seed=2)

    assert not census() - before  # no more of anything; less, as another test may have ended
    assert keys.isdisjoint({pair.left.sa.spi, *pair.left.kernel.inbound})
