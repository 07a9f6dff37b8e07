"""edgevpn.ike.fragmentation."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.contract import Settings
from edgevpn.ike.errors import Discard
from edgevpn.ike.fragmentation import MAX_FRAGMENTS, MAX_MESSAGE, Reassembly, max_size
from edgevpn.ike.iana import PayloadType
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.protected import Fragment

CERT, NONE = PayloadType.CERT, PayloadType.NONE
ONE, TWO, THREE = Fragment(1, 3, CERT, b"abc"), Fragment(2, 3, NONE, b"def"), Fragment(3, 3, NONE, b"g")


def path(local: str, remote: str) -> Path:
    return Path(Address(ip_address(local), 4500), Address(ip_address(remote), 4500))


def test_room_in_a_packet() -> None:
    """What IP, UDP and the non-ESP marker leave of the packet size of that family."""
    settings = Settings(fragment_size_v4=576, fragment_size_v6=1280)
    assert max_size(path("192.0.2.1", "198.51.100.1"), settings) == 576 - 20 - 8 - 4
    assert max_size(path("2001:db8::1", "2001:db8::2"), settings) == 1280 - 40 - 8 - 4


@given(st.permutations([ONE, TWO, THREE]))
def test_any_order(fragments: list[Fragment]) -> None:
    first, second, third = fragments
    pieces = Reassembly.begin(first, until=30.0)
    assert pieces.message is None
    pieces = pieces.add(second)
    assert pieces.message is None
    pieces = pieces.add(third)
    assert pieces.message == (CERT, b"abcdefg")
    assert pieces.until == 30.0


def test_single_fragment_is_the_message() -> None:
    assert Reassembly.begin(Fragment(1, 1, CERT, b"abc"), 30.0).message == (CERT, b"abc")


def test_doubled_fragment_is_dropped() -> None:
    pieces = Reassembly.begin(ONE, 30.0).add(TWO)
    with pytest.raises(Discard, match="once more"):
        pieces.add(Fragment(2, 3, NONE, b"another"))


def test_finer_cut_begins_anew() -> None:
    """The peer has tried smaller packets; what came of the larger ones is of no use (RFC 7383 §2.5.2)."""
    pieces = Reassembly.begin(ONE, 30.0).add(TWO)
    for number in range(1, 5):
        pieces = pieces.add(Fragment(number, 4, CERT if number == 1 else NONE, bytes([number])))
    assert pieces.message == (CERT, b"\x01\x02\x03\x04")
    with pytest.raises(Discard, match="the others are of 4"):
        pieces.add(THREE)


def test_memory_is_bounded() -> None:
    """A peer, even one that has not shown who it is, takes no more than that."""
    half = MAX_MESSAGE // 2
    pieces = Reassembly.begin(Fragment(1, 3, CERT, bytes(half)), 30.0).add(Fragment(2, 3, NONE, bytes(half)))
    with pytest.raises(Discard, match="more than"):
        pieces.add(Fragment(3, 3, NONE, b"!"))


def test_number_of_fragments_is_bounded() -> None:
    """Each is compared with all that are there, so many small ones would cost more than a large message."""
    with pytest.raises(Discard, match="129 fragments"):
        Reassembly.begin(Fragment(1, MAX_FRAGMENTS + 1, CERT, b"a"), 30.0)
    with pytest.raises(Discard, match="129 fragments"):
        Reassembly.begin(ONE, 30.0).add(Fragment(1, MAX_FRAGMENTS + 1, CERT, b"a"))
    assert Reassembly.begin(Fragment(1, MAX_FRAGMENTS, CERT, b"a"), 30.0).total == MAX_FRAGMENTS
