from __future__ import annotations

import re
from typing import Any

import pytest
import tomli
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.config.edit import add_table, set_value, unset
from edgevpn.config.errors import Path, Refused

DOCUMENT = """\
# our gateway
version = 1   # the first

[gateway]   # all of it
listen = [
    "192.0.2.1",   # outside
    "192.0.2.2",   # inside
]
# id = "later"

# the head office
[site.office]   # in Graz
remote = "office.example.org"   # by name
  mtu = 1400
# more to come

# the branch
[site.branch]
remote = "branch.example.org"

[site.branch.child.lan]
routes = true

# last words
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def added(before: str, after: str) -> list[str]:
    """The lines that a change has added; it may have taken none away."""
    old, new = lines(before), lines(after)
    for line in old:
        new.remove(line)
    return new


def test_a_new_value_keeps_what_stands_around_the_old_one() -> None:
    made = set_value(DOCUMENT, ("site", "office", "mtu"), 1380)
    assert made == DOCUMENT.replace("  mtu = 1400\n", "  mtu = 1380\n")
    made = set_value(DOCUMENT, ("site", "office", "remote"), ["a.example.org", "192.0.2.7"])
    assert made == DOCUMENT.replace('"office.example.org"   # by', '["a.example.org", "192.0.2.7"]   # by')
    made = set_value(DOCUMENT, ("version",), 2)
    assert made == DOCUMENT.replace("version = 1 ", "version = 2 ")


def test_a_list_keeps_the_comments_of_items_that_stay() -> None:
    made = set_value(DOCUMENT, ("gateway", "listen"), ["192.0.2.1", "192.0.2.3"])
    assert tomli.loads(made)["gateway"]["listen"] == ["192.0.2.1", "192.0.2.3"]
    assert '"192.0.2.1",   # outside' in made
    made = set_value(DOCUMENT, ("gateway", "listen"), ["192.0.2.2", "192.0.2.1"])
    assert tomli.loads(made)["gateway"]["listen"] == ["192.0.2.2", "192.0.2.1"]
    made = set_value(DOCUMENT, ("gateway", "listen"), "::")
    assert tomli.loads(made)["gateway"]["listen"] == "::"


def test_a_new_key_follows_the_last_one_of_its_table() -> None:
    made = set_value(DOCUMENT, ("site", "office", "encap"), value=True)
    assert made == DOCUMENT.replace("  mtu = 1400\n", "  mtu = 1400\n  encap = true\n")
    made = set_value(DOCUMENT, ("gateway", "id"), "gw")
    assert made == DOCUMENT.replace(']\n# id = "later"', ']\nid = "gw"\n# id = "later"')
    assert set_value("[gateway]", ("gateway", "id"), "gw") == '[gateway]\nid = "gw"\n'


def test_a_new_table_follows_its_kin() -> None:
    made = set_value(DOCUMENT, ("site", "office", "child", "voice", "routes"), value=False)
    after = "# more to come\n\n[site.office.child.voice]\nroutes = false\n\n# the branch\n"
    assert made == DOCUMENT.replace("# more to come\n\n# the branch\n", after)
    made = add_table(DOCUMENT, ("site", "hub"), {"remote": "any", "mtu": 1400})
    after = 'routes = true\n\n[site.hub]\nremote = "any"\nmtu = 1400\n\n# last words\n'
    assert made == DOCUMENT.replace("routes = true\n\n# last words\n", after)


def test_a_table_that_has_no_kin_comes_last() -> None:
    assert set_value(DOCUMENT, ("pki", "local_ca"), value=False) == DOCUMENT + "\n[pki]\nlocal_ca = false\n"
    assert set_value("", ("pki", "local_ca"), value=False) == "[pki]\nlocal_ca = false\n"
    assert set_value("version = 1", ("pki", "local_ca"), value=False) == "version = 1\n\n[pki]\nlocal_ca = false\n"
    assert set_value("[pki]\n", ("version",), 1) == "version = 1\n[pki]\n"


def test_names_are_quoted_where_they_must_be() -> None:
    made = add_table("", ("device", 'Anna\'s "phone".x'), {"password": 'a"b\\c\n'})
    assert tomli.loads(made) == {"device": {'Anna\'s "phone".x': {"password": 'a"b\\c\n'}}}
    assert unset(made, ("device", 'Anna\'s "phone".x')) == ""


DOTTED = """\
gateway.id = "gw"   # us
[site]
office.remote = "a"   # one
branch = { remote = "b", child = { lan = { routes = true } } }   # two
"""


def test_tables_that_are_written_otherwise() -> None:
    made = set_value(DOTTED, ("gateway", "log_level"), "debug")
    assert made == DOTTED.replace("# us\n", '# us\ngateway.log_level = "debug"\n')
    made = set_value(DOTTED, ("site", "office", "mtu"), 1400)
    assert made == DOTTED.replace("# one\n", "# one\noffice.mtu = 1400\n")
    made = set_value(DOTTED, ("site", "branch", "mtu"), 1400)
    assert tomli.loads(made)["site"]["branch"]["mtu"] == 1400
    assert "# two" in made
    made = set_value(DOTTED, ("site", "branch", "child", "lan", "routes"), value=False)
    assert made == DOTTED.replace("routes = true", "routes = false")
    made = unset(DOTTED, ("site", "branch", "child", "lan", "routes"))
    assert tomli.loads(made)["site"]["branch"] == {"remote": "b", "child": {"lan": {}}}
    assert unset(DOTTED, ("site", "office")) == DOTTED.replace('office.remote = "a"   # one\n', "")


def test_a_key_goes_with_the_comment_behind_it() -> None:
    assert unset(DOCUMENT, ("site", "office", "mtu")) == DOCUMENT.replace("  mtu = 1400\n", "")
    assert unset(DOCUMENT, ("version",)) == DOCUMENT.replace("version = 1   # the first\n", "")


def test_a_table_goes_with_what_is_said_of_it() -> None:
    """And leaves what is said of its neighbours."""
    begin, end = DOCUMENT.index("# the head office"), DOCUMENT.index("# the branch")
    assert unset(DOCUMENT, ("site", "office")) == DOCUMENT[:begin] + DOCUMENT[end:]
    begin, end = DOCUMENT.index("# the branch"), DOCUMENT.index("# last words")
    assert unset(DOCUMENT, ("site", "branch")) == DOCUMENT[:begin] + DOCUMENT[end:]


def test_a_comment_without_a_blank_line_belongs_to_what_follows() -> None:
    document = "[site.a]\nmtu = 1400\n# the other\n[site.b]\nmtu = 1400\n"
    assert unset(document, ("site", "a")) == "# the other\n[site.b]\nmtu = 1400\n"


def test_what_is_added_and_taken_out_leaves_no_trace() -> None:
    made = add_table(DOCUMENT, ("site", "hub"), {"remote": "any"})
    assert unset(made, ("site", "hub")) == DOCUMENT


def test_line_ends_of_windows() -> None:
    document = DOCUMENT.replace("\n", "\r\n")
    for path, value in ((("site", "office", "encap"), True), (("pki", "local_ca"), False), (("version",), 2)):
        assert set_value(document, path, value) == set_value(DOCUMENT, path, value).replace("\n", "\r\n")


REFUSED = {
    "nothing to take out": lambda: unset(DOCUMENT, ("site", "hub")),
    "no such key": lambda: unset(DOCUMENT, ("site", "office", "encap")),
    "nothing below a value": lambda: unset(DOCUMENT, ("version", "x")),
    "there already": lambda: add_table(DOCUMENT, ("site", "office"), {}),
    "a table below a value": lambda: set_value(DOCUMENT, ("version", "x"), 1),
    "a value for a table": lambda: set_value(DOCUMENT, ("site", "office"), 1),
    "a value that TOML has not": lambda: set_value(DOCUMENT, ("site", "office", "mtu"), object()),
    "a table that an inline table lacks": lambda: set_value(DOTTED, ("site", "branch", "child", "voice", "routes"), 1),
    "tables in a list": lambda: set_value("[[site]]\nmtu = 1400\n", ("site", "office", "mtu"), 1400),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_refuses(change: Any) -> None:
    with pytest.raises(Refused):
        change()


NAMES = st.sampled_from(["a", "b", "c d", "é"])
PATHS = st.one_of(
    st.tuples(st.just("version")),
    st.tuples(st.sampled_from(["gateway", "web"]), st.sampled_from(["id", "port", "listen"])),
    st.tuples(st.just("site"), NAMES, st.sampled_from(["remote", "mtu", "routes"])),
    st.tuples(st.just("site"), NAMES, st.just("child"), NAMES, st.sampled_from(["mtu", "routes"])),
)
WORDS = st.text("ab'\"\\#[]{}=\n é", max_size=6)
VALUES = st.one_of(st.integers(-9, 9), st.booleans(), WORDS, st.lists(WORDS, max_size=3, unique=True), st.dates())
COMMENTS = st.text("xyz [=\"'", max_size=8).map(lambda words: f"#~{words}")  # no value has a tilde


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Tables with comments in all the places that they can have, in all the forms that tables can have."""
    tables: dict[Path, list[str]] = {(): []}
    taken: set[Path] = set()
    for path in draw(st.lists(PATHS, max_size=8, unique=True)):
        if any(path[: len(each)] == each or each[: len(path)] == path for each in taken):
            continue
        taken.add(path)
        value = tomlkit.item(draw(VALUES)).as_string()
        remark = draw(st.just("") | COMMENTS.map(lambda comment: f"   {comment}"))
        depth = len(path) - 1 if draw(st.booleans()) or len(path) < 3 else 1
        key = ".".join(tomlkit.key(part).as_string() for part in path[depth:])
        tables.setdefault(path[:depth], []).append(f"{draw(st.sampled_from(['', '  ']))}{key} = {value}{remark}\n")
    text = ""
    for table, keys in tables.items():
        text += draw(st.just("") | COMMENTS.map(lambda comment: f"{comment}\n"))
        text += f"[{'.'.join(tomlkit.key(part).as_string() for part in table)}]\n" if table else ""
        for key in keys:
            text += draw(st.just("") | COMMENTS.map(lambda comment: f"{comment}\n")) + key
        text += draw(st.sampled_from(["", "\n", "# below\n", "\n# apart\n\n"]))
    return text if draw(st.booleans()) else text.rstrip("\n")


def valid(text: str) -> bool:
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return False
    return True


def comments(text: str) -> list[str]:
    """All comments, in their order."""
    return [comment.strip() for comment in re.findall(r"#~[^\n]*", text)]


def is_part(some: list[str], whole: list[str]) -> bool:
    """True if these lines stand among those, in their order."""
    rest = iter(whole)
    return all(line in rest for line in some)


def flat(tables: dict[str, Any], path: Path = ()) -> dict[Path, Any]:
    """All values by their paths; a table without any does not count."""
    values: dict[Path, Any] = {}
    for key, value in tables.items():
        values |= flat(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return values


@settings(max_examples=200, deadline=None)
@given(documents().filter(valid), PATHS, VALUES)
def test_random_values_in_random_documents(document: str, path: Path, value: object) -> None:
    """What is set is read back, all else is as it was, and no comment is lost."""
    made = set_value(document, path, value)
    old, new = flat(tomli.loads(document)), flat(tomli.loads(made))
    assert new == old | {path: value}
    assert comments(made) == comments(document)
    if path not in old:
        assert is_part(lines(document), lines(made))
        assert len(lines(made)) <= len(lines(document)) + 2  # the key, and the head of its table


@settings(max_examples=200, deadline=None)
@given(documents().filter(valid), st.data())
def test_random_keys_out_of_random_documents(document: str, data: st.DataObject) -> None:
    old = flat(tomli.loads(document))
    path = data.draw(st.sampled_from(sorted(old) or [("gateway", "id")]))
    if path not in old:
        with pytest.raises(Refused):
            unset(document, path)
        return
    made = unset(document, path)
    assert flat(tomli.loads(made)) == {key: value for key, value in old.items() if key != path}
    assert is_part(lines(made), lines(document))
    assert len(comments(made)) >= len(comments(document)) - 1  # the one behind the key


@settings(max_examples=200, deadline=None)
@given(documents().filter(valid), NAMES, st.lists(st.sampled_from(["mtu", "remote"]), unique=True))
def test_random_tables_in_and_out(document: str, name: str, keys: list[str]) -> None:
    old = flat(tomli.loads(document))
    if any(path[:2] == ("site", name) for path in old):
        return
    made = add_table(document, ("site", name), dict.fromkeys(keys, 1))
    assert flat(tomli.loads(made)) == old | {("site", name, key): 1 for key in keys}
    assert is_part(lines(document), lines(made))
    assert lines(unset(made, ("site", name))) == lines(document)
