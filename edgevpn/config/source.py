"""The text of a TOML file: read within bounds, parsed, and its problems given their lines."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli

from edgevpn.config import errors
from edgevpn.config.errors import ConfigError, Problem, Refused
from edgevpn.config.locate import line_of, lines_of
from edgevpn.config.words import path_of
from edgevpn.frozen import replace

LARGEST_FILE = 2 << 20

_READING: Mapping[type[OSError], str] = {
    FileNotFoundError: "write it, or name another file",
    PermissionError: "ask its owner, or root",
    IsADirectoryError: "name a file",
}
"""What helps where the system does not give us a file."""
_WRITING = {
    "Cannot overwrite a value": "this key stands in its table twice: keep one of the two",
    "Duplicate inline table key": "this key stands in its table twice: keep one of the two",
    "Cannot declare": "this table stands here twice: put its keys below one head",
    "Cannot redefine namespace": "this table stands here twice: put its keys below one head",
    "Cannot mutate immutable namespace": "this table is closed where its braces end: write its keys there",
    "An object other than list": "one head has single brackets and the other double ones: write them alike",
    "Invalid value": 'put text in quotes: KEY = "TEXT"',
    "Invalid date or datetime": 'write it as 2027-03-31, or put it in quotes if it is none: "TEXT"',
    "Expected '='": "write KEY = VALUE",
    "Expected newline": "write one key on a line, and nothing behind its value",
    "Expected ']": "close the head of the table with ]",
    "Invalid statement": "write KEY = VALUE, or [TABLE]; a remark begins with #",
    "Invalid initial character": "write KEY = VALUE; a key with other characters than A-Z a-z 0-9 _ - needs quotes",
    "Unclosed array": "close the list with ]",
    "Unclosed inline table": "close the table with }",
    "Unterminated string": "close the text with the quotes that it began with",
    "Illegal character": "close the text on its own line, with the quotes that it began with",
    "Unescaped '\\'": "write \\\\ for each \\, or put the text in single quotes",
    "Invalid hex value": "write \\\\ for each \\, or put the text in single quotes",
    "Found invalid character": "take the character out",
}
"""What helps against a fault of TOML, by how its parser begins to tell of it."""
_AT_END = "close the list, the table or the text that is open there"
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"({_PART}(?:\s*\.\s*{_PART}){{0,7}})"
_HEAD = re.compile(rf"\s*\[+\s*{_DOTTED}\s*\]")
_KEY = re.compile(rf"\s*{_DOTTED}\s*=")


def contents(path: Path) -> tuple[str, int]:
    """A file's text and mode. Raises FileNotFoundError if there is none, else ConfigError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError((unreadable(path, error),)) from error
    return _decoded(octets, str(path)), mode


def unreadable(path: Path, error: OSError) -> Problem:
    """The problem of a file that the system does not give us."""
    return Problem(file=str(path), fault=f"cannot be read: {error.strerror}", cure=_READING.get(type(error), ""))


def toml(document: str, filename: str) -> dict[str, Any]:
    """The tables of a document. Raises ConfigError if it is not TOML."""
    try:
        return tomli.loads(document)
    except (ValueError, RecursionError) as error:
        place = re.search(r" \(at (?:line (\d+).*|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else document.count("\n") + 1
        fault = str(error)[: place.start()] if place else "a value is out of all bounds"
        lines = document.split("\n")
        is_end = not "".join(lines[line - 1 :]).strip()
        cure = _AT_END if is_end else next((cure for begin, cure in _WRITING.items() if fault.startswith(begin)), "")
        path = () if is_end else _path_at(lines[:line])
        problem = Problem(file=filename, line=line, path=path, fault=f"is not TOML: {fault}", cure=cure)
        raise ConfigError((problem,)) from None


def located(problems: list[Problem], document: str, filename: str) -> tuple[Problem, ...]:
    """The problems with the file and line of the key that each is about, in the order of the file."""
    if not problems:
        return ()
    lines = lines_of(document)
    found = (replace(problem, file=filename, line=line_of(problem.path, lines)) for problem in problems)
    return tuple(sorted(found, key=lambda problem: problem.line))


def _path_at(lines: list[str]) -> errors.Path:
    """The key or table that the last of these lines begins, as far as it can be told."""
    head = next((match for each in reversed(lines) if (match := _HEAD.match(each))), None)
    table = _named(head[1]) if head else ()
    key = _KEY.match(lines[-1])
    return table + _named(key[1]) if key else table


def _named(written: str) -> errors.Path:
    try:
        return path_of(written)
    except Refused:
        return ()


def _decoded(octets: bytes, filename: str) -> str:
    if len(octets) > LARGEST_FILE:
        raise ConfigError((Problem(file=filename, fault="is too large", allowed=f"up to {LARGEST_FILE} octets"),))
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(file=filename, line=line, fault="is not UTF-8 text"),)) from None
