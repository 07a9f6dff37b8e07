"""edgevpn.kernel.layout."""

from __future__ import annotations

import struct
from typing import ClassVar

import pytest

from edgevpn.kernel.framework import nla, nlmsg
from edgevpn.kernel.layout import Layout, NlaMap, Structured, parts_of

# struct point { __u8 x; __u32 y; };  struct place { struct point at; __u64 when; __u8 kind; };
POINT = Layout(("x", "B"), ("y", "I"))
PLACE = Layout(*POINT.member("at"), ("when", "Q"), ("kind", "B"), ("_", "0Q"))


def test_members_are_aligned_as_in_c() -> None:
    assert (POINT.size, PLACE.size) == (8, 24)
    assert PLACE.names == ("at_x", "at_y", "when", "kind")
    octets = PLACE.pack({"at_x": 1, "at_y": 2, "when": 3, "kind": 4})
    assert octets == struct.pack("=B3xIQB7x", 1, 2, 3, 4)
    assert PLACE.unpack(octets) == {"at_x": 1, "at_y": 2, "when": 3, "kind": 4}


def test_padding_keeps_its_name_in_a_member() -> None:
    assert Layout(("x", "B"), ("_", "3x")).member("at") == (("at_x", "B"), ("_", "3x"))


def test_what_is_not_given_is_zero() -> None:
    assert Layout(("x", "H"), ("name", "4s")).pack({}) == bytes(6)


def test_what_is_not_known_is_ignored() -> None:
    assert POINT.pack({"x": 1, "z": 9}) == struct.pack("=B3xI", 1, 0)


def test_octets_are_missing() -> None:
    with pytest.raises(struct.error):
        POINT.unpack(bytes(7))
    assert POINT.unpack(bytes(9), 1) == {"x": 0, "y": 0}


class parts:  # noqa: N801
    nla_map: ClassVar[NlaMap] = ((1, "NAMED", "named"), (2, "NUMBER", "uint32"), (3, "OCTETS", "cdata"))

    class named(Structured, nla):  # noqa: N801
        layout = Layout(("length", "H"))
        tail = "name"


class placed(Structured, parts, nlmsg):  # noqa: N801
    layout = POINT


def test_message_with_attributes() -> None:
    message = placed()
    message["x"] = 1
    message["attrs"] = [("NAMED", {"length": 3, "name": b"abc"}), ("NUMBER", 7)]
    message.encode()

    header = struct.pack("=IHHII", 44, 0, 0, 0, 0)
    fixed = struct.pack("=B3xI", 1, 0)
    named = struct.pack("=HHH3s3x", 9, 1, 3, b"abc")
    assert bytes(message.data) == header + fixed + named + struct.pack("=HHI", 8, 2, 7)

    read = placed(bytes(message.data))
    read.decode()
    assert (read["x"], read["y"]) == (1, 0)
    assert (read.get_attr("NAMED")["length"], read.get_attr("NAMED")["name"]) == (3, b"abc")
    assert read.get_attr("NUMBER") == 7


def test_parts_are_what_the_framework_reads() -> None:
    """An attribute that is not in the map is left out."""
    message = placed()
    message["y"] = 2
    message["attrs"] = [("NUMBER", 7), ("NAMED", {"length": 0, "name": b""}), ("OCTETS", b"abcde")]
    message.encode()

    values, attributes = parts_of(placed, bytes(message.data) + struct.pack("=HHI", 8, 9, 1))

    assert values == {"x": 0, "y": 2}
    assert attributes == {"NUMBER": 7, "NAMED": {"length": 0, "name": b""}, "OCTETS": b"abcde"}


@pytest.mark.parametrize("missing", [1, 9])
def test_parts_are_missing(missing: int) -> None:
    """Of the number in an attribute, or of the fixed part; an attribute that is not all there is left out."""
    message = placed()
    message["attrs"] = [("NUMBER", 7)]
    message.encode()
    octets = bytes(message.data)
    assert parts_of(placed, octets[:-1])[1] == {}
    with pytest.raises(struct.error):
        parts_of(placed, octets[: -8 - missing])
    with pytest.raises(struct.error):
        parts_of(placed, octets[:-8] + struct.pack("=HHH", 6, 2, 1))
