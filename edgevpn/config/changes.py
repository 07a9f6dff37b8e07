"""Changes to a configuration as its owner thinks of them: a key, a device, a site. Pure: texts in, texts out.

Each raises Refused for what cannot be done; what does not fit the rest of the file is found when it is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime
from shlex import quote
from typing import Any

from edgevpn.config.edit import add_table, set_value, unset
from edgevpn.config.errors import Path, Refused, RefusedItems, dotted, shown
from edgevpn.config.nouns import DEVICE, SITE, Noun, noun_at, setting_at
from edgevpn.config.records import PROOFS, SITE_PROOFS, useless
from edgevpn.config.secret import Slot
from edgevpn.config.source import toml
from edgevpn.config.values import EXPIRY
from edgevpn.frozen import dataclass, replace

WAYS: Mapping[str, tuple[str, Mapping[Any, tuple[Slot[Any], ...]]]] = {
    "device": ("login", PROOFS),
    "site": ("auth", SITE_PROOFS),
}
"""The key that says how one logs in, and which secrets each way needs."""

BESIDE = frozenset({"ppk"})
"""Secrets that have nothing to do with the way to log in."""

Keys = Mapping[str, object]
"""Keys with values as TOML has them; None takes a key out."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The texts of the configuration and of secrets.toml."""

    config: str = ""
    secrets: str = field(default="", repr=False)


def set_key(documents: Documents, path: Path, value: object) -> Documents:
    """Give a key a value. A secret goes to secrets.toml, unless it is written in the file already."""
    setting = setting_at(path)
    _check(path, value)
    if setting.secret:
        _check_use(documents.config, path)
    if setting.secret and not _has(documents.config, path):
        return replace(documents, secrets=set_value(documents.secrets, path, value))
    return replace(documents, config=set_value(documents.config, path, value))


def unset_key(documents: Documents, path: Path) -> Documents:
    """Take a key out, wherever it stands."""
    if setting_at(path).secret and _has(documents.secrets, path):
        return replace(documents, secrets=unset(documents.secrets, path))
    return replace(documents, config=unset(documents.config, path))


def add_device(documents: Documents, name: str, keys: Keys, secrets: Mapping[str, str], now: datetime) -> Documents:
    """Add a device; its secrets go to secrets.toml. One that has expired already is refused."""
    return _add(documents, DEVICE, name, keys, secrets, now)


def set_device(documents: Documents, name: str, keys: Keys, secrets: Mapping[str, str], now: datetime) -> Documents:
    """Change keys of a device. Secrets of a way to log in that it no longer has are forgotten."""
    return _set(documents, DEVICE, name, keys, secrets, now, forgets="login")


def remove_device(documents: Documents, name: str) -> Documents:
    """Take a device out, with its secrets."""
    return _remove(documents, DEVICE, name)


def add_site(documents: Documents, name: str, keys: Keys, secrets: Mapping[str, str], now: datetime) -> Documents:
    """Add a site; its secrets go to secrets.toml."""
    return _add(documents, SITE, name, keys, secrets, now)


def set_site(documents: Documents, name: str, keys: Keys, secrets: Mapping[str, str], now: datetime) -> Documents:
    """Change keys of a site. Secrets of a way to prove itself that it no longer has are forgotten."""
    return _set(documents, SITE, name, keys, secrets, now, forgets="auth")


def remove_site(documents: Documents, name: str) -> Documents:
    """Take a site out, with its children and secrets."""
    return _remove(documents, SITE, name)


def _add(
    documents: Documents, noun: Noun, name: str, keys: Keys, secrets: Mapping[str, str], now: datetime
) -> Documents:
    path = (noun.path[0], name)
    assert noun.naming  # tables that can be added have names
    if not noun.naming.shape.fullmatch(name) or not name.isprintable():
        raise Refused(f"{shown(name)} is no name for a {noun.path[0]}", f"allowed: {noun.naming.allowed}")
    written = {key: value for key, value in keys.items() if value is not None}
    below = {key: value for key, value in written.items() if isinstance(value, Mapping) and _is_table((*path, key))}
    own = {key: value for key, value in written.items() if key not in below}
    secrets = {**secrets, **{key: str(own.pop(key)) for key in BESIDE & own.keys()}}
    for key, value in own.items():
        setting_at((*path, key))
        _check((*path, key), value)
    _check_expiry(path, own, now)
    documents = _forget(documents, noun, path)  # what a table of the same name has left
    documents = replace(documents, config=add_table(documents.config, path, own))
    return _keep(_set_keys(documents, path, below), path, secrets)


def _set(
    documents: Documents,
    noun: Noun,
    name: str,
    keys: Keys,
    secrets: Mapping[str, str],
    now: datetime,
    *,
    forgets: str,
) -> Documents:
    path = _existing(documents, noun, name)
    _check_expiry(path, keys, now)
    before = _value(documents.config, noun, path, forgets)
    documents = _set_keys(documents, path, keys)
    if secrets or _value(documents.config, noun, path, forgets) != before:
        documents = _forget(documents, noun, path, kept=BESIDE)
    return _keep(documents, path, secrets)


def _set_keys(documents: Documents, path: Path, keys: Keys) -> Documents:
    """Change keys of a table, and of the tables below it; None takes a key out, or a table below."""
    for key, value in keys.items():
        below = (*path, key)
        if isinstance(value, Mapping) and _is_table(below):
            documents = _set_keys(documents, below, value)
        elif value is not None:
            documents = set_key(documents, below, value)
        elif _is_table(below):
            documents = replace(documents, config=unset(documents.config, below))
        elif any(_has(text, below) for text in (documents.config, documents.secrets)):
            documents = unset_key(documents, below)
        else:
            setting_at(below)
    return documents


def _value(document: str, noun: Noun, path: Path, key: str) -> object:
    """What a key of a table says, written or not."""
    table = toml(document, "")
    for part in path:
        table = table[part]
    return table.get(key, noun.settings[key].written)


def _is_table(path: Path) -> bool:
    """Whether tables may stand there, or a table whose name is the owner's."""
    return any(noun_at((*path, *more)) is not None for more in ((), ("x",)))


def _remove(documents: Documents, noun: Noun, name: str) -> Documents:
    path = _existing(documents, noun, name)
    return replace(_forget(documents, noun, path), config=unset(documents.config, path))


def _existing(documents: Documents, noun: Noun, name: str) -> Path:
    path = (noun.path[0], name)
    if not _has(documents.config, path):
        raise Refused(f"there is no {noun.path[0]} {shown(name)}")
    return path


def _keep(documents: Documents, path: Path, secrets: Mapping[str, str]) -> Documents:
    text = documents.secrets
    for key, value in secrets.items():
        _check((*path, key), value)
        _check_use(documents.config, (*path, key))
        text = set_value(text, (*path, key), value)
    return replace(documents, secrets=text)


def _forget(documents: Documents, noun: Noun, path: Path, kept: Collection[str] = ()) -> Documents:
    """Without the secrets of a table, those in the file itself included, but for those that are kept."""
    config, secrets = documents.config, documents.secrets
    for key in (key for key in noun.secrets if key not in kept):
        config = unset(config, (*path, key)) if _has(config, (*path, key)) else config
        secrets = unset(secrets, (*path, key)) if _has(secrets, (*path, key)) else secrets
    if _has(secrets, path) and not any(_has(secrets, (*path, key)) for key in noun.secrets):
        secrets = unset(secrets, path)
    return Documents(config, secrets)


def _check(path: Path, value: object) -> None:
    """Refuse a value that its key does not take, with what is allowed."""
    setting = setting_at(path)
    try:
        setting.kind.read(value)
    except Refused as refusal:
        raise _explained(refusal, path, value, setting.secret, setting.kind.allowed) from None
    except RefusedItems as refusals:
        item, first = refusals.items[0]
        raise _explained(first, path, item, setting.secret, setting.kind.allowed) from None


def _explained(refusal: Refused, path: Path, value: object, secret: bool, allowed: str) -> Refused:
    written = "" if secret else f" = {shown(value)}"
    return Refused(
        f"{dotted(path)}{written}: {refusal.fault}", "; ".join(filter(None, (f"allowed: {allowed}", refusal.cure)))
    )


def _check_use(document: str, path: Path) -> None:
    """Refuse a secret that the way to log in of its table has no use for: it would be kept and mean nothing."""
    if (ways := WAYS.get(path[0])) is None or not _has(document, path[:-1]):
        return
    by, slots = ways
    noun = DEVICE if path[0] == "device" else SITE
    chosen = next((way for way in slots if way.value == _value(document, noun, path[:-1], by)), None)
    if chosen is not None and (other := useless(chosen, slots).get(path[-1])) is not None:
        key, command = dotted(path), f"edgevpn {path[0]} set {quote(path[1])} {by}={other.value} --secret -"
        raise Refused(f'{key}: is of no use with {by} = "{chosen.value}"', f"change both: {command}")


def _check_expiry(path: Path, keys: Keys, now: datetime) -> None:
    if (written := keys.get("expires")) is not None and EXPIRY.read(written) <= now:
        key = dotted((*path, "expires"))
        raise Refused(
            f"{key} = {shown(written)}: has passed already", f"allowed: {EXPIRY.allowed} after {now:%Y-%m-%d}"
        )


def _has(document: str, path: Path) -> bool:
    table: object = toml(document, "")
    for part in path:
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True
