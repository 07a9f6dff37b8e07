"""`list` and `show` of what the configuration has several of."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from edgevpn.cli.editing import one_of, whole
from edgevpn.cli.output import GOOD, as_json, table
from edgevpn.config.tables import Table

Cells = Callable[[str, Table], Sequence[Any]]


def list_all(options: argparse.Namespace, noun: str, titles: Sequence[str], cells: Cells) -> int:
    """A row for each table of this noun."""
    tables = whole(options.config)[1].get(noun, {})
    if options.json:
        print(as_json([{"name": name, **keys} for name, keys in tables.items()]))
    elif tables:
        print(table((cells(name, keys) for name, keys in tables.items()), titles))
    else:
        print(f"no {noun} is configured")
    return GOOD


def show_one(options: argparse.Namespace, noun: str) -> int:
    """Every key of one table, written or not."""
    found = one_of(whole(options.config)[1], noun, options.name)
    if options.json:
        print(as_json({"name": options.name, **found}))
    else:
        print(table(_rows(found, ""), ("KEY", "VALUE")))
    return GOOD


def cell(value: object) -> str:
    """A value in a table."""
    match value:
        case None | []:
            return "-"
        case list():
            return ", ".join(map(str, value))
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _rows(keys: Table, prefix: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in keys.items():
        rows += _rows(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, cell(value))]
    return rows
