"""Translations as LuCI reads them: a catalogue (.po) becomes an index of hashes with the texts before it (.lmo)."""

from __future__ import annotations

import ast
from struct import Struct

MASK = 0xFFFFFFFF
ENTRY = Struct(">IIII")
OFFSET = Struct(">I")


def messages(catalogue: str) -> dict[str, str]:
    """What a .po translates; plural forms and contexts are not read."""
    found: dict[str, str] = {}
    for block in catalogue.split("\n\n"):
        parts = {"msgid": "", "msgstr": ""}
        current = ""
        for line in block.splitlines():
            keyword, _, text = line.partition(" ") if not line.startswith('"') else (current, "", line)
            if keyword in parts:
                parts[keyword] += str(ast.literal_eval(text))
                current = keyword
        if parts["msgid"] and parts["msgstr"]:
            found[parts["msgid"]] = parts["msgstr"]
    return found


def compiled(catalogue: str) -> bytes:
    """The .lmo of a .po."""
    texts, entries = b"", []
    for source, translation in messages(catalogue).items():
        octets = translation.encode()
        key = hashed(" ".join(source.split()).encode())
        if key != hashed(octets):
            entries.append((key, 1, len(texts), len(octets)))
            texts += octets + bytes(-len(octets) % 4)
    return texts + b"".join(ENTRY.pack(*entry) for entry in sorted(entries)) + OFFSET.pack(len(texts))


def hashed(text: bytes) -> int:
    """Paul Hsieh's SuperFastHash, begun with the length, which LuCI finds its texts by."""
    value = len(text)
    if not text:
        return 0
    whole = len(text) & ~3
    for at in range(0, whole, 4):
        value = (value + int.from_bytes(text[at : at + 2], "little")) & MASK
        value ^= (value << 16) ^ (int.from_bytes(text[at + 2 : at + 4], "little") << 11)
        value &= MASK
        value = (value + (value >> 11)) & MASK
    value = _tail(value, text[whole:])
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value = (value ^ (value << left)) & MASK
        value = (value + (value >> right)) & MASK
    return value


def _tail(value: int, rest: bytes) -> int:
    match len(rest):
        case 3:
            value = (value + int.from_bytes(rest[:2], "little")) & MASK
            value = (value ^ (value << 16) ^ (_signed(rest[2]) << 18)) & MASK
            return (value + (value >> 11)) & MASK
        case 2:
            value = (value + int.from_bytes(rest, "little")) & MASK
            value = (value ^ (value << 11)) & MASK
            return (value + (value >> 17)) & MASK
        case 1:
            value = (value + _signed(rest[0])) & MASK
            value = (value ^ (value << 10)) & MASK
            return (value + (value >> 1)) & MASK
    return value


def _signed(octet: int) -> int:
    return octet - 256 if octet > 127 else octet
