"""edgevpn.daemon.crowd."""

from __future__ import annotations

from edgevpn.daemon.crowd import FEW, LEAST, MANY, ROOM, Crowd


def of(count: int) -> Crowd[int]:
    """So many, who wait."""
    crowd = Crowd[int]()
    for number in range(count):
        assert crowd.add(number)
    return crowd


def shares(crowd: Crowd[int], *counts: int) -> list[float]:
    """What is let in when so many wait, one moment after the other."""
    found = []
    for count in counts:
        while len(crowd) > count:
            crowd.take()
        while len(crowd) < count:
            crowd.add(0)
        crowd.adjust()
        found.append(round(crowd.share, 3))
    return found


def test_in_their_order() -> None:
    crowd = Crowd[str]()
    assert crowd.add("first")
    assert crowd.add("second")
    assert [crowd.take(), crowd.take(), len(crowd)] == ["first", "second", 0]


def test_there_is_so_much_room() -> None:
    crowd = of(ROOM)
    assert not crowd.add(ROOM)
    assert crowd.take() == 0
    assert crowd.add(ROOM)
    assert not crowd.add(ROOM)


def test_many() -> None:
    assert not of(MANY - 1).many
    assert of(MANY).many


def test_everyone_is_let_in_at_first() -> None:
    assert shares(Crowd(), 0, FEW, MANY - 1) == [1.0, 1.0, 1.0]


def test_less_are_let_in_while_many_wait() -> None:
    """But where they become fewer, what is let in is little enough."""
    assert shares(Crowd(), MANY, MANY, ROOM, ROOM, ROOM - 1, MANY) == [0.8, 0.64, 0.512, 0.41, 0.41, 0.41]


def test_more_are_let_in_while_few_wait() -> None:
    """Until all are."""
    assert shares(Crowd(), MANY, ROOM, FEW + 1, FEW, 0, 0, 0) == [0.8, 0.64, 0.64, 0.768, 0.922, 1.0, 1.0]


def test_somebody_is_always_let_in() -> None:
    assert shares(Crowd(), *[ROOM] * 100)[-1] == LEAST


def test_what_can_be_heard_is_let_in() -> None:
    """Of ten times as many as can be heard about a tenth, after a while; and hardly any has no room."""
    crowd, missed, let_in = Crowd[int](), [], []
    for _ in range(1000):
        missed.append(sum(not crowd.add(number) for number in range(round(500 * crowd.share))))
        for _ in range(min(50, len(crowd))):
            crowd.take()
        crowd.adjust()
        let_in.append(crowd.share)
    assert 0.08 < sum(let_in[100:]) / 900 < 0.11
    assert sum(missed[100:]) == 0


def test_nobody_waits_any_more() -> None:
    crowd = of(ROOM)
    crowd.adjust()
    crowd.clear()
    assert (len(crowd), crowd.many, crowd.share) == (0, False, 1.0)
