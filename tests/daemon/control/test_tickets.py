from __future__ import annotations

from itertools import count

from edgevpn.daemon.control.tickets import LIFE, MOST, Tickets


def world() -> tuple[Tickets, list[float]]:
    numbers, now = count(), [100.0]
    return Tickets(lambda size: next(numbers).to_bytes(size, "big"), lambda: now[0]), now


def test_good_once() -> None:
    tickets, _ = world()
    ticket = tickets.make()
    assert len(ticket) == 22
    assert not tickets.redeem(ticket + "x")
    assert tickets.redeem(ticket)
    assert not tickets.redeem(ticket)


def test_good_for_ten_minutes() -> None:
    tickets, now = world()
    first, second = tickets.make(), tickets.make()
    assert LIFE == 600
    now[0] += LIFE - 1
    assert tickets.redeem(first)
    now[0] += 1
    assert not tickets.redeem(second)


def test_not_too_many() -> None:
    tickets, _ = world()
    made = [tickets.make() for _ in range(MOST + 1)]
    assert [tickets.redeem(ticket) for ticket in made] == [False] + [True] * MOST
