"""The real kernel: XFRM, network and what they tell, behind one object."""

from __future__ import annotations

import select

from edgevpn.kernel import network, xfrm
from edgevpn.kernel.contract import Features, Flushed
from edgevpn.kernel.events import Event, EventsLost
from edgevpn.kernel.faults import telling
from edgevpn.kernel.netlink import NETLINK_ROUTE, NETLINK_XFRM, EventSocket
from edgevpn.kernel.network import Network, RtGroup
from edgevpn.kernel.network_spec import OURS_LINK_PREFIX, LinkSpec
from edgevpn.kernel.spec import OURS_IF_ID
from edgevpn.kernel.xfrm import Xfrm

TRIAL_LINK = LinkSpec(f"{OURS_LINK_PREFIX}trial", OURS_IF_ID[-1])


class NetlinkKernel(Xfrm, Network):
    """`contract.Kernel` over netlink, in the network namespace of the thread that makes it and calls it."""

    def __init__(self) -> None:
        Xfrm.__init__(self)
        Network.__init__(self)
        with telling("open", "event sockets", {}):
            self._xfrm_events = EventSocket(NETLINK_XFRM, xfrm.EVENT_GROUPS)
            self._route_events = EventSocket(NETLINK_ROUTE, tuple(RtGroup))
        self._poll = select.epoll()
        for source in (self._xfrm_events, self._route_events):
            self._poll.register(source.fileno(), select.EPOLLIN)

    def close(self) -> None:
        for source in (self._poll, self._xfrm_events, self._route_events, self._xfrm, self._route):
            source.close()

    def features(self) -> Features:
        return Features(
            esp4=self.has_esp(4),
            esp6=self.has_esp(6),
            xfrm_interface=self.has_xfrm_interface(TRIAL_LINK),
            migrate=self.has_migrate(),
        )

    def flush_ours(self, if_id: int | None = None) -> Flushed:
        """Policies go first, so that no packet asks for the SAs just removed."""
        links = [link for link in self.list_links() if if_id is None or link.if_id == if_id]
        policies, sas = self.flush_policies(if_id), self.flush_sas(if_id)
        routes = self.flush_routes(None) if if_id is None else sum(self.flush_routes(link.name) for link in links)
        for link in links:
            self.delete_link(link.name)
        return Flushed(sas, policies, routes, len(links))

    def fileno(self) -> int:
        return self._poll.fileno()

    def read_events(self) -> tuple[Event, ...]:
        events: list[Event] = []
        for source, read in ((self._xfrm_events, xfrm.read_event), (self._route_events, network.read_event)):
            messages, lost = source.read()
            events += [event for event in map(read, messages) if event is not None]
            events += [EventsLost()] if lost else []
        return tuple(events)
