"""On which line of a TOML file a key stands. Needed only once something is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import tomli

from edgevpn.config.errors import Path


def lines_of(document: str) -> Mapping[Path, int]:
    """The line, counted from 1, on which each table and key of a valid TOML document begins.

    A TOML statement ends where the lines read so far parse: a prefix of one that goes on over several lines (a list,
    a multi-line string) is never valid. So each statement is read alone, and its first line is known.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    statement, begun = "", 1
    for number, line in enumerate(document.split("\n"), start=1):
        statement += line + "\n"
        if (content := _parsed(statement)) is None:
            continue
        paths = list(_paths(content))
        if statement.lstrip().startswith("["):
            table = ()
        for path in paths:
            found.setdefault(table + path, begun)
        if statement.lstrip().startswith("["):
            table = paths[-1]
        statement, begun = "", number + 1
    return found


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of a key, or of the innermost table around it that the file has; 0 for neither."""
    return next((lines[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in lines), 0)


def _parsed(statement: str) -> dict[str, object] | None:
    try:
        return tomli.loads(statement)
    except tomli.TOMLDecodeError:
        return None


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
