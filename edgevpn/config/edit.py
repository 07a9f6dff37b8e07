"""Changes to a TOML document that leave everything else in it as its owner wrote it: order, comments, blank lines.

A document is cut into statements, one of them is changed, and the result is read back and compared with what the
change should have made of the tables: a document is changed rightly, or not at all.

`tomlkit` is loaded with the first change: it takes a tenth of a start, and nearly every start changes nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import tomli

from edgevpn.config.errors import Path, Refused, dotted
from edgevpn.config.statements import Part, Statement, statements, value_span

if TYPE_CHECKING:
    import tomlkit

Tables = dict[str, Any]


def set_value(document: str, path: Path, value: object) -> str:
    """Give a key a value, plain as TOML has it; its table is made where it is missing. Raises Refused."""
    wanted = tomli.loads(document)
    _put(wanted, path, value)
    return _changed(document, lambda text: _edit(text, path, value), wanted, path)


def unset(document: str, path: Path) -> str:
    """Take out a key, or a table with all in it and the comment right above it. Raises Refused if it is not there."""
    wanted = tomli.loads(document)
    if not _drop(wanted, path):
        raise Refused(f"{dotted(path)} is not set")
    return _changed(document, lambda text: _without(text, path), wanted, path)


def add_table(document: str, path: Path, keys: Mapping[str, object]) -> str:
    """Add a table with these keys, behind the last one of its kind. Raises Refused if it is there already."""
    wanted = tomli.loads(document)
    if _get(wanted, path) is not None:
        raise Refused(f"{dotted(path)} is there already", "choose another name, or change that one")
    _put(wanted, path, dict(keys))
    table = "".join([f"[{dotted_toml(path)}]\n", *(_assignment((key,), value) for key, value in keys.items())])
    return _changed(document, lambda text: _with_table(text, path, table), wanted, path)


def dotted_toml(path: Path) -> str:
    """A path as TOML writes it, in full."""
    import tomlkit

    return ".".join(tomlkit.key(part).as_string() for part in path)


def toml_text(value: object) -> str:
    """A value as TOML writes it. Raises Refused for what TOML has not."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.item(value).as_string()
    except (TOMLKitError, ValueError) as error:
        raise Refused("cannot be written in TOML") from error


def _value_of(holder: tomlkit.TOMLDocument) -> str:
    return holder.as_string().removeprefix("v = ").removesuffix("\n")


def _changed(document: str, change: Callable[[str], str], wanted: Tables, path: Path) -> str:
    """The document after a change, if it then means what it should; with the line ends that it had. Raises Refused."""
    windows = 0 < document.count("\n") == document.count("\r\n")
    made = change(document.replace("\r\n", "\n")).replace("\n", "\r\n") if windows else change(document)
    try:
        good = _pruned(tomli.loads(made)) == _pruned(wanted)
    except ValueError:
        good = False
    if not good:
        raise Refused(f"{dotted(path)} stands where we cannot change it without harm", "change it by hand")
    return made


def _edit(document: str, path: Path, value: object) -> str:
    """The document with the value in the place that the owner has for it, or else in the one we find best."""
    parts = statements(document)
    for number, each in enumerate(parts):
        if each.part is Part.KEY and path[: len(each.path)] == each.path:
            return _joined(parts, number, _reassigned(each, path, value))
    table, key = path[:-1], path[-1:]
    if (last := _last_key_of(parts, table)) is not None:
        return _inserted(parts, last, _assignment(key, value, _indent(parts[last])))
    if (last := _last_dotted(parts, table)) is not None:
        below = path[len(parts[last].table) :]
        return _inserted(parts, last, _assignment(below, value, _indent(parts[last])))
    if not table:
        return _assignment(key, value) + document
    return _with_table(document, table, f"[{dotted_toml(table)}]\n" + _assignment(key, value))


def _reassigned(statement: Statement, path: Path, value: object) -> str:
    """A statement with a new value, or with one in its inline table. What follows the value stays."""
    begin, end = value_span(statement.text)
    old = statement.text[begin:end]
    inside = path[len(statement.path) :]
    new = _in_place(old, inside, value) if inside or isinstance(value, list) else toml_text(value)
    return statement.text[:begin] + new + statement.text[end:]


def _in_place(old: str, inside: Path, value: object) -> str:
    """An old value changed as little as can be: one key of an inline table, or some items of a list."""
    holder = _parsed(f"v = {old}\n")
    table: Any = holder
    for part in ("v", *inside)[:-1]:
        if not isinstance(table := table.get(part), dict):
            raise Refused("stands in an inline table that does not hold it", "write it by hand")
    key = ("v", *inside)[-1]
    if not (isinstance(value, list) and isinstance(table.get(key), list) and _merged(table[key], value)):
        table[key] = value
    made = _value_of(holder)
    return made if inside or tomli.loads(f"v = {made}\n") == {"v": value} else toml_text(value)


def _merged(items: Any, wanted: list[Any]) -> bool:
    """Change a list into the wanted one by taking out and appending alone; False if that does not do."""
    kept = [item for item in items.unwrap() if item in wanted]
    if kept != wanted[: len(kept)]:
        return False
    for index in range(len(items) - 1, -1, -1):
        if items[index] not in wanted:
            del items[index]
    for item in wanted[len(kept) :]:
        items.append(item)
    return bool(items.unwrap() == wanted)


def _without(document: str, path: Path) -> str:
    """The document without a key, or without a table and the tables below it."""
    parts = statements(document)
    holder = next(
        (n for n, each in enumerate(parts) if each.part is Part.KEY and path[: len(each.path)] == each.path), None
    )
    if holder is not None and parts[holder].path != path:
        return _joined(parts, holder, _taken_out(parts[holder], path))
    gone = {n for n, each in enumerate(parts) if each.part is not Part.SPACE and each.path[: len(path)] == path}
    for number in [n for n in gone if parts[n].part is Part.HEAD]:
        gone |= _comments_of(parts, number)
    return "".join(each.text for each in _closed_up(parts, gone))


def _taken_out(statement: Statement, path: Path) -> str:
    """A statement whose inline table has lost a key."""
    begin, end = value_span(statement.text)
    holder = _parsed(f"v = {statement.text[begin:end]}\n")
    table: Any = holder["v"]
    inside = path[len(statement.path) :]
    for part in inside[:-1]:
        table = table[part]
    del table[inside[-1]]
    return statement.text[:begin] + _value_of(holder) + statement.text[end:]


def _comments_of(parts: list[Statement], head: int) -> set[int]:
    """The comments that go with a table: those right above its head, and those among and right below its keys."""
    own = set()
    above = head - 1
    while above >= 0 and parts[above].part is Part.SPACE and not parts[above].is_blank:
        own.add(above)
        above -= 1
    end = next((n for n in range(head + 1, len(parts)) if parts[n].part is Part.HEAD), len(parts))
    last = max((n for n in range(head, end) if parts[n].part is not Part.SPACE), default=head)
    own |= {n for n in range(head, last) if parts[n].part is Part.SPACE}
    below = last + 1
    while below < end and not parts[below].is_blank:
        own.add(below)
        below += 1
    if below == end and end < len(parts):  # no blank line: what stands there is about the next table
        own -= set(range(last + 1, end))
    return own


def _closed_up(parts: list[Statement], gone: set[int]) -> list[Statement]:
    """What is left of a document, with one blank line where a gap would have two."""
    kept: list[Statement] = []
    seam = False
    for number, each in enumerate(parts):
        if number in gone:
            seam = True
        elif not (seam and each.is_blank and (not kept or kept[-1].is_blank)):
            kept.append(each)
            seam = False
    return kept[:-1] if seam and kept and kept[-1].is_blank else kept


def _last_key_of(parts: list[Statement], table: Path) -> int | None:
    """Where the last key of a table stands that has a head of its own, or the head; None if it has none."""
    heads = [n for n, each in enumerate(parts) if each.part is Part.HEAD and each.path == table]
    if not table:
        return next((n for n in range(len(parts) - 1, -1, -1) if _is_top_key(parts[n])), None)
    if not heads:
        return None
    begin = heads[0]
    end = next((n for n in range(begin + 1, len(parts)) if parts[n].part is Part.HEAD), len(parts))
    return max(n for n in range(begin, end) if parts[n].part is not Part.SPACE)


def _is_top_key(statement: Statement) -> bool:
    return statement.part is Part.KEY and not statement.table


def _last_dotted(parts: list[Statement], table: Path) -> int | None:
    """Where the last dotted key stands that opens a table; None if no key does."""
    found = (
        n
        for n in range(len(parts) - 1, -1, -1)
        if parts[n].part is Part.KEY
        and len(parts[n].table) < len(table) < len(parts[n].path)
        and parts[n].path[: len(table)] == table
    )
    return next(found, None)


def _with_table(document: str, path: Path, text: str) -> str:
    """The document with the text of a table behind the last table that shares its first names."""
    parts = statements(document)
    last = len(parts) - 1
    for depth in range(len(path) - 1, 0, -1):
        if kin := [
            n for n, each in enumerate(parts) if each.part is not Part.SPACE and each.table[:depth] == path[:depth]
        ]:
            last = _with_remarks(parts, kin[-1])
            break
    before = "".join(each.text for each in parts[: last + 1])
    after = "".join(each.text for each in parts[last + 1 :])
    gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    return before + gap + text + ("\n" if after.strip() and not after.startswith("\n") else "") + after


def _with_remarks(parts: list[Statement], last: int) -> int:
    """The last of the comments right below a statement, unless they stand right above the next table."""
    end = last + 1
    while end < len(parts) and parts[end].part is Part.SPACE and not parts[end].is_blank:
        end += 1
    return last if end < len(parts) and parts[end].part is Part.HEAD else end - 1


def _inserted(parts: list[Statement], number: int, line: str) -> str:
    """The document with a line behind one of its statements."""
    text = parts[number].text
    return _joined(parts, number, text + ("" if text.endswith("\n") else "\n") + line)


def _joined(parts: list[Statement], number: int, text: str) -> str:
    """The document with another text in place of one of its statements."""
    return "".join(text if index == number else each.text for index, each in enumerate(parts))


def _indent(statement: Statement) -> str:
    return statement.text[: len(statement.text) - len(statement.text.lstrip(" \t"))]


def _assignment(key: Path, value: object, indent: str = "") -> str:
    return f"{indent}{dotted_toml(key)} = {toml_text(value)}\n"


def _parsed(text: str) -> tomlkit.TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise Refused("stands in a place that we cannot change", "change it by hand") from error


def _pruned(tables: Tables) -> Tables:
    """Tables without those that are empty: whether one is there or not means nothing."""
    pruned = {key: _pruned(value) if isinstance(value, dict) else value for key, value in tables.items()}
    return {key: value for key, value in pruned.items() if value != {}}


def _get(tables: Tables, path: Path) -> object:
    found: Any = tables
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _put(tables: Tables, path: Path, value: object) -> None:
    for part in path[:-1]:
        if not isinstance(tables := tables.setdefault(part, {}), dict):
            raise Refused(f"{dotted(path[:-1])} is not a table")
    tables[path[-1]] = copy.deepcopy(value)


def _drop(tables: Tables, path: Path) -> bool:
    holder: Any = tables
    for part in path[:-1]:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or path[-1] not in holder:
        return False
    del holder[path[-1]]
    return True
