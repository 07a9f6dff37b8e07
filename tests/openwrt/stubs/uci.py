"""uci, as much of it as the packages use: set, add_list, delete, batch and commit."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

CONFIG = Path(os.environ["ROUTER"]) / "etc/config"

Section = tuple[str, str, list[tuple[str, str, str]]]
"""Type, name, and lines of "option" or "list", key and value."""


def read(package: str) -> list[Section]:
    """The sections of a file."""
    sections: list[Section] = []
    for line in (CONFIG / package).read_text().splitlines():
        match shlex.split(line, comments=True):
            case ["config", kind, *name]:
                sections.append((kind, name[0] if name else "", []))
            case [("option" | "list") as word, key, value]:
                sections[-1][2].append((word, key, value))
    return sections


def write(package: str, sections: list[Section]) -> None:
    """The file of sections."""
    text = ""
    for kind, name, lines in sections:
        text += f"\nconfig {kind} '{name}'\n" if name else f"\nconfig {kind}\n"
        text += "".join(f"\t{word} {key} '{value}'\n" for word, key, value in lines)
    (CONFIG / package).write_text(text)


def run(words: list[str]) -> bool:
    """Carry out one command."""
    match words:
        case ["-q", *rest]:
            return run(rest)
        case ["batch"]:
            return all(run(shlex.split(line)) for line in sys.stdin.read().splitlines())
        case ["commit", *_]:
            return True
        case ["set" | "add_list" as command, assignment]:
            place, _, value = assignment.partition("=")
            return assign(command, place.split("."), value)
        case ["delete", place]:
            return delete(*place.split("."))
    raise SystemExit(f"uci: {words}")


def assign(command: str, place: list[str], value: str) -> bool:
    """Set a section's type, or one of its lines."""
    package, name, *key = place
    sections = read(package)
    if not key:
        sections.append((value, name, []))
    else:
        (lines,) = [lines for _, each, lines in sections if each == name]
        lines.append(("list" if command == "add_list" else "option", key[0], value))
    write(package, sections)
    return True


def delete(package: str, name: str) -> bool:
    """Remove a section."""
    sections = read(package)
    left = [section for section in sections if section[1] != name]
    write(package, left)
    return len(left) < len(sections)


sys.exit(not run(sys.argv[1:]))
