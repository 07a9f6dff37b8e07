"""Rules that a panel in a LAN has to keep, as far as a browser can tell; the others are in tests/web/test_app.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, expect

from tests.panel.benchmark import STREAMS, logged_in
from tests.panel.looking import person
from tests.panel.places import Staged, staged
from tests.panel.test_screens import PLACES
from tests.support.memory import resident
from tests.support.stand_in import attempt

MOST_MEMORY = 45
"""MB that the web process may have when nobody looks on."""


def test_rule_4_the_cookie_is_out_of_reach(chromium: Browser, stage: Staged) -> None:
    """Of scripts, of other hosts, of plain HTTP."""
    with person(chromium, stage.base) as who:
        who.log_in()
        assert who.page.evaluate("document.cookie") == ""
        (cookie,) = who.page.context.cookies()
    assert cookie["name"] == "__Host-edgevpn"
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")


def test_rule_7_no_script_but_ours_runs(chromium: Browser, stage: Staged) -> None:
    """Were there markup of a peer's on a page after all, it would do nothing."""
    with person(chromium, stage.base) as who:
        who.log_in()
        markup = "<img src=x onerror='window.broken=1'>"
        with who.page.expect_console_message(lambda said: "Content Security Policy" in said.text):
            who.page.locator("main").evaluate("(main, markup) => main.insertAdjacentHTML('beforeend', markup)", markup)
        expect(who.page.locator("main > img")).to_have_count(1)
        assert who.page.evaluate("window.broken === undefined")
        who.faults.clear()
    with person(chromium, stage.base) as who:
        answer = who.page.goto(stage.base)
        assert answer is not None
        assert "frame-ancestors 'none'" in (answer.header_value("content-security-policy") or "")


def test_rule_9_plain_http_says_so(chromium: Browser, tmp_path: Path) -> None:
    with staged(tmp_path, https=False) as plain, person(chromium, plain.base) as who:
        who.go()
        who.see("This page is not encrypted")


def test_rule_14_nothing_comes_from_elsewhere(chromium: Browser, stage: Staged) -> None:
    """Every screen works without internet."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    with person(chromium, stage.base) as who:
        who.page.on("request", note)
        who.log_in()
        for place in PLACES.values():
            who.go(place)
    assert asked
    assert not [url for url in asked if not url.startswith(stage.base)]


def test_rule_14_times_are_those_of_the_browsers_zone(chromium: Browser, stage: Staged) -> None:
    """2023-11-14, 22:13:20 UTC."""
    stage.daemon.lines = [{"at": 1_700_000_000.0, "level": "info", "text": "a line"}]
    for zone, moment in (("Asia/Tokyo", "7:13:20 AM"), ("America/New_York", "5:13:20 PM")):
        with person(chromium, stage.base, timezone_id=zone) as who:
            who.log_in()
            who.go("/logs")
            expect(who.page.locator(".log li").first).to_contain_text(moment)


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(244, 246, 246)"), ("dark", "rgb(16, 22, 21)")])
def test_rule_14_light_or_dark_as_preferred(chromium: Browser, stage: Staged, scheme: str, ground: str) -> None:
    with person(chromium, stage.base, color_scheme=scheme) as who:
        who.go()
        assert who.page.evaluate("getComputedStyle(document.body).backgroundColor") == ground


def test_rule_14_screen_readers_are_told_what_changes(chromium: Browser, stage: Staged) -> None:
    """Where the page goes, and what is refused."""
    with person(chromium, stage.base) as who:
        who.log_in()
        who.go("/add-device")
        expect(who.page.get_by_role("heading", level=1)).to_be_focused()
        who.page.get_by_role("button", name="Add it").click()
        expect(who.page.get_by_role("status").filter(has_text="Still missing")).to_be_visible()
        expect(who.page.get_by_label("Name", exact=True)).to_be_focused()


def test_a_router_has_little_memory(stage: Staged, tmp_path: Path) -> None:
    """Nobody looks on; then fifty do."""
    before = resident(stage.pid)
    client = logged_in(stage, tmp_path)
    streams = [client.get(f"{stage.base}/api/v1/events", stream=True) for _ in range(STREAMS)]
    lines = [each.iter_lines(chunk_size=1) for each in streams]
    stage.say("attempt", attempt("tablet"))
    assert all(b"event: attempt" in iter(each) for each in lines)
    print(f"web process: {before:.1f} MB when idle, {resident(stage.pid):.1f} MB with {STREAMS} streams")
    for each in streams:
        each.close()
    assert before < MOST_MEMORY


def test_a_page_comes_once_the_gateway_is_back(chromium: Browser, stage: Staged) -> None:
    """Its owner need not ask again."""
    with person(chromium, stage.base, locale="ja-JP") as who:
        who.log_in()
        with stage.silent():
            who.go("/settings/network")
            who.see("ゲートウェイが応答しません。しばらくして")
        who.page.locator("main form").first.wait_for()
