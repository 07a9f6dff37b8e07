"""Counters for programs that do not read what Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)", re.IGNORECASE)
_LABEL = re.compile(r'([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ESCAPED: Mapping[str, str] = {"n": "\n"}


def samples(exposition: str) -> Iterator[dict[str, object]]:
    """Each sample of a text in Prometheus' format: its name, its labels, its value."""
    for line in exposition.splitlines():
        if match := _SAMPLE.fullmatch(line):
            labels = {name: _unescaped(value) for name, value in _LABEL.findall(match[2] or "")}
            yield {"name": match[1], "labels": labels, "value": float(match[3])}


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[1]), value)
