"""From the words of a command line to the value that a key has in the file."""

from __future__ import annotations

from collections.abc import Sequence

import tomli

from edgevpn.config.errors import Path, Refused, RefusedItems
from edgevpn.config.setting import Setting


def path_of(text: str) -> Path:
    """The path that a dotted key names: site.office.mtu, device."Anna's phone".owner. Raises Refused."""
    try:
        found: object = tomli.loads(f"{text} = 0")
    except (ValueError, RecursionError):
        raise Refused(
            "is not a key", 'write it as in the file: site.office.mtu, device."Anna\'s phone".owner'
        ) from None
    path: Path = ()
    while isinstance(found, dict):
        if len(found) != 1:
            raise Refused("is not a key", "write one key alone")
        ((part, found),) = found.items()
        path += (part,)
    if found != 0 or isinstance(found, bool):
        raise Refused("is not a key", "write the key alone, without its value")
    return path


def value_of(setting: Setting, words: Sequence[str]) -> object:
    """The value that a key gets from one word, or from several for a list. Whether it takes that is not judged here.

    A word is what TOML takes it for if the key can have that, and the text itself otherwise: 1400 and true are none
    for a name, and "1h" needs no quotes.
    """
    plain = [_plain(word) for word in words]
    meanings: list[object] = [plain, list(words)] if len(words) != 1 else [plain[0], words[0]]
    return next((value for value in meanings if takes(setting, value)), meanings[0])


def takes(setting: Setting, value: object) -> bool:
    """True if the key can have this value."""
    try:
        setting.kind.read(value)
    except (Refused, RefusedItems):
        return False
    return True


def _plain(word: str) -> object:
    """What TOML takes a word for; the word itself where it is no value."""
    try:
        tables = tomli.loads(f"v = {word}")
    except (ValueError, RecursionError):
        return word
    return tables["v"] if len(tables) == 1 else word
