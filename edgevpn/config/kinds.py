"""What a key takes, in general: numbers, times, sizes, texts, choices and lists, with their bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum
from typing import Any, Generic, TypeVar

from edgevpn.config.errors import MOST, Refused, RefusedItems
from edgevpn.frozen import dataclass

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

Schema = Mapping[str, Any]

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800
LARGEST = 2**63 - 1
"""The largest whole number of TOML."""

_TIME_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_SIZE_UNITS = {"k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_SIZE = re.compile(r"(\d{1,15})\s*([kmgt])(i?)b", re.IGNORECASE)


def string_schema(**more: Any) -> Schema:
    """The schema of a string, with what else is said of it."""
    return {"type": "string", **more}


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a key takes. `read` makes the typed value of a TOML value, or raises Refused or RefusedItems.

    `write` makes a TOML value that is read as the typed one again. `allowed` tells people what is taken, `schema`
    tells programs (JSON Schema), which may leave the finer points to `read`.
    """

    allowed: str
    read: Callable[[object], T]
    write: Callable[[T], object] = str
    schema: Schema = field(default_factory=string_schema)


def text(allowed: str, pattern: str) -> Kind[str]:
    """A string of which all matches `pattern`."""
    shape = re.compile(pattern)

    def read(value: object) -> str:
        if not shape.fullmatch(written := string(value)):
            raise Refused("is of another form")
        return written

    return Kind(allowed, read, str, string_schema(pattern=f"^(?:{pattern})$"))


def choice(members: type[E]) -> Kind[E]:
    """One of the values of an enumeration."""
    words = [str(member.value) for member in members]

    def read(value: object) -> E:
        if value not in words:
            raise Refused("is none of the choices")
        return members(value)

    return Kind(" | ".join(f'"{word}"' for word in words), read, lambda member: member.value, {"enum": words})


def integer(low: int, high: int, unit: str = "") -> Kind[int]:
    """A whole number within bounds."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(f"{low} to {high} {unit}".rstrip(), lambda value: within(number(value), low, high), int, schema)


def duration(low: int, high: int, *, or_off: bool = False) -> Kind[int]:
    """A time in whole seconds, written "30s", "4h" or as a number of seconds; 0 switches off where `or_off` is set."""

    def read(value: object) -> int:
        seconds = _seconds(value) if isinstance(value, str) else number(value)
        return seconds if or_off and seconds == 0 else within(seconds, low, high)

    def write(seconds: int) -> object:
        return _as_time(seconds) if seconds else 0

    off = ", or 0 for never" if or_off else ""
    allowed = f'{_as_time(low)} to {_as_time(high)}, such as "90s", "15m", "4h" or "1d"{off}'
    whole = {"type": "integer", "minimum": 0 if or_off else low, "maximum": high}
    written = string_schema(pattern=r"^\s*\d{1,9}\s*[smhdw]\s*$")
    return Kind(allowed, read, write, {"anyOf": [whole, written]})


def size(low: int) -> Kind[int]:
    """A number of octets, written "500MB", "2GiB" or as a number; 0 means no limit."""

    def read(value: object) -> int:
        octets = _octets(value) if isinstance(value, str) else number(value)
        return octets if octets == 0 else within(octets, low, LARGEST)

    whole = {"type": "integer", "minimum": 0, "maximum": LARGEST}
    written = string_schema(pattern=r"^\s*\d{1,15}\s*[kmgtKMGT][iI]?[bB]\s*$")
    allowed = f'{low} octets and more, such as "500MB" or "2GiB", or 0 for no limit'
    return Kind(allowed, read, _as_size, {"anyOf": [whole, written]})


def many(item: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list without repetition; a single value may stand without brackets."""

    def read(value: object) -> tuple[T, ...]:
        values = value if isinstance(value, list) else [value]
        good: list[T] = []
        bad: list[tuple[object, Refused]] = []
        for each in values:
            try:
                good.append(item.read(each))
            except Refused as refusal:
                bad.append((each, refusal))
                if len(bad) == MOST:
                    break
        if bad:
            raise RefusedItems(tuple(bad))
        return _distinct(good)

    def write(values: tuple[T, ...]) -> object:
        return [item.write(each) for each in values]

    several = {"type": "array", "items": item.schema, "minItems": 1}
    return Kind(f"one or more of: {item.allowed}", read, write, {"anyOf": [item.schema, several]})


def string(value: object) -> str:
    """The value, if it is a string. Raises Refused."""
    if not isinstance(value, str):
        raise Refused(f"is {toml_type(value)}, not a string", "put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused("holds half a character") from None
    return value


def number(value: object) -> int:
    """The value, if it is a whole number. Raises Refused."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"is {toml_type(value)}, not a number")
    return value


def within(value: int, low: int, high: int) -> int:
    """The value, if it is within these bounds. Raises Refused."""
    if not low <= value <= high:
        raise Refused("is too small" if value < low else "is too large")
    return value


def toml_type(value: object) -> str:
    """What TOML calls a value of this type, with its article."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a number"
        case float():
            return "a fraction"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _distinct(values: list[T]) -> tuple[T, ...]:
    if not values:
        raise Refused("is empty")
    distinct = dict.fromkeys(values)
    if len(distinct) < len(values):
        twice = next(value for value in distinct if values.count(value) > 1)
        raise Refused(f"{twice} stands twice")
    return tuple(values)


def _seconds(written: str) -> int:
    if not (match := _DURATION.fullmatch(written.strip())):
        raise Refused("is not a time", 'write a whole number and its unit: "30s"')
    return int(match[1]) * _TIME_UNITS[match[2]]


def _as_time(seconds: int) -> str:
    unit = next(unit for unit in reversed(_TIME_UNITS) if seconds % _TIME_UNITS[unit] == 0)
    return f"{seconds // _TIME_UNITS[unit]}{unit}"


def _octets(written: str) -> int:
    if not (match := _SIZE.fullmatch(written.strip())):
        raise Refused("is not a size", 'write a whole number and its unit: "500MB"')
    base = 1024 if match[3] else 1000
    return int(match[1]) * int(base ** _SIZE_UNITS[match[2].lower()])


def _as_size(octets: int) -> object:
    """In the largest unit that leaves no rest; a plain number where none does."""
    for prefix, power in reversed(_SIZE_UNITS.items()):
        for base, unit in ((1024, "iB"), (1000, "B")):
            if octets and octets % base**power == 0 and octets // base**power < 10**15:
                return f"{octets // base**power}{prefix.upper()}{unit}"
    return octets


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"is {toml_type(value)}", "write true or false, without quotes")
    return value


FLAG = Kind("true | false", _flag, bool, {"type": "boolean"})
