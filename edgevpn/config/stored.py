"""secrets.toml, beside the file: the secrets that we have made ourselves, so that the file can be shown around."""

from __future__ import annotations

import stat
from pathlib import Path

from edgevpn.config import errors
from edgevpn.config.errors import ConfigError, Findings, Problem
from edgevpn.config.nouns import DEVICE, NAME, SITE, WEB, Noun
from edgevpn.config.secret import STORE, Stored
from edgevpn.config.source import contents, located, toml
from edgevpn.config.tables import Table, read, refuse_unknown, subtable

KEEPERS = (SITE, DEVICE, WEB)
"""The tables that have secrets."""


def store_of(path: Path) -> Path:
    """Where the secrets of a configuration file are kept."""
    return path.with_name(STORE)


def load_stored(path: Path) -> Stored:
    """Read the file of secrets; nothing is in one that does not exist. Raises ConfigError."""
    try:
        text, mode = contents(path)
    except FileNotFoundError:
        return {}
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        fault = "holds secrets and is open to others than its owner"
        raise ConfigError((Problem(file=str(path), fault=fault, cure=f"chmod 600 {path}"),))
    return parse_stored(text, str(path))


def parse_stored(document: str, filename: str = STORE) -> Stored:
    """Read the text of such a file. Raises ConfigError with all its problems."""
    tables, findings = toml(document, filename), Findings()
    refuse_unknown(tables, tuple(noun.path[0] for noun in KEEPERS), (), findings)
    stored = {
        path: read(table, {key: noun.settings[key] for key in noun.secrets}, path, findings)
        for noun in KEEPERS
        for path, table in _tables_of(noun, tables, findings)
    }
    if findings.errors:
        raise ConfigError(located(findings.errors, document, filename))
    return stored


def _tables_of(noun: Noun, tables: Table, findings: Findings) -> list[tuple[errors.Path, Table]]:
    top = subtable(tables, noun.path[0], (), findings) or {}
    if noun.path[-1] != NAME:
        return [(noun.path, top)]
    named = ((name, subtable(top, name, noun.path[:1], findings)) for name in top)
    return [((noun.path[0], name), table) for name, table in named if table is not None]
