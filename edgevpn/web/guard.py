"""What every request must pass, before any route: from the LAN, to one of our names, by a plain path, by somebody who
is logged in, and from our own pages if it changes something.

Nothing is open unless its path is listed here. Paths are matched as they were sent, and only plain ones are taken, so
no other spelling of a path can be open where the path itself is not.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from edgevpn.api import RpcError
from edgevpn.client import DaemonUnreachable
from edgevpn.web.answers import Refused, from_daemon, from_http, refusal
from edgevpn.web.listening import Place
from edgevpn.web.parameters import remote_of
from edgevpn.web.sessions import NoSession, Session, Sessions, same

API = "/api/v1"
LINK = "/d/"
OPEN_API = frozenset(f"{API}/{word}" for word in ("panel", "setup", "login", "ticket"))
"""What is answered to whoever is not logged in, beside the pages and one-time links."""

PLAIN = re.compile(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%(?!2[EeFf]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})*)+")
SAFE = frozenset({"GET", "HEAD"})
CSRF = "X-CSRF-Token"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Stands around the router. `spoke` is told of each connection whose request has come."""

    def __init__(
        self,
        place: Place,
        sessions: Sessions,
        pages: frozenset[str],
        clock: Callable[[], float],
        spoke: Callable[[object], None],
    ) -> None:
        self._place = place
        self._sessions = sessions
        self._open = OPEN_API | pages
        self._clock = clock
        self._spoke = spoke

    def middleware(self) -> Any:
        """The guard as aiohttp takes it."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                self._check(request)
                return await handler(request)
            except Refused as refused:
                return refusal(refused)
            except RpcError as error:
                return refusal(from_daemon(error))
            except DaemonUnreachable as error:
                return refusal(Refused(503, "daemon_unreachable", str(error), [str(error)]))
            except web.HTTPException as error:
                return refusal(from_http(error))

        return guarded

    def session_of(self, request: web.Request) -> Session:
        """Who asks. Raises Refused for a stranger."""
        try:
            return self._sessions.find(request.cookies.get(self.cookie, ""), self._clock())
        except NoSession:
            raise Refused(401, "log_in", "log in first") from None

    @property
    def cookie(self) -> str:
        """The name of the session's cookie; under HTTPS one that no other scheme, path or host can set."""
        return "__Host-edgevpn" if self._place.https else "edgevpn"

    def _check(self, request: web.Request) -> None:
        self._spoke(request.protocol)
        if not self._place.admits(remote_of(request)):
            raise Refused(403, "lan_only", "the panel is for the LAN")
        if not self._place.knows(request.headers.get("Host", "")):
            raise Refused(421, "wrong_host", "nobody of this name is here; add the name to web.hosts")
        if "Upgrade" in request.headers or "Content-Encoding" in request.headers or request.version < (1, 1):
            raise Refused(400, "invalid", "plain HTTP/1.1 is spoken here")
        path = request.rel_url.raw_path
        if not PLAIN.fullmatch(path) or "//" in path or {".", ".."} & set(path.split("/")):
            raise Refused(400, "invalid", "that is no plain path")
        if path.startswith(f"{API}/"):
            self._check_source(request)
        if path not in self._open and not path.startswith(LINK):
            self._check_session(request)

    def _check_source(self, request: web.Request) -> None:
        """Raises Refused for what another site's page has sent. A client that is no browser says nothing of pages."""
        headers = request.headers
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "wrong_origin", "another site's page has sent this")
        if request.method in SAFE:
            return
        origin = headers.get("Origin")
        if origin is not None and origin != self._place.origin(headers["Host"]):
            raise Refused(403, "wrong_origin", "another site's page has sent this")

    def _check_session(self, request: web.Request) -> None:
        session = self.session_of(request)
        if request.method not in SAFE and not same(request.headers.get(CSRF, ""), session.csrf):
            raise Refused(403, "wrong_token", f"{CSRF} is missing or out of date")
        if request.path != f"{API}/events":
            self._sessions.touch(session, self._clock())


async def dress(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Puts our headers on each response."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "edgevpn"
