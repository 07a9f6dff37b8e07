"""Visitors whose addresses are part of the LAN: a route to each, and an answer to whoever in the LAN asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_network

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import AlreadyExists, NotFound
from edgevpn.kernel.network_spec import ProxySpec, RouteSpec
from edgevpn.kernel.spec import IpAddress
from edgevpn.kernel.sysctl import Setting


class Neighbours:
    """Answers ARP and neighbour discovery for visitors. Every call may raise KernelError."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._children: Counter[IpAddress] = Counter()  # of each visitor, while one follows another
        self._made: dict[IpAddress, tuple[RouteSpec, tuple[ProxySpec, ...]]] = {}
        self._before: dict[Setting, int] = {}

    def welcome(self, interface: str, addresses: Iterable[IpAddress]) -> None:
        """A child of a visitor comes up: its packets lead to `interface`."""
        for address in addresses:
            self._children[address] += 1
            if self._children[address] == 1:
                self._add(interface, address)

    def part(self, addresses: Iterable[IpAddress]) -> None:
        """A child of a visitor goes."""
        for address in addresses:
            self._children[address] -= 1
            if self._children[address] <= 0:
                del self._children[address]
                self._remove(address)

    @property
    def routes(self) -> tuple[RouteSpec, ...]:
        """To all visitors."""
        return tuple(route for route, _ in self._made.values())

    @property
    def proxies(self) -> frozenset[ProxySpec]:
        """For all visitors, but for those that somebody else answers for."""
        return frozenset(proxy for _, proxies in self._made.values() for proxy in proxies)

    def close(self) -> None:
        """Leave the LAN's interfaces as they were."""
        before, self._before = self._before, {}
        with suppress(NotFound):
            self._kernel.change_settings(before)

    def _add(self, interface: str, address: IpAddress) -> None:
        route = RouteSpec(destination=ip_network(address), interface=interface)
        self._made[address] = route, ()
        self._kernel.add_route(route)
        for proxy in [ProxySpec(lan, address) for lan in self._lans(address, interface)]:
            if address.version == 6:
                self._before = (
                    self._kernel.change_settings({Setting(6, proxy.interface, "proxy_ndp"): 1}) | self._before
                )
            with suppress(AlreadyExists):
                self._kernel.add_proxy(proxy)
                self._made[address] = route, (*self._made[address][1], proxy)

    def _remove(self, address: IpAddress) -> None:
        route, proxies = self._made.pop(address)
        for proxy in proxies:
            with suppress(NotFound):
                self._kernel.delete_proxy(proxy)
        with suppress(NotFound):
            self._kernel.delete_route(route)

    def _lans(self, address: IpAddress, interface: str) -> Iterator[str]:
        """The interfaces in whose networks the address lies."""
        every = self._kernel.list_all_addresses(foreign=True)
        found = (each.interface for each in every if each.interface != interface and address in each.address.network)
        return iter(dict.fromkeys(found))
