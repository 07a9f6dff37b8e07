"""edgevpn.ike.wire.protected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.errors import Discard, InvalidSyntax
from edgevpn.ike.iana import CertEncoding, ExchangeType, Flag, PayloadType
from edgevpn.ike.wire.message import Header, Payload, decode_payloads, encode_message, encode_payloads
from edgevpn.ike.wire.payloads import Certificate, VendorId
from edgevpn.ike.wire.protected import (
    Fragment,
    Protection,
    open_fragment,
    open_message,
    seal_fragments,
    seal_message,
    unsealed,
)
from tests.support.strategies import chains, damaged


@dataclass(frozen=True, slots=True)
class FakeProtection:
    """Encrypts by inverting bits; the ICV is a truncated hash. `block` is the size to which it pads."""

    block: int = 1
    iv_length: int = 8
    icv_length: int = 12

    def sealed_length(self, plaintext_length: int) -> int:
        return self.iv_length + (plaintext_length // self.block + 1) * self.block + self.icv_length

    def seal(self, associated: bytes, plaintext: bytes, iv: bytes) -> bytes:
        padding = -(len(plaintext) + 1) % self.block
        sealed = iv + _invert(plaintext + bytes(padding) + bytes([padding]))
        return sealed + self._icv(associated + sealed)

    def open(self, associated: bytes, body: bytes) -> bytes:
        sealed, icv = body[: -self.icv_length], body[-self.icv_length :]
        if icv != self._icv(associated + sealed):
            raise Discard("wrong ICV")
        padded = _invert(sealed[self.iv_length :])
        return padded[: len(padded) - 1 - padded[-1]]

    def _icv(self, octets: bytes) -> bytes:
        return sha256(octets).digest()[: self.icv_length]


def _invert(octets: bytes) -> bytes:
    return bytes(octet ^ 0xFF for octet in octets)


AEAD, CBC = FakeProtection(), FakeProtection(block=16, iv_length=16)
PROTECTIONS = pytest.mark.parametrize("protection", [AEAD, CBC], ids=["no padding", "blocks of 16"])
HEADER = Header(b"initiatr", b"respondr", ExchangeType.IKE_AUTH, Flag.INITIATOR, 1)
LONG = (Certificate(CertEncoding.X509_SIGNATURE, bytes(range(250)) * 8), VendorId(b"end"))


def ivs(protection: Protection) -> Iterator[bytes]:
    """Initialization vectors that count from zero."""
    return (number.to_bytes(protection.iv_length, "big") for number in range(1000))


def reassemble(fragments: list[Fragment]) -> tuple[Payload, ...]:
    """The payloads of all fragments together; RFC 7383 §2.6."""
    return decode_payloads(fragments[0].first_payload, b"".join(fragment.plaintext for fragment in fragments))


def test_message_octets() -> None:
    """HDR, SK {V}: the ICV covers everything before it, the first payload's type is in SK's header."""
    datagram = seal_message(HEADER, (VendorId(b"ab"),), AEAD, b"01234567")
    associated = bytes.fromhex("696e697469617472 726573706f6e6472 2e 20 23 08 00000001 0000003b  2b 00 001f")
    ciphertext = _invert(bytes.fromhex("00 00 0006 6162 00"))
    covered = associated + b"01234567" + ciphertext
    assert datagram == covered + sha256(covered).digest()[:12]


def test_fragment_octets() -> None:
    """HDR, SKF(1 of 2) {...} and HDR, SKF(2 of 2) {...}: only the first names the first payload."""
    first, second = seal_fragments(HEADER, (VendorId(b"abcdefghijkl"),), AEAD, 28 + 8 + 8 + 10 + 1 + 12, ivs(AEAD))
    assert first[:36] == bytes.fromhex(
        "696e697469617472 726573706f6e6472 35 20 23 08 00000001 00000043  2b 00 0027 0001 0002"
    )
    assert second[:36] == bytes.fromhex(
        "696e697469617472 726573706f6e6472 35 20 23 08 00000001 0000003f  00 00 0023 0002 0002"
    )
    assert (first[36:44], second[36:44]) == (bytes(8), bytes(7) + b"\x01")
    assert _invert(first[44:55]) == bytes.fromhex("00 00 0010 616263646566 00")
    assert _invert(second[44:51]) == bytes.fromhex("6768696a6b6c 00")


@PROTECTIONS
@given(payloads=chains())
def test_message_read_back(protection: FakeProtection, payloads: tuple[Payload, ...]) -> None:
    datagram = seal_message(HEADER, payloads, protection, bytes(protection.iv_length))
    assert decode_payloads(*open_message(datagram, Header.decode(datagram), protection)) == payloads


def test_empty_message() -> None:
    datagram = seal_message(HEADER, (), AEAD, bytes(8))
    assert open_message(datagram, Header.decode(datagram), AEAD) == (PayloadType.NONE, b"")


def test_a_message_that_fits_is_not_fragmented() -> None:
    whole = seal_message(HEADER, LONG, AEAD, bytes(8))
    assert seal_fragments(HEADER, LONG, AEAD, len(whole), ivs(AEAD)) == (whole,)
    assert len(seal_fragments(HEADER, LONG, AEAD, len(whole) - 1, ivs(AEAD))) == 2


@PROTECTIONS
@given(max_size=st.integers(100, 2100))
def test_fragments_read_back(protection: FakeProtection, max_size: int) -> None:
    datagrams = seal_fragments(HEADER, LONG, protection, max_size, ivs(protection))
    assert max(len(datagram) for datagram in datagrams) <= max_size
    if len(datagrams) == 1:
        return
    fragments = [open_fragment(datagram, Header.decode(datagram), protection) for datagram in datagrams]
    assert [fragment.number for fragment in fragments] == list(range(1, len(datagrams) + 1))
    assert {fragment.total for fragment in fragments} == {len(datagrams)}
    assert {fragment.first_payload for fragment in fragments[1:]} == {PayloadType.NONE}
    assert reassemble(fragments) == LONG


@PROTECTIONS
def test_fragments_are_as_large_as_they_may_be(protection: FakeProtection) -> None:
    first, *_ = seal_fragments(HEADER, LONG, protection, 576, ivs(protection))
    assert 576 - protection.block < len(first) <= 576


@PROTECTIONS
def test_every_fragment_has_its_own_iv(protection: FakeProtection) -> None:
    """As many are taken as datagrams are sent, so a counter stays in step."""
    source = ivs(protection)
    datagrams = seal_fragments(HEADER, LONG, protection, 576, source)
    assert len({datagram[36 : 36 + protection.iv_length] for datagram in datagrams}) == len(datagrams)
    assert next(source) == len(datagrams).to_bytes(protection.iv_length, "big")


@PROTECTIONS
def test_no_room_for_a_fragment(protection: FakeProtection) -> None:
    smallest, payload = 28 + 8 + protection.sealed_length(1), VendorId(bytes(50))
    with pytest.raises(ValueError, match="no room"):
        seal_fragments(HEADER, (payload,), protection, smallest - 1, ivs(protection))
    assert len(seal_fragments(HEADER, (payload,), protection, smallest, ivs(protection))) > 1


def test_more_fragments_than_a_peer_takes() -> None:
    one_each = 28 + 8 + AEAD.sealed_length(1)
    assert len(seal_fragments(HEADER, (VendorId(bytes(255 - 4)),), AEAD, one_each, ivs(AEAD))) == 255
    with pytest.raises(ValueError, match="256 fragments"):
        seal_fragments(HEADER, (VendorId(bytes(256 - 4)),), AEAD, one_each, ivs(AEAD))


WHOLE = seal_message(HEADER, (VendorId(b"ab"),), AEAD, b"01234567")
FIRST, SECOND = seal_fragments(HEADER, (VendorId(bytes(20)),), AEAD, 70, ivs(AEAD))


@given(st.data())
def test_every_damage_is_discarded(data: st.DataObject) -> None:
    """Nothing but what was sealed is opened, and no other error shows before the ICV is verified."""
    datagram = data.draw(damaged(WHOLE) | damaged(FIRST) | damaged(SECOND))
    if datagram in (WHOLE, FIRST, SECOND):
        return
    for unseal in (open_message, open_fragment):
        with pytest.raises(Discard):
            unseal(datagram, Header.decode(datagram), AEAD)


def patched(datagram: bytes, at: int, octets: str) -> bytes:
    """`datagram` with other octets at `at`, and the ICV put right again."""
    patch = bytes.fromhex(octets)
    covered = datagram[:at] + patch + datagram[at + len(patch) : -12]
    return covered + sha256(covered).digest()[:12]


OTHER_FRAGMENTS = {
    "number zero": "0000 0002",
    "total zero": "0000 0000",
    "number beyond total": "0003 0002",
    "total zero, number one": "0001 0000",
    "more than anybody sends": "0001 0100",
}


@pytest.mark.parametrize("octets", OTHER_FRAGMENTS.values(), ids=OTHER_FRAGMENTS)
def test_fragment_numbers_are_checked(octets: str) -> None:
    """RFC 7383 §2.6, even if the ICV is right."""
    datagram = patched(FIRST, 32, octets)
    with pytest.raises(Discard, match="fragment"):
        open_fragment(datagram, Header.decode(datagram), AEAD)
    assert open_fragment(patched(FIRST, 32, "00ff 00ff"), Header.decode(FIRST), AEAD).number == 255


def test_next_payload_of_later_fragments_is_ignored() -> None:
    datagram = patched(SECOND, 28, "2b")
    assert open_fragment(datagram, Header.decode(datagram), AEAD).number == 2


def test_a_fragment_is_no_message_and_a_message_no_fragment() -> None:
    with pytest.raises(Discard, match="SKF payload where SK"):
        open_message(FIRST, Header.decode(FIRST), AEAD)
    with pytest.raises(Discard, match="SK payload where SKF"):
        open_fragment(WHOLE, Header.decode(WHOLE), AEAD)


def test_payload_before_sk_is_refused() -> None:
    """RFC 7383 §2.5.3: no exchange has unprotected payloads beside SK."""
    chain = encode_payloads((VendorId(b"x"),))[1]
    header = replace(HEADER, next_payload=PayloadType.VENDOR_ID, length=len(WHOLE) + len(chain))
    datagram = header.encode() + b"\x2e" + chain[1:] + WHOLE[28:]
    with pytest.raises(Discard, match="VENDOR_ID payload where SK"):
        open_message(datagram, Header.decode(datagram), AEAD)


def test_payload_after_sk_is_refused() -> None:
    """The Encrypted payload is the last; RFC 7296 §3.14."""
    header = replace(Header.decode(WHOLE), length=len(WHOLE) + 5)
    datagram = header.encode() + WHOLE[28:] + bytes.fromhex("00 00 0005 78")
    with pytest.raises(Discard, match="not the last"):
        open_message(datagram, Header.decode(datagram), AEAD)


@pytest.mark.parametrize("size", range(28, 28 + 4 + 8 + 1 + 12))
def test_message_too_short_for_its_cipher(size: int) -> None:
    datagram = replace(Header.decode(WHOLE), length=size).encode() + WHOLE[28:size]
    with pytest.raises(Discard, match="too short"):
        open_message(datagram, Header.decode(datagram), AEAD)


def test_message_in_the_clear_is_refused() -> None:
    datagram = encode_message(HEADER, (VendorId(b"ab"),))
    with pytest.raises(Discard):
        open_message(datagram, Header.decode(datagram), AEAD)


def test_faults_inside_show_after_the_icv_only() -> None:
    """The plaintext is handed out as it is; what is wrong in it is found by the step that decodes it."""
    inner = bytes.fromhex("00 00 0000")
    head = replace(HEADER, next_payload=PayloadType.SK, length=28 + 4 + AEAD.sealed_length(4)).encode()
    associated = head + bytes.fromhex("2b 00") + (4 + AEAD.sealed_length(len(inner))).to_bytes(2, "big")
    datagram = associated + AEAD.seal(associated, inner, bytes(8))
    opened = open_message(datagram, Header.decode(datagram), AEAD)
    assert opened == (PayloadType.VENDOR_ID, inner)
    with pytest.raises(InvalidSyntax):
        decode_payloads(*opened)


def test_fragment_content_stays_out_of_logs() -> None:
    assert "secret" not in repr(Fragment(1, 2, PayloadType.EAP, b"secret"))


def test_message_as_auth_covers_it() -> None:
    """Header and Encrypted payload as if nothing but the payloads were in it; RFC 9242 §3.3.2."""
    first, chain = encode_payloads((VendorId(b"abc"), VendorId(b"d")))
    header = Header(b"initiatr", b"respondr", ExchangeType.IKE_INTERMEDIATE, Flag.INITIATOR, 1)
    assert unsealed(header, first, chain) == bytes.fromhex(
        "696e697469617472 726573706f6e6472 2e 20 2b 08 00000001 0000002c"  # an SK payload, 28 + 4 + 12 octets
        "2b 00 0010"  # a Vendor ID payload is the first in it, 4 + 12 octets
        "2b 00 0007 616263 00 00 0005 64"
    )
