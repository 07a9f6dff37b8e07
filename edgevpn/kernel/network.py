"""XFRM interfaces, addresses, routes, rules and proxies of the real kernel."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import TypeAlias

from edgevpn.kernel import faults
from edgevpn.kernel.batch import Step, carry_out, raise_first
from edgevpn.kernel.contract import require_ours
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotSupported
from edgevpn.kernel.faults import Faults, reading, telling
from edgevpn.kernel.framework import ifaddrmsg, nlmsg, rtmsg
from edgevpn.kernel.interfaces import interface_index, interface_name
from edgevpn.kernel.netlink import NETLINK_ROUTE, Flag, NetlinkSocket, Opener, Request, request
from edgevpn.kernel.network_codec import (
    RT_SCOPE_NOWHERE,
    RtMsg,
    address_message,
    decoded,
    family_of,
    in_group,
    link_by_index,
    link_by_name,
    link_group,
    link_message,
    links_message,
    made_silent,
    made_up,
    ndmsg,
    path_message,
    proxies_message,
    proxy_message,
    read_address,
    read_path,
    read_proxy,
    route_message,
    route_scope,
    with_mtu,
)
from edgevpn.kernel.network_spec import (
    OURS_ROUTE_PROTOCOL,
    AddressSpec,
    InterfaceAddress,
    LinkSpec,
    LinkState,
    Path,
    ProxySpec,
    RouteSpec,
    RuleSpec,
)
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.route_readings import read_link, read_route
from edgevpn.kernel.rule_codec import FR_ACT_UNSPEC, RuleMsg, fibmsg, read_rule, rule_message, rules_message
from edgevpn.kernel.spec import OURS_IF_ID, IpAddress

Fates: TypeAlias = tuple[KernelError | None, ...]

NEW = Flag.CREATE | Flag.EXCLUSIVE
NEW_OR_OTHER = Flag.CREATE | Flag.REPLACE

# Our own choice: interfaces are in this group only to be deleted.
DOOMED_GROUP = OURS_IF_ID.start

# What a kernel without IPv6 says when it is asked about it.
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)


class Network:
    """Route netlink. Errors are those of `contract.Kernel`. Interfaces are those of the calling thread's namespace."""

    def __init__(self, opened: Opener) -> None:
        with telling("open", "route netlink", {}):
            self._route = NetlinkSocket(NETLINK_ROUTE, opened)

    # Links

    def add_link(self, spec: LinkSpec) -> LinkState:
        require_ours(spec)
        raise_first(self.add_links((spec,)))
        return self.get_link(spec.name)

    def add_links(self, specs: Sequence[LinkSpec]) -> Fates:
        """Add many; what cannot be set up afterwards is removed again."""
        fates = list(self.change_network([Add(spec) for spec in specs]))
        made = [(number, spec.name) for number, spec in enumerate(specs) if fates[number] is None]
        ends = carry_out(self._route, [setting_up(name, part) for _, name in made for part in (made_silent, made_up)])
        for (number, name), silent, up in zip(made, ends[::2], ends[1::2], strict=True):
            fates[number] = up if silent is None or silent.code in NO_IPV6 else silent
            if fates[number] is not None:
                self.delete_link(name)
        return tuple(fates)

    def set_mtu(self, name: str, mtu: int) -> None:
        self._do_network(SetMtu(self._ours(name), mtu))

    def set_up(self, name: str) -> None:
        self._do_network(SetUp(self._ours(name)))

    def delete_link(self, name: str) -> None:
        self._do_network(Delete(self._ours(name)))

    def delete_links(self, links: Sequence[LinkState]) -> Fates:
        """Delete many: as a group of their own, because the kernel takes 20 ms for each that goes alone."""
        fates = carry_out(self._route, [into_doomed_group(link) for link in links])
        if None not in fates:
            return fates
        (fate,) = carry_out(self._route, [deleting_group()])
        if fate is None:
            return fates
        return self.change_network([Delete(link) for link in links])

    def _ours(self, name: str) -> LinkState:
        link = self.get_link(name)
        require_ours(link)
        return link

    def get_link(self, name: str) -> LinkState:
        with telling("read", f"interface {name}", faults.LINK):
            answer = self._route.ask(request(RtMsg.GETLINK, link_by_name(name)))
        with reading(f"interface {name}"):
            return read_link(answer)

    def list_links(self, *, foreign: bool = False) -> tuple[LinkState, ...]:
        with telling("list", "interfaces", {}):
            dump = self._route.dump(request(RtMsg.GETLINK, links_message()))
        with reading("interfaces"):
            states = [read_link(part.octets) for part in dump]
        return tuple(state for state in states if foreign or state.ours)

    # Addresses

    def add_address(self, spec: AddressSpec) -> None:
        self._do_network(Add(spec))

    def delete_address(self, spec: AddressSpec) -> None:
        self._do_network(Delete(spec))

    def list_addresses(self, interface: str) -> tuple[InterfaceAddress, ...]:
        message = ifaddrmsg()
        with telling("list", f"addresses of {interface}", faults.ADDRESS):
            message["index"] = interface_index(interface)
            dump = self._route.dump(request(RtMsg.GETADDR, message))
        with reading(f"addresses of {interface}"):
            return tuple(read_address(decoded(ifaddrmsg, part.octets)) for part in dump)

    def list_all_addresses(self, *, foreign: bool = False) -> tuple[AddressSpec, ...]:
        names = {} if foreign else {link.index: link.name for link in self.list_links()}
        with telling("list", "addresses", {}):
            dump = self._route.dump(request(RtMsg.GETADDR, ifaddrmsg()))
        with reading("addresses"):
            messages = [decoded(ifaddrmsg, part.octets) for part in dump]
            found = [(message["index"], read_address(message)) for message in messages]
        if foreign:  # a thousand interfaces of ours have hardly an address between them, so these alone are looked up
            names = {index: interface_name(index) for index in {index for index, _ in found}}
        return tuple(AddressSpec(name, address) for index, address in found if (name := names.get(index)))

    # Routes

    def add_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        self._do_network(Add(spec))

    def replace_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        self._do_network(Update(spec))

    def delete_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        self._do_network(Delete(spec))

    def list_routes(self) -> tuple[RouteSpec, ...]:
        return tuple(route for family in (socket.AF_INET, socket.AF_INET6) for route in self._routes_of(family))

    def _routes_of(self, family: int) -> list[RouteSpec]:
        message = rtmsg()
        message["family"] = family
        message["proto"] = OURS_ROUTE_PROTOCOL
        with telling("list", "routes", {}):
            dump = self._route.dump(request(RtMsg.GETROUTE, message))
        with reading("routes"):
            name_of = cache(interface_name)
            routes = [read_route(part.octets, name_of) for part in dump]
        ours = [route for route in routes if route is not None and route.ours]
        return [route for route in ours if family_of(route.destination.network_address) == family]

    def flush_routes(self, interface: str | None) -> int:
        """Remove our routes, all or those by one interface; returns how many."""
        routes = [route for route in self.list_routes() if interface is None or route.interface == interface]
        return self._take_away([Delete(route) for route in routes])

    # Rules

    def add_rule(self, spec: RuleSpec) -> None:
        require_ours(spec)
        self._do_network(Add(spec))

    def delete_rule(self, spec: RuleSpec) -> None:
        require_ours(spec)
        self._do_network(Delete(spec))

    def list_rules(self) -> tuple[RuleSpec, ...]:
        try:
            with telling("list", "rules", faults.RULE):
                dump = self._route.dump(request(RuleMsg.GETRULE, rules_message()))
        except NotSupported:
            return ()  # a kernel that knows no rules has none of ours
        with reading("rules"):
            found = [read_rule(decoded(fibmsg, part.octets)) for part in dump]
        return tuple(rule for rule in found if rule is not None and rule.ours)

    def flush_rules(self) -> int:
        """Remove our rules; returns how many."""
        return self._take_away([Delete(rule) for rule in self.list_rules()])

    def path_to(self, destination: IpAddress, source: IpAddress | None = None) -> Path:
        what = f"a way to {destination}"
        with telling("find", what, faults.PATH):
            answer = self._route.ask(request(RtMsg.GETROUTE, path_message(destination, source)))
        with reading(what):
            index, preferred, gateway, mtu = read_path(decoded(rtmsg, answer))
        interface = interface_name(index)
        chosen = source or preferred
        if chosen is None:
            raise NotFound(f"find {what}", errno.EADDRNOTAVAIL, f"{interface} has no address for it")
        return Path(interface, chosen, gateway, mtu or self.get_link(interface).mtu)

    # Proxies

    def add_proxy(self, spec: ProxySpec) -> None:
        raise_first(self.add_proxies((spec,)))

    def add_proxies(self, specs: Sequence[ProxySpec]) -> Fates:
        """Add many. The kernel would give us those that somebody else has made."""
        taken = set(self.list_proxies(foreign=True))
        fates = iter(self.change_network([Add(spec) for spec in specs if spec not in taken]))
        return tuple(
            AlreadyExists(f"add {spec}", errno.EEXIST, "it exists already") if spec in taken else next(fates)
            for spec in specs
        )

    def delete_proxy(self, spec: ProxySpec) -> None:
        self._do_network(Delete(spec))

    def list_proxies(self, *, foreign: bool = False) -> tuple[ProxySpec, ...]:
        with telling("list", "proxies", {}):
            dump = self._route.dump(request(RtMsg.GETNEIGH, proxies_message()))
        with reading("proxies"):
            found = [read_proxy(decoded(ndmsg, part.octets)) for part in dump]
        return tuple(spec for spec, ours in found if ours or foreign)

    def flush_proxies(self) -> int:
        """Remove our proxies; returns how many."""
        return self._take_away([Delete(proxy) for proxy in self.list_proxies()])

    # All together

    def change_network(self, operations: Iterable[Operation]) -> Fates:
        """Carry out operations on links, addresses, routes and proxies that are one request each."""
        return carry_out(self._route, [step(operation) for operation in operations])

    def _take_away(self, operations: Sequence[Delete]) -> int:
        """Delete what may be gone by itself meanwhile; returns how much was there."""
        fates = self.change_network(operations)
        raise_first(fates, besides=(NotFound,))
        return fates.count(None)

    def _do_network(self, operation: Operation) -> None:
        raise_first(self.change_network((operation,)))

    def has_xfrm_interface(self, trial: LinkSpec) -> bool:
        """Whether an XFRM interface can be added; adds and deletes one."""
        try:
            self._do_network(Add(trial))
        except NotSupported:
            return False
        self.delete_link(trial.name)
        return True


def step(operation: Operation) -> Step:
    return Step(str(operation), causes(operation), lambda: request_for(operation))


def setting_up(name: str, made: Callable[[nlmsg], nlmsg]) -> Step:
    """What follows upon a new link; its index is not known yet."""
    return Step(f"set up interface {name}", faults.LINK, lambda: request(RtMsg.SETLINK, made(link_by_name(name))))


def into_doomed_group(link: LinkState) -> Step:
    """What precedes the deletion of many links."""
    build = partial(request, RtMsg.SETLINK, in_group(link_by_index(link), DOOMED_GROUP))
    return Step(f"delete {link}", faults.LINK, build)


def deleting_group() -> Step:
    return Step("delete interfaces", faults.LINK, partial(request, RtMsg.DELLINK, link_group(DOOMED_GROUP)))


def request_for(operation: Operation) -> Request:
    """Raises NetlinkError where an interface is named that does not exist, TypeError for what is not of the network."""
    match operation:
        case Add(LinkSpec() as spec):
            return request(RtMsg.NEWLINK, link_message(spec), NEW)
        case SetMtu(link, mtu):
            return request(RtMsg.SETLINK, with_mtu(link_by_index(link), mtu))
        case SetUp(link):
            return request(RtMsg.SETLINK, made_up(link_by_index(link)))
        case Delete(LinkState() as link):
            return request(RtMsg.DELLINK, link_by_index(link))
        case Add(AddressSpec() as spec):
            return request(RtMsg.NEWADDR, address_message(spec), NEW)
        case Delete(AddressSpec() as spec):
            return request(RtMsg.DELADDR, address_message(spec))
        case Add(RouteSpec() as spec):
            return request(RtMsg.NEWROUTE, route_message(spec, route_scope(spec)), NEW)
        case Update(RouteSpec() as spec):
            return request(RtMsg.NEWROUTE, route_message(spec, route_scope(spec)), NEW_OR_OTHER)
        case Delete(RouteSpec() as spec):
            return request(RtMsg.DELROUTE, route_message(spec, RT_SCOPE_NOWHERE))
        case Add(RuleSpec() as spec):
            return request(RuleMsg.NEWRULE, rule_message(spec), NEW)
        case Delete(RuleSpec() as spec):
            return request(RuleMsg.DELRULE, rule_message(spec, FR_ACT_UNSPEC))
        case Add(ProxySpec() as spec):
            return request(RtMsg.NEWNEIGH, proxy_message(spec), NEW)
        case Delete(ProxySpec() as spec):
            return request(RtMsg.DELNEIGH, proxy_message(spec))
    raise TypeError(f"not of the network: {operation}")


def causes(operation: Operation) -> Faults:
    """What errnos mean for an operation."""
    match operation:
        case Add(AddressSpec()) | Delete(AddressSpec()):
            return faults.ADDRESS
        case Add(RouteSpec()) | Update(RouteSpec()) | Delete(RouteSpec()):
            return faults.ROUTE
        case Add(RuleSpec()) | Delete(RuleSpec()):
            return faults.RULE
        case Add(ProxySpec()) | Delete(ProxySpec()):
            return faults.PROXY
    return faults.LINK
