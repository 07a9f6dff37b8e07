"""What the kernel tells, brought to those whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.dataplane.upholding import Upholding
from edgevpn.daemon.sites.keeper import Keeper
from edgevpn.daemon.sites.ways import Ways
from edgevpn.ike.contract import ChildExpired, Input, MappingChanged
from edgevpn.ike.state import Address
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.events import (
    Acquire,
    AddressChanged,
    Event,
    EventsLost,
    Expire,
    FirewallRemoved,
    LinkChanged,
    RouteChanged,
    SaMappingChanged,
)

OF_THE_FIREWALL = (AddressChanged, LinkChanged, RouteChanged, EventsLost, FirewallRemoved)
"""Change what its rules name, or the rules themselves."""


class KernelEvents:
    """Reads them. `touch_wall` is called when the firewall may have to be another; `keepers` are those of now."""

    def __init__(
        self,
        kernel: Kernel,
        dataplane: Dataplane,
        keepers: Mapping[str, Keeper],
        ways: Ways,
        upholding: Upholding,
        feed: Callable[[Input], None],
        touch_wall: Callable[[], None],
        readdressed: Callable[[], None] = lambda: None,
    ) -> None:
        """`readdressed` is called when interfaces have other addresses."""
        self._kernel = kernel
        self._dataplane = dataplane
        self._keepers = keepers
        self._ways = ways
        self._upholding = upholding
        self._feed = feed
        self._touch_wall = touch_wall
        self._readdressed = readdressed

    def read(self) -> None:
        """Those that wait."""
        events = self._kernel.read_events()
        for event in events:
            self._pass_on(event)
        self._ways.changed(events)
        self._upholding.heard(events)
        if any(isinstance(event, OF_THE_FIREWALL) for event in events):
            self._touch_wall()
        if any(isinstance(event, AddressChanged | EventsLost) for event in events):
            self._readdressed()

    def _pass_on(self, event: Event) -> None:
        """What concerns one child."""
        match event:
            case Acquire(reqid=reqid):
                peer, child = self._dataplane.child_asked(reqid) or ("", "")
                if keeper := self._keepers.get(peer):
                    keeper.want([child])
            case Expire(key=key, hard=hard):
                if spi_in := self._dataplane.spi_in_of(key):
                    self._feed(ChildExpired(spi_in, hard))
            case SaMappingChanged(key=key, source=source, source_port=port):
                if spi_in := self._dataplane.spi_in_of(key):
                    self._feed(MappingChanged(spi_in, Address(source, port)))
