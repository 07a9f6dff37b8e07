"""edgevpn.ike.wire.buffer."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

import pytest

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Encr, NotifyType, ProtocolId
from edgevpn.ike.wire.buffer import Reader, member


def test_integers_are_big_endian() -> None:
    reader = Reader(bytes.fromhex("01 0203 04050607 08090a0b0c0d0e0f"))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 0x0203, 0x04050607, 0x08090A0B0C0D0E0F)
    reader.finish()


def test_octets_in_order() -> None:
    reader = Reader(b"abcdefgh")
    assert reader.take(2) == b"ab"
    assert reader.remaining == 6
    assert reader.split(3) == (b"cde", b"fgh")
    assert reader.rest() == b""


def test_fixed_layout() -> None:
    assert Reader(bytes.fromhex("01 ff 0203")).unpack(Struct(">BxH")) == (1, 0x0203)


def test_sub_reader_ends_where_it_was_told() -> None:
    """A structure cannot reach into its neighbour, and the outer reader goes on behind it."""
    outer = Reader(b"abcdefgh")
    outer.take(1)
    inner = outer.sub(3)
    assert inner.take(3) == b"bcd"
    assert inner.remaining == 0
    with pytest.raises(InvalidSyntax):
        inner.u8()
    assert outer.rest() == b"efgh"


def test_members() -> None:
    reader = Reader(bytes.fromhex("03 0c ff"))
    assert reader.member(ProtocolId) is ProtocolId.ESP
    assert reader.member(Encr) is Encr.AES_CBC
    assert reader.member(Encr).name == "UNKNOWN_255"
    assert member(NotifyType, 0x4000) is NotifyType.INITIAL_CONTACT


REFUSED: dict[str, Callable[[Reader], object]] = {
    "one octet of four short": Reader.u32,
    "two octets of four short": lambda reader: (reader.u16(), reader.u16()),
    "eight octets": Reader.u64,
    "more than there are": lambda reader: reader.take(4),
    "fewer than none": lambda reader: reader.take(-1),
    "sub-reader too long": lambda reader: reader.sub(4),
    "sub-reader of a negative length": lambda reader: reader.sub(-1),
    "layout too long": lambda reader: reader.unpack(Struct(">I")),
    "not a multiple": lambda reader: reader.split(2),
    "unknown member of a closed registry": lambda reader: reader.member(ProtocolId),
    "the same in two octets": lambda reader: member(ProtocolId, reader.u16()),
    "left over": Reader.finish,
}


@pytest.mark.parametrize("read", REFUSED.values(), ids=REFUSED)
def test_reader_refuses(read: Callable[[Reader], object]) -> None:
    with pytest.raises(InvalidSyntax):
        read(Reader(bytes.fromhex("ff ff ff")))
