"""C structures, named field by field and laid out as the kernel's compiler lays them out."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.netlink import HEADER, attribute, attributes

Field = tuple[str, str]
NlaMap: TypeAlias = tuple[tuple[int, str, str], ...]

NUMBERS = {name: struct.Struct(form) for name, form in (("uint8", "=B"), ("uint32", "=I"), ("uint64", "=Q"))}
OCTETS = "cdata"


class Layout:
    """A structure: pairs of a name and a `struct` format, in native order, sizes and alignment.

    Numbers in network order are octets ("2s", "4s"). Names that begin with "_" are padding, written in formats as "x"
    or as "0I", "0Q", which end a structure where its widest member wants it. What is not given is zero.
    """

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self.names = tuple(name for name, _ in fields if not name.startswith("_"))
        self._blank = tuple(b"" if form.endswith("s") else 0 for name, form in fields if not name.startswith("_"))
        self._struct = struct.Struct("@" + "".join(form for _, form in fields))
        self.size = self._struct.size

    def member(self, name: str) -> tuple[Field, ...]:
        """The fields of this structure as a member `name` of another: a field `f` becomes `name_f`."""
        return tuple((field if field.startswith("_") else f"{name}_{field}", form) for field, form in self.fields)

    def pack(self, values: Mapping[str, Any]) -> bytes:
        """The structure's octets."""
        return self._struct.pack(
            *(values.get(name) or zero for name, zero in zip(self.names, self._blank, strict=True))
        )

    def unpack(self, octets: bytes | bytearray, offset: int = 0) -> dict[str, Any]:
        """The structure's values. Raises struct.error where octets are missing."""
        return dict(zip(self.names, self._struct.unpack_from(octets, offset), strict=True))


class Structured(dict[str, Any]):
    """Mixin for messages and attributes of pyroute2's framework whose fixed part is a `Layout`.

    With `tail` set, the attribute goes on with that field: octets up to its end. In `nla_map` are the attributes of a
    message, as the framework wants them: number, name, and what it is: one of `NUMBERS`, `OCTETS`, or the name of a
    structure that is a member of the class.
    """

    __slots__ = ()

    layout: ClassVar[Layout]
    tail: ClassVar[str] = ""

    if TYPE_CHECKING:
        nla_map: ClassVar[NlaMap]
        data: bytearray
        offset: int
        length: int

    def encode(self) -> None:
        """Write the message into `data`; the framework's hook, which takes ten times as long by itself."""
        by_name, _ = _attributes_of(type(self))
        parts = [octets_of(type(self), dict(self))]
        for name, value in dict.get(self, "attrs") or ():
            number, kind = by_name[name]
            parts.append(attribute(number, _written(kind, value)))
        body = b"".join(parts)
        self.data = bytearray(HEADER.pack(HEADER.size + len(body), 0, 0, 0, 0) + body)

    def ft_decode(self, offset: int) -> None:
        """Read the fixed part, then the attributes of a message; the framework's hook."""
        self.update(self.layout.unpack(self.data, offset))
        offset += self.layout.size
        if self.tail:
            self[self.tail] = bytes(self.data[offset : self.offset + self.length])
        if isinstance(self, nlmsg):
            self.decode_nlas(offset)
        self.pop("value", None)


Kind: TypeAlias = "struct.Struct | type[Structured] | None"


def octets_of(kind: type[Structured], values: Mapping[str, Any]) -> bytes:
    """The fixed part of a message or attribute, and its tail."""
    octets = kind.layout.pack(values)
    return octets + values[kind.tail] if kind.tail else octets


def parts_of(kind: type[Structured], octets: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """A message's fixed part, and its attributes by name: without the framework, which takes ten times as long.

    Raises struct.error where octets are missing.
    """
    _, by_number = _attributes_of(kind)
    found = {}
    for number, value in attributes(octets[HEADER.size + kind.layout.size :]):
        if number in by_number:
            name, what = by_number[number]
            found[name] = _read(what, value)
    return kind.layout.unpack(octets, HEADER.size), found


@cache
def _attributes_of(kind: type[Structured]) -> tuple[dict[str, tuple[int, Kind]], dict[int, tuple[str, Kind]]]:
    """By name and by number."""
    known = [(number, name, _kind(kind, what)) for number, name, what in kind.nla_map]
    return (
        {name: (number, what) for number, name, what in known},
        {number: (name, what) for number, name, what in known},
    )


def _kind(message: type[Structured], what: str) -> Kind:
    if what == OCTETS:
        return None
    if what in NUMBERS:
        return NUMBERS[what]
    member: type[Structured] = getattr(message, what)
    return member


def _written(kind: Kind, value: Any) -> bytes:
    if kind is None:
        return bytes(value)
    return kind.pack(value) if isinstance(kind, struct.Struct) else octets_of(kind, value)


def _read(kind: Kind, octets: bytes) -> Any:
    if kind is None:
        return octets
    if isinstance(kind, struct.Struct):
        return kind.unpack_from(octets)[0]
    values = kind.layout.unpack(octets)
    if kind.tail:
        values[kind.tail] = octets[kind.layout.size :]
    return values
