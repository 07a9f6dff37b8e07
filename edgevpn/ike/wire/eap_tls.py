"""What EAP-TLS packets hold behind the EAP header, RFC 5216 §3: a message of TLS, or a fragment of one."""

from __future__ import annotations

from dataclasses import field
from enum import IntFlag
from struct import pack
from typing import Self

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.wire.buffer import Reader


class TlsFlag(IntFlag):
    """Flags of EAP-TLS packets; the others are reserved."""

    LENGTH = 0x80
    MORE = 0x40
    START = 0x20


@dataclass(frozen=True, slots=True)
class TlsPacket:
    """One fragment, or the whole of it. `total` is how long the message is that begins here, if it says so.

    Without data it acknowledges the fragment before it, or what came last.
    """

    data: bytes = field(default=b"", repr=False)
    total: int | None = None
    more: bool = False
    start: bool = False

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        body = Reader(octets)
        flags = TlsFlag(body.u8() & 0xE0)
        total = body.u32() if TlsFlag.LENGTH in flags else None
        data = body.rest()
        if total is not None and total < len(data):
            raise InvalidSyntax(f"a message of TLS says {total} octets, and its first fragment has {len(data)}")
        return cls(data, total, TlsFlag.MORE in flags, TlsFlag.START in flags)

    def encode(self) -> bytes:
        flags = TlsFlag(0)
        flags |= TlsFlag.LENGTH if self.total is not None else TlsFlag(0)
        flags |= TlsFlag.MORE if self.more else TlsFlag(0)
        flags |= TlsFlag.START if self.start else TlsFlag(0)
        length = b"" if self.total is None else pack(">I", self.total)
        return bytes([flags]) + length + self.data
