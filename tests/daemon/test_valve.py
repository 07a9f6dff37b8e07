"""edgevpn.daemon.valve: real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from edgevpn.daemon.valve import EVERYONE, Shares, Valve
from edgevpn.ike.cookies import Sieve, bears_tag, is_first
from tests.support.first_messages import FIRST, FIRSTS, OTHERS, WITH_COOKIE

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
SIEVES = OLD, NEW = Sieve.of(b"old"), Sieve.of(b"new")


def showing(tag: bytes) -> bytes:
    """A first message with a cookie that begins with this tag."""
    return WITH_COOKIE[:36] + tag + bytes(32)


NOBODY = Shares(0.0, 0.0)
RETURNING = Shares(returning=1.0, strangers=0.0)
STRANGERS = [*FIRSTS.values(), showing(b"made"), showing(bytes(4))]


class Ends:
    """A socket with a valve, and one that sends to it."""

    def __init__(self, family: socket.AddressFamily, marker: bytes) -> None:
        self.marker = marker
        self.here, self.there = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        self.here.bind((HOSTS[family], 0))
        self.here.settimeout(5)
        self.there.connect(self.here.getsockname())
        self.valve = Valve(self.here, len(marker))
        self.host = socket.inet_pton(family, HOSTS[family])
        self.returning = [showing(sieve.tag(self.host)) for sieve in SIEVES]

    def admit(self, shares: Shares, sieves: tuple[Sieve, ...] = SIEVES) -> int:
        return self.valve.admit(shares, sieves)

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


def test_strangers_are_not_admitted(ends: Ends) -> None:
    """They are counted; whatever else there is comes through in its order."""
    others = [*OTHERS.values(), *ends.returning]
    assert ends.admit(RETURNING) == 0
    ends.send(*STRANGERS, FIRST[:18], showing(b"tag")[:39], *others)
    assert ends.receive(len(others)) == others
    assert ends.admit(EVERYONE) == len(STRANGERS) + 2


def test_who_shows_a_cookie_is_not_admitted(ends: Ends) -> None:
    others = [*OTHERS.values(), *STRANGERS]
    ends.admit(Shares(returning=0.0, strangers=1.0))
    ends.send(*ends.returning, *others)
    assert ends.receive(len(others)) == others
    assert ends.admit(EVERYONE) == len(ends.returning)


def test_nobody_is_admitted(ends: Ends) -> None:
    """But whoever has an IKE SA. What is dropped between two changes is counted once."""
    ends.admit(NOBODY)
    ends.send(*STRANGERS, *ends.returning, *OTHERS.values())
    assert ends.receive(len(OTHERS)) == list(OTHERS.values())
    assert ends.admit(RETURNING) == len(STRANGERS) + len(ends.returning)
    ends.send(*STRANGERS, *ends.returning)
    assert ends.receive(len(ends.returning)) == ends.returning
    assert ends.admit(NOBODY) == len(STRANGERS)


def test_everyone_is_admitted(ends: Ends) -> None:
    """At first, and again later."""
    ends.send(FIRST)
    assert ends.receive(1) == [FIRST]
    ends.admit(RETURNING)
    ends.send(FIRST)
    assert ends.admit(EVERYONE) == 1
    ends.send(*STRANGERS)
    assert ends.receive(len(STRANGERS)) == STRANGERS
    assert ends.admit(RETURNING) == 0


def test_twice_is_as_once(ends: Ends) -> None:
    assert ends.admit(EVERYONE) == 0
    ends.admit(RETURNING)
    ends.send(FIRST)
    assert ends.admit(RETURNING) == 0
    ends.send(FIRST)
    assert ends.admit(EVERYONE) == 2
    assert ends.admit(EVERYONE) == 0


def test_what_has_arrived_stays(ends: Ends) -> None:
    ends.send(FIRST)
    ends.admit(RETURNING)
    assert ends.receive(1) == [FIRST]
    assert ends.admit(EVERYONE) == 0


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_some_are_admitted(ends: Ends, share: float) -> None:
    """By chance, each as likely as any other."""
    ends.admit(Shares(returning=1.0, strangers=share))
    heard = 0
    for _ in range(40):
        ends.send(*[FIRST] * 50, ends.returning[0])
        while ends.receive(1) != [ends.returning[0]]:
            heard += 1
    assert 2000 * (share - 0.08) < heard < 2000 * (share + 0.08)  # eight times the standard deviation
    assert ends.admit(EVERYONE) == 2000 - heard


def test_another_share(ends: Ends) -> None:
    ends.admit(NOBODY)
    ends.send(*ends.returning, FIRST)
    assert ends.admit(RETURNING) == 3
    ends.send(*ends.returning)
    assert ends.receive(2) == ends.returning


def test_another_secret(ends: Ends) -> None:
    """From when the valve is told, and the one before no longer than it says."""
    old, new = ends.returning
    ends.admit(RETURNING, (OLD,))
    ends.send(new, old)
    assert ends.receive(1) == [old]
    assert ends.admit(RETURNING, (NEW,)) == 1
    ends.send(old, new)
    assert ends.receive(1) == [new]
    assert ends.admit(EVERYONE, (NEW,)) == 1


@pytest.mark.parametrize("number", range(20))
def test_the_kernel_judges_as_we_do(number: int) -> None:
    """From other addresses, with other secrets: the tags of both are the same."""
    sieve, host = Sieve.of(bytes([number])), f"127.{7 * number}.{255 - number}.{1 + number}"
    with socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
        here.bind(("127.0.0.1", 0))
        here.settimeout(5)
        there.bind((host, 0))
        Valve(here, 0).admit(RETURNING, (sieve,))
        tagged = showing(sieve.tag(socket.inet_aton(host)))
        assert bears_tag(tagged, socket.inet_aton(host), (sieve,))
        for octets in (showing(sieve.tag(socket.inet_aton("127.0.0.1"))), tagged):
            there.sendto(octets, here.getsockname())
        assert here.recv(1 << 16) == tagged


def test_who_has_an_ike_sa_asks_for_none() -> None:
    assert not any(map(is_first, OTHERS.values()))
