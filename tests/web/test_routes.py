from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from edgevpn.api import METHODS, ErrorCode, RpcError
from edgevpn.web.parameters import SMALL
from edgevpn.web.routes import ENDING, ROUTES
from tests.support.panel import Browser, Stage, stage
from tests.support.shapes import misfits

OF_THE_PANEL = {"subscribe", "web.listening", "web.settings", "web.set_password", "web.ticket", "web.redeem"}
"""Methods that the panel itself calls, and no browser."""

BODIES: dict[str, dict[str, Any]] = {
    "site.add": {"name": "new", "settings": {"remote": "a.example"}, "confirm": 60},
    "site.set": {"settings": {"mtu": 1400}},
    "site.rekey": {"what": "child"},
    "site.reach": {"address": "10.2.0.1"},
    "site.snippet": {"form": "strongswan"},
    "device.add": {"name": "laptop", "settings": {"platform": "windows"}},
    "device.set": {"settings": {"enabled": False}},
    "device.export": {"form": "mobileconfig", "on_demand": "always", "networks": ["home"]},
    "device.card": {"secret": "correct-horse-battery"},
    "config.set": {"values": {"web.port": 8444}, "confirm": 60},
    "config.apply": {"text": "# new\n[web]\n"},
    "config.plan": {"text": "# new\n"},
    "config.rollback": {"number": 1},
    "pki.init": {"name": "Home CA"},
    "pki.import": {"content": "-----BEGIN PRIVATE KEY-----", "password": "long enough"},
    "backup.create": {"password": "long enough"},
    "backup.restore": {"content": "c2VhbGVk", "password": "long enough"},
}


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


@pytest.fixture
async def owner(panel: Stage) -> Browser:
    return await panel.owner()


def test_every_method_is_a_path() -> None:
    """Nothing can be done on the command line that cannot be done here."""
    assert {route.method for route in ROUTES} == METHODS.keys() - OF_THE_PANEL
    assert METHODS.keys() >= ENDING


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.verb} {route.path}")
async def test_a_path_is_a_method(panel: Stage, owner: Browser, route: Any) -> None:
    body = BODIES.get(route.method, {})
    path = route.path.replace("{name}", "office" if route.path.startswith("/sites") else "phone")
    answer = await owner.ask(route.verb, path, None if route.verb in ("GET", "DELETE") else body)

    asked, params = panel.daemon.asked[-1]
    assert asked == route.method
    assert {**params} == body | ({"name": params["name"]} if "{name}" in route.path else {})
    if route.spec.result is None:
        assert (answer.status, answer.body) == (204, b"")
    else:
        assert answer.status == 200
        assert misfits(answer.json[route.key] if route.key else answer.json, route.spec.result) == []
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["Anna’s phone", "花子", "a b", "50%", "a?b#c&d", "-", "<b>x", "con:nul"])
async def test_names_of_all_kinds(panel: Stage, owner: Browser, name: str) -> None:
    await owner.post("/devices", {"name": name, "settings": {}})
    assert (await owner.get(f"/devices/{quote(name, safe='')}")).json["device"]["name"] == name


async def test_what_the_daemon_refuses_is_told(panel: Stage, owner: Browser) -> None:
    missing = await owner.get("/devices/nobody")
    assert (missing.status, missing.code) == (404, "not_found")
    panel.daemon.refusals["config.apply"] = RpcError(
        ErrorCode.CONFIG_INVALID, "it is bad", ["e.toml:1: a", "e.toml:2: b"]
    )
    bad = await owner.put("/config/text", {"text": "x"})
    assert (bad.status, bad.json["error"]["problems"]) == (422, ["e.toml:1: a", "e.toml:2: b"])


async def test_a_daemon_that_has_gone(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        owner = await made.owner()
        (tmp_path / "control.sock").unlink()
        gone = await owner.get("/status")
        assert (gone.status, gone.code) == (503, "daemon_unreachable")


async def test_what_changes_something_is_noted(panel: Stage, owner: Browser) -> None:
    await owner.post("/devices", {"name": "laptop", "settings": {}})
    await owner.get("/devices")
    await owner.post("/devices/nobody/revoke")
    noted = [(each["event"], each["detail"]) for each in (await owner.get("/audit")).json]
    assert noted == [("login", ""), ("device.add", "laptop")]


async def test_backups_are_longer_than_other_bodies(owner: Browser) -> None:
    long = {"content": "QQ" * SMALL, "password": "long enough"}
    assert (await owner.post("/backup/restore", long)).status == 200
    assert (await owner.post("/config/plan", {"text": "#" * SMALL * 2})).code == "too_large"


async def test_a_device_that_is_gone_has_no_links(panel: Stage, owner: Browser) -> None:
    link = (await owner.post("/devices/phone/link", {"form": "sswan", "unencrypted": True})).json["url"]
    await owner.post("/devices/phone/revoke")
    assert (await panel.browser().get(link.removeprefix(panel.base))).status == 404


async def test_parameters_are_checked_before_the_daemon_is_asked(panel: Stage, owner: Browser) -> None:
    before = len(panel.daemon.asked)
    for body in ({}, {"name": "x"}, {"name": 1, "settings": {}}, {"name": "x", "settings": {}, "more": 1}):
        assert (await owner.post("/devices", body)).code == "invalid"
    assert (await owner.get("/devices/a%0ab")).status == 400
    assert len(panel.daemon.asked) == before
