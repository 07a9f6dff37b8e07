"""The tables of the file, and which keys stand in each: for all that goes over every key there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from edgevpn.config.credential import NtHashKeys, PasswordKeys, PpkKeys, PskKeys, WebKeys
from edgevpn.config.errors import Path, Refused, dotted
from edgevpn.config.model import Child, Crypto, Device, Firewall, Gateway, Head, Pki, Pool, Site, Web
from edgevpn.config.setting import Setting, settings_of
from edgevpn.frozen import dataclass

NAME = "*"
"""Stands in a path for whatever name the owner gives."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The names that tables of one kind can have."""

    shape: re.Pattern[str]
    allowed: str


SHORT = Naming(re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"), "1 to 32 letters, digits, - and _")
FREE = Naming(re.compile(r"(?! )[^/\\\0-\x1f\x7f]{1,64}(?<! )"), "1 to 64 printable characters, none of them / or \\")


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of table, by its path. `keys` may stand in it: its own `settings`, and those of the tables below it."""

    path: Path
    doc: str
    settings: Mapping[str, Setting]
    keys: Mapping[str, Setting]
    naming: Naming | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys whose values are secret."""
        return tuple(key for key, setting in self.settings.items() if setting.secret)


def _noun(path: Path, records: tuple[type, ...], inherited: type | None = None, naming: Naming | None = None) -> Noun:
    settings = {key: each for record in records for key, each in settings_of(record).items()}
    below = settings_of(inherited) if inherited else {}
    return Noun(path, records[0].__doc__ or "", settings, {**settings, **below}, naming)


HEAD = _noun((), (Head,))
GATEWAY = _noun(("gateway",), (Gateway,))
PKI = _noun(("pki",), (Pki,))
POOL = _noun(("pool", NAME), (Pool,), naming=SHORT)
DEVICE = _noun(("device", NAME), (Device, PskKeys, PasswordKeys, NtHashKeys, PpkKeys), naming=FREE)
SITE = _noun(("site", NAME), (Site, PskKeys, PasswordKeys, PpkKeys), inherited=Child, naming=SHORT)
CHILD = _noun(("site", NAME, "child", NAME), (Child,), naming=SHORT)
CRYPTO = _noun(("crypto",), (Crypto,))
FIREWALL = _noun(("firewall",), (Firewall,))
WEB = _noun(("web",), (Web, WebKeys))

NOUNS = (HEAD, GATEWAY, PKI, POOL, DEVICE, SITE, CHILD, CRYPTO, FIREWALL, WEB)
TABLES = tuple(dict.fromkeys(noun.path[0] for noun in NOUNS if noun.path))
"""The words that a file's tables begin with."""


def noun_at(path: Path) -> Noun | None:
    """The kind of the table at this path, if a table may be there."""
    return next((noun for noun in NOUNS if _fits(noun.path, path)), None)


def setting_at(path: Path) -> Setting:
    """The setting that a full path names, such as site.office.mtu. Raises Refused, with what may have been meant."""
    noun = noun_at(path[:-1])
    if noun is not None and path and path[-1] in noun.keys:
        return noun.keys[path[-1]]
    if any(_fits(each.path[: len(path)], path) for each in NOUNS):
        raise Refused(f"{dotted(path)} is a table, not a key", f"name a key in it: {dotted((*path, 'KEY'))}")
    known = [*noun.keys] if noun is not None and noun.path else [*TABLES, *HEAD.keys]
    word = path[-1] if noun is not None and noun.path else path[0] if path else ""
    near = get_close_matches(word, known, n=1)
    raise Refused(
        f"{dotted(path)} is not a key", f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    )


def written_path(noun: Noun) -> str:
    """The path of a noun as documentation writes it: site.NAME.child.NAME."""
    return ".".join("NAME" if part == NAME else part for part in noun.path)


def paths() -> Iterator[tuple[Noun, str, Setting]]:
    """Every key that there is, once."""
    return ((noun, key, setting) for noun in NOUNS for key, setting in noun.settings.items())


def _fits(pattern: Path, path: Path) -> bool:
    return len(pattern) == len(path) and all(want in (NAME, have) for want, have in zip(pattern, path, strict=True))
