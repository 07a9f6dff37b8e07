from __future__ import annotations

from dataclasses import fields
from string import Formatter
from typing import get_args, get_type_hints

import pytest

from edgevpn.api.records import Attempt, Health
from edgevpn.cli.words import ENGLISH, JAPANESE, LANGUAGES, Words, language_of


@pytest.mark.parametrize(
    ("environ", "language"),
    [({}, "en"), ({"LANG": "ja_JP.UTF-8"}, "ja"), ({"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"), ({"LANG": ""}, "en")],
)
def test_language_of_the_environment(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language


def blanks(text: str) -> list[str | None]:
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


def test_languages_say_the_same() -> None:
    for each in (each.name for each in fields(Words)):
        english, japanese = getattr(ENGLISH, each), getattr(JAPANESE, each)
        if isinstance(english, str):
            assert blanks(english) == blanks(japanese)
            assert english.isascii() is not japanese.isascii()


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
def test_a_word_for_each_side_and_level(words: Words) -> None:
    assert {*words.sides, ""} == set(get_args(get_type_hints(Attempt)["side"]))
    assert set(words.levels) == set(get_args(get_type_hints(Health)["level"]))
