"""edgevpn.diagnosis.entry: what strangers send is inert wherever it is shown."""

from __future__ import annotations

import pytest

from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import LONGEST, Entry, Field, Finding, Language, Severity, Side, Text, shown

HOSTILE = {
    "a new line": ("x\nERROR forged", "x\\nERROR forged"),
    "a terminal's escape": ("\x1b[2Jx", "\\x1b[2Jx"),
    "right to left": ("\u202eevil", "\\u202eevil"),
    "markup": ("<script>x</script>", "\\x3cscript\\x3ex\\x3c/script\\x3e"),
    "plain": ("alice@example.org", "alice@example.org"),
    "another script": ("アリス", "アリス"),
}


@pytest.mark.parametrize(("sent", "seen"), HOSTILE.values(), ids=HOSTILE)
def test_strangers_text_is_inert(sent: str, seen: str) -> None:
    assert shown(sent) == seen


def test_long_text_is_cut() -> None:
    assert len(shown("x" * 5000)) == LONGEST
    assert shown("\x00" * 5000).endswith("...")


def test_finding_shows_only_what_is_inert() -> None:
    finding = Finding(Code.MALFORMED, {Field.IDENTITY: "\x1b[31m"})
    assert finding.get(Field.IDENTITY) == "\\x1b[31m"
    assert finding.get(Field.SETTING) == ""


def test_entry_knows_what_it_wants() -> None:
    text, cure = Text("{setting}: {ours}", "{ours} {setting}"), Text("{peer}", "{peer}")
    entry = Entry(Code.MALFORMED, Side.OURS, Severity.INFO, text, cure, "")
    assert entry.wants == {Field.SETTING, Field.OURS, Field.PEER}
    assert (text[Language.ENGLISH], text[Language.JAPANESE]) == ("{setting}: {ours}", "{ours} {setting}")
