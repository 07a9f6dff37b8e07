"""Which messages ask for an IKE SA, and how the kernel keeps them out of a socket for as long as too many wait.

What it drops costs us nothing. It is told by a classic BPF program, as every Linux has it, whoever owns its firewall.
Whoever has an IKE SA always comes through. Cookies that are made up are told from ours by their tags
(`edgevpn.ike.cookies`).
"""

from __future__ import annotations

import enum
import socket
import struct
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress

from edgevpn.ike.cookies import EXCHANGE, FLAGS, NEXT_PAYLOAD, NOTIFY_DATA, NOTIFY_TYPE, SHIFT, SPI_R, Sieve
from edgevpn.ike.iana import ExchangeType, Flag, NotifyType, PayloadType

# <asm-generic/socket.h>, <linux/sock_diag.h>
SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_MEMINFO = 26, 27, 55
MEMINFO = struct.Struct("=9I")
SK_MEMINFO_DROPS = 8

# <linux/filter.h>: struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }, struct sock_fprog { len, filter }
INSTRUCTION, PROGRAM = struct.Struct("=HBBI"), struct.Struct("@HP")
WORD, HALF, OCTET = 0x20, 0x28, 0x30
EQUAL, EQUAL_X, ANY_BIT, RETURN = 0x15, 0x1D, 0x45, 0x06
LOAD, ADD, MULTIPLY, SHIFT_RIGHT, XOR_X, TO_X = 0x00, 0x04, 0x24, 0x74, 0xAC, 0x07
EVERYTHING = 0xFFFF_FFFF
NETWORK_HEADER = 0xFFF0_0000
"""What is added to an offset into the IP header."""

UDP_HEADER = 8
SOURCE = {socket.AF_INET: range(12, 16, 4), socket.AF_INET6: range(8, 24, 4)}
"""Where the words of a sender's address stand in the IP header (RFC 791 §3.1, RFC 8200 §3)."""

Instruction = tuple[int, int, int, int]
"""An operation; how many instructions are left out if a comparison is true, and if not; an operand."""


class Admits(enum.Flag):
    """Who comes through of those who ask for an IKE SA."""

    STRANGERS = enum.auto()
    """Who shows no cookie, or one that is made up."""
    RETURNING = enum.auto()
    """Who shows one that may be ours."""
    EVERYONE = STRANGERS | RETURNING


class Valve:
    """That of one socket, on which a message begins behind `marker` octets. It admits everyone at first."""

    def __init__(self, sock: socket.socket, marker: int) -> None:
        self._socket = sock
        self._start = UDP_HEADER + marker
        self._admits = Admits.EVERYONE
        self._sieves: tuple[Sieve, ...] = ()
        self._dropped = 0

    def admit(self, whom: Admits, sieves: tuple[Sieve, ...]) -> int:
        """Let these in and no others; returns how many datagrams the kernel has dropped since it was told other.

        Cookies of ours fall through `sieves`. Where the kernel will not, those who read them have to.
        """
        if whom == self._admits and (sieves == self._sieves or whom == Admits.EVERYONE):
            return 0
        if self._admits == Admits.EVERYONE:
            self._dropped = self._drops()
        with suppress(OSError):
            self._tell_kernel(whom, sieves)
        dropped = self._drops() - self._dropped
        self._admits, self._sieves, self._dropped = whom, sieves, self._dropped + dropped
        return dropped & 0xFFFF_FFFF

    def _tell_kernel(self, whom: Admits, sieves: tuple[Sieve, ...]) -> None:
        if whom == Admits.EVERYONE:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            return
        program = _first_messages(self._start, whom, SOURCE[self._socket.family], sieves)
        code = array("B", b"".join(INSTRUCTION.pack(*instruction) for instruction in program))
        address, length = code.buffer_info()
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, PROGRAM.pack(length // INSTRUCTION.size, address))

    def _drops(self) -> int:
        """Of the socket since it was made; 0 where the kernel does not tell."""
        with suppress(OSError):
            octets = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
            if len(octets) == MEMINFO.size:
                return int(MEMINFO.unpack(octets)[SK_MEMINFO_DROPS])
        return 0


def _first_messages(at: int, admitted: Admits, source: Iterable[int], sieves: Iterable[Sieve]) -> list[Instruction]:
    """Drops what `is_first` holds of, unless such are admitted, as `bears_tag` tells; and what is too short to tell."""
    returning, strangers = (EVERYTHING if kind in admitted else 0 for kind in (Admits.RETURNING, Admits.STRANGERS))
    program = [
        *_or_return(WORD, at + SPI_R, 0, EVERYTHING),
        *_or_return(WORD, at + SPI_R + 4, 0, EVERYTHING),
        *_or_return(OCTET, at + EXCHANGE, ExchangeType.IKE_SA_INIT, EVERYTHING),
        (OCTET, 0, 0, at + FLAGS),
        (ANY_BIT, 0, 1, Flag.RESPONSE),
        (RETURN, 0, 0, EVERYTHING),
        *_or_return(OCTET, at + NEXT_PAYLOAD, PayloadType.NOTIFY, strangers),
        *_or_return(HALF, at + NOTIFY_TYPE, NotifyType.COOKIE, strangers),
    ]
    for sieve in sieves:
        program += _tag(source, sieve)
        program += [(TO_X, 0, 0, 0), (WORD, 0, 0, at + NOTIFY_DATA), (EQUAL_X, 0, 1, 0), (RETURN, 0, 0, returning)]
    return [*program, (RETURN, 0, 0, strangers)]


def _or_return(size: int, at: int, value: int, verdict: int) -> tuple[Instruction, ...]:
    """Goes on if that value stands there."""
    return (size, 0, 0, at), (EQUAL, 1, 0, value), (RETURN, 0, 0, verdict)


def _tag(source: Iterable[int], sieve: Sieve) -> Iterator[Instruction]:
    """`Sieve.tag` of the sender."""
    yield LOAD, 0, 0, 0
    for at in source:
        yield from ((TO_X, 0, 0, 0), (WORD, 0, 0, NETWORK_HEADER + at), (XOR_X, 0, 0, 0))
        for added, factor in sieve.rounds:
            yield from ((ADD, 0, 0, added), (MULTIPLY, 0, 0, factor))
            yield from ((TO_X, 0, 0, 0), (SHIFT_RIGHT, 0, 0, SHIFT), (XOR_X, 0, 0, 0))
