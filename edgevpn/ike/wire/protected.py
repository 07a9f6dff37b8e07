"""The Encrypted payload SK and the Encrypted Fragment payload SKF, RFC 7296 §3.14, RFC 5282 §3, RFC 7383 §2.5.

Opening a message yields plaintext only; its payloads are decoded afterwards, with `decode_payloads`, because faults
found before the ICV is verified (Discard) and after it (InvalidSyntax) have different consequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from struct import Struct
from typing import Protocol

from edgevpn.frozen import dataclass
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import PayloadType
from edgevpn.ike.wire.message import HEADER, PAYLOAD_HEAD, Header, Payload, encode_payloads

# From the RFC.
FRAGMENT_HEAD = Struct(">HH")

# Our own bound.
MAX_FRAGMENTS = 255  # of a message; 64 KiB in the smallest datagrams that RFC 7383 §2.5.1 recommends need 130


class Protection(Protocol):
    """One direction of an IKE SA: its cipher and integrity algorithm with their keys."""

    @property
    def iv_length(self) -> int:
        """Octets of an initialization vector."""

    @property
    def icv_length(self) -> int:
        """Octets of Integrity Checksum Data."""

    def sealed_length(self, plaintext_length: int) -> int:
        """Octets of IV, padded ciphertext and ICV for so many octets of plaintext."""

    def seal(self, associated: bytes, plaintext: bytes, iv: bytes) -> bytes:
        """IV, ciphertext and ICV; padding and its length are added to the plaintext."""

    def open(self, associated: bytes, body: bytes) -> bytes:
        """The plaintext without padding; Discard if ICV or padding are wrong."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The content of one Encrypted Fragment payload; `first_payload` means something in number 1 only."""

    number: int
    total: int
    first_payload: PayloadType
    plaintext: bytes = field(repr=False)


def seal_message(header: Header, payloads: Sequence[Payload], protection: Protection, iv: bytes) -> bytes:
    """The whole message, its payloads in one Encrypted payload."""
    first, chain = encode_payloads(payloads)
    return _seal(header, PayloadType.SK, first, b"", chain, protection, iv)


def seal_fragments(
    header: Header, payloads: Sequence[Payload], protection: Protection, max_size: int, ivs: Iterator[bytes]
) -> tuple[bytes, ...]:
    """The message in datagrams of at most `max_size` octets (without the non-ESP marker), in order.

    A message that fits is sealed whole. Takes one IV for each datagram; ValueError if `max_size` is too small.
    """
    first, chain = encode_payloads(payloads)
    if HEADER.size + PAYLOAD_HEAD.size + protection.sealed_length(len(chain)) <= max_size:
        return (_seal(header, PayloadType.SK, first, b"", chain, protection, next(ivs)),)
    size = _fragment_size(protection, max_size)
    total = -(-len(chain) // size)
    if total > MAX_FRAGMENTS:
        raise ValueError(f"{total} fragments of {max_size} octets")
    fragments = []
    for number in range(1, total + 1):
        chunk = chain[(number - 1) * size : number * size]
        head = FRAGMENT_HEAD.pack(number, total)
        named = first if number == 1 else PayloadType.NONE
        fragments.append(_seal(header, PayloadType.SKF, named, head, chunk, protection, next(ivs)))
    return tuple(fragments)


def unsealed(header: Header, first: PayloadType, chain: bytes) -> bytes:
    """The message as if its Encrypted payload had the payloads and nothing else, for IntAuth (RFC 9242 §3.3.2)."""
    length = PAYLOAD_HEAD.size + len(chain)
    head = header.before(PayloadType.SK, length)
    return head + PAYLOAD_HEAD.pack(first, 0, length) + chain


def open_message(datagram: bytes, header: Header, protection: Protection) -> tuple[PayloadType, bytes]:
    """Type of the first inner payload and the chain of all; Discard unless the ICV is right."""
    first, body = _split(datagram, header, PayloadType.SK, 0, protection)
    return first, protection.open(datagram[:body], datagram[body:])


def open_fragment(datagram: bytes, header: Header, protection: Protection) -> Fragment:
    """The content of a fragment; Discard unless its numbers (RFC 7383 §2.6) and its ICV are right."""
    first, body = _split(datagram, header, PayloadType.SKF, FRAGMENT_HEAD.size, protection)
    number, total = FRAGMENT_HEAD.unpack_from(datagram, body - FRAGMENT_HEAD.size)
    if not 1 <= number <= total <= MAX_FRAGMENTS:
        raise Discard(f"fragment {number} of {total}")
    return Fragment(number, total, first, protection.open(datagram[:body], datagram[body:]))


def _seal(
    header: Header,
    outer: PayloadType,
    first: PayloadType,
    fragment_head: bytes,
    plaintext: bytes,
    protection: Protection,
    iv: bytes,
) -> bytes:
    length = PAYLOAD_HEAD.size + len(fragment_head) + protection.sealed_length(len(plaintext))
    associated = header.before(outer, length) + PAYLOAD_HEAD.pack(first, 0, length) + fragment_head
    return associated + protection.seal(associated, plaintext, iv)


def _split(
    datagram: bytes, header: Header, outer: PayloadType, extra: int, protection: Protection
) -> tuple[PayloadType, int]:
    """Type of the first inner payload, and where the IV begins.

    The encrypted payload is the only one: no exchange has others before it (RFC 7383 §2.5.3), and none may follow.
    """
    if header.next_payload != outer:
        raise Discard(f"{header.next_payload.name} payload where {outer.name} is expected")
    iv_at = HEADER.size + PAYLOAD_HEAD.size + extra
    if len(datagram) < iv_at + protection.sealed_length(0):
        raise Discard(f"{outer.name} payload too short")
    first, _flags, length = PAYLOAD_HEAD.unpack_from(datagram, HEADER.size)
    if length != len(datagram) - HEADER.size:
        raise Discard(f"{outer.name} payload of {length} octets is not the last")
    return PayloadType(first), iv_at


def _fragment_size(protection: Protection, max_size: int) -> int:
    """The most octets of plaintext that fit into a fragment."""
    room = max_size - HEADER.size - PAYLOAD_HEAD.size - FRAGMENT_HEAD.size
    size = room - protection.iv_length - protection.icv_length
    while size > 0 and protection.sealed_length(size) > room:  # padding takes a block at most
        size -= 1
    if size <= 0:
        raise ValueError(f"no room for a fragment in {max_size} octets")
    return size
