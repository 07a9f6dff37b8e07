from contextlib import suppress
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config import kinds
from edgevpn.config.errors import Refused, RefusedItems
from edgevpn.config.kinds import Kind, choice, duration, integer, many, size, text
from tests.support.json_schema import takes


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


LENGTH = integer(1, 9)
TIME = duration(30, 7200)
TIME_OR_OFF = duration(30, 7200, or_off=True)
SIZE = size(1000)
WORD = text("a word", "[a-z]+")
COLOUR = choice(Colour)

TAKEN: list[tuple[Kind[Any], object, object]] = [
    (LENGTH, 1, 1),
    (LENGTH, 9, 9),
    (TIME, "30s", 30),
    (TIME, "2m", 120),
    (TIME, " 2 h ", 7200),
    (TIME, 45, 45),
    (TIME_OR_OFF, 0, 0),
    (TIME_OR_OFF, "0s", 0),
    (duration(1, 10**6), "1d", 86400),
    (duration(1, 10**6), "1w", 604800),
    (SIZE, 0, 0),
    (SIZE, 1000, 1000),
    (SIZE, "1kB", 1000),
    (SIZE, "3 MiB", 3 << 20),
    (SIZE, "2GB", 2_000_000_000),
    (SIZE, "1tib", 1 << 40),
    (WORD, "abc", "abc"),
    (COLOUR, "red", Colour.RED),
    (many(LENGTH), 3, (3,)),
    (many(LENGTH), [3, 1], (3, 1)),
    (kinds.FLAG, True, True),
]

REFUSED: list[tuple[Kind[Any], object, str]] = [
    (LENGTH, 0, "is too small"),
    (LENGTH, 10, "is too large"),
    (LENGTH, 1.5, "is a fraction, not a number"),
    (LENGTH, True, "is true or false, not a number"),
    (LENGTH, "1", "is a string, not a number"),
    (LENGTH, [1], "is a list, not a number"),
    (LENGTH, {}, "is a table, not a number"),
    (TIME, "29s", "is too small"),
    (TIME, "3h", "is too large"),
    (TIME, 0, "is too small"),
    (TIME, "30", "is not a time"),
    (TIME, "30 sec", "is not a time"),
    (TIME, "-30s", "is not a time"),
    (TIME, "1h30m", "is not a time"),
    (SIZE, 999, "is too small"),
    (SIZE, "99999999TB", "is too large"),
    (SIZE, "10", "is not a size"),
    (WORD, "Abc", "is of another form"),
    (WORD, "abc\n", "is of another form"),
    (WORD, 7, "is a number, not a string"),
    (WORD, "\ud800", "holds half a character"),
    (COLOUR, "green", "is none of the choices"),
    (COLOUR, ["red"], "is none of the choices"),
    (many(LENGTH), [], "is empty"),
    (many(LENGTH), [3, 1, 3], "3 stands twice"),
    (kinds.FLAG, "true", "is a string"),
    (kinds.FLAG, 1, "is a number"),
]


@pytest.mark.parametrize(("kind", "written", "value"), TAKEN)
def test_takes(kind: Kind[Any], written: object, value: object) -> None:
    assert kind.read(written) == value
    assert takes(kind.schema, written)


@pytest.mark.parametrize(("kind", "written", "fault"), REFUSED)
def test_refuses(kind: Kind[Any], written: object, fault: str) -> None:
    with pytest.raises(Refused) as refusal:
        kind.read(written)
    assert refusal.value.fault == fault


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (TIME, 45, "45s"),
        (TIME, 120, "2m"),
        (TIME_OR_OFF, 0, 0),
        (SIZE, 3 << 20, "3MiB"),
        (SIZE, 2_000_000_000, "2GB"),
        (SIZE, 1001, 1001),
        (SIZE, 0, 0),
        (COLOUR, Colour.BLUE, "blue"),
        (kinds.FLAG, False, False),
        (many(LENGTH), (3, 1), [3, 1]),
        (many(TIME), (60,), ["1m"]),
    ],
)
def test_writes(kind: Kind[Any], value: object, written: object) -> None:
    """As an owner would."""
    assert kind.write(value) == written


def test_all_bad_items_of_a_list_are_named() -> None:
    with pytest.raises(RefusedItems) as refusals:
        many(LENGTH).read([1, 0, 2, 10])
    assert [(value, fault.fault) for value, fault in refusals.value.items] == [
        (0, "is too small"),
        (10, "is too large"),
    ]


def test_a_long_list_is_judged_quickly() -> None:
    """Each item is looked up, not compared with all before it."""
    assert len(many(integer(0, 10**6)).read(list(range(200_000)))) == 200_000


def test_bounds_are_told() -> None:
    assert LENGTH.allowed == "1 to 9"
    assert integer(0, 4096, "packets").allowed == "0 to 4096 packets"
    assert TIME_OR_OFF.allowed == '30s to 2h, such as "90s", "15m", "4h" or "1d", or 0 for never'
    assert COLOUR.allowed == '"red" | "blue"'


TOML_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.times(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@given(st.sampled_from([LENGTH, TIME, TIME_OR_OFF, SIZE, WORD, COLOUR, kinds.FLAG]), TOML_VALUES)
def test_no_value_breaks_a_kind(kind: Kind[Any], written: object) -> None:
    """Whatever TOML can hold is taken or refused."""
    for each in (kind, many(kind)):
        with suppress(Refused, RefusedItems):
            each.read(written)


@given(st.integers(30, 7200), st.integers(1000, 2**63 - 1), st.sampled_from(Colour))
def test_what_is_written_is_read_again(seconds: int, octets: int, colour: Colour) -> None:
    assert TIME.read(TIME.write(seconds)) == seconds
    assert SIZE.read(SIZE.write(octets)) == octets
    assert COLOUR.read(COLOUR.write(colour)) is colour
