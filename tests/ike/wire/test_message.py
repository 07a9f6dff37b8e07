"""edgevpn.ike.wire.message."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given

from edgevpn.ike.errors import Discard, InvalidMajorVersion, InvalidSyntax, UnsupportedCriticalPayload
from edgevpn.ike.iana import ExchangeType, Flag, NotifyType, PayloadType
from edgevpn.ike.wire.message import (
    FIRST_PAYLOAD,
    MAX_PAYLOADS,
    MAX_UNPROTECTED,
    OPENING,
    Header,
    Payload,
    decode_message,
    decode_payloads,
    encode_message,
    encode_payloads,
    find_payload,
)
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Nonce, UnknownPayload, VendorId
from tests.support.strategies import chains, damaged, headers, near_misses

SPI_I, SPI_R = b"initiatr", b"respondr"
NONCE = Nonce(b"n" * 16)
COOKIE = Notify(NotifyType.COOKIE, b"c")

# HDR(SPIi, 0), N(COOKIE), Ni
REQUEST = bytes.fromhex(
    "696e69746961747200000000000000002920220800000000 0000003928 00 0009 00 00 4006 6300 00 0014" + "6e" * 16
)
HEADER = Header(SPI_I, bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0)


def test_message_octets() -> None:
    assert encode_message(HEADER, (COOKIE, NONCE)) == REQUEST
    header = Header.decode(REQUEST)
    assert header == replace(HEADER, next_payload=PayloadType.NOTIFY, length=57)
    assert header.encode() == REQUEST[:28]
    assert decode_message(header, REQUEST) == (COOKIE, NONCE)


def test_header_fields() -> None:
    header = Header.decode(bytes.fromhex("696e697469617472 726573706f6e6472 2e 20 25 20 01020304 0000001c"))
    assert (header.spi_i, header.spi_r) == (SPI_I, SPI_R)
    assert header.next_payload == PayloadType.SK
    assert header.exchange == ExchangeType.INFORMATIONAL
    assert header.message_id == 0x01020304
    assert header.is_response
    assert not header.from_initiator


def test_what_header_fields_are_ignored() -> None:
    """Reserved flags and the minor version; RFC 7296 §3.1."""
    header = Header.decode(bytes.fromhex("696e697469617472 726573706f6e6472 00 2f 25 cf 00000000 0000001c"))
    header.check_version()
    assert (header.flags, header.minor) == (Flag.INITIATOR, 15)
    assert header.from_initiator
    assert not header.is_response


def test_unknown_exchange_is_kept() -> None:
    header = Header.decode(bytes.fromhex("696e697469617472 0000000000000000 00 20 f0 08 00000000 0000001c"))
    assert header.exchange.name == "UNKNOWN_240"


DISCARDED = {
    "empty": "",
    "one octet short": "696e697469617472 0000000000000000 00 20 22 08 00000000 000000",
    "longer than it says": "696e697469617472 0000000000000000 00 20 22 08 00000000 0000001c 00",
    "shorter than it says": "696e697469617472 0000000000000000 00 20 22 08 00000000 0000001d",
    "says nothing": "696e697469617472 0000000000000000 00 20 22 08 00000000 00000000",
    "no initiator": "0000000000000000 726573706f6e6472 00 20 22 08 00000000 0000001c",
}


@pytest.mark.parametrize("octets", DISCARDED.values(), ids=DISCARDED)
def test_header_discards(octets: str) -> None:
    with pytest.raises(Discard):
        Header.decode(bytes.fromhex(octets))


def test_later_version_is_told_from_earlier() -> None:
    """Version 3 is answered with INVALID_MAJOR_VERSION, IKEv1 with nothing; both can be read that far."""
    header = Header.decode(bytes.fromhex("696e697469617472 0000000000000000 00 30 22 08 00000000 0000001c"))
    assert header.major == 3
    with pytest.raises(InvalidMajorVersion):
        header.check_version()
    with pytest.raises(Discard):
        Header.decode(bytes.fromhex("696e697469617472 0000000000000000 01 10 02 00 00000000 0000001c")).check_version()


def test_empty_chain() -> None:
    assert encode_payloads(()) == (PayloadType.NONE, b"")
    assert decode_payloads(PayloadType.NONE, b"") == ()


def test_order_is_kept() -> None:
    """No order is wrong; RFC 7296 §2.5."""
    first, chain = encode_payloads((NONCE, COOKIE))
    assert decode_payloads(first, chain) == (NONCE, COOKIE)


def test_unknown_payload_is_kept() -> None:
    assert decode_payloads(PayloadType(200), bytes.fromhex("2b 00 0006 6162  00 00 0005 63")) == (
        UnknownPayload(PayloadType(200), False, b"ab"),
        VendorId(b"c"),
    )


def test_unknown_critical_payload_is_named() -> None:
    with pytest.raises(UnsupportedCriticalPayload) as fault:
        decode_payloads(PayloadType(200), bytes.fromhex("00 80 0006 6162"))
    assert fault.value.data == b"\xc8"


def test_critical_bit_is_sent() -> None:
    payload = UnknownPayload(PayloadType(200), True, b"ab")
    assert encode_payloads((payload,)) == (200, bytes.fromhex("00 80 0006 6162"))


@pytest.mark.parametrize("flags", ["80", "ff", "7f"])
def test_flags_of_a_known_payload_are_ignored(flags: str) -> None:
    assert decode_payloads(PayloadType.VENDOR_ID, bytes.fromhex(f"00 {flags} 0005 63")) == (VendorId(b"c"),)


REFUSED: dict[str, tuple[PayloadType, str]] = {
    "octets behind no payload": (PayloadType.NONE, "00"),
    "payload missing": (PayloadType.VENDOR_ID, ""),
    "payload header cut": (PayloadType.VENDOR_ID, "00 00 00"),
    "length zero": (PayloadType.VENDOR_ID, "00 00 0000"),
    "length zero, for ever": (PayloadType.VENDOR_ID, "2b 00 0000"),
    "length less than the header's": (PayloadType.VENDOR_ID, "00 00 0003"),
    "length beyond the end": (PayloadType.VENDOR_ID, "00 00 0006 61"),
    "next payload missing": (PayloadType.VENDOR_ID, "2b 00 0005 61"),
    "left over": (PayloadType.VENDOR_ID, "00 00 0005 61 62"),
    "a payload's own left-over": (PayloadType.DELETE, "00 00 0009 01 00 0000 00"),
    "unknown payload beyond the end": (PayloadType(200), "00 00 0006 61"),
    "Encrypted payload inside": (PayloadType.SK, "00 00 0014" + "00" * 16),
    "Encrypted Fragment payload inside": (PayloadType.SKF, "00 00 0014" + "00" * 16),
    "two nonces": (PayloadType.NONCE, "28 00 0014" + "00" * 16 + "00 00 0014" + "11" * 16),
}


@pytest.mark.parametrize(("first", "octets"), REFUSED.values(), ids=REFUSED)
def test_chain_refuses(first: PayloadType, octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        decode_payloads(first, bytes.fromhex(octets))


def test_payloads_are_bounded() -> None:
    first, chain = encode_payloads((VendorId(b""),) * 64)
    assert len(decode_payloads(first, chain)) == 64
    first, chain = encode_payloads((VendorId(b""),) * 65)
    with pytest.raises(InvalidSyntax):
        decode_payloads(first, chain)


def test_unprotected_message_is_bounded() -> None:
    fits = encode_message(HEADER, (VendorId(bytes(8192 - 32)),))
    assert len(fits) == 8192
    assert decode_message(Header.decode(fits), fits)
    longer = encode_message(HEADER, (VendorId(bytes(8192 - 31)),))
    with pytest.raises(InvalidSyntax):
        decode_message(Header.decode(longer), longer)


@given(headers(), chains())
def test_message_read_back(header: Header, payloads: tuple[Payload, ...]) -> None:
    datagram = encode_message(header, payloads)
    read = Header.decode(datagram)
    assert replace(read, next_payload=PayloadType.NONE, length=28) == header
    assert decode_payloads(read.next_payload, datagram[28:]) == payloads
    in_the_open = decode_message(read, datagram)
    assert [each.encode() for each in in_the_open] == [each.encode() for each in payloads]
    assert [a for a, b in zip(in_the_open, payloads, strict=True) if b.payload_type in OPENING] == [
        each for each in payloads if each.payload_type in OPENING
    ]


@given(near_misses(headers()))
def test_damaged_header(datagram: bytes) -> None:
    """Damage is discarded, or the header says what it said but for the flags that mean nothing."""
    with suppress(Discard):
        again = Header.decode(datagram).encode()
        assert again[:19] + again[20:] == datagram[:19] + datagram[20:]
        assert again[19] == datagram[19] & 0x38


class Chain(tuple[Payload, ...]):
    """Payloads that encode as the body of a message."""

    def encode(self) -> bytes:
        return encode_message(HEADER, self)


@given(near_misses(chains().map(Chain)))
def test_damaged_message(datagram: bytes) -> None:
    """Damage is discarded or refused, or the same is read again from what we would send."""
    with suppress(Discard, InvalidSyntax, UnsupportedCriticalPayload):
        header = Header.decode(datagram)
        payloads = decode_message(header, datagram)
        again = encode_message(header, payloads)
        assert len(again) == len(datagram)
        assert decode_message(Header.decode(again), again) == payloads


def test_what_has_no_place_in_the_open_is_not_read() -> None:
    """Selectors, say: anybody could send thousands of them. Their payload is carried along, critical or not."""
    selectors = UnknownPayload(PayloadType.TSI, critical=True, body=bytes(1000))
    header = Header(b"initiatr", bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0)
    message = encode_message(header, (Nonce(bytes(16)), selectors))
    assert decode_message(Header.decode(message), message) == (Nonce(bytes(16)), selectors)
    with pytest.raises(InvalidSyntax):
        decode_payloads(PayloadType.NONCE, message[28:])


# --- one payload alone ----------------------------------------------------------------------------------------------


def test_found_without_decoding() -> None:
    assert find_payload(REQUEST, PayloadType.NONCE) == NONCE.data
    assert find_payload(REQUEST, PayloadType.NOTIFY) == COOKIE.encode()
    assert find_payload(REQUEST, PayloadType.KE) is None
    twice = encode_message(HEADER, (Nonce(b"1" * 16), Nonce(b"2" * 16)))
    assert find_payload(twice, PayloadType.NONCE) == b"1" * 16


NOT_FOUND = {
    "cut in a head": (REQUEST[:38], "4 octets wanted"),
    "cut in a body": (REQUEST[:-1], "16 octets wanted"),
    "shorter than its head": (REQUEST[:31] + b"\x03" + REQUEST[32:], "-1 octets wanted"),
    "too many": (encode_message(HEADER, (VendorId(b""),) * MAX_PAYLOADS + (NONCE,)), "more than 64 payloads"),
    "too long": (encode_message(HEADER, (VendorId(bytes(MAX_UNPROTECTED)), NONCE)), "octets without encryption"),
}


@pytest.mark.parametrize(("octets", "why"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_not_found(octets: bytes, why: str) -> None:
    with pytest.raises(InvalidSyntax, match=why):
        find_payload(octets, PayloadType.NONCE)


@given(damaged(REQUEST))
def test_damaged_chain_is_searched(octets: bytes) -> None:
    """It is refused as InvalidSyntax, or what is found is part of it."""
    if len(octets) > FIRST_PAYLOAD:
        with suppress(InvalidSyntax):
            assert (find_payload(octets, PayloadType.NONCE) or b"") in octets
