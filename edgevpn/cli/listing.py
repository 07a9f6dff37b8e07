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
        print(table(rows_of(found, ""), ("KEY", "VALUE")))
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


def rows_of(keys: Table, prefix: str) -> list[tuple[str, str]]:
    """A row for each key, by its path; of several tables each by its number."""
    rows: list[tuple[str, str]] = []
    for key, value in keys.items():
        match value:
            case dict():
                rows += rows_of(value, f"{prefix}{key}.")
            case [dict(), *_]:
                for number, each in enumerate(value, start=1):
                    rows += rows_of(each, f"{prefix}{key}.{number}.")
            case _:
                rows.append((prefix + key, cell(value)))
    return rows
