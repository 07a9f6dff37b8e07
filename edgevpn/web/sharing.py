"""What leaves the panel beside answers: one-time links for phones, the stream of events, the audit list."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from urllib.parse import quote

from aiohttp import web

from edgevpn.api import METHODS
from edgevpn.api.records import Artifact
from edgevpn.web import qr
from edgevpn.web.answers import Refused, answer
from edgevpn.web.audit import Audit
from edgevpn.web.calls import Calls
from edgevpn.web.guard import API, LINK, Guard
from edgevpn.web.links import LIFE, Links, NoLink
from edgevpn.web.listening import Place
from edgevpn.web.live import Live, event_text
from edgevpn.web.parameters import body_of, fitting, refuse_odd, remote_of
from edgevpn.web.sessions import Sessions

EXPORT = METHODS["device.export"]
MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
UNFIT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Sharing:
    """Hands out what was made."""

    def __init__(
        self,
        calls: Calls,
        links: Links,
        live: Live,
        sessions: Sessions,
        guard: Guard,
        audit: Audit,
        place: Place,
        clock: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._links = links
        self._live = live
        self._sessions = sessions
        self._guard = guard
        self._audit = audit
        self._place = place
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """The paths, as aiohttp takes them."""
        return [
            web.get(f"{API}/events", self.events, allow_head=False),
            web.get(f"{API}/audit", self.audit, allow_head=False),
            web.post(API + "/devices/{name}/link", self.link),
            web.post(f"{API}/certificates/ca/link", self.ca_link),
            web.get(LINK + "{token}/{file}", self.fetch, allow_head=False),
        ]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What happens, until the browser or its session is gone."""
        session = self._guard.session_of(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with self._live.listening() as listener:
            try:
                await response.write(event_text(("hello", {})))
                async for message in listener.messages():
                    if not self._sessions.lives(session, self._clock()):
                        await response.write(event_text(("logged_out", {})))
                        break
                    await response.write(event_text(message))
            except ConnectionError:
                pass  # the browser has gone
        return response

    async def audit(self, request: web.Request) -> web.Response:
        """Who did what."""
        return answer(self._audit.entries())

    async def link(self, request: web.Request) -> web.Response:
        """Make a profile, and a link by which a phone gets it once."""
        name = request.match_info["name"]
        refuse_odd(name, "")
        needed = {key: shape for key, shape in EXPORT.params.items() if key != "name"}
        given = fitting(await body_of(request), needed, {**EXPORT.optional, "unencrypted": bool})
        if not given.pop("unencrypted", False) and not self._place.https:
            raise Refused(409, "unencrypted", "without HTTPS everybody in the LAN can read what the link leads to")
        artifact: Artifact = await self._calls("device.export", name=name, **given)
        self._audit.note(remote_of(request), "link_made", name)
        return self._linked(request, name, artifact)

    async def ca_link(self, request: web.Request) -> web.Response:
        """A link by which a phone gets the CA's certificate, which is no secret."""
        fitting(await body_of(request), {}, {})
        return self._linked(request, "", await self._calls("pki.ca", form="pem"))

    def _linked(self, request: web.Request, device: str, artifact: Artifact) -> web.Response:
        token = self._links.make(device, artifact, self._clock())
        host = self._place.reachable_host(request.headers["Host"])
        url = f"{self._place.origin(host)}{LINK}{token}/{file_name(artifact)}"
        return answer({"url": url, "seconds": int(LIFE), "qr": qr.rows(url)})

    async def fetch(self, request: web.Request) -> web.Response:
        """What a link leads to."""
        try:
            link, first = self._links.fetch(request.match_info["token"], self._clock())
        except NoLink:
            raise Refused(404, "not_found", "this link has been used, or its time is over; make a new one") from None
        self._audit.note(remote_of(request), "link_fetched" if first else "link_fetched_again", link.device)
        if first:
            self._live.publish("link", {"device": link.device})
        return download(link.artifact)


def download(artifact: Artifact) -> web.Response:
    """An artifact as a file."""
    content = artifact["content"]
    media_type = artifact["media_type"] if MEDIA_TYPE.fullmatch(artifact["media_type"]) else "application/octet-stream"
    return web.Response(
        body=b64decode(content) if artifact["base64"] else content.encode(),
        content_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{file_name(artifact)}"'},
    )


def file_name(artifact: Artifact) -> str:
    """The name of an artifact, with nothing in it that a header, a path or a file system makes something of."""
    return quote(UNFIT_IN_NAMES.sub("-", artifact["name"]).lstrip(".-")[-80:] or "profile")
