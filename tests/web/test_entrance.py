from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgevpn.web import passwords, totp
from edgevpn.web.entrance import MOST_WAITING, SETUP_WINDOW
from tests.support.panel import PASSWORD, Stage, stage

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture
async def panel(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


@pytest.fixture
async def new_panel(tmp_path: Path) -> AsyncIterator[Stage]:
    """One that has no password yet."""
    async with stage(tmp_path, password_hash="") as made:
        yield made


def code(panel: Stage) -> str:
    return totp.code(SECRET, int(panel.clock.now) // totp.STEP)


async def test_what_a_stranger_learns(panel: Stage) -> None:
    known = (await panel.browser().get("/panel")).json
    assert known == {"title": "router", "setup": "", "https": False, "totp": False, "csrf": ""}


async def test_first_password(new_panel: Stage) -> None:
    browser = new_panel.browser()
    assert (await browser.get("/panel")).json["setup"] == "open"
    answer = await browser.post("/setup", {"password": PASSWORD})
    assert answer.status == 200
    browser.csrf = answer.json["csrf"]
    assert (await browser.get("/status")).status == 200
    passwords.check(PASSWORD, new_panel.daemon.web["password_hash"])
    assert (await browser.get("/panel")).json["csrf"] == browser.csrf


async def test_first_password_with_a_token(new_panel: Stage) -> None:
    new_panel.clock.now += SETUP_WINDOW
    browser = new_panel.browser()
    assert (await browser.get("/panel")).json["setup"] == "token"
    for body in ({"password": PASSWORD}, {"password": PASSWORD, "token": "wrong"}):
        assert (await browser.post("/setup", body)).code == "wrong_password"
    token = {"password": PASSWORD, "token": "a-ticket-that-is-good"}
    assert (await browser.post("/setup", token)).status == 200


async def test_a_wrong_token_is_refused_in_the_window_too(new_panel: Stage) -> None:
    answer = await new_panel.browser().post("/setup", {"password": PASSWORD, "token": "wrong"})
    assert answer.code == "wrong_password"
    assert new_panel.daemon.web["password_hash"] == ""


async def test_only_one_can_be_first(new_panel: Stage) -> None:
    browsers = [new_panel.browser() for _ in range(3)]
    answers = await asyncio.gather(*(each.post("/setup", {"password": PASSWORD}) for each in browsers))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]


@pytest.mark.parametrize("password", ["short", "x" * 257])
async def test_unfit_first_password(new_panel: Stage, password: str) -> None:
    assert (await new_panel.browser().post("/setup", {"password": password})).code == "unfit_password"


async def test_login_and_logout(panel: Stage) -> None:
    browser = panel.browser()
    assert (await browser.post("/login", {"password": "wrong"})).code == "wrong_password"
    assert (await browser.log_in()).status == 200
    assert (await browser.get("/status")).status == 200
    assert (await browser.post("/logout")).status == 204
    assert (await browser.get("/status")).code == "log_in"


async def test_a_hash_that_was_set_by_hand_holds_at_once(panel: Stage) -> None:
    other = passwords.hashed("another one", b"salt" * 4, passwords.Cost(4))
    panel.daemon.web["password_hash"] = other
    browser = panel.browser()
    assert (await browser.log_in()).code == "wrong_password"
    assert (await browser.post("/login", {"password": "another one"})).status == 200


async def test_a_ticket_lets_in_once(panel: Stage) -> None:
    browser = panel.browser()
    assert (await browser.post("/ticket", {"ticket": "a-ticket-that-is-good"})).status == 200
    assert (await browser.get("/status")).status == 200
    assert (await panel.browser().post("/ticket", {"ticket": "a-ticket-that-is-good"})).code == "wrong_password"


async def test_a_ticket_is_for_setting_the_password_first(new_panel: Stage) -> None:
    """Whoever is root in LuCI may have no password there: that opens nothing here."""
    ticket = "a-ticket-that-is-good"
    browser = new_panel.browser()
    assert (await browser.post("/ticket", {"ticket": ticket})).code == "no_password"
    assert (await browser.post("/setup", {"password": PASSWORD, "token": ticket})).status == 200


async def test_another_password_logs_everybody_out(panel: Stage) -> None:
    owner, other = await panel.owner(), await panel.owner()
    assert (await owner.put("/password", {"current": "wrong", "password": "a new one"})).code == "wrong_password"
    assert (await other.get("/status")).status == 200
    assert (await owner.put("/password", {"current": PASSWORD, "password": "a new one"})).status == 204
    for browser in (owner, other):
        assert (await browser.get("/status")).code == "log_in"
    assert (await panel.browser().post("/login", {"password": "a new one"})).status == 200


async def test_second_factor(panel: Stage) -> None:
    owner = await panel.owner()
    made = (await owner.post("/totp")).json
    assert made["link"].startswith("otpauth://totp/edgevpn%3Arouter?secret=" + made["secret"])
    wrong = {"secret": SECRET, "code": "000000", "password": PASSWORD}
    assert (await owner.put("/totp", wrong)).code == "wrong_code"
    assert (await owner.put("/totp", wrong | {"secret": "no Base32!"})).code == "wrong_code"
    assert (await owner.put("/totp", wrong | {"code": code(panel)})).status == 204
    assert panel.daemon.web["totp_secret"] == SECRET

    browser = panel.browser()
    assert (await browser.get("/panel")).json["totp"] is True
    assert (await browser.log_in()).code == "wrong_password"
    assert (await browser.log_in(code=code(panel))).status == 200
    assert (await panel.browser().log_in(code=code(panel))).code == "wrong_password", "a code counts once"

    assert (await browser.post("/totp/remove", {"password": "wrong"})).code == "wrong_password"
    assert (await browser.post("/totp/remove", {"password": PASSWORD})).status == 204
    assert (await panel.browser().log_in()).status == 200


async def test_a_wrong_password_uses_no_code_up(tmp_path: Path) -> None:
    async with stage(tmp_path, totp_secret=SECRET) as made:
        browser = made.browser()
        assert (await browser.post("/login", {"password": "wrong", "code": code(made)})).code == "wrong_password"
        assert (await browser.log_in(code=code(made))).status == 200


async def test_many_guesses_at_once_gain_nothing(panel: Stage) -> None:
    """They are counted as they begin; and not many wait for their turn to be hashed."""
    browser = panel.browser()
    answers = await asyncio.gather(*(browser.post("/login", {"password": "wrong"}) for _ in range(20)))
    assert sum(answer.code == "wrong_password" for answer in answers) <= max(MOST_WAITING, 5)
    assert all(answer.code in ("wrong_password", "too_many_tries") for answer in answers)


async def test_guesses_are_noted(panel: Stage) -> None:
    await panel.browser().post("/login", {"password": "wrong"})
    await panel.browser().post("/ticket", {"ticket": "wrong"})
    owner = await panel.owner()
    noted = [each["event"] for each in (await owner.get("/audit")).json]
    assert noted == ["login_failed", "ticket_refused", "login"]
