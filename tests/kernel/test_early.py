"""edgevpn.kernel.early, in a namespace: packets to its own addresses, for SAs that are not there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from edgevpn.kernel.contract import Early
from edgevpn.kernel.early import Tap
from edgevpn.kernel.errors import NotPermitted
from edgevpn.kernel.spec import SaKey
from tests.support.rights import without_rights

SPI, OTHER = 0xC123_4567, 0xC123_4568
# <asm-generic/socket.h>: SO_NO_CHECK; <linux/udp.h>: UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX
NO_CHECKSUM = {
    socket.AF_INET: ((socket.SOL_SOCKET, 11),),
    socket.AF_INET6: ((socket.IPPROTO_UDP, 101), (socket.IPPROTO_UDP, 102)),
}
FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


def packet(spi: int, number: int) -> bytes:
    return spi.to_bytes(4) + number.to_bytes(4) + bytes(64)


class Lonely:
    """A namespace with nothing but its loopback interface, and ESP to one address of it, in UDP or not."""

    def __init__(self, host: str, in_udp: bool) -> None:
        from tests.lab.namespace import Namespace
        from tests.support.kernel import kernel_in

        self.namespace = Namespace("lonely")
        self.kernel = kernel_in(self.namespace)
        self.host, self.in_udp = host, in_udp
        self._sender = self._socket()

    def _socket(self) -> socket.socket:
        family = FAMILIES[self.host]
        if not self.in_udp:
            return self.namespace.socket(family, socket.SOCK_RAW, socket.IPPROTO_ESP)
        sock = self.namespace.socket(family, socket.SOCK_DGRAM)
        for option in NO_CHECKSUM[family]:  # on loopback none is worked out
            sock.setsockopt(*option, 1)
        return sock

    def keep(self, spi: int) -> Early:
        return self.kernel.keep_early(SaKey(ip_address(self.host), spi), in_udp=self.in_udp)

    def send(self, octets: bytes) -> None:
        self._sender.sendto(octets, (self.host, 4500 if self.in_udp else 0))

    def deliver(self, kept: Early) -> tuple[int, list[bytes]]:
        """How many are said to be brought to the kernel, and what that is seen to receive."""
        with self._socket() as seen:
            seen.settimeout(5)
            seen.bind((self.host, 4500 if self.in_udp else 0))
            count = self.namespace.call(kept.deliver)
            return count, [self._payload(seen.recv(999)) for _ in range(count)]

    def _payload(self, octets: bytes) -> bytes:
        return octets[20:] if not self.in_udp and self.host == "127.0.0.1" else octets

    def close(self) -> None:
        self._sender.close()
        self.kernel.close()
        self.namespace.close()


@pytest.fixture(params=[(host, in_udp) for host in FAMILIES for in_udp in (False, True)], ids=str)
def lonely(request: pytest.FixtureRequest) -> Iterator[Lonely]:
    lonely = Lonely(*request.param)
    yield lonely
    lonely.close()


@pytest.mark.netns
def test_those_of_one_spi_come_in_order(lonely: Lonely) -> None:
    lonely.send(packet(SPI, 0))
    kept = lonely.keep(SPI)
    for spi, number in ((SPI, 1), (OTHER, 1), (SPI, 2)):
        lonely.send(packet(spi, number))
    assert lonely.deliver(kept) == (2, [packet(SPI, 1), packet(SPI, 2)])


@pytest.mark.netns
def test_no_packet_no_socket(lonely: Lonely) -> None:
    assert lonely.deliver(lonely.keep(SPI)) == (0, [])


@pytest.mark.netns
def test_each_waits_for_its_own(lonely: Lonely) -> None:
    kept, other = lonely.keep(SPI), lonely.keep(OTHER)
    for spi in (SPI, OTHER):
        lonely.send(packet(spi, 1))
    kept.close()
    assert lonely.deliver(other) == (1, [packet(OTHER, 1)])


def test_it_takes_a_right() -> None:
    def keep() -> str:
        with pytest.raises(NotPermitted) as caught:
            Tap(SaKey(ip_address("192.0.2.1"), SPI), False, lambda sock: None)
        return str(caught.value)

    said = without_rights(keep)
    assert "SA c1234567 to 192.0.2.1: the process lacks CAP_NET_RAW (EPERM)" in said
