"""What each key means, in words, made from the definitions: for one key, one table, or all of them."""

from __future__ import annotations

from difflib import get_close_matches

from edgevpn.config.errors import Path, Refused, dotted
from edgevpn.config.nouns import NAME, NOUNS, Noun, noun_at, paths, written_path
from edgevpn.config.setting import Setting

INDENT = "    "


def reference() -> str:
    """All tables and keys that there are."""
    return "\n\n".join(_table(noun) for noun in NOUNS)


def explain(path: Path) -> str:
    """What a key or table means: site.office.mtu, site.NAME.mtu, site or mtu. Raises Refused for what there is not."""
    anonymous = tuple(NAME if part == "NAME" else part for part in path)
    tables = [_table(noun) for noun in _nouns(anonymous)]
    keys = [_key(noun, key, setting) for noun, key, setting in _keys(anonymous)]
    if found := tables + keys if len(path) == 1 else keys or tables:
        return "\n\n".join(found)
    known = {*(key for _, key, _ in paths()), *(noun.path[0] for noun in NOUNS if noun.path)}
    near = get_close_matches(path[-1], known, n=1) if path else []
    raise Refused(f"{dotted(path)} is no key or table", f"did you mean {near[0]}?" if near else "")


def _nouns(path: Path) -> list[Noun]:
    """The tables that a path names, in full or by its first words."""
    return [
        noun for noun in NOUNS if noun.path and (noun.path == path or noun is noun_at(path) or noun.path[:1] == path)
    ]


def _keys(path: Path) -> list[tuple[Noun, str, Setting]]:
    """The keys that a path names: in full, without the owner's names, or by the key alone."""
    noun = noun_at(path[:-1])
    if noun is not None and path[-1:] and path[-1] in noun.keys:
        return [(noun, path[-1], noun.keys[path[-1]])]
    return [
        (noun, key, setting)
        for noun, key, setting in paths()
        if path in ((key,), (*(part for part in noun.path if part != NAME), key))
    ]


def _table(noun: Noun) -> str:
    title = f"[{written_path(noun)}]" if noun.path else "(above all tables)"
    about = "\n".join(line.strip() for line in noun.doc.strip().split("\n"))
    keys = "\n\n".join(_key(noun, key, setting) for key, setting in noun.settings.items())
    return f"{title}\n{about}\n\n{keys}"


def _key(noun: Noun, key: str, setting: Setting) -> str:
    absent = "needed" if setting.default is None else f"without it: {setting.default_text}"
    lines = [setting.doc, f"allowed: {setting.kind.allowed}", absent, f"a change holds {setting.effect.value}"]
    if setting.secret:
        lines.append("secret: never shown")
    name = f"{written_path(noun)}.{key}" if noun.path else key
    return "\n".join([name, *(INDENT + line for line in lines)])
