"""A browser, and panels for it to look at. All in this folder is marked `panel`: make panel-test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.panel.looking import Person, person
from tests.panel.places import Staged, staged
from tests.panel.router import Router

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("panel")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while Playwright runs in this thread, no other event loop can."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Staged]:
    """The real web process, before a daemon that shows what a test wants to be shown."""
    with staged(tmp_path) as made:
        yield made


@pytest.fixture
def who(chromium: Browser, home: Router) -> Iterator[Person]:
    """Somebody who is logged in at the module's own `home`."""
    with person(chromium, home.base) as made:
        made.log_in()
        yield made
