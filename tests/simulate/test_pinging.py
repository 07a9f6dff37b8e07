"""edgevpn.simulate.pinging: requests, and answers that come, do not come, or are for others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from ipaddress import ip_address

from edgevpn.ike.peer import IpAddress
from edgevpn.simulate.echo import ECHO_HEAD, IPV4_HEAD, request
from edgevpn.simulate.pinging import Echoes, Pinger

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.layers.inet import ICMP, IP

HERE, THERE, ROUTER = map(ip_address, ("10.9.0.2", "10.1.0.2", "10.1.0.1"))
ID, OTHER = 0x1234, 0x4321


def number_of(packet: bytes) -> int:
    return int(ECHO_HEAD.unpack_from(packet, IPV4_HEAD.size)[4])


def answer(number: int, identifier: int = ID, sender: IpAddress = THERE) -> bytes:
    return bytes(IP(src=str(sender), dst=str(HERE)) / ICMP(type=0, id=identifier, seq=number))


class Host:
    """What a far end makes of each request: packets that come back."""

    def __init__(self, reacts: Callable[[bytes], list[bytes]]) -> None:
        self.reacts = reacts
        self.pinger = Pinger(self.carry, ID, patience=0.01)

    def carry(self, packet: bytes) -> None:
        for back in self.reacts(packet):
            self.pinger.take(back)

    async def ping(self, count: int = 3) -> Echoes:
        return await self.pinger.ping(HERE, THERE, count)


async def test_answered() -> None:
    sent: list[bytes] = []

    def reacts(packet: bytes) -> list[bytes]:
        sent.append(packet)
        return [answer(number_of(packet))] * 2

    host = Host(reacts)
    echoes = await host.ping()
    assert (echoes.sent, echoes.answered, echoes.refused) == (3, 3, None)
    assert echoes.round_trip is not None
    assert 0 <= echoes.round_trip < 0.01
    await host.ping()
    assert sent == [request(HERE, THERE, ID, number) for number in range(1, 7)]


async def test_some_are_lost() -> None:
    host = Host(lambda packet: [answer(number_of(packet))] if number_of(packet) != 2 else [])
    assert (await host.ping()).answered == 2


async def test_nobody_is_there() -> None:
    """What is another's, or late, is no answer."""

    def reacts(packet: bytes) -> list[bytes]:
        number = number_of(packet)
        return [answer(number, OTHER), answer(number, sender=ROUTER), answer(number - 1), b"?"]

    host = Host(reacts)
    assert await host.ping() == Echoes(THERE, 3)


async def test_refused() -> None:
    """Nobody is waited for of whom a router says that he is not there."""
    host = Host(lambda packet: [bytes(IP(src=str(ROUTER), dst=str(HERE)) / ICMP(type=3, code=1) / IP(packet))])
    assert await host.ping() == Echoes(THERE, 3, (), ROUTER)


def test_median() -> None:
    assert Echoes(ip_address("10.0.0.1"), 4, (0.5, 0.1, 0.2)).round_trip == 0.2
    assert Echoes(ip_address("10.0.0.1"), 4).round_trip is None
