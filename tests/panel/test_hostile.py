"""What peers send is text on every screen: markup draws nothing, runs nothing, and breaks no page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.panel.looking import Person, person
from tests.panel.places import Staged, staged
from tests.panel.test_screens import PLACES
from tests.support.stand_in import attempt, device, session
from tests.support.statuses import OFFICE, STARTED

MARKUP = '"><img src=x onerror="window.broken=1"><script>window.broken=1</script><svg onload="window.broken=1">'
IDENTITIES = {
    "markup": MARKUP,
    "an address that runs": "javascript:window.broken=1//",
    "control characters": "\x1b[2J\x00\x08\r\nwindow",
    "the other way round": "\u202e" + "gpj.exe" + "\u2066",
    "4 kB": "A" * 4096,
    "4 kB of markup": (MARKUP * 40)[:4096],
    "a template": "${window.broken=1}{{constructor.constructor('window.broken=1')()}}",
    "names of properties": "__proto__",
}


@pytest.fixture(params=IDENTITIES.values(), ids=list(IDENTITIES))
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Staged, str]]:
    text: str = request.param
    with staged(tmp_path) as made:
        show_everywhere(made, text)
        yield made, text


def show_everywhere(made: Staged, text: str) -> None:
    """Wherever a peer's words could be shown."""
    daemon = made.daemon
    visit = session(remote=text, client=text, proof=text, addresses=[text], suite=text)
    daemon.devices = {"phone": device("phone", id=text, owner=text, place=text, seen=STARTED, sessions=[visit])}
    daemon.devices |= {text[:64]: device(text[:64], refused=text)} if "/" not in text[:64] else {}
    child = {**OFFICE["ike"][0]["children"][0], "local_ts": [text], "remote_ts": [text], "suite": text, "name": text}
    ike = {**OFFICE["ike"][0], "remote": text, "suite": text, "children": [child]}
    daemon.sites = {"office": {**OFFICE, "ike": [ike], "remote": text, "why": text}}
    daemon.sites["branch"] = {**OFFICE, "name": "branch", "ike": [], "state": "down", "why": text}
    daemon.attempts_seen = [failed(text)]
    daemon.health_seen = [{"id": text, "level": "bad", "message": text, "cure": text}]
    daemon.lines = [{"at": STARTED, "level": "warning", "text": text}]
    daemon.text = text.replace("\x00", "")


def failed(text: str) -> Any:
    return attempt(text, remote=text, identity=text, client=text, stage=text, cause=text, sentence=text, cure=text)


def test_it_is_inert(chromium: Browser, hostile: tuple[Staged, str]) -> None:
    made, text = hostile
    with person(chromium, made.base, viewport={"width": 360, "height": 740}) as who:
        who.log_in()
        for name, place in PLACES.items():
            who.go(place)
            who.page.wait_for_load_state("networkidle" if name != "home" else "load")
            inert(who, name)
            if name == "home":
                made.say("device", {**made.daemon.devices["phone"], "owner": text})
                made.say("site", made.daemon.sites["office"])
                made.say("attempt", failed(text))
                made.say("traffic", {"at": STARTED, "seconds": 2, "sites": {text: NOTHING}, "devices": {text: NOTHING}})
                who.page.locator(".attempt").nth(1).wait_for()
                inert(who, name)


NOTHING = {"received": 1, "sent": 1}


def inert(who: Person, name: str) -> None:
    assert injected(who.page) == 0, f"{name} has drawn what a peer has sent"
    assert who.page.evaluate("window.broken === undefined && ({}).broken === undefined")
    assert who.too_wide() == 0, f"{name} is wider than the window"
    assert who.page.url.startswith(who.base)


FOREIGN = (
    "script, iframe, object, embed, base, meta, link, style, img, [onerror], [onload], [onclick], a[href^=javascript]"
)


def injected(page: Page) -> int:
    """Elements that no view of ours makes."""
    counted: int = page.evaluate(
        "foreign => [...document.body.querySelectorAll(foreign)].filter(each => !each.matches('header img')).length",
        FOREIGN,
    )
    return counted
