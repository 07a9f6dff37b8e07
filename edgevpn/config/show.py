"""A configuration to look at: as it is written or with every default, and never with a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tomli

from edgevpn.config.credential import NtHash, Ppk, Psk, Secret
from edgevpn.config.edit import dotted_toml, set_value, toml_text
from edgevpn.config.errors import MASKED, Path
from edgevpn.config.model import VERSION, Config, Site
from edgevpn.config.nouns import CHILD, DEVICE, SITE, WEB, Noun, noun_at
from edgevpn.config.secret import STORE
from edgevpn.config.setting import settings_of
from edgevpn.config.statements import Part, Statement, statements, value_span
from edgevpn.config.tables import Table
from edgevpn.config.values import FILE

NOTHING: Mapping[str, Any] = {}


def masked(document: str) -> str:
    """The text of a good file, with its comments, without its secrets."""
    return "".join(_masked(each) if each.part is Part.KEY else each.text for each in statements(document))


def masked_tables(tables: Table, path: Path = ()) -> Table:
    """The tables of a good file without its secrets."""
    return {
        key: masked_tables(value, (*path, key))
        if isinstance(value, dict)
        else MASKED
        if _is_secret((*path, key))
        else value
        for key, value in tables.items()
    }


def files_named(tables: Table, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The keys that name files of the owner's own, such as keys and certificates, and each file that they name."""
    for key, value in tables.items():
        below = (*path, key)
        if isinstance(value, dict):
            yield from files_named(value, below)
        elif (noun := noun_at(path)) and key in noun.keys and FILE.allowed in noun.keys[key].kind.allowed:
            yield from ((below, str(each)) for each in (value if isinstance(value, list) else [value]))


def complete(config: Config, tables: Table) -> Table:
    """Every key with its value, written or not, as plain TOML or JSON has it; None where there is none.

    `tables` are those that the configuration was read from.
    """
    whole: Table = {"version": VERSION}
    for noun in ("gateway", "pki", "crypto", "firewall", "web"):
        whole[noun] = _values(getattr(config, noun))
    whole["web"] |= _secrets(WEB, tables.get("web", NOTHING), config.web.password_hash, config.web.totp_secret)
    whole["pool"] = {pool.name: _values(pool) for pool in config.pools}
    whole["device"] = {
        device.name: _values(device) | _secrets(DEVICE, tables["device"][device.name], device.credential, device.ppk)
        for device in config.devices
    }
    whole["site"] = {site.name: _site(site, tables["site"][site.name]) for site in config.sites}
    return {noun: table for noun, table in whole.items() if table != {}}


def complete_text(config: Config, tables: Table) -> str:
    """The same as a file that can be read again once its secrets are filled in; what is not written says so."""
    return "\n".join("\n".join(_lines(path, table, tables)) for path, table in _flat(complete(config, tables), ()))


def _masked(statement: Statement) -> str:
    if _is_secret(statement.path):
        begin, end = value_span(statement.text)
        return f'{statement.text[:begin]}"{MASKED}"{statement.text[end:]}'
    text, key = statement.text, statement.path[len(statement.table) :]
    for below in _paths(tomli.loads(text), ()):
        if _is_secret(statement.table + below) and len(below) > len(key):
            text = set_value(text, below, MASKED)
    return text


def _paths(tables: Table, path: Path) -> Iterator[Path]:
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from _paths(value, (*path, key))
        else:
            yield (*path, key)


def _is_secret(path: Path) -> bool:
    noun = noun_at(path[:-1])
    return noun is not None and path[-1] in noun.secrets


def _values(record: Any) -> Table:
    kind: type = type(record)
    values = {key: (setting, getattr(record, key)) for key, setting in settings_of(kind).items()}
    return {key: None if value is None else setting.kind.write(value) for key, (setting, value) in values.items()}


def _site(site: Site, table: Table) -> Table:
    """A site; the keys of its only child stand in it where they are written there."""
    values = _values(site) | _secrets(SITE, table, site.credential, site.ppk)
    if "child" not in table:
        return values | _values(site.children[0])
    return values | {"child": {child.name: _values(child) for child in site.children}}


def _secrets(noun: Noun, table: Mapping[str, Any], *found: Psk | Ppk | Secret | NtHash | None) -> Table:
    """The keys by which secrets are written, or under which they are stored."""
    stored = {Psk: "psk", Ppk: "ppk", NtHash: "nt_hash", Secret: "password"} if noun is not WEB else {}
    shown: Table = {}
    for secret in found:
        if secret is not None and secret.source == STORE and type(secret) in stored:
            shown[stored[type(secret)]] = MASKED
    for key in noun.secrets:
        shown |= {name: table[name] for name in (f"{key}_file", f"{key}_env") if name in table}
        shown |= {key: MASKED} if key in table else {}
    return shown


def _flat(tables: Table, path: Path) -> Iterator[tuple[Path, Table]]:
    """The tables that hold values, each by its path, without those in them."""
    own = {key: value for key, value in tables.items() if not isinstance(value, dict)}
    if own:
        yield path, own
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from _flat(value, (*path, key))


def _lines(path: Path, values: Table, tables: Table) -> Iterator[str]:
    if path:
        yield f"[{dotted_toml(path)}]"
    noun = noun_at(path)
    assert noun is not None  # all that is shown is of a noun
    written = _written(path, tables)
    for key, value in values.items():
        if value is None or value == []:
            yield f"# {key}: {noun.keys[key].default_text}"
        else:
            yield f"{key} = {toml_text(value)}" + ("" if key in written else "   # default")
    yield ""


def _written(path: Path, tables: Table) -> set[str]:
    """The keys that are written in a table, or for a child in the table of its site."""
    keys: set[str] = set()
    table: Any = tables
    for depth, part in enumerate(path, start=1):
        table = table.get(part, NOTHING)
        if path[depth:] == () or noun_at(path) is CHILD:
            keys |= set(table)
    return keys
