"""One table of a file: its keys become typed values, and all that is wrong with them is noted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from edgevpn.config.errors import MASKED, Findings, Path, Refused, RefusedItems, dotted, shown
from edgevpn.config.nouns import Naming
from edgevpn.config.setting import Setting, settings_of

Table = dict[str, Any]
Values = dict[str, Any]


def subtable(parent: Table, key: str, path: Path, findings: Findings) -> Table | None:
    """The table of this name; empty if there is none, None if something else has the name."""
    match parent.get(key, {}):
        case dict() as table:
            return table
        case _:
            findings.refuse((*path, key), "is not a table", cure=f"begin it with [{dotted((*path, key))}]")
            return None


def read(
    table: Table, settings: Mapping[str, Setting], path: Path, findings: Findings, also: tuple[str, ...] = ()
) -> Values:
    """The typed values of the keys that are written and right; the others are noted."""
    refuse_unknown(table, (*settings, *also) if also else settings, path, findings)
    values: Values = {}
    for key, written in table.items():
        if (setting := settings.get(key)) is None:
            continue
        try:
            values[key] = setting.kind.read(written)
        except Refused as refusal:
            _note(setting, (*path, key), written, refusal, findings)
        except RefusedItems as refusals:
            for value, fault in refusals.items:
                _note(setting, (*path, key), value, fault, findings)
    return values


def filled(record: type, given: Mapping[str, Any]) -> Values:
    """A value for every key of a record: the given one, or its default, which may look at all that is given."""
    known = dict(given)
    settings = settings_of(record)
    for key, setting in settings.items():
        if key not in known and setting.default:
            known[key] = setting.default(known)
    return {key: known[key] for key in settings}


def check_name(naming: Naming, path: Path, findings: Findings) -> None:
    """Note a name that a table of this kind cannot have."""
    if not naming.shape.fullmatch(path[-1]) or not path[-1].isprintable():
        findings.refuse(path, "is no name", allowed=naming.allowed)


def refuse_unknown(table: Table, known: Collection[str], path: Path, findings: Findings) -> None:
    """Note keys that nobody knows. Their values are not shown: a misspelt key may hold a secret."""
    for key in table:
        if key not in known and not findings.is_full:
            near = get_close_matches(key, known, n=1)
            findings.refuse((*path, key), "is not a key here", cure=f"did you mean {near[0]}?" if near else "")


def refuse_missing(record: type, table: Table, path: Path, findings: Findings) -> None:
    """Note keys that must be written and are not."""
    for key, setting in settings_of(record).items():
        if setting.default is None and key not in table:
            findings.refuse((*path, key), "is missing", allowed=setting.kind.allowed)


def _note(setting: Setting, path: Path, value: object, refusal: Refused, findings: Findings) -> None:
    if findings.is_full:
        return
    written = MASKED if setting.secret else shown(value)
    findings.refuse(path, refusal.fault, value=written, allowed=setting.kind.allowed, cure=refusal.cure)
