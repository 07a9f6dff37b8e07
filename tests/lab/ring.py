"""Frames to a neighbour by the thousand: a ring in memory that is shared with the kernel, <linux/if_packet.h>.

One system call sends all that are marked, and none of them goes through this machine's routing or firewall.
"""

import mmap
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

SOL_PACKET = 263
PACKET_VERSION, PACKET_TX_RING, PACKET_QDISC_BYPASS = 10, 13, 20
TPACKET_V2 = 1
TP_STATUS_AVAILABLE, TP_STATUS_SEND_REQUEST = 0, 1

# struct tpacket_req { unsigned int tp_block_size, tp_block_nr, tp_frame_size, tp_frame_nr; };
TPACKET_REQ = struct.Struct("=IIII")
BLOCK, FRAME, FRAMES = 1 << 16, 1 << 11, 1 << 12

# struct tpacket2_hdr { __u32 tp_status, tp_len, ...; }; the frame begins behind it
TPACKET2_HDR, STATUS_AND_LENGTH = 32, struct.Struct("=II")
STATUS = struct.Struct("=I")

ETHERNET, ETH_P_IP = struct.Struct(">6s6sH"), 0x0800
DISCARD, COMPLETE = 9, 0x2
"""A port for what nobody wants; of an entry for a neighbour, that its address is known."""
PATIENCE = 5.0

Change = Callable[[memoryview], object]
"""Makes a frame another one before it is sent."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface, and the Ethernet header from us to a neighbour behind it."""

    interface: str
    header: bytes


class Ring:
    """Many frames, all with the same packet at first."""

    def __init__(self, link: Link, packet: bytes, change: Change = lambda frame: None) -> None:
        self._change = change
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self._socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        request = TPACKET_REQ.pack(BLOCK, FRAMES * FRAME // BLOCK, FRAME, FRAMES)
        self._socket.setsockopt(SOL_PACKET, PACKET_TX_RING, request)
        self._socket.bind((link.interface, 0))
        octets = link.header + packet
        memory = memoryview(mmap.mmap(self._socket.fileno(), FRAMES * FRAME))
        self._frames = [memory[at : at + FRAME] for at in range(0, FRAMES * FRAME, FRAME)]
        for frame in self._frames:
            STATUS_AND_LENGTH.pack_into(frame, 0, TP_STATUS_AVAILABLE, len(octets))
            frame[TPACKET2_HDR : TPACKET2_HDR + len(octets)] = octets
        self._bodies = [frame[TPACKET2_HDR + len(link.header) :] for frame in self._frames]
        self._next = 0

    def send(self, count: int) -> int:
        """Send so many, or as many as the kernel has done with; how many were sent. They bear a packet each."""
        for done in range(count):
            frame = self._frames[self._next]
            if STATUS.unpack_from(frame)[0] != TP_STATUS_AVAILABLE:
                count = done
                break
            self._change(self._bodies[self._next])
            STATUS.pack_into(frame, 0, TP_STATUS_SEND_REQUEST)
            self._next = (self._next + 1) % FRAMES
        self._socket.send(b"", socket.MSG_DONTWAIT)
        return count


def link_to(neighbour: IPv4Address) -> Link:
    """The way to a host on a network of ours."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", (str(neighbour), DISCARD))
        for line in Path("/proc/self/net/arp").read_text().splitlines()[1:]:
            address, _kind, flags, theirs, _mask, interface = line.split()
            if address == str(neighbour) and int(flags, 16) & COMPLETE:
                header = ETHERNET.pack(bytes.fromhex(theirs.replace(":", "")), _hardware(interface), ETH_P_IP)
                return Link(interface, header)
        time.sleep(0.01)
    raise TimeoutError(f"{neighbour} does not tell its hardware address")


def _hardware(interface: str) -> bytes:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((interface, 0))
        address = sock.getsockname()[4]
    assert isinstance(address, bytes)
    return address
