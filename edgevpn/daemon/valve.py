"""Which messages ask for an IKE SA, and how the kernel keeps them out of a socket for as long as too many wait.

What it drops costs us nothing. It is told by a classic BPF program, as every Linux has it, whoever owns its firewall.
Whoever has an IKE SA always comes through.
"""

from __future__ import annotations

import enum
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


class Admits(enum.Flag):
    """Who comes through of those who ask for an IKE SA."""

    STRANGERS = enum.auto()
    """Who shows no cookie."""
    RETURNING = enum.auto()
    """Who shows one."""
    EVERYONE = STRANGERS | RETURNING


class Valve:
    """That of one socket, on which a message begins behind `marker` octets. It admits everyone at first."""

    def __init__(self, sock: socket.socket, marker: int) -> None:
        self._socket = sock
        self._start = UDP_HEADER + marker
        self._admits = Admits.EVERYONE
        self._dropped = 0

    def admit(self, whom: Admits) -> int:
        """Let these in and no others; returns how many datagrams the kernel has dropped since it was told other.

        Where the kernel will not, those who read them have to.
        """
        if whom == self._admits:
            return 0
        if self._admits == Admits.EVERYONE:
            self._dropped = self._drops()
        with suppress(OSError):
            self._tell_kernel(whom)
        dropped = self._drops() - self._dropped
        self._admits, self._dropped = whom, self._dropped + dropped
        return dropped & 0xFFFF_FFFF

    def _tell_kernel(self, whom: Admits) -> None:
        if whom == Admits.EVERYONE:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            return
        code = array("B", _first_messages(self._start, whom))
        address, length = code.buffer_info()
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, PROGRAM.pack(length // INSTRUCTION.size, address))

    def _drops(self) -> int:
        """Of the socket since it was made; 0 where the kernel does not tell."""
        with suppress(OSError):
            octets = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
            if len(octets) == MEMINFO.size:
                return int(MEMINFO.unpack(octets)[SK_MEMINFO_DROPS])
        return 0


def _first_messages(at: int, admitted: Admits) -> bytes:
    """Drops what `is_first` holds of, unless such are admitted, as `shows_cookie` tells; and what is too short to tell.

    The numbers behind a comparison say how many instructions are left out if it is true, and if not.
    """
    returning, strangers = (EVERYTHING if kind in admitted else 0 for kind in (Admits.RETURNING, Admits.STRANGERS))
    program = (
        (WORD, 0, 0, at + SPI_R),
        (EQUAL, 0, 12, 0),
        (WORD, 0, 0, at + SPI_R + 4),
        (EQUAL, 0, 10, 0),
        (OCTET, 0, 0, at + EXCHANGE),
        (EQUAL, 0, 8, ExchangeType.IKE_SA_INIT),
        (OCTET, 0, 0, at + FLAGS),
        (ANY_BIT, 6, 0, Flag.RESPONSE),
        (OCTET, 0, 0, at + NEXT_PAYLOAD),
        (EQUAL, 0, 3, PayloadType.NOTIFY),
        (HALF, 0, 0, at + NOTIFY_TYPE),
        (EQUAL, 0, 1, NotifyType.COOKIE),
        (RETURN, 0, 0, returning),
        (RETURN, 0, 0, strangers),
        (RETURN, 0, 0, EVERYTHING),
    )
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in program)
