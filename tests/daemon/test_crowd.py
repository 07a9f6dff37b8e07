"""edgevpn.daemon.crowd."""

from __future__ import annotations

from edgevpn.daemon.crowd import CROWD, Crowd


def test_in_their_order() -> None:
    crowd = Crowd[str]()
    assert crowd.add("first")
    assert crowd.add("second")
    assert [crowd.take(), crowd.take(), len(crowd)] == ["first", "second", 0]


def test_full_until_half_are_gone() -> None:
    """Or it would be full again with the next."""
    crowd = Crowd[int]()
    assert all(crowd.add(number) for number in range(CROWD))
    assert not crowd.add(CROWD)
    assert [(crowd.take(), crowd.full) for _ in range(CROWD // 2)][-2:] == [
        (CROWD // 2 - 2, True),
        (CROWD // 2 - 1, False),
    ]
    assert crowd.add(CROWD)
    assert not crowd.full


def test_nobody_waits_any_more() -> None:
    crowd = Crowd[int]()
    for number in range(CROWD):
        crowd.add(number)
    crowd.clear()
    assert (len(crowd), crowd.full) == (0, False)
