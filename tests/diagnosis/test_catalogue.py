"""edgevpn.diagnosis.catalogue: every cause has its words, in every language, and the same ones."""

from __future__ import annotations

import re

import pytest

from edgevpn.diagnosis.catalogue import CATALOGUE, cure, sentence
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Entry, Field, Finding, Language

ENTRIES = [pytest.param(entry, id=entry.code.value) for entry in CATALOGUE.values()]


def test_every_code_has_one_entry() -> None:
    assert list(CATALOGUE) == list(dict.fromkeys(CATALOGUE))
    assert set(CATALOGUE) == set(Code)


@pytest.mark.parametrize("entry", ENTRIES)
def test_languages_say_the_same(entry: Entry) -> None:
    for text in (entry.sentence, entry.cure):
        assert text.fields(Language.JAPANESE) <= text.fields(Language.ENGLISH)
        assert text[Language.JAPANESE].isascii() is False


REFERENCE = re.compile(r"RFC \d+( §[\d.]+)?(: [A-Za-z_]+)?")
"""A place in a standard, perhaps with the name that it is about there."""


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_fact_that_is_no_mere_reference_is_there_in_every_language(entry: Entry) -> None:
    if isinstance(entry.fact, str):
        assert all(map(REFERENCE.fullmatch, entry.fact.split("; "))), "words need a Text"
    else:
        assert entry.fact[Language.JAPANESE].isascii() is False
        assert entry.fact_in(Language.JAPANESE) == entry.fact.japanese


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("language", list(Language))
def test_words_hold_what_is_known(entry: Entry, language: Language) -> None:
    finding = Finding(entry.code, {field: f"\x1b[31m{field.value}" for field in Field})
    for text, words in ((entry.sentence, sentence(finding, language)), (entry.cure, cure(finding, language))):
        assert all(f"\\x1b[31m{field.value}" in words for field in text.fields(language))
        assert "{" not in words
        assert words.isprintable()
