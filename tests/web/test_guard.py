from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgevpn.web.guard import HEADERS, PLAIN
from tests.support.panel import Browser, Stage, stage

STATUS = "/api/v1/status"


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


@pytest.fixture
async def owner(panel: Stage) -> Browser:
    return await panel.owner()


def request(target: str, *lines: str, version: str = "HTTP/1.1") -> bytes:
    """A request as it is sent, octet by octet."""
    head = (f"GET {target} {version}", *(lines or ("Host: localhost",)), "Connection: close")
    return "\r\n".join((*head, "", "")).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


SPELLINGS = [
    "/api/v1/status/",
    "//api/v1/status",
    "/api//v1/status",
    "/api/v1/./status",
    "/d/../api/v1/status",
    "/d/%2e%2e/api/v1/status",
    "/d/x/%2E%2E/%2e%2e/api/v1/status",
    "/d/..%2fapi/v1/status",
    "/%61pi/v1/status",
    "/API/v1/status",
    "/api/v1/status;/d/",
    "/api/v1/status%00",
    "/api/v1/login/../status",
    "/api/v1/panel%2f..%2fstatus",
    "/d\\..\\api/v1/status",
    "/api/v1/status?/d/x",
    "/api/v1/status#/d/x",
    "http://localhost/api/v1/status",
    "/d/x/y/../../../api/v1/status",
]


@pytest.mark.parametrize("target", SPELLINGS)
async def test_no_spelling_of_a_path_is_open(panel: Stage, target: str) -> None:
    answer = await panel.raw(request(target))
    assert status(answer) in (400, 401, 404), answer
    assert b"kernel" not in answer
    assert panel.daemon.asked == []


async def test_what_is_not_there_is_closed_too(panel: Stage, owner: Browser) -> None:
    """A stranger does not learn which paths there are."""
    for path in ("/api/v1/nothing", "/api/v1/config/text", "/api/v2/status", "/api/v1"):
        assert (await panel.browser().get(path)).status == 401
    assert (await owner.get("/api/v1/nothing")).status == 404
    assert (await owner.ask("PUT", "/api/v1/status", {})).status == 405


async def test_plain_paths_only(owner: Browser) -> None:
    assert PLAIN.fullmatch("/api/v1/devices/Anna%E2%80%99s%20phone")
    for path in ("", "api", "/a b", "/a%", "/a%2fb"[:4], "/%5c", "/%00", "/%7f", "/%2e", "/a\\b", "/é"):
        assert not PLAIN.fullmatch(path), path


async def test_headers_on_every_answer(panel: Stage, owner: Browser) -> None:
    link = (await owner.post("/devices/phone/link", {"form": "sswan", "unencrypted": True})).json["url"]
    answers = [
        await panel.browser().get("/"),
        await panel.browser().get("/status"),
        await owner.get("/status"),
        await owner.get("/nothing"),
        await owner.get("/devices/nobody"),
        await owner.get("/status", Host="evil.example"),
        await owner.post("/logout"),
        await panel.browser().get(link.removeprefix(panel.base)),
    ]
    assert [answer.status for answer in answers] == [200, 401, 200, 404, 404, 421, 204, 200]
    for answer in answers:
        assert HEADERS.items() <= dict(answer.headers).items()
        assert answer.headers["Server"] == "edgevpn"


async def test_no_other_protocol(panel: Stage) -> None:
    """No Upgrade: what is spoken after one was never guarded."""
    for lines in (
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Connection: Upgrade", "Upgrade: websocket"),
    ):
        assert status(await panel.raw(request(STATUS, "Host: localhost", *lines))) == 400
    assert status(await panel.raw(request(STATUS, version="HTTP/1.0"))) == 400
    assert status(await panel.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) in (400, 505)


async def test_smuggled_requests(panel: Stage) -> None:
    """One length only, and no request within another."""
    both = ("Host: localhost", "Content-Length: 4", "Transfer-Encoding: chunked")
    twice = ("Host: localhost", "Content-Length: 4", "Content-Length: 5")
    for lines in (both, twice, ("Host: localhost", "Host: evil.example")):
        octets = request("/api/v1/login", *lines).replace(b"GET", b"POST") + b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        assert status(await panel.raw(octets)) in (400, 415, 421)


async def test_long_heads(panel: Stage) -> None:
    for octets in (
        request("/" + "a" * 5000),
        request("/", "Host: localhost", "X: " + "a" * 9000),
    ):
        assert status(await panel.raw(octets)) == 400


async def test_the_kind_of_guard_for_each_kind_of_asker(panel: Stage, owner: Browser) -> None:
    for origin in ("http://evil.example", "null", panel.base.replace("http", "https"), "http://localhost"):
        assert (await owner.post("/config/reload", Origin=origin)).code == "wrong_origin"
        assert (await panel.browser().post("/login", {"password": "x"}, Origin=origin)).code == "wrong_origin"
    for site in ("cross-site", "same-site"):
        assert (await owner.post("/config/reload", Sec_Fetch_Site=site)).code == "wrong_origin"
        assert (await owner.get("/status", Sec_Fetch_Site=site)).code == "wrong_origin"
    assert (await owner.post("/config/reload", Origin=panel.base, Sec_Fetch_Site="same-origin")).status == 200


async def test_a_token_goes_with_every_change(panel: Stage, owner: Browser) -> None:
    for token in ("", "wrong", "é"):
        owner.csrf = token
        for verb, path in (
            ("POST", "/config/reload"),
            ("DELETE", "/devices/phone"),
            ("PATCH", "/config"),
            ("PUT", "/totp"),
        ):
            assert (await owner.ask(verb, path, {})).code == "wrong_token"
    assert (await owner.get("/status")).status == 200
