import string

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config.statements import Part, Statement, key_of, statements, value_span

DOCUMENT = """\
# the gateway
version = 1

[gateway]   # here
listen = [  # two of them
    "192.0.2.1",   # "outside" [
    '192.0.2.2]',
]
note = '''
[site.fake] # "
'''
  odd . "key # 1"= "a\\"]" # end

[ site . "head office" ]
child.lan = { mtu = 1, "x" = ["}"] }
"""


def test_statements() -> None:
    assert [(each.part, each.line, each.path) for each in statements(DOCUMENT)] == [
        (Part.SPACE, 1, ()),
        (Part.KEY, 2, ("version",)),
        (Part.SPACE, 3, ()),
        (Part.HEAD, 4, ("gateway",)),
        (Part.KEY, 5, ("gateway", "listen")),
        (Part.KEY, 9, ("gateway", "note")),
        (Part.KEY, 12, ("gateway", "odd", "key # 1")),
        (Part.SPACE, 13, ("gateway",)),
        (Part.HEAD, 14, ("site", "head office")),
        (Part.KEY, 15, ("site", "head office", "child", "lan")),
    ]


def test_values_without_their_comments() -> None:
    values = [each.text[slice(*value_span(each.text))] for each in statements(DOCUMENT) if each.part is Part.KEY]
    assert values[0] == "1"
    assert values[1].startswith("[  # two")
    assert values[1].endswith("]',\n]")
    assert values[3:] == ['"a\\"]"', '{ mtu = 1, "x" = ["}"] }']


def test_quotes_beside_quotes() -> None:
    text = 'a = """x""""\nb = \'\'\'\'y\'\'\'\nc = ""\nd = """""" # z\n'
    found = statements(text)
    assert [each.path for each in found] == [("a",), ("b",), ("c",), ("d",)]
    assert [each.text[slice(*value_span(each.text))] for each in found] == ['"""x""""', "''''y'''", '""', '""""""']


def test_blank_lines() -> None:
    blank, comment = statements(" \n # x\n")
    assert (blank.is_blank, comment.is_blank) == (True, False)
    assert blank == Statement(Part.SPACE, " \n", 1, (), ())


def test_last_line_without_an_end() -> None:
    assert [each.text for each in statements("a = 1\nb = 2")] == ["a = 1\n", "b = 2"]
    assert key_of("b = 2") == ("b",)


KEYS = st.text(string.ascii_letters + " .\"'#=[", min_size=1, max_size=4)
TEXTS = st.text("ab\"'\\#[]{}=\n\t ", max_size=9)
VALUES = st.one_of(st.integers(-9, 9), TEXTS, st.lists(TEXTS, max_size=3))
TABLES = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)


@given(TABLES)
def test_whatever_a_writer_makes(tables: dict[str, object]) -> None:
    """Nothing is lost, and each key is found with its value."""
    document = tomlkit.dumps(tables)
    found = statements(document)
    assert "".join(each.text for each in found) == document
    for each in found:
        if each.part is Part.KEY:
            value: object = tables
            for part in each.path:
                assert isinstance(value, dict)
                value = value[part]
            assert tomlkit.parse("v = " + each.text[slice(*value_span(each.text))]).unwrap() == {"v": value}
