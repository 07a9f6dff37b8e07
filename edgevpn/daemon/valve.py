"""Which messages ask for an IKE SA, and how the kernel keeps them out of a socket for as long as too many wait.

What it drops costs us nothing. It is told by a classic BPF program, as every Linux has it, whoever owns its firewall.
Whoever has an IKE SA or shows a cookie comes through.
"""

from __future__ import annotations

import socket
import struct
from array import array
from contextlib import suppress

from edgevpn.ike.iana import ExchangeType, Flag, NotifyType, PayloadType

# <asm-generic/socket.h>, <linux/sock_diag.h>
SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_MEMINFO = 26, 27, 55
MEMINFO = struct.Struct("=9I")
SK_MEMINFO_DROPS = 8

# <linux/filter.h>: struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }, struct sock_fprog { len, filter }
INSTRUCTION, PROGRAM = struct.Struct("=HBBI"), struct.Struct("@HP")
WORD, HALF, OCTET = 0x20, 0x28, 0x30
EQUAL, ANY_BIT, RETURN = 0x15, 0x45, 0x06
EVERYTHING = 0xFFFF_FFFF

UDP_HEADER = 8

# RFC 7296 §3.1, §3.2, §3.10: where they stand in a message.
SPI_R, NEXT_PAYLOAD, EXCHANGE, FLAGS, NOTIFY_TYPE = 8, 16, 18, 19, 34
NO_SPI, NOTIFY, COOKIE = bytes(8), bytes([PayloadType.NOTIFY]), NotifyType.COOKIE.to_bytes(2)


def is_first(octets: bytes) -> bool:
    """Whether it asks for an IKE SA: an IKE_SA_INIT request without an SPI of ours (RFC 7296 §3.1)."""
    if len(octets) <= FLAGS or octets[SPI_R:NEXT_PAYLOAD] != NO_SPI:
        return False
    return octets[EXCHANGE] == ExchangeType.IKE_SA_INIT and not octets[FLAGS] & Flag.RESPONSE


def shows_cookie(octets: bytes) -> bool:
    """Whether the first payload is a COOKIE notification, as it is where one was asked for (RFC 7296 §2.6)."""
    return octets[NEXT_PAYLOAD : NEXT_PAYLOAD + 1] == NOTIFY and octets[NOTIFY_TYPE : NOTIFY_TYPE + 2] == COOKIE


class Valve:
    """That of one socket, on which a message begins behind `marker` octets. It is open at first."""

    def __init__(self, sock: socket.socket, marker: int) -> None:
        self._socket = sock
        self._program = _no_first_messages(UDP_HEADER + marker)
        self._shut = False
        self._dropped = 0

    def shut(self) -> None:
        """Let no more first messages in; where the kernel will not, those who read them have to."""
        if self._shut:
            return
        self._shut, self._dropped = True, self._drops()
        code = array("B", self._program)
        address, length = code.buffer_info()
        with suppress(OSError):
            program = PROGRAM.pack(length // INSTRUCTION.size, address)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def open(self) -> int:
        """Let all in again; how many datagrams the kernel has dropped meanwhile."""
        if not self._shut:
            return 0
        self._shut = False
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        return (self._drops() - self._dropped) & 0xFFFF_FFFF

    def _drops(self) -> int:
        """Of the socket since it was made; 0 where the kernel does not tell."""
        with suppress(OSError):
            octets = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
            if len(octets) == MEMINFO.size:
                return int(MEMINFO.unpack(octets)[SK_MEMINFO_DROPS])
        return 0


def _no_first_messages(at: int) -> bytes:
    """Drops those that `is_first` holds of, but not `shows_cookie`; and what is too short to tell.

    The numbers behind a comparison say how many instructions are left out if it is true, and if not.
    """
    program = (
        (WORD, 0, 0, at + SPI_R),
        (EQUAL, 0, 10, 0),
        (WORD, 0, 0, at + SPI_R + 4),
        (EQUAL, 0, 8, 0),
        (OCTET, 0, 0, at + EXCHANGE),
        (EQUAL, 0, 6, ExchangeType.IKE_SA_INIT),
        (OCTET, 0, 0, at + FLAGS),
        (ANY_BIT, 4, 0, Flag.RESPONSE),
        (OCTET, 0, 0, at + NEXT_PAYLOAD),
        (EQUAL, 0, 3, PayloadType.NOTIFY),
        (HALF, 0, 0, at + NOTIFY_TYPE),
        (EQUAL, 0, 1, NotifyType.COOKIE),
        (RETURN, 0, 0, EVERYTHING),
        (RETURN, 0, 0, 0),
    )
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in program)
