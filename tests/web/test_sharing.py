from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edgevpn.web.links import GRACE, LIFE
from edgevpn.web.sharing import download, file_name
from tests.support.panel import Answer, Browser, Stage, stage
from tests.support.stand_in import attempt, device, session

LINK = {"form": "mobileconfig", "unencrypted": True}


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


@pytest.fixture
async def owner(panel: Stage) -> Browser:
    return await panel.owner()


async def fetched(panel: Stage, url: str) -> Answer:
    """By a phone, which is not logged in."""
    return await panel.browser().get(url.removeprefix(panel.base))


async def test_a_phone_gets_its_profile_once(panel: Stage, owner: Browser) -> None:
    made = (await owner.post("/devices/phone/link", LINK | {"secret": "s3cret"})).json
    assert panel.daemon.asked[-1] == ("device.export", {"name": "phone", "form": "mobileconfig", "secret": "s3cret"})
    assert made["seconds"] == LIFE
    assert made["url"].endswith("/phone.mobileconfig")
    assert set("".join(made["qr"])) == {"0", "1"}

    first = await fetched(panel, made["url"])
    assert (first.status, first.body) == (200, b"profile of phone with s3cret")
    assert first.headers["Content-Type"] == "application/x-apple-aspen-config"
    assert first.headers["Content-Disposition"] == 'attachment; filename="phone.mobileconfig"'
    assert first.headers["Cache-Control"] == "no-store"
    panel.clock.now += GRACE - 1
    assert (await fetched(panel, made["url"])).status == 200
    assert (await fetched(panel, made["url"])).status == 404


async def test_a_link_that_nobody_has_fetched_ends(panel: Stage, owner: Browser) -> None:
    made = (await owner.post("/devices/phone/link", LINK)).json
    panel.clock.now += LIFE
    assert (await fetched(panel, made["url"])).code == "not_found"


async def test_only_a_get_fetches(panel: Stage, owner: Browser) -> None:
    """A program that looks what is behind a link does not use it up."""
    made = (await owner.post("/devices/phone/link", LINK)).json
    path = made["url"].removeprefix(panel.base)
    assert (await panel.browser().ask("HEAD", path)).status == 405
    assert (await panel.browser().post(path)).status == 405
    assert (await fetched(panel, made["url"])).status == 200


async def test_no_link_without_a_device(owner: Browser) -> None:
    assert (await owner.post("/devices/nobody/link", LINK)).code == "not_found"
    assert (await owner.post("/devices/phone/link", {"form": "nonsense", "unencrypted": True})).code == "invalid"


async def test_the_ca_is_no_secret(panel: Stage, owner: Browser) -> None:
    """A link to its certificate may be made without HTTPS too."""
    made = (await owner.post("/certificates/ca/link")).json
    answer = await fetched(panel, made["url"])
    assert (answer.status, answer.body) == (200, b"-----BEGIN")


async def test_who_made_and_who_fetched_a_link_is_noted(panel: Stage, owner: Browser) -> None:
    made = (await owner.post("/devices/phone/link", LINK)).json
    await fetched(panel, made["url"])
    await fetched(panel, made["url"])
    noted = [(each["event"], each["detail"]) for each in (await owner.get("/audit")).json]
    assert noted[1:] == [("link_made", "phone"), ("link_fetched", "phone"), ("link_fetched_again", "phone")]
    assert made["url"].split("/")[-2] not in (await owner.get("/audit")).body.decode()


def artifact(**given: Any) -> Any:
    return {"name": "phone.p12", "media_type": "application/x-pkcs12", "base64": False, "content": "x", **given}


NAMES = {
    "phone.mobileconfig": "phone.mobileconfig",
    'a"; filename="evil.exe': "a-filename-evil.exe",
    "../../etc/passwd": "etc-passwd",
    "a\r\nSet-Cookie: b": "a-Set-Cookie-b",
    "花子.sswan": "sswan",
    "": "profile",
    ".hidden": "hidden",
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_file_names(name: str, expected: str) -> None:
    assert file_name(artifact(name=name)) == expected


def test_octets_and_media_types() -> None:
    packed = download(artifact(base64=True, content=b64encode(b"\0\xff").decode()))
    assert (packed.body, packed.content_type) == (b"\0\xff", "application/x-pkcs12")
    assert download(artifact(media_type="text/html\r\nX: y")).content_type == "application/octet-stream"


@asynccontextmanager
async def stream(browser: Browser) -> AsyncIterator[aiohttp.StreamReader]:
    """The stream of events, after its greeting."""
    async with browser.client.get(f"{browser.base}/api/v1/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert await one_event(response.content) == ("hello", {})
        yield response.content


async def one_event(content: aiohttp.StreamReader) -> tuple[str, Any]:
    topic, data, _ = [await content.readline() for _ in range(3)]
    return topic.decode().removeprefix("event: ").strip(), json.loads(data.removeprefix(b"data: "))


async def test_what_happens_is_told(panel: Stage, owner: Browser) -> None:
    phone, failed = device("phone", sessions=[session()]), attempt("tablet")
    async with stream(owner) as events:
        assert await one_event(events) == ("daemon", {"reachable": True})
        await panel.socket.subscribed()
        panel.socket.say("device", phone)
        panel.socket.say("attempt", failed)
        assert await one_event(events) == ("device", phone)
        assert await one_event(events) == ("attempt", failed)


async def test_a_fetched_link_is_told(panel: Stage, owner: Browser) -> None:
    made = (await owner.post("/devices/phone/link", LINK)).json
    async with stream(owner) as events:
        assert await one_event(events) == ("daemon", {"reachable": True})
        await fetched(panel, made["url"])
        assert await one_event(events) == ("link", {"device": "phone"})


async def test_the_stream_ends_with_the_session(panel: Stage, owner: Browser) -> None:
    """And is no reason to keep it: who only looks on is logged out too."""
    async with stream(owner) as events:
        assert await one_event(events) == ("daemon", {"reachable": True})
        await panel.socket.subscribed()
        panel.clock.now += 1200
        panel.socket.say("attempt", attempt("tablet"))
        assert await one_event(events) == ("logged_out", {})
        assert await events.read() == b""


async def test_fifty_browsers_look_on(panel: Stage, owner: Browser) -> None:
    async with asyncio.TaskGroup() as tasks:
        ready = [asyncio.Event() for _ in range(50)]
        looking = [tasks.create_task(look_on(owner, each)) for each in ready]
        for each in ready:
            await each.wait()
        await panel.socket.subscribed()
        panel.socket.say("attempt", attempt("tablet"))
    assert all(each.result() == ("attempt", attempt("tablet")) for each in looking)


async def look_on(browser: Browser, ready: asyncio.Event) -> tuple[str, Any]:
    jar = browser.client.cookie_jar
    async with aiohttp.ClientSession(cookie_jar=jar) as client, stream(Browser(client, browser.base)) as events:
        ready.set()
        while (event := await one_event(events))[0] == "daemon":
            pass
        return event
