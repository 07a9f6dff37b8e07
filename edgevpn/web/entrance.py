"""The ways in: the first password, the password, a ticket; and what changes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from edgevpn.api.records import WebSettings
from edgevpn.frozen import dataclass
from edgevpn.web import passwords, qr, totp
from edgevpn.web.answers import Refused, answer
from edgevpn.web.audit import Audit
from edgevpn.web.calls import Calls
from edgevpn.web.guard import API, Guard
from edgevpn.web.listening import in_lan
from edgevpn.web.parameters import body_of, fitting, remote_of
from edgevpn.web.sessions import Entropy, Sessions
from edgevpn.web.settings import PanelSettings
from edgevpn.web.throttle import Throttle

SETUP_WINDOW = 900.0
"""Seconds after the start in which the first password can be set from the LAN without a token."""
MOST_WAITING = 4
"""Passwords that may wait to be hashed: one takes a small router a third of a second."""


@dataclass(frozen=True, slots=True)
class World:
    """What an entrance needs of the world: monotonic and Unix time in seconds, and random octets."""

    clock: Callable[[], float]
    time: Callable[[], float]
    entropy: Entropy


class Entrance:
    """Lets people in and out."""

    def __init__(
        self,
        calls: Calls,
        settings: PanelSettings,
        sessions: Sessions,
        guard: Guard,
        audit: Audit,
        world: World,
    ) -> None:
        self._calls = calls
        self._settings = settings
        self._sessions = sessions
        self._guard = guard
        self._audit = audit
        self._world = world
        self._throttle = Throttle()
        self._started = world.clock()
        self._hashing = asyncio.Lock()
        self._waiting = 0
        self._setting_up = asyncio.Lock()
        self._cost: passwords.Cost | None = None
        self._used_step = totp.NEVER

    def routes(self) -> list[web.RouteDef]:
        """The paths, as aiohttp takes them."""
        return [
            web.get(f"{API}/panel", self.panel, allow_head=False),
            web.post(f"{API}/setup", self.setup),
            web.post(f"{API}/login", self.login),
            web.post(f"{API}/ticket", self.ticket),
            web.post(f"{API}/logout", self.logout),
            web.put(f"{API}/password", self.password),
            web.post(f"{API}/totp", self.new_totp),
            web.put(f"{API}/totp", self.set_totp),
            web.post(f"{API}/totp/remove", self.remove_totp),
        ]

    # --- who is there ---

    async def panel(self, request: web.Request) -> web.Response:
        """What a browser has to know before anybody is logged in, and whether somebody is."""
        settings = self._settings.last
        try:
            csrf = self._guard.session_of(request).csrf
        except Refused:
            csrf = ""
        setup = "" if settings["password_hash"] else "open" if self._window_is_open() else "token"
        return answer(
            {
                "title": settings["title"],
                "setup": setup,
                "https": settings["https"],
                "totp": bool(settings["totp_secret"]),
                "csrf": csrf,
            }
        )

    async def setup(self, request: web.Request) -> web.Response:
        """Set the first password: from the LAN, soon after the start or with a token."""
        given = fitting(await body_of(request), {"password": str}, {"token": str})
        if not in_lan(remote_of(request)):
            raise Refused(403, "lan_only", "the first password is set from the LAN")
        async with self._setting_up:
            if (await self._settings.fresh())["password_hash"]:
                raise Refused(409, "has_password", "the password has been set already")
            if not self._window_is_open() or given.get("token"):
                await self._redeem(request, given.get("token", ""))
            await self._set_password(given["password"])
            self._audit.note(remote_of(request), "setup")
            return self._let_in(request)

    async def login(self, request: web.Request) -> web.Response:
        """Password, and the code of now where one is asked for; one answer for all that is wrong."""
        given = fitting(await body_of(request), {"password": str}, {"code": str})
        async with self._guess(request, "login_failed"):
            settings = await self._settings.fresh()
            await self._check_password(given["password"], settings)
            self._check_code(given.get("code", ""), settings)
        self._audit.note(remote_of(request), "login")
        return self._let_in(request)

    async def ticket(self, request: web.Request) -> web.Response:
        """A ticket in the place of a password: for who is root on the router anyway."""
        given = fitting(await body_of(request), {"ticket": str}, {})
        if not (await self._settings.fresh())["password_hash"]:
            raise Refused(403, "no_password", "set the password first; the ticket is good for that")
        await self._redeem(request, given["ticket"])
        self._audit.note(remote_of(request), "login", "ticket")
        return self._let_in(request)

    async def logout(self, request: web.Request) -> web.Response:
        """End the session."""
        fitting(await body_of(request), {}, {})
        self._sessions.end(self._guard.session_of(request))
        self._audit.note(remote_of(request), "logout")
        return self._with_cookie(answer(None), "", 0)

    # --- what lets in ---

    async def password(self, request: web.Request) -> web.Response:
        """Set another password. Everybody has to log in again."""
        given = fitting(await body_of(request), {"current": str, "password": str}, {})
        await self._prove(request, given["current"])
        await self._set_password(given["password"])
        self._audit.note(remote_of(request), "password")
        return answer(None)

    async def new_totp(self, request: web.Request) -> web.Response:
        """A key for one-time passwords. It is in force when a code of it has been shown."""
        fitting(await body_of(request), {}, {})
        secret = totp.new_secret(self._world.entropy(totp.SECRET_SIZE))
        link = totp.link(secret, self._settings.last["title"])
        return answer({"secret": secret, "link": link, "qr": qr.rows(link)})

    async def set_totp(self, request: web.Request) -> web.Response:
        """Ask for one-time passwords from now on."""
        given = fitting(await body_of(request), {"secret": str, "code": str, "password": str}, {})
        await self._prove(request, given["password"])
        try:
            totp.check(given["code"], given["secret"], self._world.time(), totp.NEVER)
        except (totp.WrongCode, ValueError):
            raise Refused(403, "wrong_code", "that is not the code of now; look at the clocks") from None
        await self._calls("config.set", values={"web.totp_secret": given["secret"]})
        await self._settings.fresh()
        self._audit.note(remote_of(request), "totp_set")
        return answer(None)

    async def remove_totp(self, request: web.Request) -> web.Response:
        """Ask for the password alone."""
        given = fitting(await body_of(request), {"password": str}, {})
        await self._prove(request, given["password"])
        await self._calls("config.set", values={"web.totp_secret": None})
        await self._settings.fresh()
        self._audit.note(remote_of(request), "totp_removed")
        return answer(None)

    # --- how ---

    def _window_is_open(self) -> bool:
        return self._world.clock() - self._started < SETUP_WINDOW

    def _let_in(self, request: web.Request) -> web.Response:
        """The answer to who has proved to be the owner: always with a new token."""
        token, session = self._sessions.begin(str(remote_of(request)), self._world.clock())
        return self._with_cookie(answer({"csrf": session.csrf}), token, None)

    def _with_cookie(self, response: web.Response, token: str, age: int | None) -> web.Response:
        secure = self._settings.last["https"]
        response.set_cookie(
            self._guard.cookie, token, path="/", max_age=age, httponly=True, samesite="Strict", secure=secure
        )
        return response

    @asynccontextmanager
    async def _guess(self, request: web.Request, event: str) -> AsyncIterator[None]:
        """Something that may be guessed: throttled, and noted where it is wrong. Raises Refused."""
        address = remote_of(request)
        if wait := self._throttle.begin(address, self._world.clock()):
            raise Refused(429, "too_many_tries", f"too many tries; wait {int(wait) + 1} s", retry_after=wait)
        try:
            yield
        except (passwords.WrongPassword, totp.WrongCode):
            self._audit.note(address, event)
            raise Refused(403, "wrong_password", "that is not right") from None
        self._throttle.succeeded(address, self._world.clock())

    async def _redeem(self, request: web.Request, token: str) -> None:
        async with self._guess(request, "ticket_refused"):
            redeemed = await self._calls("web.redeem", ticket=token) if token else {"good": False}
            if not redeemed["good"]:
                raise passwords.WrongPassword

    async def _prove(self, request: web.Request, password: str) -> None:
        """Whoever sits before a browser that is logged in must know the password too, for this."""
        async with self._guess(request, "password_wrong"):
            await self._check_password(password, await self._settings.fresh())

    def _check_code(self, code: str, settings: WebSettings) -> None:
        if secret := settings["totp_secret"]:
            self._used_step = totp.check(code, secret, self._world.time(), self._used_step)

    async def _check_password(self, password: str, settings: WebSettings) -> None:
        await self._in_turn(passwords.check, password, settings["password_hash"])

    async def _set_password(self, password: str) -> None:
        try:
            passwords.fit(password)
        except passwords.UnfitPassword as error:
            raise Refused(400, "unfit_password", str(error)) from error
        password_hash = await self._in_turn(self._hashed, password)
        await self._calls("web.set_password", password_hash=password_hash)
        await self._settings.fresh()
        self._sessions.end_all()

    def _hashed(self, password: str) -> str:
        salt = self._world.entropy(passwords.SALT_SIZE)
        self._cost = self._cost or passwords.chosen_cost(_timed)
        return passwords.hashed(password, salt, self._cost)

    async def _in_turn(self, work: Callable[..., Any], *arguments: object) -> Any:
        """Work in a thread, one at a time: each takes tens of MiB. Raises Refused if too many wait."""
        if self._waiting >= MOST_WAITING:
            raise Refused(429, "too_many_tries", "too many tries; wait 2 s", retry_after=1)
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._waiting -= 1


def _timed(cost: passwords.Cost) -> float:
    before = time.perf_counter()
    passwords.hashed("", bytes(passwords.SALT_SIZE), cost)
    return time.perf_counter() - before
