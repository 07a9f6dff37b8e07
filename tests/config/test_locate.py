import string

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.locate import line_of, lines_of

DOCUMENT = '''\
# the gateway
title = "x"

[gateway]
listen = [
    "192.0.2.1",   # outside
    "192.0.2.2",
]
note = """
[site.fake]
psk = "no key"
"""

[site.office]   # the head office
remote.first = "a"
remote.second = "b"
limits = { up = 1, down = 2 }
"odd key" = 1
child.lan.mtu = 1

  [site.office.child."two words"]
mtu = 1
[[many]]
a = 1
'''

LINES = {
    "title": 2,
    "gateway": 4,
    "gateway listen": 5,
    "gateway note": 9,
    "site office": 14,
    "site office remote": 15,
    "site office remote first": 15,
    "site office remote second": 16,
    "site office limits down": 17,
    "site office child lan mtu": 19,
    "many a": 24,
}


def test_every_key_has_its_line() -> None:
    lines = lines_of(DOCUMENT)
    assert {key: lines[tuple(key.split())] for key in LINES} == LINES
    assert lines["site", "office", "odd key"] == 18
    assert lines["site", "office", "child", "two words"] == 21
    assert lines["site", "office", "child", "two words", "mtu"] == 22
    assert ("site", "fake") not in lines


def test_line_ends_of_windows() -> None:
    assert lines_of(DOCUMENT.replace("\n", "\r\n")) == lines_of(DOCUMENT)


def test_a_key_that_is_not_there_is_found_by_the_table_around_it() -> None:
    lines = lines_of(DOCUMENT)
    assert line_of(("site", "office", "psk"), lines) == 14
    assert line_of(("nothing",), lines) == 0
    assert line_of((), lines) == 0


KEYS = st.text(string.ascii_letters + ' ."', min_size=1, max_size=4)
VALUES = st.one_of(
    st.integers(-9, 9), st.text('ab"\\#[=\n\t', max_size=9), st.lists(st.text("#]a\n", max_size=3), max_size=3)
)
TABLES = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)


@given(TABLES)
def test_the_line_of_a_key_names_it(tables: dict[str, object]) -> None:
    """In whatever a TOML writer makes of any tables: each line that is told holds the last part of its key."""
    document = tomlkit.dumps(tables)
    written = document.split("\n")
    for path, line in lines_of(document).items():
        assert tomlkit.key(path[-1]).as_string() in written[line - 1] or path[-1] in written[line - 1]
