"""The text of a TOML file: read within bounds, parsed, and its problems given their lines."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli

from edgevpn.config.errors import ConfigError, Problem
from edgevpn.config.locate import line_of, lines_of

LARGEST_FILE = 2 << 20


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
    return Problem(file=str(path), fault=f"cannot be read: {error.strerror}", cure="name another with -c FILE")


def toml(document: str, filename: str) -> dict[str, Any]:
    """The tables of a document. Raises ConfigError if it is not TOML."""
    try:
        return tomli.loads(document)
    except (ValueError, RecursionError) as error:
        place = re.search(r" \(at (?:line (\d+).*|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else document.count("\n") + 1
        fault = str(error)[: place.start()] if place else "a value is out of all bounds"
        raise ConfigError((Problem(file=filename, line=line, fault=f"is not TOML: {fault}"),)) from None


def located(problems: list[Problem], document: str, filename: str) -> tuple[Problem, ...]:
    """The problems with the file and line of the key that each is about, in the order of the file."""
    if not problems:
        return ()
    lines = lines_of(document)
    found = (replace(problem, file=filename, line=line_of(problem.path, lines)) for problem in problems)
    return tuple(sorted(found, key=lambda problem: problem.line))


def _decoded(octets: bytes, filename: str) -> str:
    if len(octets) > LARGEST_FILE:
        raise ConfigError((Problem(file=filename, fault="is too large", allowed=f"up to {LARGEST_FILE} octets"),))
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(file=filename, line=line, fault="is not UTF-8 text"),)) from None
