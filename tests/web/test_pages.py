from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgevpn.web.pages import MEDIA_TYPES, home, read
from tests.support.panel import Stage, stage

WEBUI = Path(__file__).parent.parent.parent / "webui"
MOST = 100_000
"""Octets of all pages together, compressed."""

SCRIPTS = sorted(WEBUI.rglob("*.js"))
KEY = re.compile(r"\bt\('([^']+)'")
BUILT = re.compile(r"\b(?:t|told)\(`([^`]+)`")


def words(language: str) -> dict[str, str]:
    """A language file, read as the list that it is."""
    text = (WEBUI / "lang" / f"{language}.js").read_text()
    return dict(re.findall(r"^\t'([^']+)': '((?:[^'\\]|\\.)*)',$", text, re.MULTILINE))


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, files=read(WEBUI)) as made:
        yield made


def test_the_pages_of_a_checkout_are_found() -> None:
    assert home() == WEBUI


def test_only_pages_are_read(tmp_path: Path) -> None:
    for name in ("index.html", "app.js", "README.md", ".secret", "notes.txt"):
        (tmp_path / name).write_text(name)
    assert read(tmp_path).keys() == {"/", "/app.js"}


def test_they_are_light() -> None:
    assert sum(len(page.packed) for page in read(WEBUI).values()) < MOST


async def test_compressed_or_not(panel: Stage) -> None:
    browser = panel.browser()
    text = (WEBUI / "app.js").read_bytes()
    for encoding in ("gzip", "identity"):
        async with browser.client.get(f"{panel.base}/app.js", headers={"Accept-Encoding": encoding}) as response:
            assert await response.read() == text
            assert response.headers["Content-Type"] == MEDIA_TYPES[".js"]
    async with browser.client.get(f"{panel.base}/") as response:
        assert await response.read() == (WEBUI / "index.html").read_bytes()


async def test_what_a_browser_has_is_not_sent_again(panel: Stage) -> None:
    browser = panel.browser()
    async with browser.client.get(f"{panel.base}/style.css") as response:
        tag = response.headers["ETag"]
    async with browser.client.get(f"{panel.base}/style.css", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


def test_a_page_is_packed_the_same_each_time() -> None:
    assert read(WEBUI) == read(WEBUI)
    page = read(WEBUI)["/app.js"]
    assert gzip.decompress(page.packed) == (WEBUI / "app.js").read_bytes()


def test_no_page_reads_markup_or_runs_text() -> None:
    """What a peer sends is text, and stays text."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:"
    )
    assert not [path.name for path in SCRIPTS if forbidden.search(path.read_text())]
    index = (WEBUI / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", index)


def test_no_page_needs_the_internet() -> None:
    for path in (*SCRIPTS, WEBUI / "index.html", WEBUI / "style.css"):
        found = re.findall(
            r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.sub(r"placeholder: '[^']*'", "", path.read_text())
        )
        assert [each for each in found if "www.w3.org" not in each] == [], path.name


def test_no_dialog_stands_in_the_way() -> None:
    assert not [path.name for path in SCRIPTS if re.search(r"\b(?:alert|confirm|prompt)\(", path.read_text())]


def test_languages_have_the_same_words() -> None:
    english, japanese = words("en"), words("ja")
    assert english.keys() == japanese.keys()
    assert len(english) > 250
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", japanese[key])), key


def test_every_word_is_known_and_used() -> None:
    english = words("en")
    texts = "\n".join(path.read_text() for path in SCRIPTS if path.parent.name != "lang")
    used = set(KEY.findall(texts))
    assert used <= english.keys()
    built = [re.compile(re.sub(r"\\\$\\\{.*?\\\}", ".+", re.escape(each))) for each in BUILT.findall(texts)]
    quoted = set(re.findall(r"'([a-z_]+\.[a-z_.]+)'", texts))
    unused = [key for key in english if key not in used | quoted and not any(each.fullmatch(key) for each in built)]
    assert unused == []
