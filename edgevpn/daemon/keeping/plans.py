"""What a change of the configuration would do, in the words of edgevpn/api/records.py. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from edgevpn.api.records import Change, Plan, Reloaded
from edgevpn.config import diff
from edgevpn.config.changes import Documents
from edgevpn.config.diff import Difference, Fate
from edgevpn.config.edit import toml_text
from edgevpn.config.errors import Path, dotted, shown
from edgevpn.config.model import Config
from edgevpn.config.setting import Effect
from edgevpn.config.show import masked_tables
from edgevpn.config.source import toml

EFFECTS: Mapping[Effect, Literal["live", "next", "reconnect", "restart"]] = {
    Effect.LIVE: "live",
    Effect.NEXT: "next",
    Effect.DROP: "reconnect",
    Effect.RESTART: "restart",
}


def plan(difference: Difference, old: Documents, new: Documents, drops: tuple[str, ...], config: Config) -> Plan:
    """The plan of a change from one text to another. `drops` are those whose tunnels would go."""
    before, after = (masked_tables(toml(text.config, "")) for text in (old, new))
    changes = [change for each in difference.changes for change in _changes(each, before, after)]
    return Plan(changes=changes, drops=list(drops), warnings=[str(warning) for warning in config.warnings])


def reloaded(difference: Difference, config: Config) -> Reloaded:
    """What has become of the sites, and of other tables."""
    touched = {fate: list(difference.named("site", fate)) for fate in Fate}
    known = set().union(*touched.values())
    return Reloaded(
        added=touched[Fate.ADDED],
        changed=touched[Fate.CHANGED],
        removed=touched[Fate.REMOVED],
        unchanged=sorted(site.name for site in config.sites if site.name not in known),
        others=[str(change) for change in difference.changes if change.path[0] != "site"],
        warnings=[str(warning) for warning in config.warnings],
    )


def _changes(change: diff.Change, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    """A line for each key; of a table that comes or goes those that are written."""
    match change.fate:
        case Fate.CHANGED:
            for key in change.keys:
                yield Change(
                    path=dotted((*change.path, key.key)), before=key.old, after=key.new, effect=EFFECTS[key.effect]
                )
        case Fate.ADDED:
            for path, value in _written(after, change.path):
                yield Change(path=dotted(path), before="", after=_text(value), effect="live")
        case Fate.REMOVED:
            for path, value in _written(before, change.path):
                yield Change(path=dotted(path), before=_text(value), after="", effect="live")


def _written(tables: dict[str, Any], path: Path) -> list[tuple[Path, object]]:
    """The keys of a table and of those below it with their values; the table itself where it has none."""
    table: Any = tables
    for part in path:
        table = table.get(part, {}) if isinstance(table, dict) else {}
    found = list(_keys(table, path)) if isinstance(table, dict) else []
    return found or [(path, {})]


def _keys(table: dict[str, Any], path: Path) -> Iterator[tuple[Path, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _keys(value, (*path, key))
        else:
            yield (*path, key), value


def _text(value: object) -> str:
    """A value as the file writes it, if it is not too long for a line."""
    return shown(value) if isinstance(value, str | list | dict) else toml_text(value)
