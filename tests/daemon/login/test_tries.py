from ipaddress import ip_address

import pytest

from edgevpn.daemon.login.tries import MOST, MOST_OF_ALL, WITHIN, Tries
from tests.support.clock import Clock

HERE, THERE = ip_address("198.51.100.1"), ip_address("203.0.113.1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tries(clock: Clock) -> Tries:
    return Tries(clock)


def test_nobody_guesses_for_long(tries: Tries, clock: Clock) -> None:
    """After ten tries within a minute there is a pause; other devices do not notice."""
    assert all(tries.allow("phone", HERE) for _ in range(MOST))
    assert not tries.allow("phone", HERE)
    assert tries.allow("tablet", HERE)
    clock.now += WITHIN + 1
    assert tries.allow("phone", HERE)


def test_who_guesses_does_not_keep_out_the_owner(tries: Tries) -> None:
    for _ in range(MOST + 1):
        tries.allow("phone", HERE)

    assert tries.allow("phone", THERE)


def test_a_network_is_one_neighbour(tries: Tries) -> None:
    """Whoever has one address of a /64 has all of it."""
    guesses = [tries.allow("phone", ip_address(f"2001:db8::{number:x}")) for number in range(MOST + 1)]

    assert guesses == [True] * MOST + [False]
    assert tries.allow("phone", ip_address("2001:db8:0:1::1"))


def test_not_from_everywhere_at_once_either(tries: Tries, clock: Clock) -> None:
    for number in range(MOST_OF_ALL):
        assert tries.allow("phone", HERE + number)

    assert not tries.allow("phone", THERE)
    clock.now += WITHIN + 1
    assert tries.allow("phone", THERE)


def test_what_was_right_is_no_guess(tries: Tries) -> None:
    """A hundred tablets may log in as one device, after an outage all at once."""
    for _ in range(10 * MOST):
        assert tries.allow("tablets", HERE)
        tries.was_right("tablets", HERE)
    assert not tries._tries


def test_what_was_right_elsewhere_excuses_no_guesses(tries: Tries) -> None:
    for _ in range(MOST):
        tries.allow("phone", HERE)
    tries.allow("phone", THERE)

    tries.was_right("phone", THERE)
    tries.was_right("laptop", HERE)

    assert not tries.allow("phone", HERE)


def test_forgotten(tries: Tries) -> None:
    for _ in range(MOST):
        tries.allow("phone", HERE)

    tries.forget()

    assert tries.allow("phone", HERE)
