"""A device from its name to its first connection: green when it is in, and in words why not."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from playwright.sync_api import Browser, expect

from tests.panel.looking import Person, person
from tests.panel.router import SET_UP, Router, router, simulated

DEVICES = """
[device.laptop]
platform = "windows"
password = "a password of the laptop"

[device.tablet]
platform = "android"
password = "a password of the tablet"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with router(tmp_path_factory.mktemp("devices") / "home", SET_UP + DEVICES) as made:
        yield made


def add(who: Person, name: str, platform: str) -> None:
    """As a person with a mouse does it."""
    who.go("/add-device")
    who.page.get_by_label("Name", exact=True).fill(name)
    who.page.locator(f"input[type=radio][value={platform}]").check(force=True)
    who.press("Add it")
    who.see(f"{name} is ready")


def password_of(who: Person) -> str:
    """What is shown once."""
    return who.page.locator(".copyable output").first.inner_text()


def test_it_turns_green_when_it_is_in(home: Router, who: Person) -> None:
    add(who, "green", "windows")
    with simulated(home, "windows11", "green", password_of(who)):
        who.page.locator(".waiting .state.good").wait_for()
        who.see("green is connected.")
        who.shot("device-connected")
        who.go("/")
        row = who.page.locator(".item", has_text="green")
        expect(row).to_contain_text("Connected")
        expect(row).to_contain_text("10.89.0.")


def test_it_says_why_not(home: Router, who: Person) -> None:
    """And turns green after all, when the right password is typed."""
    add(who, "red", "android")
    password = password_of(who)
    with simulated(home, "android12", "red", "not the password"):
        who.page.locator(".waiting .state.bad").wait_for()
        who.shot("device-wrong-password")
        assert who.barriers() == []
        expect(who.page.locator(".waiting")).to_contain_text(re.compile("password", re.IGNORECASE))
        expect(who.page.locator(".waiting")).to_contain_text("What helps:")
    with simulated(home, "android12", "red", password):
        who.page.locator(".waiting .state.good").wait_for()


def test_the_reason_in_japanese(chromium: Browser, home: Router) -> None:
    with person(chromium, home.base, locale="ja-JP", viewport={"width": 360, "height": 740}) as who:
        who.log_in()
        with simulated(home, "windows11", "laptop", "not the password"):
            who.page.locator(".attempt", has_text="laptop").first.wait_for()
        expect(who.page.locator(".attempt", has_text="laptop").first).to_contain_text("パスワード")
        who.go("/device/laptop")
        expect(who.page.locator(".attempt").first).to_contain_text("パスワード")
        assert who.too_wide() == 0


def test_keyboard_alone_adds_a_device(home: Router, who: Person) -> None:
    keyboard = who.page.keyboard
    who.go("/")
    until_focus(who, "Add a device")
    keyboard.press("Enter")
    who.arrive("/add-device")
    until_focus(who, "Name")
    keyboard.type("by keyboard")
    until_focus(who, "iPhone, iPad")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    who.see("by keyboard is ready")
    expect(who.page.get_by_role("heading", name="by keyboard is ready")).to_be_focused()
    assert 'platform = "windows"' in home.config


def until_focus(who: Person, name: str) -> None:
    """Tab, until what has this name has the focus, and shows it."""
    for _ in range(40):
        who.page.keyboard.press("Tab")
        focus = who.page.evaluate(
            "(each => each.labels?.[0]?.textContent ?? each.ariaLabel ?? each.textContent)(document.activeElement)"
        )
        if name in focus:
            assert who.page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"nothing with the name {name} gets the focus")


def test_a_link_for_a_phone(home: Router, who: Person) -> None:
    """Fetched twice within the grace, as browsers do, and dead afterwards."""
    add(who, "iphone", "ios")
    who.page.locator(".qr").wait_for()
    link = who.page.locator(".share output").inner_text()
    answers = [fetched(link) for _ in range(3)]
    assert [status for status, _ in answers] == [200, 200, 404]
    assert b"com.apple.vpn.managed" in answers[0][1]
    assert answers[0][1] == answers[1][1]
    who.see("iphone has fetched its profile.")


def fetched(link: str) -> tuple[int, bytes]:
    """By a phone, which does not know the router's certificate, and goes on all the same."""
    connection = HTTPSConnection(urlsplit(link).netloc, context=ssl._create_unverified_context())  # noqa: S323 - as people do
    connection.request("GET", urlsplit(link).path)
    answer = connection.getresponse()
    status, content = answer.status, answer.read()
    connection.close()
    return status, content


@pytest.mark.parametrize(
    ("platform", "inside"),
    [
        ("windows", b"Add-VpnConnection"),
        ("macos", b"com.apple.vpn.managed"),
        ("linux", b"PK"),
        ("android", b'"ikev2-eap"'),
    ],
)
def test_a_file_for_each_platform(who: Person, platform: str, inside: bytes) -> None:
    add(who, f"file {platform}", platform)
    with who.page.expect_download() as downloading:
        who.page.get_by_role("button", name="Download").first.click()
    content = Path(downloading.value.path()).read_bytes()
    assert inside in content


def test_windows_by_hand_ends_with_a_command(who: Person) -> None:
    """The form has no algorithms: without the command it would be refused."""
    add(who, "by hand", "windows")
    card = who.page.locator(".card", has_text="Type it in")
    expect(card).to_contain_text("run it in a PowerShell window")
    expect(card.locator(".copyable").last).to_contain_text("Set-VpnConnectionIPsecConfiguration -ConnectionName")


def test_a_card_speaks_of_no_file_that_is_not_there(who: Person) -> None:
    add(who, "mac by certificate", "macos")
    expect(who.page.locator(".card", has_text="As a file")).to_have_count(1)
    expect(who.page.locator(".card", has_text="Type it in")).to_have_count(0)


def test_a_card_is_its_own_platforms(who: Person) -> None:
    who.go("/add-device")
    who.page.get_by_label("Name", exact=True).fill("typed on a phone")
    who.page.get_by_text("More choices").click()
    who.page.get_by_label("How it proves who it is").select_option("password")
    who.press("Add it")
    card = who.page.locator(".card", has_text="Type it in")
    expect(card).to_contain_text("Certificate Trust Settings")
    expect(card).to_contain_text("Local ID")


@pytest.mark.parametrize("login", ["certificate", "eap-tls"])
def test_the_script_for_windows_asks_for_a_password_that_is_shown(who: Person, login: str) -> None:
    add_pc(who, f"pc-{login}", login)
    assert len(password_of(who)) > 20
    with who.page.expect_download() as downloading:
        who.page.get_by_role("button", name="Download").first.click()
    content = Path(downloading.value.path()).read_bytes()
    assert b"Password of the certificate" in content
    assert (b"EapConfigXmlStream" in content) == (login == "eap-tls")
    who.go(f"/device/pc-{login}")
    who.see("A new profile brings a new certificate.")


def add_pc(who: Person, name: str, login: str) -> None:
    who.go("/add-device")
    who.page.get_by_label("Name", exact=True).fill(name)
    who.page.locator("input[type=radio][value=windows]").check(force=True)
    who.page.get_by_text("More choices").click()
    who.page.get_by_label("How it proves who it is").select_option(login)
    who.press("Add it")


def test_windows_takes_no_pre_shared_key(who: Person) -> None:
    add_pc(who, "old pc", "psk")
    who.see("Windows takes no pre-shared key")
    expect(who.page.get_by_role("button", name="Download")).to_have_count(0)


def test_its_page(home: Router, who: Person) -> None:
    who.go("/device/tablet")
    who.page.get_by_label("Whose is it?").fill("Anna")
    who.page.get_by_label("Until when").fill("2099-12-31")
    who.page.get_by_text("More choices").click()
    who.page.get_by_label("Fixed IPv4 address").fill("10.89.0.77")
    who.page.get_by_label("What goes through the tunnel").select_option("split")
    who.press("Save")
    who.page.locator(".notice.bad").wait_for()
    assert "Anna" not in home.config, "split needs networks: nothing was changed"
    who.page.get_by_label("Networks through the tunnel").fill("192.168.1.0/24")
    who.press("Save")
    expect(who.page.get_by_label("Fixed IPv4 address")).to_be_hidden()  # the page is shown anew
    expect(who.page.get_by_label("Whose is it?")).to_have_value("Anna")
    expect(who.page.get_by_label("Until when")).to_have_value("2099-12-31")
    who.page.get_by_text("More choices").click()
    expect(who.page.get_by_label("Fixed IPv4 address")).to_have_value("10.89.0.77")
    for line in (
        'owner = "Anna"',
        "2099-12-31",
        'v4 = "10.89.0.77"',
        'mode = "split"',
        'networks = ["192.168.1.0/24"]',
    ):
        assert line in home.config


def test_disabled_without_being_deleted(home: Router, who: Person) -> None:
    with simulated(home, "windows11", "laptop", "a password of the laptop"):
        who.go("/")
        row = who.page.locator(".item", has_text="laptop")
        expect(row).to_contain_text("Connected")
        who.page.get_by_role("switch", name="laptop may connect").click()
        expect(row).to_contain_text("Switched off")
        expect(row).not_to_contain_text("Connected")
    who.page.get_by_role("switch", name="laptop may connect").click()
    expect(row).to_contain_text("Last seen")


def test_a_new_secret_makes_the_old_one_useless(home: Router, who: Person) -> None:
    add(who, "reset", "windows")
    old = password_of(who)
    who.go("/device/reset")
    who.press("Make a new secret and profile")
    who.press("No")
    who.press("Make a new secret and profile")
    who.press("Yes")
    who.see("Keep this")
    new = password_of(who)
    assert new != old
    with simulated(home, "windows11", "reset", old) as client:
        assert client.wait() != 0
    with simulated(home, "windows11", "reset", new):
        who.page.locator(".state.good").wait_for()


def test_a_new_certificate(home: Router, who: Person) -> None:
    """In a file that opens by a password of its own, which is told with it."""
    name = "Anna's NAS"
    who.go("/add-device")
    who.page.get_by_label("Name", exact=True).fill(name)
    who.page.locator("input[type=radio][value=other]").check(force=True)
    who.page.get_by_text("More choices").click()
    who.page.get_by_label("How it proves who it is").select_option("certificate")
    who.press("Add it")
    who.see(f"{name} is ready")
    first = p12(who, password_of(who))
    who.page.get_by_role("link", name="Page of this device").click()
    who.press("Make a new profile")
    who.see("Keep this")
    second = p12(who, password_of(who))
    for each in (first, second):
        (named,) = each.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert named.value.startswith("annas-nas-")
    assert first.serial_number != second.serial_number


def p12(who: Person, password: str) -> x509.Certificate:
    """The certificate of the file that can be downloaded now."""
    part = who.page.locator("section.card", has_text="Certificate and key")
    with who.page.expect_download() as downloading:
        part.get_by_role("button", name="Download").click()
    made = pkcs12.load_pkcs12(Path(downloading.value.path()).read_bytes(), password.encode())
    assert made.cert is not None
    return made.cert.certificate


def test_revoked_and_removed(home: Router, who: Person) -> None:
    add(who, "lost", "ios")
    who.page.locator(".qr").wait_for()
    link = who.page.locator(".share output").inner_text()
    who.go("/device/lost")
    who.press("Revoke certificates")
    who.press("Yes")
    who.see("Revoked. It is out.")
    assert fetched(link)[0] == 404, "nor does its link lead anywhere"
    who.press("Remove")
    who.press("Yes")
    who.arrive("/")
    expect(who.page.locator(".item", has_text="lost")).to_have_count(0)
    assert "[device.lost]" not in home.config
