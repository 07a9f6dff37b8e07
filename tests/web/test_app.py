"""One test for each rule that a panel in a LAN has to keep, by what went wrong elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from edgevpn.web import passwords
from edgevpn.web.entrance import SETUP_WINDOW
from edgevpn.web.guard import OPEN_API
from edgevpn.web.listening import CannotListen, place_of
from edgevpn.web.routes import ROUTES
from tests.support.panel import PASSWORD, Afar, Stage, stage
from tests.support.stand_in import StandIn, device, session

HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\r\nSet-Cookie: a=b" + "A" * 4096
READS = [route.path.replace("{name}", "phone") for route in ROUTES if route.verb == "GET"]


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


@pytest.fixture
async def new_panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, password_hash="") as made:
        yield made


async def test_rule_1_never_open_by_default(new_panel: Stage) -> None:
    """There is no password that works before one is set, and nothing else is answered."""
    browser = new_panel.browser()
    for password in ("", "admin", "root", "edgevpn", PASSWORD):
        assert (await browser.post("/login", {"password": password})).status == 403
    for path in READS:
        assert (await browser.get(path)).code == "log_in"
    assert (await browser.post("/ticket", {"ticket": "a-ticket-that-is-good"})).code == "no_password"


async def test_rule_1_the_first_password_needs_a_token_when_its_time_is_over(new_panel: Stage) -> None:
    new_panel.clock.now += SETUP_WINDOW
    assert (await new_panel.browser().post("/setup", {"password": PASSWORD})).status == 403
    assert new_panel.daemon.web["password_hash"] == ""


PUBLIC = ["203.0.113.9", "100.64.0.9", "2001:db8::9", "::ffff:203.0.113.9"]


async def test_rule_1_the_first_password_comes_from_the_lan(tmp_path: Path) -> None:
    """From loopback and private addresses, that is."""
    for number, address in enumerate(("127.0.0.1", "192.168.1.77", "::ffff:192.168.1.77", "fd00::77")):
        (tmp_path / str(number)).mkdir()
        async with stage(tmp_path / str(number), gate=Afar(address), password_hash="") as made:
            assert (await made.browser().post("/setup", {"password": PASSWORD})).status == 200


@pytest.mark.parametrize("address", PUBLIC)
async def test_rule_1_no_first_password_from_the_internet(tmp_path: Path, address: str) -> None:
    """Not even where the panel is served to all, nor with a token, nor with a header of the LAN."""
    async with stage(tmp_path, gate=Afar(address), password_hash="", public=True) as made:
        browser = made.browser(X_Forwarded_For="192.168.1.77", Forwarded="for=192.168.1.77")
        assert (await browser.get("/panel")).json["setup"] == "open", "the panel itself is public"
        for body in ({"password": PASSWORD}, {"password": PASSWORD, "token": "a-ticket-that-is-good"}):
            answer = await browser.post("/setup", body)
            assert (answer.status, answer.code) == (403, "lan_only")
        assert made.daemon.web["password_hash"] == ""


async def test_rule_1_a_hash_in_the_file_is_enough(panel: Stage) -> None:
    assert (await panel.browser().get("/panel")).json["setup"] == ""
    assert (await panel.browser().post("/setup", {"password": "another one"})).code == "has_password"


def test_rule_2_lan_addresses_only() -> None:
    settings = StandIn(listen=["203.0.113.1"]).web
    with pytest.raises(CannotListen, match="allow_listen_on_public_addresses"):
        place_of(settings, None, "router")  # type: ignore[arg-type]
    lan = place_of(StandIn(listen=["192.168.1.1"]).web, None, "router")  # type: ignore[arg-type]
    assert not lan.admits(ip_address("203.0.113.9")), "Linux takes packets for a LAN address on any interface"


@pytest.mark.parametrize("address", PUBLIC)
async def test_rule_2_the_internet_is_answered_nothing(tmp_path: Path, address: str) -> None:
    async with stage(tmp_path, gate=Afar(address)) as made:
        browser = made.browser(X_Forwarded_For="192.168.1.77")
        for path in ("/", "/app.js", "/panel", "/status", "/d/x/y", "/nothing"):
            assert (await browser.get(path)).code == "lan_only"
        assert (await browser.log_in()).code == "lan_only"
        assert (await browser.post("/setup", {"password": PASSWORD})).code == "lan_only"
        assert made.daemon.asked == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "localhost:1", ""])
async def test_rule_3_names_of_others_are_refused(panel: Stage, host: str) -> None:
    """A page of a stranger whose name leads here, after all, is not at home here."""
    owner = await panel.owner()
    for path in ("/status", "/panel", "/"):
        assert (await owner.get(path, Host=host)).code == "wrong_host"


async def test_rule_3_our_names(panel: Stage) -> None:
    port = panel.place.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"router.lan:{port}", "router.local", "panel.example"):
        assert (await panel.browser().get("/panel", Host=host)).status == 200


async def test_rule_4_cookies(tmp_path: Path, panel: Stage) -> None:
    cookie = (await panel.browser().log_in()).headers["Set-Cookie"]
    name, *attributes = cookie.split("; ")
    assert re.fullmatch(r"edgevpn=[A-Za-z0-9_-]{43}", name)
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict"]


async def test_rule_4_sessions_end(panel: Stage) -> None:
    idle, used = await panel.owner(), await panel.owner()
    for _ in range(40):
        panel.clock.now += 1100
        if (await used.get("/status")).status != 200:
            break
    assert panel.clock.now - 1_700_000_000 >= 43200 - 1100
    assert (await used.get("/status")).code == "log_in"
    assert (await idle.get("/status")).code == "log_in"


async def test_rule_4_a_login_gives_a_new_token(panel: Stage) -> None:
    """Who has planted a token, or seen the last one, gains nothing."""
    browser = panel.browser()
    first = (await browser.log_in()).headers["Set-Cookie"]
    second = (await browser.log_in()).headers["Set-Cookie"]
    assert first != second
    planted = panel.browser(Cookie="edgevpn=planted")
    assert "planted" not in (await planted.log_in()).headers["Set-Cookie"]


async def test_rule_4_logout_kills_and_a_new_password_kills_all(panel: Stage) -> None:
    one, other = await panel.owner(), await panel.owner()
    await one.post("/logout")
    assert [(await each.get("/status")).status for each in (one, other)] == [401, 200]
    third = await panel.owner()
    await third.put("/password", {"current": PASSWORD, "password": "a new one"})
    assert [(await each.get("/status")).status for each in (one, other, third)] == [401, 401, 401]


async def test_rule_5_reading_changes_nothing(panel: Stage) -> None:
    owner = await panel.owner()
    for path in READS:
        assert (await owner.get(path)).status == 200
    changing = {route.method for route in ROUTES if route.verb != "GET"}
    assert not changing & {method for method, _ in panel.daemon.asked}


async def test_rule_5_writes_come_from_our_own_pages(panel: Stage) -> None:
    """JSON, our token, our origin; each alone is not enough."""
    owner = await panel.owner()
    body = {"name": "laptop", "settings": {}}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with owner.client.post(f"{panel.base}/api/v1/devices", data=json.dumps(body), headers=form) as response:
        assert response.status == 403
    form["X-CSRF-Token"] = owner.csrf
    async with owner.client.post(f"{panel.base}/api/v1/devices", data=json.dumps(body), headers=form) as response:
        assert response.status == 415
    assert (await owner.post("/devices", body, Origin="https://evil.example")).code == "wrong_origin"
    assert (await owner.post("/devices", body, Sec_Fetch_Site="cross-site")).code == "wrong_origin"
    assert "laptop" not in panel.daemon.devices
    assert (await owner.post("/devices", body)).status == 200


async def test_rule_5_bodies_are_short(panel: Stage) -> None:
    owner = await panel.owner()
    assert (await owner.post("/config/plan", {"text": "#" * 70_000})).status == 413


async def test_rule_6_guesses_are_slowed_down(panel: Stage) -> None:
    browser = panel.browser()
    waits = []
    for _ in range(9):
        answer = await browser.post("/login", {"password": "wrong"})
        waits.append(int(answer.headers.get("Retry-After", 0)))
        if answer.status == 429:
            panel.clock.now += waits[-1]
            assert (await browser.post("/login", {"password": "wrong"})).status == 403
    assert waits[:5] == [0] * 5
    assert waits[5] < waits[6] < waits[7] < waits[8]
    panel.clock.now += waits[-1] * 2 + 1
    assert (await browser.log_in()).status == 200


async def test_rule_6_who_guesses_over_ipv6_or_with_headers_is_one(panel: Stage) -> None:
    for number in range(5):
        browser = panel.browser(X_Forwarded_For=f"192.168.1.{number}", Forwarded=f"for=192.168.1.{number}")
        assert (await browser.post("/login", {"password": "wrong"})).status == 403
    assert (await panel.browser(X_Real_IP="192.168.1.99").log_in()).status == 429


def test_rule_6_no_password_costs_what_a_wrong_one_costs() -> None:
    """The hash that stands in is as dear as those that are made, and is worked out for nothing."""
    made = passwords.hashed(PASSWORD, b"salt" * 4, passwords.Cost())
    assert passwords.NOBODYS.split("$")[1:3] == made.split("$")[1:3]
    assert len(passwords.NOBODYS) == len(made)
    with pytest.raises(passwords.WrongPassword):
        passwords.check("wrong", "")


async def test_rule_7_headers(panel: Stage) -> None:
    headers = (await panel.browser().get("/")).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert (await (await panel.owner()).get("/config/text")).headers["Cache-Control"] == "no-store"


async def test_rule_8_no_secret_is_read_again(panel: Stage) -> None:
    """It is told when it is made; then by no path that reads."""
    owner = await panel.owner()
    made = (await owner.post("/devices", {"name": "laptop", "settings": {}})).json
    answers = [(await owner.get(path)).body.decode() for path in READS]
    assert made["password"]
    assert not [text for text in answers if made["password"] in text or panel.daemon.web["password_hash"] in text]


async def test_rule_9_plain_http_is_told_of_and_makes_no_links(panel: Stage) -> None:
    owner = await panel.owner()
    assert (await owner.get("/panel")).json["https"] is False
    link = {"form": "mobileconfig"}
    assert (await owner.post("/devices/phone/link", link)).code == "unencrypted"
    assert (await owner.post("/devices/phone/link", link | {"unencrypted": True})).status == 200


async def test_rule_10_links(panel: Stage) -> None:
    owner = await panel.owner()
    url = (await owner.post("/devices/phone/link", {"form": "sswan", "unencrypted": True})).json["url"]
    path = url.removeprefix(panel.base)
    assert re.fullmatch(r"/d/[A-Za-z0-9_-]{22}/phone\.sswan", path)
    assert (await panel.browser().get(path)).status == 200
    panel.clock.now += 5
    assert (await panel.browser().get(path)).status == 200
    assert (await panel.browser().get(path)).status == 404


async def test_rule_11_audit(panel: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "edgevpn.web")
    owner = await panel.owner()
    await owner.post("/devices/phone/export", {"form": "p12"})
    await owner.post("/sites/office/down")
    entries = (await owner.get("/audit")).json
    assert [each["event"] for each in entries] == ["login", "device.export", "site.down"]
    assert {each["address"] for each in entries} == {"127.0.0.1"}
    assert all(each["at"] == panel.clock.now for each in entries)
    assert all(line.isprintable() for line in caplog.messages)


async def test_rule_11_what_peers_send_is_data(panel: Stage) -> None:
    """It comes as JSON, typed as such, and never as markup or as a header."""
    panel.daemon.devices["phone"] = device("phone", sessions=[session(proof=HOSTILE, client=HOSTILE)], id=HOSTILE)
    owner = await panel.owner()
    answer = await owner.get("/status")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["devices"][0]["id"] == HOSTILE
    assert answer.body.isascii()
    assert not set(b"\r\n\x1b") & set(answer.body)


async def test_rule_12_a_ticket_of_luci_is_good_once(panel: Stage) -> None:
    assert (await panel.browser().post("/ticket", {"ticket": "a-ticket-that-is-good"})).status == 200
    assert (await panel.browser().post("/ticket", {"ticket": "a-ticket-that-is-good"})).status == 403


async def test_rule_13_changes_wait_for_their_confirmation(panel: Stage) -> None:
    owner = await panel.owner()
    applied = (await owner.ask("PATCH", "/config", {"values": {"web.port": 8444}, "confirm": 60})).json
    assert applied["confirm_before"] is not None
    assert panel.daemon.asked[-1] == ("config.set", {"values": {"web.port": 8444}, "confirm": 60})
    assert (await owner.post("/config/confirm")).status == 204


async def test_nothing_is_open_but_this(panel: Stage) -> None:
    assert {path.rsplit("/", 1)[1] for path in OPEN_API} == {"panel", "setup", "login", "ticket"}
    browser = panel.browser()
    for route in panel.panel.app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        if path not in OPEN_API | {"/", "/app.js"} and not path.startswith("/d/"):
            assert (await browser.ask(route.method, path.replace("{name}", "phone"), {})).status == 401, path
