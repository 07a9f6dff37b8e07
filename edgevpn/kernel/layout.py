"""C structures, named field by field and laid out as the kernel's compiler lays them out."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from edgevpn.kernel.framework import nlmsg

Field = tuple[str, str]


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

    With `tail` set, the attribute goes on with that field: octets up to its end.
    """

    __slots__ = ()

    layout: ClassVar[Layout]
    tail: ClassVar[str] = ""

    if TYPE_CHECKING:
        data: bytearray
        offset: int
        length: int

    def ft_encode(self, offset: int) -> tuple[int, int]:
        """Append the fixed part; the framework's hook. Returns the next offset and the padding before it."""
        octets = self.layout.pack({name: dict.get(self, name) for name in self.layout.names})
        if self.tail:
            octets += self[self.tail]
        padding = -len(octets) % 4
        self.data.extend(octets + bytes(padding))
        return offset + len(octets) + padding, padding

    def ft_decode(self, offset: int) -> None:
        """Read the fixed part, then the attributes of a message; the framework's hook."""
        self.update(self.layout.unpack(self.data, offset))
        offset += self.layout.size
        if self.tail:
            self[self.tail] = bytes(self.data[offset : self.offset + self.length])
        if isinstance(self, nlmsg):
            self.decode_nlas(offset)
        self.pop("value", None)
