"""Which path is which method of the daemon. A path's {name} is the method's parameter; the rest comes in the query of
what only reads, and in the body of what changes something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from edgevpn.api import METHODS, MethodSpec
from edgevpn.frozen import dataclass
from edgevpn.web.answers import answer
from edgevpn.web.audit import Audit
from edgevpn.web.calls import Calls
from edgevpn.web.guard import API, SAFE
from edgevpn.web.links import Links
from edgevpn.web.parameters import LARGE, SMALL, body_of, fitting, query_of, refuse_odd, remote_of


@dataclass(frozen=True, slots=True)
class Route:
    """One path and verb, and the method that it is. `key` wraps an answer that is a text."""

    verb: str
    path: str
    method: str
    key: str = ""
    limit: int = SMALL

    @property
    def spec(self) -> MethodSpec:
        """What the method takes and answers."""
        return METHODS[self.method]


ROUTES = (
    Route("GET", "/version", "version"),
    Route("GET", "/status", "status"),
    Route("GET", "/health", "health"),
    Route("GET", "/firewall", "firewall.show", key="text"),
    Route("POST", "/repair", "repair"),
    Route("GET", "/offload", "offload"),
    Route("GET", "/attempts", "attempts"),
    Route("GET", "/log", "log.recent"),
    Route("GET", "/metrics", "metrics", key="text"),
    Route("POST", "/sites", "site.add"),
    Route("PATCH", "/sites/{name}", "site.set"),
    Route("DELETE", "/sites/{name}", "site.remove"),
    Route("POST", "/sites/{name}/up", "site.up"),
    Route("POST", "/sites/{name}/down", "site.down"),
    Route("POST", "/sites/{name}/rekey", "site.rekey"),
    Route("POST", "/sites/{name}/reach", "site.reach"),
    Route("POST", "/sites/{name}/snippet", "site.snippet"),
    Route("GET", "/devices", "device.list"),
    Route("POST", "/devices", "device.add"),
    Route("GET", "/devices/{name}", "device.show"),
    Route("PATCH", "/devices/{name}", "device.set"),
    Route("DELETE", "/devices/{name}", "device.remove"),
    Route("POST", "/devices/{name}/reset", "device.reset"),
    Route("POST", "/devices/{name}/revoke", "device.revoke"),
    Route("POST", "/devices/{name}/export", "device.export"),
    Route("POST", "/devices/{name}/card", "device.card"),
    Route("GET", "/pools", "pool.list"),
    Route("POST", "/config/reload", "reload"),
    Route("GET", "/config", "config.show"),
    Route("PATCH", "/config", "config.set"),
    Route("GET", "/config/schema", "config.schema"),
    Route("GET", "/config/text", "config.text", key="text"),
    Route("PUT", "/config/text", "config.apply"),
    Route("POST", "/config/plan", "config.plan"),
    Route("POST", "/config/confirm", "config.confirm"),
    Route("GET", "/config/versions", "config.versions"),
    Route("POST", "/config/rollback", "config.rollback"),
    Route("GET", "/certificates", "pki.show"),
    Route("POST", "/certificates", "pki.init"),
    Route("POST", "/certificates/renew", "pki.renew"),
    Route("POST", "/certificates/import", "pki.import", limit=LARGE),
    Route("GET", "/certificates/ca", "pki.ca"),
    Route("POST", "/backup", "backup.create"),
    Route("POST", "/backup/restore", "backup.restore", limit=LARGE),
)

ENDING = frozenset({"device.remove", "device.revoke", "device.reset"})
"""After these, no link leads to the device any more."""


class Views:
    """Carries out the routes: parse, call, serialize."""

    def __init__(self, calls: Calls, links: Links, audit: Audit) -> None:
        self._calls = calls
        self._links = links
        self._audit = audit

    def routes(self) -> list[web.RouteDef]:
        """All of them, as aiohttp takes them."""
        return [self._routed(route) for route in ROUTES]

    def _routed(self, route: Route) -> web.RouteDef:
        async def handle(request: web.Request) -> web.Response:
            params = await parameters_of(request, route)
            result = await self._calls(route.method, **params)
            if route.verb not in SAFE:
                self._told(request, route, params)
            return answer({route.key: result} if route.key else result)

        more = {"allow_head": False} if route.verb == "GET" else {}
        return web.route(route.verb, API + route.path, handle, **more)

    def _told(self, request: web.Request, route: Route, params: Mapping[str, Any]) -> None:
        name = str(params.get("name", ""))
        if route.method in ENDING:
            self._links.drop(name)
        self._audit.note(remote_of(request), route.method, name)


async def parameters_of(request: web.Request, route: Route) -> dict[str, Any]:
    """What the method is called with. Raises Refused."""
    from_path = dict(request.match_info)
    for value in from_path.values():
        refuse_odd(value, "")
    needed = {name: shape for name, shape in route.spec.params.items() if name not in from_path}
    optional = route.spec.optional
    if route.verb in ("GET", "DELETE"):
        given = query_of(request, {**needed, **optional})
    else:
        given = await body_of(request, route.limit)
    return from_path | fitting(given, needed, optional)
