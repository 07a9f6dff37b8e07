"""How a record declares the keys that its owner may write: one line each, documented where it is defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from edgevpn.config.values import Kind

T = TypeVar("T")
Default = Callable[[Mapping[str, Any]], object]
"""The typed value of a key that is not written, given the values of the keys before it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: the values it takes, what it does, and what holds without it.

    `default` is None for a key that must be written; `default_text` says the default as the owner would write it.
    """

    kind: Kind[Any]
    doc: str
    default_text: str
    default: Default | None
    secret: bool


def required(kind: Kind[T], doc: str) -> T:
    """A key that must be written."""
    declared: T = field(metadata={"setting": Setting(kind, doc, "", None, secret=False)})
    return declared


def setting(kind: Kind[T], doc: str, written: object) -> T:
    """A key whose default is the value that `written` would give it in the file."""
    value = kind.read(written)
    declared = Setting(kind, doc, _as_toml(written), lambda _: value, secret=False)
    return field(default=value, metadata={"setting": declared})


def derived(kind: Kind[T], doc: str, default_text: str, default: Default) -> T:
    """A key whose default follows from other keys, as `default_text` explains."""
    declared: T = field(metadata={"setting": Setting(kind, doc, default_text, default, secret=False)})
    return declared


def optional(kind: Kind[T], doc: str, default_text: str, *, secret: bool = False) -> T | None:
    """A key that is None when it is not written."""
    declared = Setting(kind, doc, default_text, lambda _: None, secret)
    return field(default=None, repr=not secret, metadata={"setting": declared})


def settings_of(record: type) -> Mapping[str, Setting]:
    """The keys of a record by name, in the order of their definition."""
    return {item.name: item.metadata["setting"] for item in fields(record) if "setting" in item.metadata}


def _as_toml(written: object) -> str:
    match written:
        case bool():
            return str(written).lower()
        case str():
            return f'"{written}"'
        case list():
            return f"[{', '.join(_as_toml(each) for each in written)}]"
        case _:
            return str(written)
