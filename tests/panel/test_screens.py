"""Every screen in both themes, two widths and two languages: nothing juts out, nobody is kept out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.panel.looking import Person, person
from tests.panel.places import Staged, staged
from tests.support.stand_in import ANSWERS, FINE, device, session
from tests.support.statuses import OFFICE, STARTED

LOOKS = {
    "light-1280": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark-1280": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "light-360": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
    "dark-360": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
    "light-360-ja": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "locale": "ja-JP"},
}
PLACES = {
    "home": "/",
    "welcome": "/welcome",
    "add-device": "/add-device",
    "device": "/device/phone",
    "add-site": "/add-site",
    "site": "/site/office",
    "settings-name": "/settings/name",
    "settings-network": "/settings/network",
    "settings-security": "/settings/security",
    "settings-backup": "/settings/backup",
    "logs": "/logs",
    "attempts": "/logs/attempts",
    "audit": "/logs/audit",
}
WRONG = [
    FINE,
    {
        "id": "ports",
        "level": "warning",
        "message": "UDP 4500 has never been reached from outside.",
        "cure": "Forward UDP 500 and 4500 to this router.",
    },
    {
        "id": "crypto",
        "level": "bad",
        "message": "aes-gcm of this kernel drops packets.",
        "cure": "Set crypto.offload to off.",
    },
]


OLD = "aes256-sha1-prfsha1-modp1024"
WEAK = ["sha1: SHA-1 is old", "prfsha1: SHA-1 is old", "modp1024: an observer can compute it"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    with staged(tmp_path_factory.mktemp("panel")) as made:
        made.daemon.health_seen = WRONG
        made.daemon.devices |= {
            "Anna’s laptop": device(
                "Anna’s laptop", platform="windows", owner="Anna", seen=STARTED, place="203.0.113.9"
            ),
            "old": device("old", enabled=False, refused="the device is disabled"),
            "ancient": device("ancient", platform="windows", sessions=[session(suite=OLD, weak=WEAK)]),
        }
        yield made


def fine(who: Person, name: str) -> None:
    who.shot(name)
    assert who.too_wide() == 0, f"{name} is wider than the window"
    assert who.barriers() == []


def unfold(who: Person) -> None:
    """All that is behind folds is shown."""
    who.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")


@pytest.mark.parametrize("look", LOOKS)
def test_before_the_login(chromium: Browser, stage: Staged, look: str) -> None:
    with person(chromium, stage.base, **LOOKS[look]) as who:
        who.go()
        fine(who, f"login-{look}")


@pytest.mark.parametrize("look", LOOKS)
def test_screens(chromium: Browser, stage: Staged, look: str) -> None:
    with person(chromium, stage.base, **LOOKS[look]) as who:
        who.log_in()
        for moment in range(30):
            stage.say("traffic", traffic(moment))
        for name, place in PLACES.items():
            who.go(place)
            who.page.wait_for_load_state("networkidle" if name != "home" else "load")
            who.shot(f"{name}-{look}")
            unfold(who)
            fine(who, f"{name}-unfolded-{look}")


def traffic(moment: int) -> dict[str, Any]:
    """Octets of two seconds, with ups and downs."""
    office = {"received": 1000 * (moment % 7) ** 2, "sent": 3000 * (moment % 5)}
    phone = {"received": 90_000 * (moment % 3 + 1), "sent": 800_000 * (moment % 6 + 1)}
    return {"at": STARTED + moment, "seconds": 2, "sites": {"office": office}, "devices": {"phone": phone}}


@pytest.mark.parametrize("look", ["light-1280", "dark-360"])
def test_weak_ciphers_are_marked(chromium: Browser, stage: Staged, look: str) -> None:
    """In the list, and with what it means on the page; of a site at once when it comes up so."""
    with person(chromium, stage.base, **LOOKS[look]) as who:
        who.log_in()
        expect(who.page.locator(".item", has_text="ancient")).to_contain_text("Weak: sha1, prfsha1, modp1024")
        expect(who.page.locator(".item", has_text="office")).not_to_contain_text("Weak")
        fine(who, f"weak-{look}")
        who.go("/device/ancient")
        expect(who.page.locator(".notice.warning")).to_contain_text(
            "Weak: sha1, prfsha1, modp1024. Whoever records this"
        )
        fine(who, f"weak-device-{look}")
        who.go("/site/office")
        stage.say("site", {**OFFICE, "ike": [{**OFFICE["ike"][0], "weak": WEAK[:1]}]})
        expect(who.page.locator(".notice.warning")).to_contain_text("Weak: sha1. Whoever records this")


@pytest.mark.parametrize("look", ["light-1280", "dark-360"])
def test_a_host_behind_a_site_is_asked(chromium: Browser, stage: Staged, look: str) -> None:
    with person(chromium, stage.base, **LOOKS[look]) as who:
        who.log_in()
        who.go("/site/office")
        card = who.page.locator(".card", has_text="Try it")
        for host, told in ((ANSWERS, "answers: traffic passes both ways"), ("10.2.0.9", "does not answer")):
            card.get_by_label("A host in the other network").fill(host)
            who.press("Test the tunnel")
            expect(card).to_contain_text(f"{host} {told}")
            fine(who, f"site-reach-{host}-{look}")


PLATFORMS = [("ios", look) for look in LOOKS] + [
    (platform, look)
    for platform in ("android", "windows", "macos", "linux", "other")
    for look in ("light-1280", "dark-360")
]


@pytest.mark.parametrize(("platform", "look"), PLATFORMS)
def test_what_a_device_is_given(chromium: Browser, stage: Staged, platform: str, look: str) -> None:
    name = f"{platform} {look}"
    with person(chromium, stage.base, **LOOKS[look]) as who:
        who.log_in()
        who.go("/add-device")
        who.page.locator("form input[maxlength]").first.fill(name)
        who.page.locator(f"input[type=radio][value={platform}]").check(force=True)
        who.page.locator("form button[type=submit]").click()
        who.page.locator(".waiting").wait_for()
        if platform == "ios":
            who.page.locator(".qr").wait_for()
        fine(who, f"device-{platform}-{look}")
        stage.say("device", device(name, platform=platform, sessions=[session()]))
        who.page.locator(".waiting .state.good").wait_for()
