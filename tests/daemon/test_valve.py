"""edgevpn.daemon.valve: real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from edgevpn.daemon.valve import Admits, Valve, is_first, shows_cookie

NOBODY, SOMEBODY = bytes(8), b"respondr"


def message(spi_r: bytes, payload: int, exchange: int, *, flags: int = 0x08, notify: int = 0) -> bytes:
    """A header and its first payload, as far as they matter."""
    header = b"initiatr" + spi_r + bytes([payload, 0x20, exchange, flags]) + bytes(8)
    return header + b"\x21\x00\x00\x10\x00\x00" + notify.to_bytes(2) + bytes(8)


FIRST = message(NOBODY, 33, 34)
DROPPED = {
    "SA first": FIRST,
    "a notification first that is no cookie": message(NOBODY, 41, 34, notify=16388),
}
KEPT = {
    "a cookie": message(NOBODY, 41, 34, notify=16390),
    "our SPI": message(SOMEBODY, 46, 35),
    "an SPI whose first half is zero": message(bytes(7) + b"\1", 33, 34),
    "another exchange": message(NOBODY, 46, 37),
    "who answers our own first message": message(SOMEBODY, 33, 34, flags=0x20),
    "who turns it back": message(NOBODY, 41, 34, flags=0x20, notify=17),
}


@pytest.mark.parametrize("octets", DROPPED.values(), ids=DROPPED)
def test_first_messages(octets: bytes) -> None:
    assert is_first(octets)
    assert not shows_cookie(octets)


@pytest.mark.parametrize("octets", KEPT.values(), ids=KEPT)
def test_who_has_an_ike_sa_or_a_cookie(octets: bytes) -> None:
    assert shows_cookie(octets) or not is_first(octets)


@pytest.mark.parametrize("length", range(len(FIRST)))
def test_what_is_cut_off(length: int) -> None:
    """It is judged by what is there."""
    assert is_first(FIRST[:length]) == (length > 19)
    assert not shows_cookie(KEPT["a cookie"][: min(length, 35)])


class Ends:
    """A socket with a valve, and one that sends to it."""

    def __init__(self, family: socket.AddressFamily, marker: bytes) -> None:
        self.marker = marker
        self.here, self.there = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        self.here.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.here.settimeout(5)
        self.there.connect(self.here.getsockname())
        self.valve = Valve(self.here, len(marker))

    def send(self, *messages: bytes) -> None:
        for octets in messages:
            self.there.send(self.marker + octets)

    def receive(self, count: int) -> list[bytes]:
        return [self.here.recv(1 << 16).removeprefix(self.marker) for _ in range(count)]

    def close(self) -> None:
        self.here.close()
        self.there.close()


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def family(request: pytest.FixtureRequest) -> socket.AddressFamily:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[b"", bytes(4)], ids=["500", "4500"])
def ends(request: pytest.FixtureRequest, family: socket.AddressFamily) -> Iterator[Ends]:
    made = Ends(family, request.param)
    yield made
    made.close()


def test_who_shows_a_cookie() -> None:
    assert [name for name, octets in KEPT.items() if is_first(octets)] == ["a cookie"]


def test_strangers_are_not_admitted(ends: Ends) -> None:
    """They are counted; whatever else there is comes through in its order."""
    assert ends.valve.admit(Admits.RETURNING) == 0
    ends.send(*DROPPED.values(), FIRST[:18], *KEPT.values())
    assert ends.receive(len(KEPT)) == list(KEPT.values())
    assert ends.valve.admit(Admits.EVERYONE) == len(DROPPED) + 1


def test_who_shows_a_cookie_is_not_admitted(ends: Ends) -> None:
    ends.valve.admit(Admits.STRANGERS)
    ends.send(*KEPT.values(), *DROPPED.values())
    others = [*list(KEPT.values())[1:], *DROPPED.values()]
    assert ends.receive(len(others)) == others
    assert ends.valve.admit(Admits.EVERYONE) == 1


def test_nobody_is_admitted(ends: Ends) -> None:
    """But whoever has an IKE SA. What is dropped between two changes is counted once."""
    ends.valve.admit(Admits(0))
    ends.send(*DROPPED.values(), *KEPT.values())
    assert ends.receive(len(KEPT) - 1) == list(KEPT.values())[1:]
    assert ends.valve.admit(Admits.RETURNING) == len(DROPPED) + 1
    ends.send(*DROPPED.values(), *KEPT.values())
    assert ends.receive(len(KEPT)) == list(KEPT.values())
    assert ends.valve.admit(Admits(0)) == len(DROPPED)


def test_everyone_is_admitted(ends: Ends) -> None:
    """At first, and again later."""
    ends.send(FIRST)
    assert ends.receive(1) == [FIRST]
    ends.valve.admit(Admits.RETURNING)
    ends.send(FIRST)
    assert ends.valve.admit(Admits.EVERYONE) == 1
    ends.send(*DROPPED.values())
    assert ends.receive(len(DROPPED)) == list(DROPPED.values())
    assert ends.valve.admit(Admits.RETURNING) == 0


def test_twice_is_as_once(ends: Ends) -> None:
    assert ends.valve.admit(Admits.EVERYONE) == 0
    ends.valve.admit(Admits.RETURNING)
    ends.send(FIRST)
    assert ends.valve.admit(Admits.RETURNING) == 0
    ends.send(FIRST)
    assert ends.valve.admit(Admits.EVERYONE) == 2
    assert ends.valve.admit(Admits.EVERYONE) == 0


def test_what_has_arrived_stays(ends: Ends) -> None:
    ends.send(FIRST)
    ends.valve.admit(Admits.RETURNING)
    assert ends.receive(1) == [FIRST]
    assert ends.valve.admit(Admits.EVERYONE) == 0
