"""Reading swanctl.conf as strongSwan does: sections in braces, values quoted or to the end of the line."""

from __future__ import annotations

import re
from typing import Any

_LINE = re.compile(r'(?P<key>[A-Za-z0-9_.-]+)\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^"#\n]*)\s*$')
_OPEN = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)\s*\{\s*$")


def parse(text: str) -> dict[str, Any]:
    """The sections as dicts, the values as text. A line that is neither fails."""
    root: dict[str, Any] = {}
    stack = [root]
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped == "}":
            stack.pop()
        elif opened := _OPEN.match(stripped):
            section: dict[str, Any] = {}
            assert opened["name"] not in stack[-1], f"two sections {opened['name']}"
            stack[-1][opened["name"]] = section
            stack.append(section)
        else:
            pair = _LINE.match(stripped)
            assert pair is not None, stripped
            stack[-1][pair["key"]] = _value(pair["value"])
    assert stack == [root], "a brace is open"
    return root


def _value(written: str) -> str:
    if not written.startswith('"'):
        return written.strip()
    return re.sub(r"\\(.)", r"\1", written[1:-1])
