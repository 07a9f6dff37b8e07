"""A TOML document as the statements that it is made of, so that one can be found or changed and the rest left alone.

Only for documents that have been parsed: what is valid can be cut with far less than a parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

import tomli

from edgevpn.config.errors import Path
from edgevpn.frozen import dataclass

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[{]|[\]}]|\n"
    r"|[^\"'\#\[\]{}\n]+",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_BARE_HEAD = re.compile(rf"\s*\[({_BARE.pattern})\]")
_KEY = re.compile(r"""\s*(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'|\s*\.\s*)+""")


class Part(Enum):
    """What a statement is: the head of a table, a key with its value, or a blank line or comment."""

    HEAD = auto()
    KEY = auto()
    SPACE = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """Whole lines of a document, from `line` on, counted from 1.

    `path` is what a head or key names, in full; `table` what the last head before it names.
    """

    part: Part
    text: str
    line: int
    table: Path
    path: Path

    @property
    def is_blank(self) -> bool:
        """True for a line with nothing on it."""
        return not self.text.strip()


def statements(document: str) -> list[Statement]:
    """All statements of a valid document; joined, their texts are the document."""
    found: list[Statement] = []
    table: Path = ()
    line = 1
    for text in _cut(document):
        bare = text.lstrip()
        if not bare or bare.startswith("#"):
            found.append(Statement(Part.SPACE, text, line, table, table))
        elif bare.startswith("["):
            table = _head_of(text)
            found.append(Statement(Part.HEAD, text, line, table, table))
        else:
            found.append(Statement(Part.KEY, text, line, table, table + key_of(text)))
        line += text.count("\n")
    return found


def key_of(text: str) -> Path:
    """The key, dotted or not, that a statement sets. Most need no parser."""
    name = _key_text(text).strip()
    return tuple(name.split(".")) if _BARE.fullmatch(name) else _named(tomli.loads(f"{name} = 0"))


def value_span(text: str) -> tuple[int, int]:
    """Where in the statement of a key its value begins and ends."""
    begin = text.index("=", len(_key_text(text))) + 1
    begin += len(text[begin:]) - len(text[begin:].lstrip(" \t"))
    end, depth = begin, 0
    for token in _TOKEN.finditer(text, begin):
        depth += _turn(token[0])
        if not depth and (token[0].startswith("#") or token[0] == "\n"):
            break
        end = token.start() + len(token[0].rstrip()) if token[0].strip() else end
    return begin, end


def _head_of(text: str) -> Path:
    """The path that the head of a table names."""
    match = _BARE_HEAD.match(text)
    return tuple(match[1].split(".")) if match else _named(tomli.loads(text))


def _key_text(text: str) -> str:
    match = _KEY.match(text)
    assert match  # every statement of this kind begins with a key
    return match[0]


def _cut(document: str) -> Iterator[str]:
    """The texts of the statements: each ends with a line that ends outside of brackets and strings."""
    begin, depth = 0, 0
    for token in _TOKEN.finditer(document):
        depth += _turn(token[0])
        if token[0] == "\n" and not depth:
            yield document[begin : token.end()]
            begin = token.end()
    if begin < len(document):
        yield document[begin:]


def _turn(token: str) -> int:
    return 1 if token in ("[", "{") else -1 if token in ("]", "}") else 0


def _named(tables: Any) -> Path:
    """The one path that a key or head opens."""
    path: Path = ()
    while isinstance(tables, dict | list) and tables:
        if isinstance(tables, list):
            tables = tables[0]
            continue
        ((key, tables),) = tables.items()
        path += (key,)
    return path
