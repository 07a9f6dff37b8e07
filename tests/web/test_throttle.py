from __future__ import annotations

from ipaddress import ip_address

from edgevpn.web.throttle import (
    ALL_REFILL,
    ALL_TRIES,
    FIRST_PAUSE,
    FORGET_AFTER,
    FREE_TRIES,
    LONGEST_PAUSE,
    MOST_ADDRESSES,
    Throttle,
)

PHONE, LAPTOP = ip_address("192.168.1.2"), ip_address("192.168.1.3")


def guesses(throttle: Throttle, address: str, count: int, now: float = 0.0) -> list[float]:
    return [throttle.begin(ip_address(address), now) for _ in range(count)]


def test_five_tries_then_pauses_that_grow() -> None:
    throttle, now, pauses = Throttle(), 0.0, []
    assert guesses(throttle, "192.168.1.2", FREE_TRIES) == [0.0] * FREE_TRIES
    for _ in range(12):
        pauses.append(wait := throttle.begin(PHONE, now))
        now += wait
        assert throttle.begin(PHONE, now) == 0
    assert pauses == [min(LONGEST_PAUSE, FIRST_PAUSE * 2**turn) for turn in range(12)]


def test_others_are_not_held_up() -> None:
    throttle = Throttle()
    guesses(throttle, "192.168.1.2", FREE_TRIES + 1)
    assert throttle.begin(LAPTOP, 0.0) == 0


def test_success_starts_anew() -> None:
    throttle = Throttle()
    guesses(throttle, "192.168.1.2", FREE_TRIES)
    throttle.succeeded(PHONE, 0.0)
    assert guesses(throttle, "192.168.1.2", FREE_TRIES) == [0.0] * FREE_TRIES


def test_a_whole_ipv6_network_is_one_guesser() -> None:
    throttle = Throttle()
    for host in range(FREE_TRIES):
        assert throttle.begin(ip_address(f"fd00::{host}"), 0.0) == 0
    assert throttle.begin(ip_address("fd00::99"), 0.0) == FIRST_PAUSE
    assert throttle.begin(ip_address("fd00:0:0:1::99"), 0.0) == 0


def test_many_addresses_together_are_held_up_too() -> None:
    throttle = Throttle()
    for host in range(ALL_TRIES):
        assert throttle.begin(ip_address(f"10.0.0.{host}"), 0.0) == 0
    assert throttle.begin(ip_address("10.0.1.1"), 0.0) == ALL_REFILL
    assert throttle.begin(ip_address("10.0.1.1"), ALL_REFILL) == 0


def test_who_has_logged_in_is_not_held_up_by_what_others_guess() -> None:
    throttle = Throttle()
    throttle.begin(LAPTOP, 0.0)
    throttle.succeeded(LAPTOP, 0.0)
    for host in range(ALL_TRIES + 5):
        throttle.begin(ip_address(f"10.0.0.{host}"), 0.0)
    assert throttle.begin(LAPTOP, 1.0) == 0


def test_old_guesses_are_forgotten() -> None:
    throttle = Throttle()
    guesses(throttle, "192.168.1.2", FREE_TRIES)
    assert throttle.begin(PHONE, 1.0) > 0
    assert throttle.begin(PHONE, FORGET_AFTER + 1) == 0


def test_memory_is_bounded() -> None:
    throttle = Throttle()
    for number in range(MOST_ADDRESSES + 10):
        throttle.begin(ip_address(0x0A000000 + number), number * ALL_REFILL)
    assert len(throttle._records) == MOST_ADDRESSES
