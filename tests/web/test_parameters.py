from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.web.answers import Refused
from edgevpn.web.parameters import SMALL, fits, fitting, refuse_odd
from tests.support.panel import Browser, Stage, stage

ODD = {
    "end of line": "phone\nroot",
    "nothing": "phone\0",
    "escape": "\x1b[2J",
    "delete": "phone\x7f",
    "C1": "phone\x9b",
    "half a surrogate": "phone\ud800",
    "line separator": "phone\u2028",
    "the other way round": "\u202egpj.exe",
    "isolate": "\u2066phone",
}
FINE = ["phone", "", "Anna’s phone", "花子の スマホ", "телефон 📱", "<script>alert(1)</script>", "a" * 10_000]


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_text_that_nobody_types(text: str) -> None:
    for value in (text, [text], {"a": {text: 1}}, {"a": [{"b": text}]}):
        with pytest.raises(Refused):
            refuse_odd(value, "settings")


@pytest.mark.parametrize("text", FINE)
def test_text_that_somebody_types(text: str) -> None:
    refuse_odd({"a": [text]}, "settings")


def test_files_have_lines() -> None:
    refuse_odd("[web]\n\tport = 1\r\n", "text")
    with pytest.raises(Refused):
        refuse_odd("[web]\n\x1b", "text")


SHAPES: list[tuple[Any, Any, bool]] = [
    (str, "a", True),
    (str, 1, False),
    (int, 1, True),
    (int, True, False),
    (int, 1.5, False),
    (bool, True, True),
    (bool, 1, False),
    (list[str], ["a", "b"], True),
    (list[str], ["a", 1], False),
    (list[str], "ab", False),
    (Literal["ike", "child"], "ike", True),
    (Literal["ike", "child"], "all", False),
    (Literal["ike", "child"], ["ike"], False),
    (dict[str, Any], {"a": 1}, True),
    (dict[str, Any], [], False),
]


@pytest.mark.parametrize(("shape", "value", "fit"), SHAPES)
def test_kinds(shape: Any, value: Any, fit: bool) -> None:
    assert fits(value, shape) is fit


def test_what_a_method_takes() -> None:
    needed, optional = {"name": str}, {"confirm": int}
    assert fitting({"name": "a", "confirm": 1}, needed, optional) == {"name": "a", "confirm": 1}
    for bad in ({}, {"confirm": 1}, {"name": "a", "more": 1}, {"name": 1}, {"name": "a", "confirm": "1"}):
        with pytest.raises(Refused) as refused:
            fitting(bad, needed, optional)
        assert refused.value.status == 400


@given(
    st.recursive(st.none() | st.booleans() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_whatever_comes_is_taken_or_refused(value: Any) -> None:
    with suppress(Refused):
        refuse_odd(value, "settings")
        assert fitting({"settings": value}, {"settings": dict[str, Any]}, {}) == {"settings": value}


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def send(browser: Browser, octets: bytes, media_type: str = "application/json") -> tuple[int, str]:
    headers = {"Content-Type": media_type}
    async with browser.client.post(f"{browser.base}/api/v1/login", data=octets, headers=headers) as response:
        return response.status, (await response.json())["error"]["code"]


BODIES = {
    "no JSON": b"{",
    "no object": b"[]",
    "nothing": b"",
    "not a number": b'{"password": NaN}',
    "infinite": b'{"password": 1e999}',
    "too deep": b"[" * 60_000,
    "no UTF-8": b'{"password": "\xff"}',
    "a number of many digits": b'{"password": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("octets", BODIES.values(), ids=BODIES)
async def test_bodies_that_are_not_read(panel: Stage, octets: bytes) -> None:
    assert await send(panel.browser(), octets) == (400, "invalid")


async def test_only_json(panel: Stage) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"):
        assert await send(panel.browser(), b"{}", media_type) == (415, "not_json")


async def test_long_bodies(panel: Stage) -> None:
    padding = b" " * (SMALL - 18)
    assert await send(panel.browser(), b'{"password": "a"}' + padding) == (403, "wrong_password")
    assert await send(panel.browser(), b'{"password": "a"}  ' + padding) == (413, "too_large")


async def test_a_body_that_is_packed(panel: Stage) -> None:
    """It could unpack to anything."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    browser = panel.browser()
    async with browser.client.post(f"{browser.base}/api/v1/login", data=b"\x1f\x8b", headers=headers) as response:
        assert response.status == 400


async def test_queries(panel: Stage) -> None:
    owner = await panel.owner()
    assert len((await owner.get("/log?limit=1")).json) == 1
    assert panel.daemon.asked[-1] == ("log.recent", {"limit": 1})
    assert (await owner.get("/config?defaults=true")).status == 200
    assert panel.daemon.asked[-1] == ("config.show", {"defaults": True})
    for query in ("limit=one", "limit=-1", "limit=1&limit=2", "more=1", "limit=1%0a"):
        assert (await owner.get(f"/log?{query}")).code == "invalid"


async def test_forwarded_addresses_are_anybodys(panel: Stage) -> None:
    """Six guesses from one socket, whatever the headers say."""
    browser = panel.browser()
    for number in range(6):
        answer = await browser.post("/login", {"password": "wrong"}, X_Forwarded_For=f"10.0.0.{number}")
    assert answer.code == "too_many_tries"


async def test_an_unread_body_does_not_hold_the_connection(panel: Stage) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as client:
        url = f"{panel.base}/api/v1/devices"
        async with client.post(url, data=b"x" * 200_000, headers={"Content-Type": "application/json"}) as response:
            assert response.status == 401
