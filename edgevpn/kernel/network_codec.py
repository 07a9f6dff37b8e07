"""Interfaces, addresses, routes and proxies as route netlink messages, and those as plain values."""

from __future__ import annotations

import socket
from enum import IntEnum
from ipaddress import ip_address, ip_interface
from typing import Any

from edgevpn.kernel.events import AddressChanged, Event, LinkChanged, RouteChanged, RuleRemoved
from edgevpn.kernel.framework import ifaddrmsg, ifinfmsg, nlmsg, rtmsg
from edgevpn.kernel.interfaces import interface_index, interface_name
from edgevpn.kernel.layout import Layout, Structured
from edgevpn.kernel.netlink import Message
from edgevpn.kernel.network_spec import (
    OURS_ROUTE_PROTOCOL,
    AddressSpec,
    InterfaceAddress,
    LinkSpec,
    LinkState,
    ProxySpec,
    RouteKind,
    RouteSpec,
)
from edgevpn.kernel.route_readings import read_news_of_link, read_route
from edgevpn.kernel.rule_codec import RuleMsg, fibmsg, read_rule
from edgevpn.kernel.spec import OURS_MARK, IpAddress

AF_BRIDGE = 7
IFF_UP = 1
IFA_F_NODAD = 2
IN6_ADDR_GEN_MODE_NONE = 1
NTF_PROXY = 8
RTEXT_FILTER_SKIP_STATS = 8
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
    NEWNEIGH = 28
    DELNEIGH = 29
    GETNEIGH = 30


class RtGroup(IntEnum):
    """RTNLGRP_*: multicast groups."""

    LINK = 1
    IPV4_IFADDR = 5
    IPV4_ROUTE = 7
    IPV4_RULE = 8
    IPV6_IFADDR = 9
    IPV6_ROUTE = 11
    IPV6_RULE = 19


class ndmsg(Structured, nlmsg):  # noqa: N801 - the framework's spelling
    """NEWNEIGH, DELNEIGH, GETNEIGH; pyroute2's own lacks the protocol in the versions that OpenWrt has."""

    # struct ndmsg {
    #     __u8   ndm_family, ndm_pad1;
    #     __u16  ndm_pad2;
    #     __s32  ndm_ifindex;
    #     __u16  ndm_state;
    #     __u8   ndm_flags, ndm_type;
    # };
    layout = Layout(
        ("family", "B"), ("_", "x"), ("_", "2x"), ("ifindex", "i"), ("state", "H"), ("flags", "B"), ("type", "B")
    )
    nla_map = ((1, "NDA_DST", "cdata"), (12, "NDA_PROTOCOL", "uint8"))


# Links ----------------------------------------------------------------------------------------------------------------


def link_by_name(name: str) -> nlmsg:
    """GETLINK, or what a NEWLINK or SETLINK begins with."""
    message = ifinfmsg()
    message["attrs"] = [("IFLA_IFNAME", name)]
    return message


def link_by_index(link: LinkState) -> nlmsg:
    """DELLINK, or what a SETLINK begins with: this interface, not another that has got its name."""
    message = ifinfmsg()
    message["index"] = link.index
    message["attrs"] = []
    return message


def made_silent(message: nlmsg) -> nlmsg:
    """SETLINK: no link-local address, so that router solicitations do not wake a tunnel."""
    mode = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", IN6_ADDR_GEN_MODE_NONE)]}
    message["attrs"].append(("IFLA_AF_SPEC", {"attrs": [("AF_INET6", mode)]}))
    return message


def with_mtu(message: nlmsg, mtu: int) -> nlmsg:
    """SETLINK, or NEWLINK."""
    message["attrs"].append(("IFLA_MTU", mtu))
    return message


def in_group(message: nlmsg, group: int) -> nlmsg:
    """SETLINK."""
    message["attrs"].append(("IFLA_GROUP", group))
    return message


def link_group(group: int) -> nlmsg:
    """DELLINK for all interfaces of a group."""
    message = ifinfmsg()
    message["attrs"] = []
    return in_group(message, group)


def links_message() -> nlmsg:
    """GETLINK for all interfaces, without their counters."""
    message = ifinfmsg()
    message["attrs"] = [("IFLA_EXT_MASK", RTEXT_FILTER_SKIP_STATS)]
    return message


def made_up(message: nlmsg) -> nlmsg:
    """SETLINK."""
    message["flags"] = message["change"] = IFF_UP
    return message


def link_message(spec: LinkSpec) -> nlmsg:
    """NEWLINK for an XFRM interface. Raises NetlinkError where there is no underlying one."""
    data: list[tuple[str, int]] = [("IFLA_XFRM_IF_ID", spec.if_id)]
    message = link_by_name(spec.name)
    if spec.mtu is not None:
        with_mtu(message, spec.mtu)
    if spec.underlying is not None:
        data.append(("IFLA_XFRM_LINK", interface_index(spec.underlying)))
    info = [("IFLA_INFO_KIND", "xfrm"), ("IFLA_INFO_DATA", {"attrs": data})]
    message["attrs"].append(("IFLA_LINKINFO", {"attrs": info}))
    return message


# Addresses ------------------------------------------------------------------------------------------------------------


def address_message(spec: AddressSpec) -> nlmsg:
    """NEWADDR or DELADDR. Raises NetlinkError where there is no such interface."""
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


# Routes ---------------------------------------------------------------------------------------------------------------


def route_message(spec: RouteSpec, scope: int) -> nlmsg:
    """NEWROUTE or DELROUTE. Raises NetlinkError where there is no such interface."""
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


def read_optional(text: str | None) -> IpAddress | None:
    return None if text is None else ip_address(text)


def path_message(destination: IpAddress, source: IpAddress | None) -> nlmsg:
    """GETROUTE for one address, as for a packet with our mark."""
    message = rtmsg()
    message["family"] = family_of(destination)
    message["dst_len"] = destination.max_prefixlen
    message["attrs"] = [("RTA_DST", str(destination)), ("RTA_MARK", OURS_MARK.value)]
    if source is not None:
        message["src_len"] = source.max_prefixlen
        message["attrs"].append(("RTA_SRC", str(source)))
    return message


def read_path(message: nlmsg) -> tuple[int, IpAddress | None, IpAddress | None, int]:
    """The answer to GETROUTE: the interface's index, the source that the kernel prefers, a gateway, and an MTU or 0."""
    metrics = message.get_attr("RTA_METRICS")
    return (
        message.get_attr("RTA_OIF") or 0,
        read_optional(message.get_attr("RTA_PREFSRC")),
        read_optional(message.get_attr("RTA_GATEWAY")),
        (metrics.get_attr("RTAX_MTU") or 0) if metrics is not None else 0,
    )


# Proxies --------------------------------------------------------------------------------------------------------------


def proxy_message(spec: ProxySpec) -> nlmsg:
    """NEWNEIGH or DELNEIGH. Raises NetlinkError where there is no such interface."""
    message = ndmsg()
    message["family"] = family_of(spec.address)
    message["ifindex"] = interface_index(spec.interface)
    message["flags"] = NTF_PROXY
    message["attrs"] = [("NDA_DST", spec.address.packed), ("NDA_PROTOCOL", OURS_ROUTE_PROTOCOL)]
    return message


def proxies_message() -> nlmsg:
    """GETNEIGH for all proxies."""
    message = ndmsg()
    message["flags"] = NTF_PROXY
    return message


def read_proxy(message: nlmsg) -> tuple[ProxySpec, bool]:
    """A proxy, and whether it is ours."""
    protocol = message.get_attr("NDA_PROTOCOL")
    address = ip_address(bytes(message.get_attr("NDA_DST") or b""))
    return ProxySpec(interface_name(message["ifindex"]), address), protocol == OURS_ROUTE_PROTOCOL


# Events ---------------------------------------------------------------------------------------------------------------


def read_event(message: Message) -> Event | None:
    """What a message of `RtGroup` says; None for what does not concern us."""
    match message.type:
        case RtMsg.NEWLINK | RtMsg.DELLINK:
            link = read_news_of_link(message.octets)
            return None if link is None else LinkChanged(link, gone=message.type == RtMsg.DELLINK)
        case RtMsg.NEWADDR | RtMsg.DELADDR:
            body = decoded(ifaddrmsg, message.octets)
            interface = interface_name(body["index"])
            return AddressChanged(interface, read_address(body), gone=message.type == RtMsg.DELADDR)
        case RtMsg.NEWROUTE | RtMsg.DELROUTE:
            route = read_route(message.octets)
            return None if route is None else RouteChanged(route, gone=message.type == RtMsg.DELROUTE)
        case RuleMsg.DELRULE:
            rule = read_rule(decoded(fibmsg, message.octets))
            return None if rule is None else RuleRemoved(rule)
    return None


def decoded(kind: type[nlmsg], octets: bytes) -> nlmsg:
    message = kind(octets)
    message.decode()
    return message


def family_of(address: IpAddress) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
