"""Takes what the core tells to whom it concerns: the keeper of a site, or the visitors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.news import News
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.figures.meter import Meter, Owner
from edgevpn.daemon.login.vouched import Vouched
from edgevpn.daemon.sites.keeper import Keeper
from edgevpn.daemon.visitors.visitors import Visitors, is_visitor
from edgevpn.ike.contract import (
    ChildClosed,
    ChildFailed,
    Endpoints,
    IkeSaDown,
    IkeSaMoved,
    IkeSaUp,
    KeysDerived,
    Redirected,
)
from edgevpn.ike.questions import Configured, Release
from edgevpn.ike.state import ChildSa
from edgevpn.kernel.errors import KernelError

log = logging.getLogger("edgevpn")


class Reception:
    """Everybody who waits for news."""

    def __init__(
        self,
        keepers: Mapping[str, Keeper],
        visitors: Visitors,
        dataplane: Dataplane,
        key_log: Callable[[KeysDerived], None] | None,
        gone: Callable[[], None],
        meter: Meter | None = None,
        news: News | None = None,
        opened: Callable[[ChildSa], None] = lambda child: None,
        vouched: Vouched | None = None,
    ) -> None:
        """`gone` is called whenever an IKE SA has ended, `opened` when a site's child is up that replaces no other."""
        self._keepers = keepers
        self._visitors = visitors
        self._dataplane = dataplane
        self._key_log = key_log
        self._gone = gone
        self._meter = meter or Meter()
        self._news = news or News()
        self._opened = opened
        self._vouched = vouched or Vouched()

    def ike_up(self, up: IkeSaUp) -> None:
        event = "ike_rekeyed" if up.replaces else "ike_up"
        note(log, logging.INFO, event, peer=up.peer, id=up.remote_id, remote=up.path.remote, spi=up.spi)
        shown = self._vouched.up(up)
        if is_visitor(up.peer):
            self._visitors.up(up, shown)
        elif keeper := self._keepers.get(up.peer):
            keeper.ike_up(up)
            self._news.site(up.peer)

    def ike_moved(self, moved: IkeSaMoved) -> None:
        note(log, logging.INFO, "ike_moved", peer=moved.peer, remote=moved.path.remote, spi=moved.spi)
        if is_visitor(moved.peer):
            self._visitors.moved(moved)
        else:
            self._news.site(moved.peer)

    def ike_down(self, down: IkeSaDown) -> None:
        cause = down.cause.value if down.cause else "none"
        note(log, logging.INFO, "ike_down", peer=down.peer, why=down.reason, cause=cause, spi=down.spi)
        self._gone()
        self._vouched.down(down.spi)
        if is_visitor(down.peer):
            self._visitors.down(down)
        elif keeper := self._keepers.get(down.peer):
            self._take_back(down.peer)
            keeper.ike_down(down)
            self._news.site(down.peer)

    def redirected(self, redirected: Redirected) -> None:
        note(log, logging.INFO, "redirected", peer=redirected.peer, to=redirected.gateway)
        if keeper := self._keepers.get(redirected.peer):
            keeper.redirected(redirected)

    def child_up(self, child: ChildSa, ends: Endpoints) -> None:
        note(log, logging.INFO, "child_up", peer=ends.peer, child=child.name, spi_in=child.spi_in)
        if is_visitor(ends.peer):
            device = self._visitors.child_up(child)
            self._meter.begin(child, Owner(pool=ends.peer.partition("/")[0], device=device or ""))
        elif keeper := self._keepers.get(ends.peer):
            keeper.child_up(child.name)
            self._meter.begin(child, Owner(site=ends.peer, child=child.name))
            if self._dataplane.is_alone(child):
                self._opened(child)
            self._news.site(ends.peer)

    def child_going(self, child: ChildSa) -> None:
        """A child is about to go: its last octets are counted."""
        with suppress(KernelError):
            self._meter.end(child, self._dataplane.traffic)

    def child_failed(self, failed: ChildFailed) -> None:
        if keeper := self._keepers.get(failed.peer):
            keeper.child_failed(failed)

    def child_closed(self, closed: ChildClosed) -> None:
        if keeper := self._keepers.get(closed.peer):
            keeper.child_closed(closed)
            self._news.site(closed.peer)

    def released(self, released: Release) -> None:
        self._visitors.released(released)

    def configured(self, configured: Configured) -> None:
        """A site has lent us addresses: they are on its interface, and packets of our own to it bear them."""
        try:
            self._dataplane.lend(configured.peer, configured.given.addresses)
        except KernelError as error:
            note(log, logging.ERROR, "address_not_set", peer=configured.peer, why=error)

    def keys_derived(self, keys: KeysDerived) -> None:
        if self._key_log:
            self._key_log(keys)

    def _take_back(self, peer: str) -> None:
        try:
            self._dataplane.take_back(peer)
        except KernelError as error:
            note(log, logging.ERROR, "address_not_removed", peer=peer, why=error)
