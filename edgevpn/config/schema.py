"""The form of the file as JSON Schema 2020-12, for editors and other programs: made from what declares the keys."""

from __future__ import annotations

from typing import Any

from edgevpn.config.nouns import CHILD, HEAD, NAME, NOUNS, Noun
from edgevpn.config.setting import Setting

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of the whole file. What is wrong by it is wrong; what is right by it may break a finer rule."""
    top: dict[str, Any] = {"$schema": DIALECT, "title": "edgevpn.toml", **_table(HEAD)}
    for noun in NOUNS:
        if noun.path:
            _hang(top, noun)
    return top


def _hang(top: dict[str, Any], noun: Noun) -> None:
    """Put the schema of a table below those of the tables around it."""
    holder = top
    for part in noun.path[:-1]:
        holder = _named(holder) if part == NAME else _tables(holder, part)
    if noun.path[-1] == NAME:
        assert noun.naming  # every table whose name is the owner's has one
        holder["patternProperties"] = {f"^(?:{noun.naming.shape.pattern})$": _table(noun)}
    else:
        holder["properties"][noun.path[-1]] = _table(noun)


def _tables(holder: dict[str, Any], part: str) -> dict[str, Any]:
    """The schema of what holds the tables of one kind."""
    empty = {"type": "object", "additionalProperties": False}
    found: dict[str, Any] = holder["properties"].setdefault(part, empty)
    return found


def _named(holder: dict[str, Any]) -> dict[str, Any]:
    """The schema of the tables of one kind."""
    found: dict[str, Any]
    (found,) = holder["patternProperties"].values()
    return found


def _table(noun: Noun) -> dict[str, Any]:
    needed = [key for key, setting in noun.settings.items() if setting.default is None]
    table: dict[str, Any] = {
        "description": noun.doc.partition("\n")[0],
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _key(setting) for key, setting in noun.keys.items()},
    }
    if needed and noun is not CHILD:  # what a child needs may stand in its site's table
        table["required"] = needed
    return table


def _key(setting: Setting) -> dict[str, Any]:
    key = {"description": f"{setting.doc} Allowed: {setting.kind.allowed}.", **setting.kind.schema}
    if setting.secret:
        key["writeOnly"] = True
    if setting.written is not None:
        key["default"] = setting.written
    return key
