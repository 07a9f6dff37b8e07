"""From an empty router to the first device, and the ways in after that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.panel.looking import person
from tests.panel.router import Router, router
from tests.support.panel import PASSWORD


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Router]:
    with router(tmp_path / "home") as made:
        yield made


def test_from_nothing_to_the_first_device(chromium: Browser, new: Router) -> None:
    with person(chromium, new.base) as who:
        who.page.goto(new.base)
        who.see("Welcome to edgevpn")
        who.shot("first-run-password")
        assert who.barriers() == []
        who.page.get_by_label("New password").fill("short")
        who.press("Set the password")
        who.see("a password has 8 to 256 characters")
        who.page.get_by_label("New password").fill(PASSWORD)
        who.press("Set the password")

        who.see("What devices have to know")
        who.page.get_by_label("Public name or address").fill("localhost")
        who.page.get_by_label("Addresses for devices").fill("10.89.0.0/33")
        who.press("Save and check")
        who.see("pool.home.v4")
        assert "10.89" not in new.config, "a bad value changes nothing"
        who.page.get_by_label("Addresses for devices").fill("10.89.0.0/24")
        who.press("Save and check")
        who.page.locator("main").get_by_role("link", name="Add a device").wait_for()
        who.shot("first-run-checked")
        assert who.barriers() == []
        assert 'public_name = ["localhost"]' in new.config
        assert "# A router that has just been set up." in new.config

        who.page.locator("main").get_by_role("link", name="Add a device").click()
        who.arrive("/add-device")
        who.press("Add it")
        who.see("Still missing: Name")
        who.page.get_by_label("Name", exact=True).fill("phone")
        who.press("Add it")
        who.see("phone is ready")
        who.page.locator(".qr").wait_for()


def test_the_first_password_by_a_token(chromium: Browser, new: Router) -> None:
    (address,) = new.run("setup-token").split()
    with person(chromium, new.base) as who:
        who.page.goto(address)
        who.page.get_by_label("New password").fill(PASSWORD)
        assert who.page.get_by_label("Token", exact=True).input_value() == address.partition("=")[2]
        assert "ticket" not in who.page.url, "it does not stay in the history"
        who.press("Set the password")
        who.see("What devices have to know")
    with person(chromium, new.base) as who:
        who.log_in()
        who.see("No phone or laptop can come in yet.")


def test_login_and_logout(chromium: Browser, new: Router) -> None:
    set_password(new, chromium)
    with person(chromium, new.base) as who:
        who.page.goto(new.base)
        who.page.get_by_label("Password", exact=True).fill("wrong")
        who.press("Log in")
        who.see("That is not right.")
        who.log_in()
        who.page.reload()
        who.see("No phone or laptop can come in yet.")
        who.press("Log out")
        expect(who.page.get_by_role("heading", name="Log in")).to_be_visible()
        who.page.go_back()
        expect(who.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_guesses_are_slowed_down(chromium: Browser, new: Router) -> None:
    set_password(new, chromium)
    with person(chromium, new.base) as who:
        who.go("")
        for _ in range(5):
            who.page.get_by_label("Password", exact=True).fill("wrong")
            who.press("Log in")
            who.see("That is not right.")
        who.page.get_by_label("Password", exact=True).fill(PASSWORD)
        who.press("Log in")
        who.see("Too many tries.")


def test_a_ticket_lets_in_without_the_password(chromium: Browser, new: Router) -> None:
    set_password(new, chromium)
    (address,) = new.run("setup-token").split()
    with person(chromium, new.base) as who:
        who.page.goto(address)
        who.see("No phone or laptop can come in yet.")
    with person(chromium, new.base) as who:
        who.page.goto(address)
        expect(who.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_japanese_by_the_browser_and_by_choice(chromium: Browser, new: Router) -> None:
    with person(chromium, new.base, locale="ja-JP") as who:
        who.page.goto(new.base)
        who.see("edgevpn へようこそ")
        assert who.page.locator("html").get_attribute("lang") == "ja"
        who.page.get_by_label("Language").select_option("en")
        who.see("Welcome to edgevpn")
        who.page.reload()
        who.see("Welcome to edgevpn")
        who.page.get_by_label("Language").select_option("ja")
        who.page.get_by_label("新しいパスワード").fill(PASSWORD)
        who.press("パスワードを設定")
        who.see("端末に必要な情報")


def set_password(of: Router, chromium: Browser) -> None:
    """As the first run does it."""
    with person(chromium, of.base) as who:
        who.go("")
        who.page.get_by_label("New password").fill(PASSWORD)
        who.press("Set the password")
        who.see("What devices have to know")
