from dataclasses import dataclass

import pytest

from edgevpn.config.errors import Findings
from edgevpn.config.kinds import integer, many, text
from edgevpn.config.nouns import FREE, SHORT
from edgevpn.config.setting import derived, optional, required, setting, settings_of
from edgevpn.config.tables import check_name, filled, read, refuse_missing, subtable


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    watts: int = required(integer(1, 100), "How bright it is.")
    colours: tuple[str, ...] = setting(many(text("a colour", "[a-z]+")), "What it shows.", "red")
    half: int = derived(integer(0, 50), "Dimmed.", "half of watts", lambda given: given["watts"] // given["by"])
    key: str | None = optional(text("letters", "[a-z]+"), "Who may switch it.", "nobody", secret=True)


HERE = ("lamp",)


def noted(table: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    findings = Findings()
    values = read(table, settings_of(Lamp), HERE, findings)
    return values, [str(each) for each in findings.errors]


def test_good_keys_are_typed_and_the_rest_is_noted() -> None:
    values, faults = noted({"watts": 60, "colours": ["red", "B"], "key": "hunter 2", "kye": "hunter2"})
    assert values == {"watts": 60}
    assert faults == [
        "lamp.kye: is not a key here; did you mean key?",
        'lamp.colours = "B": is of another form; allowed: one or more of: a colour',
        "lamp.key = ***: is of another form; allowed: letters",
    ]


def test_what_is_not_written_has_its_default() -> None:
    assert filled(Lamp, {"watts": 60, "by": 2, "more": 1}) == {
        "watts": 60,
        "colours": ("red",),
        "half": 30,
        "key": None,
    }


def test_missing_keys() -> None:
    findings = Findings()
    refuse_missing(Lamp, {"colours": "red"}, HERE, findings)
    assert [str(each) for each in findings.errors] == ["lamp.watts: is missing; allowed: 1 to 100"]


def test_subtables() -> None:
    findings = Findings()
    assert subtable({"a": {"b": 1}}, "a", HERE, findings) == {"b": 1}
    assert subtable({}, "a", HERE, findings) == {}
    assert subtable({"a": 1}, "a", HERE, findings) is None
    assert [str(each) for each in findings.errors] == ["lamp.a: is not a table; begin it with [lamp.a]"]


@pytest.mark.parametrize(
    ("name", "short", "free"),
    [
        ("office-2", True, True),
        ("Anna's 電話", False, True),
        ("x" * 32, True, True),
        ("x" * 64, False, True),
        ("x" * 65, False, False),
        ("x" * 65536, False, False),
        ("", False, False),
        (" phone", False, False),
        ("phone ", False, False),
        ("a/b", False, False),
        ("CORP\\anna", False, False),
        ("a\nb", False, False),
        ("a\x1b[2Jb", False, False),
        ("a\u202eb", False, False),
        ("a\x85b", False, False),
    ],
)
def test_names(name: str, short: bool, free: bool) -> None:
    for naming, good in ((SHORT, short), (FREE, free)):
        findings = Findings()
        check_name(naming, ("device", name), findings)
        assert [each.fault for each in findings.errors] == ([] if good else ["is no name"])
        assert all(len(str(each)) < 300 and str(each).isprintable() for each in findings.errors)
