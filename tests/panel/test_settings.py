"""Settings: what is changed stands when it is confirmed; passwords, codes, backups and earlier versions."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from edgevpn.web import totp
from tests.panel.looking import Person, person
from tests.panel.router import SET_UP, Router, router
from tests.support.panel import PASSWORD


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Router]:
    with router(tmp_path / "home", SET_UP) as made:
        yield made


def change_dns(who: Person) -> None:
    who.go("/settings/network")
    who.page.get_by_label("DNS servers", exact=True).fill("10.89.0.53")
    who.page.get_by_role("button", name="Save").first.click()
    who.page.get_by_role("alertdialog").wait_for()


def test_what_is_kept_stands(home: Router, who: Person) -> None:
    change_dns(who)
    expect(who.page.get_by_role("button", name="Keep it")).to_be_focused()
    who.shot("confirm")
    assert who.barriers() == []
    who.page.reload()
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    assert 'dns = ["10.89.0.53"]' in home.config


def test_what_is_undone_is_gone(home: Router, who: Person) -> None:
    change_dns(who)
    assert "10.89.0.53" in home.config
    who.press("Undo it now")
    expect(who.page.get_by_label("DNS servers", exact=True)).to_have_value("10.89.0.1")
    assert "10.89.0.53" not in home.config


def test_what_nobody_confirms_is_undone(home: Router, who: Person) -> None:
    """As for somebody whom the change has cut off. This one has two seconds instead of sixty."""
    who.page.route("**/api/v1/config", hasten)
    change_dns(who)
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    expect(who.page.get_by_label("DNS servers", exact=True)).to_have_value("10.89.0.1")
    assert "10.89.0.53" not in home.config


@pytest.mark.parametrize("minutes", [-90, 90])
def test_a_clock_that_is_wrong(home: Router, who: Person, minutes: int) -> None:
    """The router's or the browser's: there is as much time to confirm as there is, and what happened just did."""
    who.page.clock.install(time=datetime.now(UTC) + timedelta(minutes=minutes))
    who.page.reload()
    change_dns(who)
    expect(who.page.get_by_role("alertdialog")).to_contain_text(re.compile(r"\b(60|5\d) s"))
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    assert 'dns = ["10.89.0.53"]' in home.config


def test_another_tab_asks_too(home: Router, who: Person) -> None:
    """It could change nothing until somebody has answered; whoever types in it goes on typing."""
    tab = Person(who.page.context.new_page(), home.base)
    tab.go("/settings/network")
    domains = tab.page.get_by_label("Domains for these DNS servers")
    domains.fill("lan.example.org")
    change_dns(who)
    expect(tab.page.get_by_role("alertdialog")).to_be_visible()
    expect(domains).to_be_focused()
    tab.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    tab.page.get_by_role("button", name="Save").first.click()
    expect(who.page.get_by_role("alertdialog")).to_be_visible()
    who.press("Undo it now")
    expect(tab.page.get_by_role("alertdialog")).to_be_hidden()
    assert "10.89.0.53" in home.config
    assert "lan.example.org" not in home.config


def hasten(route: Route) -> None:
    if route.request.method != "PATCH":
        return route.continue_()
    body = json.loads(route.request.post_data or "{}")
    return route.continue_(post_data=json.dumps(body | {"confirm": 2}))


def test_a_bad_value_is_told_by_its_key(home: Router, who: Person) -> None:
    before = home.config
    who.go("/settings/network")
    who.page.get_by_label("IPv4 addresses").fill("10.89.0.0/33")
    who.page.get_by_role("button", name="Save").first.click()
    expect(who.page.locator(".notice.bad").first).to_contain_text("pool.home.v4")
    assert home.config == before


def test_weak_ciphers_are_behind_a_fold_and_a_warning(home: Router, who: Person) -> None:
    who.go("/settings/network")
    legacy = who.page.get_by_role("switch", name="Let in clients that know nothing better")
    expect(legacy).to_be_hidden()
    who.page.get_by_text("For experts").first.click()
    who.see("Whoever records such a session can decrypt it later.")
    legacy.check()
    who.page.get_by_role("button", name="Save").first.click()
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    assert "legacy = true" in home.config


def test_another_password(home: Router, who: Person) -> None:
    who.go("/settings/security")
    who.page.get_by_label("Current password").fill("wrong")
    who.page.get_by_label("New password").fill("another password")
    who.press("Change it")
    who.see("That is not right.")
    who.page.get_by_label("Current password").fill(PASSWORD)
    who.press("Change it")
    expect(who.page.get_by_role("heading", name="Log in")).to_be_visible()
    who.page.get_by_label("Password", exact=True).fill("another password")
    who.press("Log in")
    expect(who.page.locator("nav")).to_be_visible()
    assert "another password" not in home.config


def test_a_second_factor(chromium: Browser, home: Router, who: Person) -> None:
    who.go("/settings/security")
    who.press("Set it up")
    who.page.locator(".qr").wait_for()
    secret = who.page.locator(".share output").inner_text()
    who.page.get_by_label("Current code").fill(totp.code(secret, int(time.time()) // totp.STEP))
    who.page.get_by_label("Password", exact=True).fill(PASSWORD)
    who.press("Switch it on")
    who.see("A code is asked for beside the password.")
    assert secret not in home.config
    with person(chromium, home.base) as other:
        other.go("")
        other.page.get_by_label("Password", exact=True).fill(PASSWORD)
        other.page.get_by_label("Current code").fill("000000")
        other.press("Log in")
        other.see("That is not right.")
        other.page.get_by_label("Current code").fill(totp.code(secret, int(time.time()) // totp.STEP))
        other.press("Log in")
        expect(other.page.locator("nav")).to_be_visible()
    who.page.get_by_label("Password", exact=True).fill(PASSWORD)
    who.press("Switch it off")
    expect(who.page.get_by_role("button", name="Set it up")).to_be_visible()


def test_backup_and_restore(home: Router, who: Person, tmp_path: Path) -> None:
    who.go("/settings/backup")
    who.page.get_by_label("Password of the backup").first.fill("a password of the backup")
    with who.page.expect_download(timeout=60_000) as downloading:
        who.press("Make a backup")
    file = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(file)
    assert b"10.89" not in file.read_bytes()

    change_dns(who)
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    who.go("/settings/backup")
    who.page.get_by_label("The file", exact=True).set_input_files(file)
    who.page.get_by_label("Password of the backup").last.fill("not the password of the backup")
    who.press("Restore it")
    expect(who.page.locator(".notice.bad")).to_be_visible(timeout=60_000)
    who.page.get_by_label("Password of the backup").last.fill("a password of the backup")
    who.press("Restore it")
    who.page.get_by_role("button", name="Keep it").click(timeout=60_000)
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    assert "10.89.0.53" not in home.config


def test_earlier_versions(home: Router, who: Person) -> None:
    change_dns(who)
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    who.go("/settings/backup")
    who.page.get_by_role("button", name="Go back").first.click()
    who.press("Yes")
    expect(who.page.get_by_role("textbox", name="edgevpn.toml")).not_to_have_value(re.compile(r"10\.89\.0\.53"))
    who.go("/settings/network")
    expect(who.page.get_by_label("DNS servers", exact=True)).to_have_value("10.89.0.1")
    assert "10.89.0.53" not in home.config


def test_the_file_itself(home: Router, who: Person) -> None:
    who.go("/settings/backup")
    text = who.page.get_by_role("textbox", name="edgevpn.toml")
    text.fill(home.config + "\n[crypto]\noffload = 'sometimes'\n")
    who.press("What would change?")
    expect(who.page.locator(".notice.bad")).to_contain_text("crypto.offload")
    text.fill(home.config + "\n[crypto]\noffload = 'off'  # a remark of mine\n")
    who.press("What would change?")
    expect(who.page.locator(".notice.warning")).to_contain_text("crypto.offload")
    who.press("Apply")
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    assert "# a remark of mine" in home.config


def test_who_did_what(who: Person) -> None:
    who.go("/logs")
    expect(who.page.locator(".log")).to_contain_text("started version=")
    who.page.get_by_label("Search").fill("nothing has this in it")
    expect(who.page.locator(".log li")).to_have_count(0)
    who.go("/logs/audit")
    expect(who.page.locator(".log")).to_contain_text("Logged in")
