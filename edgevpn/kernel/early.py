"""ESP packets that come before there is an SA for them: kept, and sent to ourselves once there is.

The kernel drops what it has no SA for. A packet socket sees it before that; what it has kept goes out again by a raw
socket, and as it is addressed to us, it comes in by the loopback interface, as it is. What was received all the same
meanwhile comes twice, and the replay window of the SA drops it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address

from edgevpn.kernel import faults
from edgevpn.kernel.bpf import EVERYTHING, NOTHING, Code, Instruction, attach
from edgevpn.kernel.faults import telling
from edgevpn.kernel.spec import IpAddress, SaKey

# <linux/if_ether.h>
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD

# RFC 791 §3.1, RFC 8200 §3, RFC 3948 §2.1: where they stand in a packet.
PROTOCOL_V4, FRAGMENT, DESTINATION_V4 = 9, 6, slice(16, 20)
PROTOCOL_V6, HEADER_V6, DESTINATION_V6 = 6, 40, slice(24, 40)
MORE_OR_OFFSET = 0x3FFF
UDP_HEADER = 8

# Our own choices.
LONGEST = 0x10000
KEPT = 1 << 19  # octets of packets, with what the kernel needs to keep them


class Tap:
    """Keeps the packets of one SA to come, from now on. KernelError where the kernel will not."""

    def __init__(self, key: SaKey, in_udp: bool, exempt: Callable[[socket.socket], None]) -> None:
        """`in_udp`: they come in UDP (RFC 3948). `exempt` has a socket's packets pass by all policies."""
        self._host = key.destination
        self._exempt = exempt
        with telling("keep", f"packets that come before {key}", faults.EARLY):
            self._socket = _opened(self._host.version, _packets_of(key, in_udp))

    def deliver(self) -> int:
        """Have the kernel receive what was kept, and keep no more; returns how many packets that were. KernelError."""
        packets = self._taken()
        self.close()
        if packets:
            with telling("bring", f"early packets to {self._host}", faults.EARLY), _raw(self._host) as sock:
                self._exempt(sock)
                for packet in packets:
                    sock.sendto(packet, (str(self._host), 0))
        return len(packets)

    def close(self) -> None:
        """Keep no more. The kernel takes some hundredths of a second for it, so another thread waits for that."""
        threading.Thread(target=self._socket.close, name="close").start()

    def _taken(self) -> list[bytes]:
        """Those for us, in the order in which they came."""
        packets = []
        with suppress(BlockingIOError):
            while True:
                packet, (_name, _protocol, kind, *_link) = self._socket.recvfrom(LONGEST)
                if kind == socket.PACKET_HOST and _destination(packet) == self._host:
                    packets.append(packet)
        return packets


def _opened(version: int, program: Sequence[Instruction]) -> socket.socket:
    """A socket that gets each packet of that IP version which the program accepts."""
    protocol = ETH_P_IP if version == 4 else ETH_P_IPV6
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
    try:
        attach(sock, program)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT)
        with suppress(BlockingIOError):
            while True:
                sock.recv(1)  # what came before there was a program
    except OSError:
        sock.close()
        raise
    return sock


def _raw(host: IpAddress) -> socket.socket:
    """A socket that sends whole packets, to us as well."""
    family = socket.AF_INET if host.version == 4 else socket.AF_INET6
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)


def _destination(packet: bytes) -> IpAddress:
    return ip_address(packet[DESTINATION_V4 if packet[0] >> 4 == 4 else DESTINATION_V6])


def _packets_of(key: SaKey, in_udp: bool) -> tuple[Instruction, ...]:
    """Lets unfragmented packets through that have this SPI."""
    protocol, before = (socket.IPPROTO_UDP, UDP_HEADER) if in_udp else (key.protocol, 0)
    if key.destination.version == 4:
        return (
            (Code.OCTET, 0, 0, PROTOCOL_V4),
            (Code.EQUAL, 0, 6, protocol),
            (Code.HALF, 0, 0, FRAGMENT),
            (Code.ANY_BIT, 4, 0, MORE_OR_OFFSET),
            (Code.HEADER_LENGTH, 0, 0, 0),
            (Code.WORD_BEHIND, 0, 0, before),
            (Code.EQUAL, 0, 1, key.spi),
            (Code.RETURN, 0, 0, EVERYTHING),
            (Code.RETURN, 0, 0, NOTHING),
        )
    return (
        (Code.OCTET, 0, 0, PROTOCOL_V6),
        (Code.EQUAL, 0, 3, protocol),
        (Code.WORD, 0, 0, HEADER_V6 + before),
        (Code.EQUAL, 0, 1, key.spi),
        (Code.RETURN, 0, 0, EVERYTHING),
        (Code.RETURN, 0, 0, NOTHING),
    )
