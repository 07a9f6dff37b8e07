"""Homes in the kernel: an interface for each, its addresses, routes to what lies behind it, and rules for these.

What shall be there is worked out anew whenever it is asked for: an address of this machine that comes or goes makes
another source of routes, and nothing else need be told of that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from ipaddress import ip_interface

from edgevpn.daemon.dataplane.homes import Home, Route
from edgevpn.daemon.dataplane.reverse_path import ReversePath
from edgevpn.daemon.dataplane.routing import TABLES, rules_for, table_for
from edgevpn.kernel.batch import raise_first
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, Place, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.reconcile import Desired, Found, find, reconcile
from edgevpn.kernel.spec import OURS_IF_ID, IpAddress

MOST_OUTSIDE = 8
"""Addresses of one peer that are kept in mind, the last that were seen: our own choice."""


class HomeRefused(KernelError):  # noqa: N818 - as those that it stands for
    """The kernel refused something that belongs to a home."""

    def __init__(self, home: str, refusal: KernelError) -> None:
        super().__init__(refusal.operation, refusal.code, refusal.detail, refusal.cure)
        self._home = home

    def __str__(self) -> str:
        return f"{self._home}: {super().__str__()}"


class Numbers:
    """Hands out the numbers of a range, the lowest that is free."""

    def __init__(self, numbers: range) -> None:
        self._fresh = iter(numbers)
        self._returned: list[int] = []

    def take(self) -> int:
        return heappop(self._returned) if self._returned else next(self._fresh)

    def give_back(self, number: int) -> None:
        heappush(self._returned, number)


class Housing:
    """Keeps interfaces, addresses and routes as homes want them. Every call may raise KernelError."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._homes: dict[str, Home] = {}  # by the names of their peers
        self._if_ids: dict[str, int] = {}  # by the names of homes
        self._mtus: dict[str, int] = {}  # the same
        self._lent: dict[str, list[AddressSpec]] = {}
        self._routes: dict[str, dict[Place, RouteSpec]] = {}  # as they were put up, by the names of homes
        self._places: Counter[Place] = Counter()  # of all these
        self._rules: frozenset[RuleSpec] = frozenset()
        self._outside: dict[str, list[IpAddress]] = {}  # where peers were seen, if a route of theirs leads there
        self._reverse_path = ReversePath(kernel)
        self._free = Numbers(OURS_IF_ID)

    def begin(self, homes: Sequence[Home]) -> None:
        """Make homes where there were none: what a predecessor has left that fits stays, all else of ours goes.

        So after a crash there is not a moment in which packets to what lies behind leave in clear.
        """
        self._take_in(homes)
        self._build(homes, find(self._kernel))

    def add(self, homes: Sequence[Home]) -> None:
        """Make more interfaces and their routes."""
        self._take_in(homes)
        names = {home.name for home in homes}
        shared = {place for name in names for place in self._routes[name] if self._places[place] > 1}
        others = [
            routes[place]
            for name, routes in self._routes.items()
            if name not in names
            for place in shared & routes.keys()
        ]
        self._build(homes, Found(routes=tuple(others), rules=tuple(self._rules)))

    def _take_in(self, homes: Sequence[Home]) -> None:
        sources = self._own_addresses() if any(home.routes for home in homes) else []
        for home in homes:
            self._if_ids[home.name] = self._free.take()
            self._homes |= dict.fromkeys(home.peers, home)
            self._routes[home.name] = {spec.place: spec for spec in self._routes_of(home, sources)}
            self._places.update(list(self._routes[home.name]))

    def _build(self, homes: Sequence[Home], found: Found) -> None:
        """All that these homes want, in few system calls."""
        wanted = Desired(
            links=tuple(map(self._link, homes)),
            addresses=frozenset(AddressSpec(home.interface, each) for home in homes for each in home.addresses),
            routes=tuple(spec for home in homes for spec in self._routes[home.name].values()),
            rules=self.rules,
        )
        operations = reconcile(wanted, found).operations
        fates = self._kernel.apply(operations) if operations else ()
        for operation, fate in zip(operations, fates, strict=True):
            if fate is not None and not (isinstance(operation, Delete) and isinstance(fate, NotFound)):
                raise _told_of(operation, fate, homes)
        self._rules = wanted.rules
        for home in homes:
            self._admit(home)

    def renew(self, old: Home, new: Home) -> None:
        """Make of one home the other, under the same name."""
        for peer in old.peers:
            del self._homes[peer]
        self._homes |= dict.fromkeys(new.peers, new)
        if new.mtu is not None and new.mtu != old.mtu:
            self.set_mtu(new, new.mtu)
        for address in set(old.addresses) - set(new.addresses):
            with suppress(NotFound):
                self._kernel.delete_address(AddressSpec(new.interface, address))
        for address in set(new.addresses) - set(old.addresses):
            self._kernel.add_address(AddressSpec(new.interface, address))
        self._lead(new)

    def remove(self, homes: Sequence[Home]) -> frozenset[int]:
        """Remove interfaces, and with them what is on them; returns their if_ids."""
        if_ids = frozenset(self._if_ids.pop(home.name) for home in homes)
        for home in homes:
            self._mtus.pop(home.name, None)
            self._places.subtract(list(self._routes.pop(home.name)))
            for peer in home.peers:
                self._lent.pop(peer, None)
                self._outside.pop(peer, None)
                del self._homes[peer]
        for if_id in if_ids:
            self._free.give_back(if_id)
        self._rule()
        doomed = [Delete(link) for link in self._kernel.list_links() if link.if_id in if_ids]
        raise_first(self._kernel.apply(doomed) if doomed else (), besides=(NotFound,))
        return if_ids

    def close(self) -> None:
        """Leave what is not ours as it was."""
        self._reverse_path.close()

    def of(self, peer: str) -> Home:
        """Where a peer's children live. KeyError if it has no home."""
        return self._homes[peer]

    def if_id(self, home: Home) -> int:
        """What all that belongs to a home bears."""
        return self._if_ids[home.name]

    def set_mtu(self, home: Home, mtu: int) -> None:
        """Give a home's interface another MTU."""
        self._mtus[home.name] = mtu
        if mtu != self._kernel.get_link(home.interface).mtu:
            self._kernel.set_mtu(home.interface, mtu)

    def meet(self, peer: str, addresses: Iterable[IpAddress]) -> None:
        """A peer is, or will be called, at these addresses: no route of its own may lead there in its tunnel."""
        home, seen = self._homes[peer], self._outside.get(peer, [])
        inside = [each for each in addresses if any(each in route.network for route in home.routes)]
        if new := [address for address in inside if address not in seen]:
            self._outside[peer] = [*seen, *new][-MOST_OUTSIDE:]
            self._lead(home)
        elif inside:
            self._admit(home)  # the way to it may have changed

    def lend(self, peer: str, addresses: Iterable[IpAddress]) -> None:
        """A site has given us these addresses: packets of our own to its networks bear them from now on."""
        home = self._homes[peer]
        self.take_back(peer)
        for address in addresses:
            spec = AddressSpec(home.interface, ip_interface(address))
            self._kernel.add_address(spec)
            self._lent.setdefault(peer, []).append(spec)
        self._lead(home)

    def take_back(self, peer: str) -> None:
        """What a site has given us is not ours any more."""
        lent = self._lent.pop(peer, None)
        if lent is None:
            return
        self._lead(self._homes[peer])
        for spec in lent:
            with suppress(NotFound):
                self._kernel.delete_address(spec)

    # --- what shall be there ---

    @property
    def links(self) -> dict[str, LinkSpec]:
        """All interfaces, by name."""
        return {home.interface: self._link(home) for home in self._every()}

    @property
    def addresses(self) -> frozenset[AddressSpec]:
        """All addresses of these interfaces."""
        own = (AddressSpec(home.interface, address) for home in self._every() for address in home.addresses)
        return frozenset(own).union(*self._lent.values())

    def routes(self) -> tuple[RouteSpec, ...]:
        """All routes, with the sources that they should have now."""
        sources = self._own_addresses()
        return tuple(spec for home in self._every() for spec in self._routes_of(home, sources))

    @property
    def rules(self) -> frozenset[RuleSpec]:
        """Who looks into the tables of those routes that are not in the main one."""
        return rules_for(spec for routes in self._routes.values() for spec in routes.values())

    def leads(self, place: Place) -> bool:
        """Whether there is to be a route of ours at that place."""
        return self._places[place] > 0

    # --- below ---

    def _link(self, home: Home) -> LinkSpec:
        return LinkSpec(home.interface, self._if_ids[home.name], self._mtus.get(home.name, home.mtu))

    def _every(self) -> Iterable[Home]:
        return {home.name: home for home in self._homes.values()}.values()

    def _lead(self, home: Home) -> None:
        """Put up a home's routes as they shall be now, and only then take down those that it has no more."""
        wanted = {spec.place: spec for spec in self._routes_of(home, self._own_addresses() if home.routes else [])}
        known = self._routes[home.name]
        before = dict(known)
        for place, spec in wanted.items():
            if not self.leads(place):
                self._kernel.add_route(spec)
            elif known.get(place) != spec:  # another, or still another home's
                self._kernel.replace_route(spec)
            self._places[place] += place not in known
            known[place] = spec
        self._rule_for(known.values())
        for place in known.keys() - wanted.keys():
            with suppress(NotFound):
                self._kernel.delete_route(known[place])
            del known[place]
            self._places[place] -= 1
        self._rule_for(before.values())
        self._admit(home)

    def _admit(self, home: Home) -> None:
        """Let in what peers send who are behind themselves; of those that nobody knows yet, by the way to anywhere."""
        for spec in self._routes[home.name].values():
            if spec.table in TABLES:
                known = [each for each in self._all_outside(home) if each in spec.destination]
                for address in known or [spec.destination[spec.destination.num_addresses // 2]]:
                    self._reverse_path.admit(address)

    def _all_outside(self, home: Home) -> list[IpAddress]:
        return [*home.outside, *(address for peer in home.peers for address in self._outside.get(peer, ()))]

    def _rule_for(self, routes: Iterable[RouteSpec]) -> None:
        """Routes of the main table, as nearly all are, need no rules."""
        if any(spec.table in TABLES for spec in routes):
            self._rule()

    def _rule(self) -> None:
        """Have those rules that the routes need, and no others."""
        wanted = self.rules
        for rule in sorted(wanted - self._rules, key=str):
            self._kernel.add_rule(rule)
        for rule in sorted(self._rules - wanted, key=str):
            with suppress(NotFound):
                self._kernel.delete_rule(rule)
        self._rules = wanted

    def _routes_of(self, home: Home, sources: list[IpAddress]) -> list[RouteSpec]:
        lent = {spec.address.version: spec.address.ip for peer in home.peers for spec in self._lent.get(peer, ())}
        outside = self._all_outside(home)
        return [
            RouteSpec(
                destination=route.network,
                interface=home.interface,
                source=lent.get(route.network.version) or _source(sources, route),
                table=table_for(route.network, outside, home.callers),
            )
            for route in home.routes
        ]

    def _own_addresses(self) -> list[IpAddress]:
        return [each.address.ip for each in self._kernel.list_all_addresses(foreign=True)]


def _told_of(operation: Operation, fate: KernelError, homes: Iterable[Home]) -> KernelError:
    """The refusal with the name of the home that it is about, if it is about one."""
    match operation:
        case Add(LinkSpec(name=name)) | SetMtu(LinkState(name=name)) | SetUp(LinkState(name=name)):
            interface: str | None = name
        case Add(AddressSpec(interface=name)):
            interface = name
        case Add(RouteSpec(interface=where)) | Update(RouteSpec(interface=where)):
            interface = where
        case _:
            return fate
    return next((HomeRefused(home.name, fate) for home in homes if home.interface == interface), fate)


def _source(sources: list[IpAddress], route: Route) -> IpAddress | None:
    """An address of this machine that the tunnel takes, for packets of its own."""
    version = route.network.version
    return next(
        (each for each in sources if each.version == version and any(each in net for net in route.beside)), None
    )
