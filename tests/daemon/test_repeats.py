"""edgevpn.daemon.repeats."""

from __future__ import annotations

from edgevpn.daemon.repeats import MOMENT, MOST, Repeats

PEER, OTHER = ("192.0.2.1", 500), ("192.0.2.2", 500)


def test_what_comes_again_at_once() -> None:
    repeats = Repeats(lambda: 7.0)
    assert [repeats.has(b"message", PEER) for _ in range(3)] == [False, True, True]
    assert repeats.count == 2


def test_other_octets_and_other_senders() -> None:
    repeats = Repeats(lambda: 7.0)
    assert not repeats.has(b"message", PEER)
    assert not repeats.has(b"messagf", PEER)
    assert not repeats.has(b"message", OTHER)
    assert repeats.count == 0


def test_what_comes_again_later() -> None:
    """As a peer's request does whose answer was lost."""
    now = 7.0
    repeats = Repeats(lambda: now)
    assert not repeats.has(b"message", PEER)
    now += MOMENT
    assert not repeats.has(b"message", PEER)
    assert repeats.has(b"message", PEER)


def test_so_many_are_known() -> None:
    repeats = Repeats(lambda: 7.0)
    for number in range(MOST):
        assert not repeats.has(number.to_bytes(2), PEER)
    assert not repeats.has(b"one too many", PEER)
    assert not repeats.has(bytes(2), PEER)
    assert repeats.has(b"one too many", PEER)
