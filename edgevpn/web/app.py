"""The panel put together: everything that it is made of, as an application of aiohttp."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from edgevpn.api.records import WebSettings
from edgevpn.frozen import dataclass
from edgevpn.web import pages
from edgevpn.web.audit import Audit
from edgevpn.web.calls import Calls
from edgevpn.web.entrance import Entrance, World
from edgevpn.web.guard import Guard, dress
from edgevpn.web.links import Links
from edgevpn.web.listening import Place
from edgevpn.web.live import Live
from edgevpn.web.pages import Page
from edgevpn.web.routes import Views
from edgevpn.web.sessions import Sessions
from edgevpn.web.settings import PanelSettings
from edgevpn.web.sharing import Sharing


@dataclass(frozen=True, slots=True)
class Panel:
    """The application, and what runs beside it."""

    app: web.Application
    live: Live


def make_panel(
    calls: Calls,
    settings: WebSettings,
    place: Place,
    files: Mapping[str, Page],
    world: World,
    spoke: Callable[[object], None],
) -> Panel:
    """The panel at this place. `spoke` is told of each connection whose request has come."""
    sessions = Sessions(world.entropy, settings["session_idle"], settings["session_life"])
    guard = Guard(place, sessions, frozenset(files), world.clock, spoke)
    audit, links, live = Audit(world.time), Links(world.entropy), Live(calls.path, place.port)
    entrance = Entrance(calls, PanelSettings(calls, settings), sessions, guard, audit, world)
    sharing = Sharing(calls, links, live, sessions, guard, audit, place, world.clock)
    app = web.Application(middlewares=[guard.middleware()])
    app.add_routes([*entrance.routes(), *sharing.routes(), *Views(calls, links, audit).routes(), *pages.routes(files)])
    app.on_response_prepare.append(dress)
    return Panel(app, live)
