"""XFRM interfaces, addresses and routes of the real kernel."""

from __future__ import annotations

import errno
import socket
from enum import IntEnum
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from edgevpn.kernel import faults
from edgevpn.kernel.contract import require_ours
from edgevpn.kernel.errors import KernelError, NotFound, NotSupported
from edgevpn.kernel.events import AddressChanged, Event, LinkChanged, RouteChanged
from edgevpn.kernel.faults import telling
from edgevpn.kernel.framework import ifaddrmsg, ifinfmsg, nlmsg, rtmsg
from edgevpn.kernel.interfaces import interface_index, interface_name
from edgevpn.kernel.netlink import NETLINK_ROUTE, Flag, Message, NetlinkError, NetlinkSocket, request
from edgevpn.kernel.network_spec import (
    OURS_ROUTE_PROTOCOL,
    AddressSpec,
    InterfaceAddress,
    LinkSpec,
    LinkState,
    Path,
    RouteKind,
    RouteSpec,
)
from edgevpn.kernel.spec import IpAddress, IpNetwork

AF_BRIDGE = 7
IFF_UP = 1
IFA_F_NODAD = 2
IN6_ADDR_GEN_MODE_NONE = 1
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_NOWHERE = 0, 253, 255
RT_TABLE_UNSPEC, RT_TABLE_LOCAL = 0, 255
RTM_F_CLONED = 0x200

MAX_SHORT_TABLE = 255  # the highest number that struct rtmsg has room for


class RtMsg(IntEnum):
    """RTM_*"""

    NEWLINK = 16
    DELLINK = 17
    GETLINK = 18
    SETLINK = 19
    NEWADDR = 20
    DELADDR = 21
    GETADDR = 22
    NEWROUTE = 24
    DELROUTE = 25
    GETROUTE = 26


class RtGroup(IntEnum):
    """RTNLGRP_*: multicast groups."""

    LINK = 1
    IPV4_IFADDR = 5
    IPV4_ROUTE = 7
    IPV6_IFADDR = 9
    IPV6_ROUTE = 11


ROUTE_KINDS = frozenset(RouteKind)

NEW = Flag.CREATE | Flag.EXCLUSIVE


class Network:
    """Route netlink. Errors are those of `contract.Kernel`. Interfaces are those of the calling thread's namespace."""

    def __init__(self) -> None:
        with telling("open", "route netlink", {}):
            self._route = NetlinkSocket(NETLINK_ROUTE)

    # Links

    def add_link(self, spec: LinkSpec) -> LinkState:
        self._new_link(spec)
        try:
            index = self.get_link(spec.name).index
            self._silence(index, spec.name)
            return self._set_up(index, spec.name)
        except KernelError:
            self.delete_link(spec.name)
            raise

    def _new_link(self, spec: LinkSpec) -> None:
        require_ours(spec)
        with telling("add", f"interface {spec.name}", faults.LINK):
            self._route.do(request(RtMsg.NEWLINK, link_message(spec), NEW))

    def _silence(self, index: int, name: str) -> None:
        """Give an interface no link-local address, so that router solicitations do not wake a tunnel."""
        message = ifinfmsg()
        message["index"] = index
        mode = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", IN6_ADDR_GEN_MODE_NONE)]}
        message["attrs"] = [("IFLA_AF_SPEC", {"attrs": [("AF_INET6", mode)]})]
        try:
            self._route.do(request(RtMsg.SETLINK, message))
        except NetlinkError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):  # a kernel without IPv6
                raise faults.kernel_error(f"set up interface {name}", error, faults.LINK) from error

    def _set_up(self, index: int, name: str) -> LinkState:
        message = ifinfmsg()
        message["index"] = index
        message["flags"] = message["change"] = IFF_UP
        with telling("set up", f"interface {name}", faults.LINK):
            self._route.do(request(RtMsg.SETLINK, message))
        return self.get_link(name)

    def delete_link(self, name: str) -> None:
        require_ours(self.get_link(name))
        message = ifinfmsg()
        message["attrs"] = [("IFLA_IFNAME", name)]
        with telling("delete", f"interface {name}", faults.LINK):
            self._route.do(request(RtMsg.DELLINK, message))

    def get_link(self, name: str) -> LinkState:
        message = ifinfmsg()
        message["attrs"] = [("IFLA_IFNAME", name)]
        with telling("read", f"interface {name}", faults.LINK):
            return read_link(decoded(ifinfmsg, self._route.ask(request(RtMsg.GETLINK, message))))

    def list_links(self, *, foreign: bool = False) -> tuple[LinkState, ...]:
        with telling("list", "interfaces", {}):
            dump = self._route.dump(request(RtMsg.GETLINK, ifinfmsg()))
        states = (read_link(decoded(ifinfmsg, part.octets)) for part in dump)
        return tuple(state for state in states if foreign or state.ours)

    # Addresses

    def add_address(self, spec: AddressSpec) -> None:
        with telling("add", f"{spec.address} to {spec.interface}", faults.ADDRESS):
            self._route.do(request(RtMsg.NEWADDR, address_message(spec), NEW))

    def delete_address(self, spec: AddressSpec) -> None:
        with telling("delete", f"{spec.address} of {spec.interface}", faults.ADDRESS):
            self._route.do(request(RtMsg.DELADDR, address_message(spec)))

    def list_addresses(self, interface: str) -> tuple[InterfaceAddress, ...]:
        message = ifaddrmsg()
        with telling("list", f"addresses of {interface}", faults.ADDRESS):
            message["index"] = interface_index(interface)
            dump = self._route.dump(request(RtMsg.GETADDR, message))
        return tuple(read_address(decoded(ifaddrmsg, part.octets)) for part in dump)

    # Routes

    def add_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        with telling("add", spec, faults.ROUTE):
            self._route.do(request(RtMsg.NEWROUTE, route_message(spec, route_scope(spec)), NEW))

    def delete_route(self, spec: RouteSpec) -> None:
        require_ours(spec)
        with telling("delete", spec, faults.ROUTE):
            self._route.do(request(RtMsg.DELROUTE, route_message(spec, RT_SCOPE_NOWHERE)))

    def list_routes(self) -> tuple[RouteSpec, ...]:
        return tuple(route for family in (socket.AF_INET, socket.AF_INET6) for route in self._routes_of(family))

    def _routes_of(self, family: int) -> tuple[RouteSpec, ...]:
        message = rtmsg()
        message["family"] = family
        message["proto"] = OURS_ROUTE_PROTOCOL
        with telling("list", "routes", {}):
            dump = self._route.dump(request(RtMsg.GETROUTE, message))
        routes = [
            read_route(route) for route in (decoded(rtmsg, part.octets) for part in dump) if route["family"] == family
        ]
        return tuple(route for route in routes if route is not None and route.ours)

    def flush_routes(self, interface: str | None) -> int:
        """Remove our routes, all or those by one interface; returns how many."""
        routes = [route for route in self.list_routes() if interface is None or route.interface == interface]
        requests = [request(RtMsg.DELROUTE, route_message(route, RT_SCOPE_NOWHERE)) for route in routes]
        results = self._route.batch(requests)
        for error in results:
            if error is not None and error.errno not in (errno.ESRCH, errno.ENODEV):
                raise faults.kernel_error("flush routes", error, faults.ROUTE)
        return results.count(None)

    def path_to(self, destination: IpAddress, source: IpAddress | None = None) -> Path:
        message = rtmsg()
        message["family"] = family_of(destination)
        message["dst_len"] = destination.max_prefixlen
        message["attrs"] = [("RTA_DST", str(destination))]
        if source is not None:
            message["src_len"] = source.max_prefixlen
            message["attrs"].append(("RTA_SRC", str(source)))
        with telling("find", f"a way to {destination}", faults.PATH):
            route = decoded(rtmsg, self._route.ask(request(RtMsg.GETROUTE, message)))
        interface = interface_name(route.get_attr("RTA_OIF") or 0)
        preferred, gateway = route.get_attr("RTA_PREFSRC"), route.get_attr("RTA_GATEWAY")
        if source is None and preferred is None:
            raise NotFound(f"find a way to {destination}", errno.EADDRNOTAVAIL, f"{interface} has no address for it")
        metrics = route.get_attr("RTA_METRICS")
        mtu = metrics.get_attr("RTAX_MTU") if metrics is not None else None
        return Path(
            interface,
            source or ip_address(preferred),
            None if gateway is None else ip_address(gateway),
            mtu or self.get_link(interface).mtu,
        )

    def has_xfrm_interface(self, trial: LinkSpec) -> bool:
        """Whether an XFRM interface can be added; adds and deletes one."""
        try:
            self._new_link(trial)
        except NotSupported:
            return False
        self.delete_link(trial.name)
        return True


# Messages -------------------------------------------------------------------------------------------------------------


def link_message(spec: LinkSpec) -> nlmsg:
    """NEWLINK for an XFRM interface."""
    data: list[tuple[str, int]] = [("IFLA_XFRM_IF_ID", spec.if_id)]
    message = ifinfmsg()
    message["attrs"] = [("IFLA_IFNAME", spec.name)]
    if spec.mtu is not None:
        message["attrs"].append(("IFLA_MTU", spec.mtu))
    if spec.underlying is not None:
        data.append(("IFLA_XFRM_LINK", interface_index(spec.underlying)))
    info = [("IFLA_INFO_KIND", "xfrm"), ("IFLA_INFO_DATA", {"attrs": data})]
    message["attrs"].append(("IFLA_LINKINFO", {"attrs": info}))
    return message


def read_link(message: nlmsg) -> LinkState:
    info = message.get_attr("IFLA_LINKINFO")
    kind = str(info.get_attr("IFLA_INFO_KIND") or "") if info is not None else ""
    data = info.get_attr("IFLA_INFO_DATA") if kind == "xfrm" else None
    underlying = (data.get_attr("IFLA_XFRM_LINK") or 0) if data is not None else 0
    return LinkState(
        name=message.get_attr("IFLA_IFNAME"),
        index=message["index"],
        mtu=message.get_attr("IFLA_MTU") or 0,
        up=bool(message["flags"] & IFF_UP),
        kind=kind,
        if_id=(data.get_attr("IFLA_XFRM_IF_ID") or 0) if data is not None else 0,
        underlying=interface_name(underlying) or None,
    )


def address_message(spec: AddressSpec) -> nlmsg:
    """NEWADDR or DELADDR."""
    message = ifaddrmsg()
    message["family"] = family_of(spec.address)
    message["prefixlen"] = spec.address.network.prefixlen
    message["flags"] = IFA_F_NODAD if spec.address.version == 6 else 0
    message["index"] = interface_index(spec.interface)
    message["attrs"] = [("IFA_LOCAL", str(spec.address.ip)), ("IFA_ADDRESS", str(spec.address.ip))]
    return message


def read_address(message: nlmsg) -> InterfaceAddress:
    address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return ip_interface(f"{address}/{message['prefixlen']}")


def route_message(spec: RouteSpec, scope: int) -> nlmsg:
    """NEWROUTE or DELROUTE."""
    message = rtmsg()
    message["family"] = family_of(spec.destination.network_address)
    message["dst_len"] = spec.destination.prefixlen
    message["table"] = RT_TABLE_UNSPEC if spec.table > MAX_SHORT_TABLE else spec.table
    message["proto"] = spec.protocol
    message["scope"] = scope
    message["type"] = spec.kind
    attributes: list[tuple[str, Any]] = [("RTA_PRIORITY", spec.metric)]
    if spec.table > MAX_SHORT_TABLE:
        attributes.append(("RTA_TABLE", spec.table))
    if spec.destination.prefixlen:
        attributes.append(("RTA_DST", str(spec.destination.network_address)))
    if spec.interface is not None:
        attributes.append(("RTA_OIF", interface_index(spec.interface)))
    if spec.gateway is not None:
        attributes.append(("RTA_GATEWAY", str(spec.gateway)))
    if spec.source is not None:
        attributes.append(("RTA_PREFSRC", str(spec.source)))
    message["attrs"] = attributes
    return message


def route_scope(spec: RouteSpec) -> int:
    """How far the destination is; IPv4 only takes a gateway where that says universe."""
    direct = spec.kind is RouteKind.UNICAST and spec.gateway is None and spec.destination.version == 4
    return RT_SCOPE_LINK if direct else RT_SCOPE_UNIVERSE


def read_route(message: nlmsg) -> RouteSpec | None:
    """A route; None for kinds that we do not deal in: local and broadcast addresses, caches, several next hops."""
    table = message.get_attr("RTA_TABLE") or message["table"]
    if message["type"] not in ROUTE_KINDS or table == RT_TABLE_LOCAL or message["flags"] & RTM_F_CLONED:
        return None
    kind = RouteKind(message["type"])
    index = message.get_attr("RTA_OIF") if kind is RouteKind.UNICAST else None
    return RouteSpec(
        destination=read_destination(message),
        interface=interface_name(index or 0) or None,
        gateway=read_optional(message.get_attr("RTA_GATEWAY")),
        source=read_optional(message.get_attr("RTA_PREFSRC")),
        kind=kind,
        table=table,
        metric=message.get_attr("RTA_PRIORITY") or 0,
        protocol=message["proto"],
    )


def read_destination(message: nlmsg) -> IpNetwork:
    anywhere = "0.0.0.0" if message["family"] == socket.AF_INET else "::"  # noqa: S104 - a route, not a listener
    return ip_network(f"{message.get_attr('RTA_DST') or anywhere}/{message['dst_len']}")


def read_optional(text: str | None) -> IpAddress | None:
    return None if text is None else ip_address(text)


def read_event(message: Message) -> Event | None:
    """What a message of `RtGroup` says; None for what does not concern us."""
    match message.type:
        case RtMsg.NEWLINK | RtMsg.DELLINK:
            body = decoded(ifinfmsg, message.octets)
            if body["family"] == AF_BRIDGE:  # tells of ports coming to a bridge and leaving it
                return None
            return LinkChanged(read_link(body), gone=message.type == RtMsg.DELLINK)
        case RtMsg.NEWADDR | RtMsg.DELADDR:
            body = decoded(ifaddrmsg, message.octets)
            interface = interface_name(body["index"])
            return AddressChanged(interface, read_address(body), gone=message.type == RtMsg.DELADDR)
        case RtMsg.NEWROUTE | RtMsg.DELROUTE:
            route = read_route(decoded(rtmsg, message.octets))
            return None if route is None else RouteChanged(route, gone=message.type == RtMsg.DELROUTE)
    return None


def decoded(kind: type[nlmsg], octets: bytes) -> nlmsg:
    message = kind(octets)
    message.decode()
    return message


def family_of(address: IpAddress) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
