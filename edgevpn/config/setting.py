"""How a record declares the keys that its owner may write: one line each, documented where it is defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from edgevpn.config.kinds import Kind
from edgevpn.frozen import dataclass

T = TypeVar("T")
Default = Callable[[Mapping[str, Any]], object]
"""The typed value of a key that is not written, given the values of the keys before it and of what stands around it."""


class Effect(Enum):
    """When a change of a key holds, and what it does to what is up."""

    LIVE = "at once; nothing drops"
    NEXT = "from the next handshake or rekeying on; nothing drops"
    DROP = "at once; the tunnels that it concerns drop"
    RESTART = "after a restart"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: the values it takes, what it does, what holds without it, and what a change of it does.

    `default` is None for a key that must be written; `default_text` says the default as the owner would write it, and
    `written` is that where it is always the same.
    """

    kind: Kind[Any]
    doc: str
    default_text: str
    default: Default | None
    secret: bool
    effect: Effect
    written: object = None


def required(kind: Kind[T], doc: str, *, effect: Effect = Effect.DROP) -> T:
    """A key that must be written."""
    declared: T = field(metadata={"setting": Setting(kind, doc, "", None, secret=False, effect=effect)})
    return declared


def setting(kind: Kind[T], doc: str, written: object, *, effect: Effect = Effect.DROP) -> T:
    """A key whose default is the value that `written` would give it in the file."""
    value = kind.read(written)
    declared = Setting(kind, doc, as_toml(written), lambda _: value, secret=False, effect=effect, written=written)
    return field(default=value, metadata={"setting": declared})


def derived(kind: Kind[T], doc: str, default_text: str, default: Default, *, effect: Effect = Effect.DROP) -> T:
    """A key whose default follows from other keys, as `default_text` explains."""
    declared: T = field(metadata={"setting": Setting(kind, doc, default_text, default, secret=False, effect=effect)})
    return declared


def optional(
    kind: Kind[T], doc: str, default_text: str, *, secret: bool = False, effect: Effect = Effect.DROP
) -> T | None:
    """A key that is None when it is not written."""
    declared = Setting(kind, doc, default_text, lambda _: None, secret, effect)
    return field(default=None, repr=not secret, metadata={"setting": declared})


def several(kind: Kind[tuple[T, ...]], doc: str, default_text: str, *, effect: Effect = Effect.DROP) -> tuple[T, ...]:
    """A list that is empty when it is not written."""
    declared = Setting(kind, doc, default_text, lambda _: (), secret=False, effect=effect)
    return field(default=(), metadata={"setting": declared})


@cache
def settings_of(record: type) -> Mapping[str, Setting]:
    """The keys of a record by name, in the order of their definition."""
    return {item.name: item.metadata["setting"] for item in fields(record) if "setting" in item.metadata}


def as_toml(written: object) -> str:
    """A plain value as TOML writes it."""
    match written:
        case bool():
            return str(written).lower()
        case str():
            return f'"{written}"'
        case list():
            return f"[{', '.join(as_toml(each) for each in written)}]"
        case _:
            return str(written)
