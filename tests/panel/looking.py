"""A person before the panel: where they go, and what they must never see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page

from tests.support.panel import PASSWORD

AXE = Path.home() / ".cache/edgevpn/axe/axe.min.js"
SHOTS = Path(__file__).parent.parent.parent / "build/panel"
"""Where screenshots are left to be looked at; nothing of it is kept."""

SERIOUS = ("serious", "critical")
PATIENCE = 10_000
REFUSED = "Failed to load resource"
"""What Chromium says of an answer that was a refusal."""


@dataclass
class Person:
    """One browser window. `faults` are what scripts have said, `dialogs` what stood in the way."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def go(self, place: str = "/") -> None:
        """To a place of the panel, once it is shown."""
        self.page.goto(f"{self.base}/#{place}")
        self.arrive(place)

    def arrive(self, place: str) -> None:
        """Waits until the view of this place is shown, and no other is under way."""
        mark = f"#{place}" if place else ""
        self.page.locator(f'main[data-place="{mark}"]:not([aria-busy])').wait_for()

    def log_in(self, password: str = PASSWORD) -> None:
        self.go()
        self.log_in_here(password)

    def log_in_here(self, password: str = PASSWORD) -> None:
        """The same, where the page is there already."""
        self.page.get_by_label("Password", exact=True).or_(self.page.get_by_label("パスワード", exact=True)).fill(
            password
        )
        self.page.keyboard.press("Enter")
        self.page.locator("nav").wait_for()
        self.arrive("/")

    def see(self, text: str) -> None:
        """Waits until this is on the page."""
        self.page.get_by_text(text).first.wait_for()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def shot(self, name: str) -> None:
        """A picture of the whole page."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    def too_wide(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def barriers(self) -> list[str]:
        """What keeps somebody from using the page, as axe-core sees it."""
        self.page.evaluate(AXE.read_text())
        found: Any = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{each['id']}: {node['html'][:120]}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
            for node in each["nodes"]
        ]


@contextmanager
def person(browser: Browser, base: str, **options: Any) -> Iterator[Person]:
    """Somebody new, with a window of their own. `options` are those of Playwright's contexts."""
    usual = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", "reduced_motion": "reduce"}
    context = browser.new_context(ignore_https_errors=True, **{**usual, **options})
    context.set_default_timeout(PATIENCE)
    made = Person(context.new_page(), base)
    made.page.on("pageerror", lambda error: made.faults.append(str(error)))
    made.page.on("console", lambda said: hear(made, said))
    made.page.on("dialog", lambda dialog: refuse(made, dialog))
    try:
        yield made
    finally:
        context.close()
    assert not made.faults, made.faults
    assert not made.dialogs, made.dialogs


def hear(person: Person, said: ConsoleMessage) -> None:
    if said.type in ("error", "warning") and not said.text.startswith(REFUSED):
        person.faults.append(said.text)


def refuse(person: Person, dialog: Dialog) -> None:
    person.dialogs.append(dialog.message)
    dialog.dismiss()
