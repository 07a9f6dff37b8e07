"""`check` and `config`: read the configuration file, say what is in it and what it means, change a key."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from edgevpn.cli.editing import change, given_value, now, tables_of, told, whole
from edgevpn.cli.output import BAD_CONFIG, GOOD, as_json, counted, table, warn
from edgevpn.config.changes import set_key, unset_key
from edgevpn.config.errors import ConfigError, Problem, plain
from edgevpn.config.explain import explain, reference
from edgevpn.config.reader import load
from edgevpn.config.schema import schema
from edgevpn.config.show import complete_text, masked, masked_tables
from edgevpn.config.store import Store
from edgevpn.config.words import path_of


def check(options: argparse.Namespace) -> int:
    """`check`: all that is wrong with a file, however it is named."""
    options.file = options.instead or options.file
    if options.json:
        return _check_for_programs(options)
    config = load(options.file, now=now())
    warn(config.warnings)
    counts = [(config.sites, "site"), (config.pools, "pool"), (config.devices, "device")]
    parts = [counted(len(records), noun) for records, noun in counts if records or noun == "site"]
    print(f"{options.file}: good, {', '.join(parts)}")
    return GOOD


def _check_for_programs(options: argparse.Namespace) -> int:
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    try:
        warnings = load(options.file, now=now()).warnings
    except ConfigError as error:
        errors = error.problems
    print(as_json({"good": not errors, "errors": [*map(plain, errors)], "warnings": [*map(plain, warnings)]}))
    return BAD_CONFIG if errors else GOOD


def _show(options: argparse.Namespace) -> int:
    config, tables = whole(options.config)
    written = tables_of(options.config)
    if options.json:
        print(as_json(tables if options.defaults else masked_tables(written)))
    elif options.defaults:
        print(complete_text(config, written), end="")
    else:
        print(masked(Store(options.config).read().config), end="")
    return GOOD


def _schema(_: argparse.Namespace) -> int:
    print(as_json(schema()))
    return GOOD


def _explain(options: argparse.Namespace) -> int:
    print(reference() if options.key is None else explain(path_of(options.key)))
    return GOOD


def _set(options: argparse.Namespace) -> int:
    path = path_of(options.key)
    value = given_value(path, options)
    return change(options, lambda old: set_key(old, path, value))


def _unset(options: argparse.Namespace) -> int:
    path = path_of(options.key)
    return change(options, lambda old: unset_key(old, path))


def _versions(options: argparse.Namespace) -> int:
    versions = [(str(each.number), f"{each.until:%Y-%m-%d %H:%M:%S}Z") for each in Store(options.config).versions()]
    if options.json:
        print(as_json([{"number": int(number), "until": until} for number, until in versions]))
    else:
        print(table(versions, ("VERSION", "UNTIL")) if versions else "no version is kept yet")
    return GOOD


def _rollback(options: argparse.Namespace) -> int:
    return told(Store(options.config).rollback(options.number, now()), options)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "show": _show,
    "schema": _schema,
    "explain": _explain,
    "set": _set,
    "unset": _unset,
    "versions": _versions,
    "rollback": _rollback,
}
