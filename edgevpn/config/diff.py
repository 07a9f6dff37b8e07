"""What changes from one configuration to another, key by key, and which tunnels drop over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from edgevpn.config.credential import Psk
from edgevpn.config.errors import MASKED, Path, dotted, shown
from edgevpn.config.model import Config, Device, Site
from edgevpn.config.setting import Effect, Setting, settings_of
from edgevpn.frozen import dataclass

SECRETS = {"credential": Effect.DROP, "ppk": Effect.DROP, "password_hash": Effect.LIVE, "totp_secret": Effect.LIVE}
"""Fields that hold secrets, and what a change of them does."""

ABSENT = "(nothing)"


class Fate(Enum):
    """What becomes of a table."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key whose value is another now, written or by default; secrets are masked."""

    key: str
    old: str
    new: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.key}: {self.old} -> {self.new} ({self.effect.value})"


@dataclass(frozen=True, slots=True)
class Change:
    """A table that is not what it was. `drops` says whether its tunnels go down, for a while or for good."""

    path: Path
    fate: Fate
    keys: tuple[KeyChange, ...] = ()
    drops: bool = False

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.fate.value}"


@dataclass(frozen=True, slots=True)
class Difference:
    """All that changes. Tables that are not named here stay as they are, and so do their tunnels."""

    changes: tuple[Change, ...]
    drops: tuple[Path, ...]
    """What goes down: sites, children of sites, pools with all their devices, and devices."""

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def needs_restart(self) -> tuple[str, ...]:
        """The keys whose change holds only after a restart."""
        return tuple(
            dotted((*change.path, key.key))
            for change in self.changes
            for key in change.keys
            if key.effect is Effect.RESTART
        )

    def named(self, noun: str, fate: Fate) -> tuple[str, ...]:
        """The names of the tables of one kind that have this fate; a site whose children change has changed."""
        names = {each.path[1]: each.fate for each in reversed(self.changes) if each.path[0] == noun and each.path[1:]}
        return tuple(sorted(name for name, became in names.items() if became is fate))


def plain(found: Difference) -> dict[str, object]:
    """A difference for programs, as JSON has it."""
    return {
        "changes": [
            {
                "path": dotted(change.path),
                "fate": change.fate.value,
                "drops": change.drops,
                "keys": [
                    {"key": key.key, "old": key.old, "new": key.new, "effect": key.effect.name.lower()}
                    for key in change.keys
                ],
            }
            for change in found.changes
        ],
        "drops": [dotted(path) for path in found.drops],
        "needs_restart": list(found.needs_restart),
    }


def difference(old: Config, new: Config) -> Difference:
    """What changes when `new` takes the place of `old`."""
    changes = [*_single(old, new), *_pools(old, new), *_devices(old, new), *_sites(old, new)]
    drops = [change.path for change in changes if change.drops]
    if any(change.path == ("gateway",) and change.drops for change in changes):
        drops = [
            *(("pool", pool.name) for pool in old.pools),
            *(("site", site.name) for site in old.sites),
        ]
    return Difference(tuple(changes), tuple(drops))


def _single(old: Config, new: Config) -> Iterator[Change]:
    """Tables that there is one of. Only [gateway] has tunnels that hang on it; the others change them by name."""
    for noun in ("gateway", "pki", "crypto", "firewall", "web"):
        keys = tuple(_keys(getattr(old, noun), getattr(new, noun)))
        if keys:
            yield Change((noun,), Fate.CHANGED, keys, _drops(keys))


def _pools(old: Config, new: Config) -> Iterator[Change]:
    for path, before, after in _pairs("pool", old.pools, new.pools):
        yield from _change(path, before, after)


def _devices(old: Config, new: Config) -> Iterator[Change]:
    """A device that was not let in has nothing to drop."""
    before: Device | None
    for path, before, after in _pairs("device", old.devices, new.devices):
        yield from _change(path, before, after, idle=before is not None and not before.enabled)


def _sites(old: Config, new: Config) -> Iterator[Change]:
    """A site, and its children where it stays itself."""
    before: Site | None
    after: Site | None
    for path, before, after in _pairs("site", old.sites, new.sites):
        yield from _change(path, before, after)
        if before is not None and after is not None:
            for below, child, other in _pairs("child", before.children, after.children):
                yield from _change(path + below, child, other)


def _change(path: Path, old: Any, new: Any, *, idle: bool = False) -> Iterator[Change]:
    if old is None:
        yield Change(path, Fate.ADDED)
    elif new is None:
        yield Change(path, Fate.REMOVED, drops=not idle)
    elif keys := tuple(_keys(old, new)):
        yield Change(path, Fate.CHANGED, keys, drops=_drops(keys) and not idle)


def _pairs(noun: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[tuple[Path, Any, Any]]:
    """Tables of the same name, or one of them with None: in the order of the old file, then of the new one."""
    before, after = _by_name(old), _by_name(new)
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield (noun, name), before.get(name), after.get(name)


def _by_name(records: tuple[Any, ...]) -> Mapping[str, Any]:
    return {record.name: record for record in records}


def _keys(old: Any, new: Any) -> Iterator[KeyChange]:
    """The keys of a record that have changed."""
    record: type = type(old)
    for key, setting in settings_of(record).items():
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            yield KeyChange(key, _text(setting, before), _text(setting, after), setting.effect)
    for field, effect in SECRETS.items():
        before, after = getattr(old, field, None), getattr(new, field, None)
        if before != after:
            keys = (_key_of(field, each) for each in (before, after) if each is not None)
            for key in dict.fromkeys(keys):  # two where another kind of secret takes the place of the old one
                was, becomes = (each if each and _key_of(field, each) == key else None for each in (before, after))
                yield KeyChange(key, _masked(was), _masked(becomes), effect)


def _key_of(field: str, secret: object) -> str:
    """What the owner calls a secret."""
    return field if field != "credential" else "psk" if isinstance(secret, Psk) else "password"


def _drops(keys: tuple[KeyChange, ...]) -> bool:
    return any(key.effect is Effect.DROP for key in keys)


def _text(setting: Setting, value: object) -> str:
    """A value as it would be written."""
    if value is None:
        return f"({setting.default_text})"
    written = setting.kind.write(value)
    return ABSENT if written == [] else shown(written)


def _masked(secret: object) -> str:
    return ABSENT if secret is None else MASKED
