"""XFRM interfaces, addresses, routes, rules and proxies of the kernel in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from typing import Any

from edgevpn.frozen import replace
from edgevpn.kernel import faults
from edgevpn.kernel.contract import Features, require_ours
from edgevpn.kernel.events import AddressChanged, LinkChanged, RouteChanged, RuleRemoved
from edgevpn.kernel.memory_base import MemoryBase, can_fail, refuse
from edgevpn.kernel.network_spec import (
    MAIN_TABLE,
    AddressSpec,
    InterfaceAddress,
    LinkSpec,
    LinkState,
    Path,
    Place,
    ProxySpec,
    RouteSpec,
    RuleSpec,
)
from edgevpn.kernel.spec import IpAddress, IpNetwork

DEFAULT_MTU = 1500
# RFC 5737, RFC 3849: the internet as the kernel in memory sees it.
DEFAULT_PATHS = (
    (ip_network("0.0.0.0/0"), Path("uplink", IPv4Address("192.0.2.1"), IPv4Address("192.0.2.254"), DEFAULT_MTU)),
    (ip_network("::/0"), Path("uplink", IPv6Address("2001:db8::1"), IPv6Address("2001:db8::fe"), DEFAULT_MTU)),
)


DEFAULT_ADDRESSES = tuple(AddressSpec("uplink", ip_interface(text)) for text in ("192.0.2.1/24", "2001:db8::1/64"))


class MemoryNetwork(MemoryBase):
    """The network half of `contract.Kernel`."""

    def __init__(self, have: Features) -> None:
        super().__init__()
        self._have = have
        self._links: dict[str, LinkState] = {}
        self._links_made = 0
        self._if_ids: set[int] = set()
        self._addresses = dict.fromkeys(DEFAULT_ADDRESSES)  # in the order in which they came, as all of these
        self._routes: dict[Place, RouteSpec] = {}
        self._leading: dict[int, dict[IpNetwork, RouteSpec]] = {}  # those of the main table, by length of prefix
        self._rules: dict[RuleSpec, None] = {}
        self._proxies: dict[ProxySpec, None] = {}
        self._paths: dict[IpNetwork, Path] = dict(DEFAULT_PATHS)
        for name, mtu in (("lo", 65536), ("uplink", DEFAULT_MTU)):
            self._keep_link(LinkState(name, self._next_index(), mtu, up=True))

    # For tests and measurements

    def set_path(self, network: IpNetwork, path: Path | None) -> None:
        """Say how addresses of a network are reached, None for not at all; the longest prefix wins."""
        self._paths = {known: way for known, way in self._paths.items() if known != network}
        if path is not None:
            self._paths[network] = path

    def set_link(self, name: str, **changes: Any) -> None:
        """Change an interface as somebody else would: fields of `LinkState`. KeyError where there is none."""
        self._keep_link(replace(self._links[name], **changes))

    # Links

    @can_fail
    def add_link(self, spec: LinkSpec) -> LinkState:
        require_ours(spec)
        what = f"interface {spec.name}"
        if not self._have.xfrm_interface:
            refuse("add", what, errno.EOPNOTSUPP, faults.LINK)
        if spec.name in self._links or spec.if_id in self._if_ids:
            refuse("add", what, errno.EEXIST, faults.LINK)
        if spec.underlying is not None:
            self._check_interface("add", what, spec.underlying)
        mtu = DEFAULT_MTU if spec.mtu is None else spec.mtu
        return self._keep_link(LinkState(spec.name, self._next_index(), mtu, True, "xfrm", spec.if_id, spec.underlying))

    @can_fail
    def set_mtu(self, name: str, mtu: int) -> None:
        self._keep_link(replace(self._ours(name), mtu=mtu))

    @can_fail
    def set_up(self, name: str) -> None:
        self._keep_link(replace(self._ours(name), up=True))

    def _ours(self, name: str) -> LinkState:
        link = self.get_link(name)
        require_ours(link)
        return link

    @can_fail
    def delete_link(self, name: str) -> None:
        link = self._ours(name)
        for route in [route for route in self._routes.values() if route.interface == name]:
            self._drop_route(route)
        for spec in [spec for spec in self._addresses if spec.interface == name]:
            self.delete_address(spec)
        self._proxies = {spec: None for spec in self._proxies if spec.interface != name}
        self._if_ids.discard(link.if_id)
        del self._links[name]
        self.emit(LinkChanged(link, gone=True))

    @can_fail
    def get_link(self, name: str) -> LinkState:
        self._check_interface("read", f"interface {name}", name)
        return self._links[name]

    @can_fail
    def list_links(self, *, foreign: bool = False) -> tuple[LinkState, ...]:
        return tuple(link for link in self._links.values() if foreign or link.ours)

    def _keep_link(self, link: LinkState) -> LinkState:
        if (before := self._links.get(link.name)) is not None:
            self._if_ids.discard(before.if_id)
        self._if_ids.add(link.if_id)
        self._links[link.name] = link
        self.emit(LinkChanged(link))
        return link

    def _next_index(self) -> int:
        self._links_made += 1
        return self._links_made

    def _check_interface(self, verb: str, what: object, name: str) -> None:
        if name not in self._links:
            refuse(verb, what, errno.ENODEV, faults.LINK)

    # Addresses

    @can_fail
    def add_address(self, spec: AddressSpec) -> None:
        what = f"{spec.address} to {spec.interface}"
        self._check_interface("add", what, spec.interface)
        if spec in self._addresses:
            refuse("add", what, errno.EEXIST, faults.ADDRESS)
        self._addresses[spec] = None
        self.emit(AddressChanged(spec.interface, spec.address))

    @can_fail
    def delete_address(self, spec: AddressSpec) -> None:
        what = f"{spec.address} of {spec.interface}"
        self._check_interface("delete", what, spec.interface)
        if spec not in self._addresses:
            refuse("delete", what, errno.EADDRNOTAVAIL, faults.ADDRESS)
        del self._addresses[spec]
        self.emit(AddressChanged(spec.interface, spec.address, gone=True))

    @can_fail
    def list_addresses(self, interface: str) -> tuple[InterfaceAddress, ...]:
        self._check_interface("list", f"addresses of {interface}", interface)
        return tuple(spec.address for spec in self._addresses if spec.interface == interface)

    @can_fail
    def list_all_addresses(self, *, foreign: bool = False) -> tuple[AddressSpec, ...]:
        names = {link.name for link in self._links.values() if foreign or link.ours}
        return tuple(spec for spec in self._addresses if spec.interface in names)

    # Routes

    @can_fail
    def add_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        self._check_route("add", spec)
        if spec.place in self._routes:
            refuse("add", spec, errno.EEXIST, faults.ROUTE)
        self._keep_route(spec)

    @can_fail
    def replace_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        self._check_route("update", spec)
        self._keep_route(spec)

    def _check_route(self, verb: str, spec: RouteSpec) -> None:
        if spec.interface is not None:
            self._check_interface(verb, spec, spec.interface)

    def _keep_route(self, spec: RouteSpec) -> None:
        self._routes[spec.place] = spec
        if spec.table == MAIN_TABLE:
            self._leading.setdefault(spec.destination.prefixlen, {})[spec.destination] = spec
        self.emit(RouteChanged(spec))

    @can_fail
    def delete_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        if self._routes.get(spec.place) != spec:
            refuse("delete", spec, errno.ESRCH, faults.ROUTE)
        self._drop_route(spec)

    @can_fail
    def list_routes(self) -> tuple[RouteSpec, ...]:
        return tuple(self._routes.values())

    def _drop_route(self, spec: RouteSpec) -> None:
        del self._routes[spec.place]
        if spec.table == MAIN_TABLE:
            self._leading[spec.destination.prefixlen].pop(spec.destination, None)
        self.emit(RouteChanged(spec, gone=True))

    # Rules

    @can_fail
    def add_rule(self, spec: RuleSpec) -> None:
        require_ours(spec)
        if spec in self._rules:
            refuse("add", spec, errno.EEXIST, faults.RULE)
        self._rules[spec] = None

    @can_fail
    def delete_rule(self, spec: RuleSpec) -> None:
        require_ours(spec)
        if spec not in self._rules:
            refuse("delete", spec, errno.ENOENT, faults.RULE)
        del self._rules[spec]
        self.emit(RuleRemoved(spec))

    @can_fail
    def list_rules(self) -> tuple[RuleSpec, ...]:
        return tuple(self._rules)

    # Proxies

    @can_fail
    def add_proxy(self, spec: ProxySpec) -> None:
        self._check_interface("add", spec, spec.interface)
        if spec in self._proxies:
            refuse("add", spec, errno.EEXIST, faults.PROXY)
        self._proxies[spec] = None

    @can_fail
    def delete_proxy(self, spec: ProxySpec) -> None:
        self._check_interface("delete", spec, spec.interface)
        if spec not in self._proxies:
            refuse("delete", spec, errno.ENOENT, faults.PROXY)
        del self._proxies[spec]

    @can_fail
    def list_proxies(self, *, foreign: bool = False) -> tuple[ProxySpec, ...]:
        return tuple(self._proxies)

    # Ways

    @can_fail
    def path_to(self, destination: IpAddress, source: IpAddress | None = None) -> Path:
        ways = {network: path for network, path in self._paths.items() if destination in network}
        ways |= self._routed_paths(destination)
        if not ways:
            refuse("find", f"a way to {destination}", errno.ENETUNREACH, faults.PATH)
        path = ways[max(ways, key=lambda network: network.prefixlen)]
        return path if source is None else replace(path, source=source)

    def _routed_paths(self, destination: IpAddress) -> Iterator[tuple[IpNetwork, Path]]:
        """Where our own routes lead that take an address, as far as they and their interfaces' addresses tell a source.

        There may be thousands of them, with few lengths of prefix.
        """
        for length in filter(destination.max_prefixlen.__ge__, self._leading):
            network = ip_network((destination, length), strict=False)
            route = self._leading[length].get(network)
            if route is None or route.interface is None:
                continue
            sources = [spec.address.ip for spec in self._addresses if spec.interface == route.interface]
            sources = [source for source in sources if source.version == destination.version]
            source = route.source or next(iter(sources), None)
            if source is not None:
                yield network, Path(route.interface, source, route.gateway, self._links[route.interface].mtu)
