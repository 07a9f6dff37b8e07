"""Requests of ip(8), to compare ours with: the same type, the same fixed part, the same attributes in any order."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from edgevpn.kernel.netlink import HEADER, Request

VECTORS = Path(__file__).parent.parent / "vectors" / "iproute2.txt"


class Parts(NamedTuple):
    """A request taken apart."""

    type: int
    fixed: bytes
    attributes: dict[int, bytes]


def sent_by(command: str) -> bytes:
    """What ip(8) sends for a command line; KeyError for one that was not caught."""
    lines = [line for line in VECTORS.read_text().splitlines() if not line.startswith("#")]
    return bytes.fromhex(dict(zip(lines[::2], lines[1::2], strict=True))[command])


def parts_of_request(message: bytes | Request, fixed_size: int) -> Parts:
    """Take a request apart, whose structure has so many octets."""
    octets = message.octets(message.flags, 0) if isinstance(message, Request) else message
    kind = HEADER.unpack_from(octets)[1]
    start = HEADER.size + fixed_size
    return Parts(kind, octets[HEADER.size : start], attributes_in(octets[start:]))


def attributes_in(octets: bytes) -> dict[int, bytes]:
    """Attributes by number."""
    found: dict[int, bytes] = {}
    while octets:
        length, kind = struct.unpack_from("=HH", octets)
        assert length >= 4
        found[kind & 0x3FFF] = octets[4:length]
        octets = octets[(length + 3) & ~3 :]
    return found
