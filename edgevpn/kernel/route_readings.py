"""Interfaces and routes as route netlink tells of them, read without the framework: there may be thousands."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address

from edgevpn.kernel.framework import nlmsg
from edgevpn.kernel.interfaces import interface_name
from edgevpn.kernel.layout import Layout, Structured, parts_of
from edgevpn.kernel.netlink import attributes
from edgevpn.kernel.network_spec import LinkState, RouteKind, RouteSpec
from edgevpn.kernel.spec import IpAddress, IpNetwork

AF_BRIDGE = 7
IFF_UP = 1
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_XFRM_LINK, IFLA_XFRM_IF_ID = 1, 2
RT_TABLE_LOCAL = 255
RTM_F_CLONED = 0x200

ROUTE_KINDS = frozenset(RouteKind)


class link_info(Structured, nlmsg):  # noqa: N801
    """NEWLINK, DELLINK."""

    # struct ifinfomsg {
    #     unsigned char   ifi_family, __ifi_pad;
    #     unsigned short  ifi_type;
    #     int             ifi_index;
    #     unsigned        ifi_flags, ifi_change;
    # };
    layout = Layout(("family", "B"), ("_", "x"), ("type", "H"), ("index", "i"), ("flags", "I"), ("change", "I"))
    nla_map = (
        (3, "IFLA_IFNAME", "cdata"),
        (4, "IFLA_MTU", "uint32"),
        (11, "IFLA_WIRELESS", "cdata"),
        (18, "IFLA_LINKINFO", "cdata"),
    )


class route_info(Structured, nlmsg):  # noqa: N801
    """NEWROUTE, DELROUTE."""

    # struct rtmsg {
    #     unsigned char  rtm_family, rtm_dst_len, rtm_src_len, rtm_tos;
    #     unsigned char  rtm_table, rtm_protocol, rtm_scope, rtm_type;
    #     unsigned       rtm_flags;
    # };
    layout = Layout(
        *((name, "B") for name in ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type")),
        ("flags", "I"),
    )
    nla_map = (
        (1, "RTA_DST", "cdata"),
        (4, "RTA_OIF", "uint32"),
        (5, "RTA_GATEWAY", "cdata"),
        (6, "RTA_PRIORITY", "uint32"),
        (7, "RTA_PREFSRC", "cdata"),
        (15, "RTA_TABLE", "uint32"),
    )


def read_link(octets: bytes) -> LinkState:
    """An interface. Raises ValueError for a message that does not name it: news of a wireless driver."""
    info, found = parts_of(link_info, octets)
    if "IFLA_IFNAME" not in found:
        raise ValueError("an interface without a name")
    about = dict(attributes(found.get("IFLA_LINKINFO", b"")))
    kind = text_of(about.get(IFLA_INFO_KIND, b""))
    xfrm = dict(attributes(about.get(IFLA_INFO_DATA, b""))) if kind == "xfrm" else {}
    return LinkState(
        name=text_of(found["IFLA_IFNAME"]),
        index=info["index"],
        mtu=found.get("IFLA_MTU", 0),
        up=bool(info["flags"] & IFF_UP),
        kind=kind,
        if_id=number_of(xfrm.get(IFLA_XFRM_IF_ID, b"")),
        underlying=interface_name(number_of(xfrm.get(IFLA_XFRM_LINK, b""))) or None,
    )


def read_news_of_link(octets: bytes) -> LinkState | None:
    """An interface that has come, gone or changed; None for what else the same messages tell."""
    info, found = parts_of(link_info, octets)
    if info["family"] == AF_BRIDGE or "IFLA_WIRELESS" in found:
        return None  # ports that come to a bridge and leave it; wireless statistics
    return read_link(octets)


def text_of(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode(errors="replace")


def number_of(octets: bytes) -> int:
    return int.from_bytes(octets, sys.byteorder)


def read_route(octets: bytes, name_of: Callable[[int], str] = interface_name) -> RouteSpec | None:
    """A route; None for kinds that we do not deal in: local and broadcast addresses, caches, several next hops.

    `name_of` is for who reads many and need not ask for the same interface each time.
    """
    info, found = parts_of(route_info, octets)
    table = found.get("RTA_TABLE") or info["table"]
    if info["family"] not in (socket.AF_INET, socket.AF_INET6):
        return None
    if info["type"] not in ROUTE_KINDS or table == RT_TABLE_LOCAL or info["flags"] & RTM_F_CLONED:
        return None
    kind = RouteKind(info["type"])
    index = found.get("RTA_OIF") if kind is RouteKind.UNICAST else 0
    if index is None:
        return None
    return RouteSpec(
        destination=read_destination(found.get("RTA_DST", b""), info["dst_len"], info["family"]),
        interface=name_of(index) or None,
        gateway=read_packed(found.get("RTA_GATEWAY")),
        source=read_packed(found.get("RTA_PREFSRC")),
        kind=kind,
        table=table,
        metric=found.get("RTA_PRIORITY", 0),
        protocol=info["proto"],
    )


def read_destination(octets: bytes, length: int, family: int) -> IpNetwork:
    if family == socket.AF_INET:
        return IPv4Network((octets or bytes(4), length))
    return IPv6Network((octets or bytes(16), length))


def read_packed(octets: bytes | None) -> IpAddress | None:
    return None if octets is None else ip_address(octets)
