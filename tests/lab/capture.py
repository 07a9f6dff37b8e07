"""What passes on a link, captured and told apart.

Capture on the router ("internet"): on a gateway's own interface the kernel shows what it has just decrypted, too.
"""

import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from ipaddress import ip_address
from pathlib import Path

from tests.lab.network import Node

ETH_P_ALL = 0x0003
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
TIMESPEC = struct.Struct("=qq")
BUFFER_OCTETS = 1 << 25
LINKTYPE_ETHERNET = 1
ISAKMP, NAT_T = 500, 4500
NEIGHBOUR_DISCOVERY = range(133, 138)
NON_ESP_MARKER = bytes(4)
DESTINATION_UNREACHABLE = 3
ICMP_HEADER = 8


class EtherType(IntEnum):
    IPV4 = 0x0800
    ARP = 0x0806
    IPV6 = 0x86DD


class Kind(StrEnum):
    """What a frame is, as far as it matters on the outside of a tunnel."""

    ISAKMP = "ISAKMP"
    ESP = "ESP"
    ESP_IN_UDP = "ESP in UDP"
    KEEPALIVE = "NAT keepalive"
    NEIGHBOUR = "neighbour discovery"
    FRAGMENT = "fragment"
    ICMP_ERROR = "ICMP error about one of these"
    OTHER = "other"


IPSEC = frozenset({Kind.ISAKMP, Kind.ESP, Kind.ESP_IN_UDP, Kind.KEEPALIVE})
HARMLESS = IPSEC | {Kind.NEIGHBOUR, Kind.FRAGMENT, Kind.ICMP_ERROR}


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet frame and when it was seen (seconds since the epoch)."""

    at: float
    octets: bytes = field(repr=False)

    @property
    def kind(self) -> Kind:
        ethertype, packet = int.from_bytes(self.octets[12:14]), self.octets[14:]
        match ethertype:
            case EtherType.IPV4:
                return _ipv4(packet)
            case EtherType.IPV6:
                return _transport(packet[6], packet[40:])
            case EtherType.ARP:
                return Kind.NEIGHBOUR
        return Kind.OTHER

    @property
    def source(self) -> str:
        """Address of the sender, "" for a frame without."""
        match int.from_bytes(self.octets[12:14]):
            case EtherType.IPV4:
                return str(ip_address(self.octets[26:30]))
            case EtherType.IPV6:
                return str(ip_address(self.octets[22:38]))
        return ""

    @property
    def destination(self) -> str:
        """Address of the receiver, the same."""
        match int.from_bytes(self.octets[12:14]):
            case EtherType.IPV4:
                return str(ip_address(self.octets[30:34]))
            case EtherType.IPV6:
                return str(ip_address(self.octets[38:54]))
        return ""


def _ipv4(packet: bytes) -> Kind:
    header, offset = (packet[0] & 0x0F) * 4, int.from_bytes(packet[6:8]) & 0x1FFF
    return Kind.FRAGMENT if offset else _transport(packet[9], packet[header:])


def _transport(protocol: int, segment: bytes) -> Kind:
    match protocol:
        case socket.IPPROTO_ESP:
            return Kind.ESP
        case socket.IPPROTO_FRAGMENT:
            return Kind.FRAGMENT
        case socket.IPPROTO_UDP:
            return _datagram(set(struct.unpack_from(">HH", segment)), segment[8:])
        case socket.IPPROTO_ICMP if segment[0] == DESTINATION_UNREACHABLE and _ipv4(segment[ICMP_HEADER:]) in IPSEC:
            return Kind.ICMP_ERROR
        case socket.IPPROTO_HOPOPTS:  # multicast listener reports
            return Kind.NEIGHBOUR
        case socket.IPPROTO_ICMPV6 if segment[0] in NEIGHBOUR_DISCOVERY:
            return Kind.NEIGHBOUR
    return Kind.OTHER


def _datagram(ports: set[int], payload: bytes) -> Kind:
    if ISAKMP in ports:
        return Kind.ISAKMP
    if NAT_T not in ports:
        return Kind.OTHER
    if payload == b"\xff":
        return Kind.KEEPALIVE
    return Kind.ISAKMP if payload[:4] == NON_ESP_MARKER else Kind.ESP_IN_UDP


@dataclass
class Capture:
    """Frames seen so far."""

    frames: list[Frame] = field(default_factory=list)

    def kinds(self) -> Counter[Kind]:
        return Counter(frame.kind for frame in self.frames)

    def of(self, kind: Kind) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind is kind]

    def strays(self) -> list[Frame]:
        """Frames that have no business on the outside of a tunnel: neither IKE, nor ESP, nor their neighbours' talk."""
        return [frame for frame in self.frames if frame.kind not in HARMLESS]

    def save(self, path: Path) -> None:
        """Write a pcap file."""
        with path.open("wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, LINKTYPE_ETHERNET))
            for frame in self.frames:
                length = len(frame.octets)
                out.write(struct.pack("<IIII", int(frame.at), int(frame.at % 1 * 1e6), length, length) + frame.octets)


@contextmanager
def capturing(node: Node, interface: str) -> Iterator[Capture]:
    """Capture all frames on an interface for the length of the block; complete when it has ended."""
    capture = Capture()
    stop = threading.Event()
    with node.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS)
        tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        tap.bind((interface, ETH_P_ALL))
        thread = threading.Thread(target=_collect, args=(tap, capture, stop), daemon=True)
        thread.start()
        try:
            yield capture
        finally:
            stop.set()
            thread.join()


def _collect(tap: socket.socket, capture: Capture, stop: threading.Event) -> None:
    """Gather frames until told to stop, then what is still in the queue."""
    while True:
        ready = select.select([tap], [], [], 0 if stop.is_set() else 0.05)[0]
        if ready:
            octets, told, _, _ = tap.recvmsg(0xFFFF + 14, socket.CMSG_SPACE(TIMESPEC.size))
            (seconds, nanoseconds), *_ = [TIMESPEC.unpack(data) for _, kind, data in told if kind == SO_TIMESTAMPNS]
            capture.frames.append(Frame(seconds + nanoseconds / 1e9, octets))
        elif stop.is_set():
            return
