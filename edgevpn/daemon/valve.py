"""Which messages ask for an IKE SA, and how the kernel keeps some of them out of a socket while too many come.

What it drops costs us nothing, and whoever owns the firewall has no part in it. Whoever has an IKE SA always comes
through. Cookies that are made up are told from ours by their tags (`edgevpn.ike.cookies`).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeAlias

from edgevpn.frozen import dataclass
from edgevpn.ike.cookies import EXCHANGE, FLAGS, NEXT_PAYLOAD, NOTIFY_DATA, NOTIFY_TYPE, SHIFT, SPI_R, Sieve
from edgevpn.ike.iana import ExchangeType, Flag, NotifyType, PayloadType
from edgevpn.kernel.bpf import EVERYTHING, NETWORK_HEADER, NOTHING, RANDOM, Code, Instruction, attach, detach

# <asm-generic/socket.h>, <linux/sock_diag.h>
SO_MEMINFO = 55
MEMINFO = struct.Struct("=9I")
SK_MEMINFO_DROPS = 8

UDP_HEADER = 8
SOURCE = {socket.AF_INET: range(12, 16, 4), socket.AF_INET6: range(8, 24, 4)}
"""Where the words of a sender's address stand in the IP header (RFC 791 §3.1, RFC 8200 §3)."""

Verdict: TypeAlias = tuple[Instruction, ...]
"""What ends with a RETURN."""
ADMITTED: Verdict = ((Code.RETURN, 0, 0, EVERYTHING),)


@dataclass(frozen=True, slots=True)
class Shares:
    """What part comes through of those who ask for an IKE SA and show a cookie that may be ours, and of all others."""

    returning: float = 1.0
    strangers: float = 1.0


EVERYONE = Shares()


class Valve:
    """That of one socket, on which a message begins behind `marker` octets. It admits everyone at first."""

    def __init__(self, sock: socket.socket, marker: int) -> None:
        self._socket = sock
        self._start = UDP_HEADER + marker
        self._shares = EVERYONE
        self._sieves: tuple[Sieve, ...] = ()
        self._dropped = 0

    def admit(self, shares: Shares, sieves: tuple[Sieve, ...]) -> int:
        """Let so many in, by chance; returns how many datagrams the kernel has dropped since it was told other.

        Cookies of ours fall through `sieves`. Where the kernel will not, those who read them have to.
        """
        if shares == self._shares and (sieves == self._sieves or shares == EVERYONE):
            return 0
        if self._shares == EVERYONE:
            self._dropped = self._drops()
        with suppress(OSError):
            self._tell_kernel(shares, sieves)
        dropped = self._drops() - self._dropped
        self._shares, self._sieves, self._dropped = shares, sieves, self._dropped + dropped
        return dropped & 0xFFFF_FFFF

    def _tell_kernel(self, shares: Shares, sieves: tuple[Sieve, ...]) -> None:
        if shares == EVERYONE:
            detach(self._socket)
        else:
            attach(self._socket, _first_messages(self._start, shares, SOURCE[self._socket.family], sieves))

    def _drops(self) -> int:
        """Of the socket since it was made; 0 where the kernel does not tell."""
        with suppress(OSError):
            octets = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
            if len(octets) == MEMINFO.size:
                return int(MEMINFO.unpack(octets)[SK_MEMINFO_DROPS])
        return 0


def _first_messages(at: int, shares: Shares, source: Iterable[int], sieves: Iterable[Sieve]) -> list[Instruction]:
    """Lets in shares of what `is_first` holds of, as `bears_tag` tells. What is too short to tell is dropped."""
    returning, strangers = _by_chance(shares.returning), _by_chance(shares.strangers)
    program = [
        *_or_else(ADMITTED, Code.WORD, at + SPI_R, 0),
        *_or_else(ADMITTED, Code.WORD, at + SPI_R + 4, 0),
        *_or_else(ADMITTED, Code.OCTET, at + EXCHANGE, ExchangeType.IKE_SA_INIT),
        (Code.OCTET, 0, 0, at + FLAGS),
        (Code.ANY_BIT, 0, len(ADMITTED), Flag.RESPONSE),
        *ADMITTED,
        *_or_else(strangers, Code.OCTET, at + NEXT_PAYLOAD, PayloadType.NOTIFY),
        *_or_else(strangers, Code.HALF, at + NOTIFY_TYPE, NotifyType.COOKIE),
    ]
    for sieve in sieves:
        program += _tag(source, sieve)
        program += [
            (Code.TO_X, 0, 0, 0),
            (Code.WORD, 0, 0, at + NOTIFY_DATA),
            (Code.EQUAL_X, 0, len(returning), 0),
            *returning,
        ]
    return [*program, *strangers]


def _by_chance(share: float) -> Verdict:
    """Lets it in with this probability, or drops it."""
    return (
        (Code.WORD, 0, 0, RANDOM),
        (Code.GREATER, 0, 1, int(share * EVERYTHING)),
        (Code.RETURN, 0, 0, NOTHING),
        *ADMITTED,
    )


def _or_else(verdict: Verdict, size: Code, at: int, value: int) -> tuple[Instruction, ...]:
    """Goes on if that value stands there; else this is the end of it."""
    return (size, 0, 0, at), (Code.EQUAL, len(verdict), 0, value), *verdict


def _tag(source: Iterable[int], sieve: Sieve) -> Iterator[Instruction]:
    """`Sieve.tag` of the sender."""
    yield Code.NUMBER, 0, 0, 0
    for at in source:
        yield from ((Code.TO_X, 0, 0, 0), (Code.WORD, 0, 0, NETWORK_HEADER + at), (Code.XOR_X, 0, 0, 0))
        for added, factor in sieve.rounds:
            yield from ((Code.ADD, 0, 0, added), (Code.MULTIPLY, 0, 0, factor))
            yield from ((Code.TO_X, 0, 0, 0), (Code.SHIFT_RIGHT, 0, 0, SHIFT), (Code.XOR_X, 0, 0, 0))
