"""What the verbs have in common that read and change the configuration file."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edgevpn.cli.output import BAD_CONFIG, GOOD, as_json, warn
from edgevpn.config.diff import plain
from edgevpn.config.errors import Path as KeyPath
from edgevpn.config.errors import Refused, dotted, shown
from edgevpn.config.model import Config
from edgevpn.config.nouns import setting_at
from edgevpn.config.reader import load
from edgevpn.config.setting import Setting
from edgevpn.config.show import complete
from edgevpn.config.source import toml
from edgevpn.config.store import Change, Saved, Store
from edgevpn.config.tables import Table
from edgevpn.config.words import takes, value_of


def now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


def given_value(path: KeyPath, options: argparse.Namespace) -> object:
    """What `config set` gives a key: the words that follow it, or what is typed for -. Raises Refused for a secret."""
    setting = setting_at(path)
    if options.value == ["-"]:
        return read_secret()
    if setting.secret:
        raise Refused(f"{dotted(path)} does not belong on the command line, where others see it", "write - and type it")
    return value_of(setting, options.value)


def change(options: argparse.Namespace, what: Change) -> int:
    """Change the file, and say on stdout what that changes, on stderr what is odd or still wrong."""
    return told(Store(options.config).change(what, now()), options)


def told(saved: Saved, options: argparse.Namespace) -> int:
    """Say what a change that was written has changed; its exit status."""
    if options.json:
        print(as_json(plain(saved.difference) if saved.difference is not None else {}))
    else:
        print(*_lines(saved), sep="\n")
    return judged(saved)


def judged(saved: Saved) -> int:
    """The exit status of a change that was written; what is odd about the file or still wrong with it is said."""
    if saved.config is None:
        print("written, but still wrong:", *saved.problems, sep="\n", file=sys.stderr)
        return BAD_CONFIG
    warn(saved.problems)
    return GOOD


def _lines(saved: Saved) -> list[str]:
    if saved.difference is None:
        return ["written"]
    if not saved.difference:
        return ["nothing has changed"]
    lines = [line for each in saved.difference.changes for line in (str(each), *(f"  {key}" for key in each.keys))]
    if saved.difference.needs_restart:
        lines.append(f"holds after a restart: {', '.join(saved.difference.needs_restart)}")
    return [*lines, "have the daemon read it: edgevpn reload"]


def whole(file: Path) -> tuple[Config, Table]:
    """A good file, and all its keys in plain values with every default. Raises ConfigError."""
    config = load(file, now=now())
    return config, complete(config, tables_of(file))


def tables_of(file: Path) -> Table:
    """The tables of a file as they are written. Raises ConfigError if it is not TOML."""
    return toml(Store(file).read().config, str(file))


def one_of(tables: Table, noun: str, name: str) -> Table:
    """The table of this name. Raises Refused."""
    found = tables.get(noun, {}).get(name)
    if found is None:
        raise Refused(f"there is no {noun} {shown(name)}")
    return dict(found)


def keys_of(path: KeyPath, words: Sequence[str]) -> dict[str, object]:
    """Keys and values from KEY=VALUE words for one table; None for one to take out. Raises Refused."""
    keys: dict[str, object] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            raise Refused(f"{shown(word)} is not KEY=VALUE")
        setting = setting_at((*path, key))
        if setting.secret:
            raise Refused(f"{key} does not belong on the command line, where others see it", "write --secret - instead")
        keys[key] = _value(setting, value) if value else None
    return keys


def _value(setting: Setting, word: str) -> object:
    """What a word means: a list where it has commas and is nothing that the key can have."""
    value = value_of(setting, [word])
    if "," not in word or takes(setting, value):
        return value
    return value_of(setting, [each.strip() for each in word.split(",")])


def read_secret() -> str:
    """A line from standard input, unseen where a person types it. Raises Refused if it is empty."""
    line = getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Refused("nothing was read", "give the secret on standard input")
    return line
