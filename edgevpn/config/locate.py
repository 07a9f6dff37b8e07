"""On which line of a TOML file a key stands. Needed only once something is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import tomli

from edgevpn.config.errors import Path
from edgevpn.config.statements import Part, statements


def lines_of(document: str) -> Mapping[Path, int]:
    """The line, counted from 1, on which each table and key of a valid TOML document begins."""
    found: dict[Path, int] = {}
    for each in statements(document):
        if each.part is Part.SPACE:
            continue
        below = each.table if each.part is Part.KEY else ()
        for path in _paths(tomli.loads(each.text)):
            found.setdefault(below + path, each.line)
    return found


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of a key, or of the innermost table around it that the file has; 0 for neither."""
    return next((lines[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in lines), 0)


def _paths(content: object) -> Iterator[Path]:
    """All key paths below a value, outermost first."""
    waiting: list[tuple[Path, object]] = [((), content)]
    while waiting:
        path, value = waiting.pop()
        if path:
            yield path
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = value[0]
        if isinstance(value, dict):
            waiting.extend(((*path, key), inner) for key, inner in value.items())
