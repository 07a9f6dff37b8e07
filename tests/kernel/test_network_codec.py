"""edgevpn.kernel.network_codec."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from edgevpn.kernel.events import AddressChanged, LinkChanged, RouteChanged, RuleRemoved
from edgevpn.kernel.framework import ifaddrmsg, ifinfmsg, nlmsg, rtmsg
from edgevpn.kernel.netlink import Flag, Message, NetlinkError, request
from edgevpn.kernel.network_codec import (
    RT_SCOPE_NOWHERE,
    RtMsg,
    address_message,
    decoded,
    link_by_index,
    link_by_name,
    link_message,
    made_silent,
    made_up,
    ndmsg,
    path_message,
    proxies_message,
    proxy_message,
    read_address,
    read_event,
    read_path,
    read_proxy,
    route_message,
    route_scope,
    with_mtu,
)
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteKind, RouteSpec, RuleSpec
from edgevpn.kernel.rule_codec import RuleMsg, rule_message, rules_message
from edgevpn.kernel.spec import OURS_MARK
from edgevpn.kernel.xfrm_parts import family
from tests.support.iproute2 import Parts, attributes_in, parts_of_request, sent_by
from tests.support.kernel import HERE, HERE6, IF_ID, THERE

IFINFO_SIZE, IFADDR_SIZE, RTMSG_SIZE, NDMSG_SIZE = 16, 8, 12, 12
IFLA_MTU, IFLA_IFNAME, IFLA_LINKINFO, IFLA_AF_SPEC = 4, 3, 18, 26
NEW = Flag.CREATE | Flag.EXCLUSIVE

ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface="lo", source=ip_address("10.77.0.1"))
LO = socket.if_nametoindex("lo")
LINK = LinkState("evpn-a", LO, 1400, True, "xfrm", IF_ID, "lo")


def sent(kind: RtMsg, message: nlmsg, size: int) -> Parts:
    return parts_of_request(request(kind, message), size)


def by_ip(command: str, size: int) -> Parts:
    return parts_of_request(sent_by(command), size)


def octets_of(message: nlmsg, **header: Any) -> bytes:
    """A message as the kernel would send it: ours, with other values in its fixed part."""
    message.update(header)
    octets = request(RtMsg.NEWLINK, message)
    return octets.octets(octets.flags, 1)


def read(message: nlmsg, **header: Any) -> nlmsg:
    return decoded(type(message), octets_of(message, **header))


# As ip(8) sends it


def test_new_link() -> None:
    """ip(8) writes the kind without its final zero, and may set a nested flag; both are optional."""
    ours = sent(RtMsg.NEWLINK, link_message(LinkSpec("evpn-a", IF_ID, mtu=1400, underlying="lo")), IFINFO_SIZE)
    theirs = by_ip("ip link add dev evpn-a mtu 1400 type xfrm dev lo if_id 0x65760002", IFINFO_SIZE)
    assert (ours.type, ours.fixed) == (theirs.type, theirs.fixed)
    info = attributes_in(ours.attributes.pop(IFLA_LINKINFO))
    their_info = attributes_in(theirs.attributes.pop(IFLA_LINKINFO))
    assert ours.attributes == theirs.attributes
    assert attributes_in(info[2]) == attributes_in(their_info[2])
    assert info[1].rstrip(b"\0") == their_info[1] == b"xfrm"


def test_link_without_link_local_address() -> None:
    theirs = by_ip("ip link set dev lo addrgenmode none", IFINFO_SIZE)
    assert sent(RtMsg.NEWLINK, made_silent(link_by_index(replace(LINK, index=1))), IFINFO_SIZE) == theirs


ADDRESSES = {
    "ip address add 10.77.0.1/24 dev lo": (RtMsg.NEWADDR, "10.77.0.1/24"),
    "ip address add fd00:7::1/64 dev lo nodad": (RtMsg.NEWADDR, "fd00:7::1/64"),
    "ip address delete 10.77.0.1/24 dev lo": (RtMsg.DELADDR, "10.77.0.1/24"),
}


@pytest.mark.parametrize(("command", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(command: str, expected: tuple[RtMsg, str]) -> None:
    kind, text = expected
    ours = sent(kind, address_message(AddressSpec("lo", ip_interface(text))), IFADDR_SIZE)
    assert ours == by_ip(command, IFADDR_SIZE)


ROUTES = {
    "ip route add 10.78.0.0/16 dev lo src 10.77.0.1 proto 101 metric 1024": ROUTE,
    "ip route add fd00:8::/64 dev lo proto 101 metric 1024 table 1000": RouteSpec(
        destination=ip_network("fd00:8::/64"), interface="lo", table=1000
    ),
    "ip route add unreachable 10.79.0.0/16 proto 101 metric 2000": RouteSpec(
        destination=ip_network("10.79.0.0/16"), kind=RouteKind.UNREACHABLE, metric=2000
    ),
}


@pytest.mark.parametrize(("command", "spec"), ROUTES.items(), ids=ROUTES)
def test_routes(command: str, spec: RouteSpec) -> None:
    ours = sent(RtMsg.NEWROUTE, route_message(spec, route_scope(spec)), RTMSG_SIZE)
    assert ours == by_ip(command, RTMSG_SIZE)


def test_route_is_deleted() -> None:
    command = "ip route delete unicast 10.78.0.0/16 dev lo proto 101 metric 1024"
    ours = sent(RtMsg.DELROUTE, route_message(replace(ROUTE, source=None), RT_SCOPE_NOWHERE), RTMSG_SIZE)
    assert ours == by_ip(command, RTMSG_SIZE)


# There and back


def test_link_is_changed_by_index() -> None:
    """Another interface may have got the name by then."""
    for change in (with_mtu(link_by_index(LINK), 1300), made_up(link_by_index(LINK))):
        parts = sent(RtMsg.SETLINK, change, IFINFO_SIZE)
        assert IFLA_IFNAME not in parts.attributes
        assert parts.fixed[4:8] == LO.to_bytes(4, "little")
    up = sent(RtMsg.SETLINK, made_up(link_by_name("evpn-a")), IFINFO_SIZE)
    assert up.fixed == bytes(8) + (1).to_bytes(4, "little") * 2
    assert up.attributes == {IFLA_IFNAME: b"evpn-a\0"}
    assert sent(RtMsg.SETLINK, with_mtu(link_by_index(LINK), 1300), IFINFO_SIZE).attributes == {
        IFLA_MTU: (1300).to_bytes(4, "little")
    }


@pytest.mark.parametrize("text", ["10.77.0.1/24", "10.77.0.1/32", "fd00:7::1/64"])
def test_address_comes_back(text: str) -> None:
    assert read_address(read(address_message(AddressSpec("lo", ip_interface(text))))) == ip_interface(text)


def test_address_of_a_peer() -> None:
    """The other end of a point-to-point link is not ours; IPv6 says nothing of itself but IFA_ADDRESS."""

    def told(*attributes: tuple[str, str]) -> object:
        message = ifaddrmsg()
        message["attrs"] = list(attributes)
        return read_address(read(message, family=2, prefixlen=32, index=LO))

    assert told(("IFA_ADDRESS", "10.77.0.2"), ("IFA_LOCAL", "10.77.0.1")) == ip_interface("10.77.0.1/32")
    assert told(("IFA_ADDRESS", "10.77.0.2")) == ip_interface("10.77.0.2/32")


def test_path_to() -> None:
    parts = sent(RtMsg.GETROUTE, path_message(THERE, HERE), RTMSG_SIZE)
    assert parts.fixed == bytes([2, 32, 32]) + bytes(9)
    mark = OURS_MARK.value.to_bytes(4, "little")
    assert parts.attributes == {1: THERE.packed, 2: HERE.packed, 16: mark}
    assert sent(RtMsg.GETROUTE, path_message(HERE6, None), RTMSG_SIZE).attributes == {1: HERE6.packed, 16: mark}


def test_path_as_told() -> None:
    def told(*attributes: tuple[str, Any]) -> object:
        message = rtmsg()
        message["attrs"] = list(attributes)
        return read_path(read(message, family=2))

    ends = ("RTA_PREFSRC", str(HERE)), ("RTA_GATEWAY", str(THERE))
    mtu = ("RTA_METRICS", {"attrs": [("RTAX_MTU", 1400)]})
    assert told(("RTA_OIF", 7)) == (7, None, None, 0)
    assert told(("RTA_OIF", 7), *ends, mtu) == (7, HERE, THERE, 1400)
    assert told(("RTA_METRICS", {"attrs": []})) == (0, None, None, 0)


@pytest.mark.parametrize("address", [HERE, HERE6])
def test_proxy(address: Any) -> None:
    """struct ndmsg: family, interface, NTF_PROXY; NDA_DST; NDA_PROTOCOL, by which we know it again."""
    spec = ProxySpec("lo", address)
    parts = sent(RtMsg.NEWNEIGH, proxy_message(spec), NDMSG_SIZE)
    assert parts.fixed == bytes([family(address), 0, 0, 0, *LO.to_bytes(4, "little"), 0, 0, 8, 0])
    assert parts.attributes == {1: address.packed, 12: b"\x65"}
    assert read_proxy(read(proxy_message(spec))) == (spec, True)


def test_proxy_of_somebody_else() -> None:
    message = proxy_message(ProxySpec("lo", HERE))
    message["attrs"].pop()
    assert read_proxy(read(message)) == (ProxySpec("lo", HERE), False)


def test_proxy_for_nothing() -> None:
    message = ndmsg()
    with pytest.raises(ValueError, match="does not appear to be"):
        read_proxy(read(message))
    assert sent(RtMsg.GETNEIGH, proxies_message(), NDMSG_SIZE).fixed[10] == 8


NAMING: dict[str, Callable[[], nlmsg]] = {
    "underlying": lambda: link_message(LinkSpec("evpn-a", IF_ID, underlying="no-such-thing")),
    "address": lambda: address_message(AddressSpec("no-such-thing", ip_interface("::1/128"))),
    "route": lambda: route_message(replace(ROUTE, interface="no-such-thing"), 0),
    "proxy": lambda: proxy_message(ProxySpec("no-such-thing", HERE)),
}


@pytest.mark.parametrize("build", NAMING.values(), ids=NAMING)
def test_no_such_interface(build: Callable[[], nlmsg]) -> None:
    with pytest.raises(NetlinkError) as caught:
        build()
    assert caught.value.errno == errno.ENODEV


# Events


def event(kind: int, message: nlmsg) -> object:
    body = request(RtMsg.NEWLINK, message)
    return read_event(Message(kind, 0, 0, body.octets(body.flags, 0)))


@pytest.mark.parametrize(("kind", "gone"), [(RtMsg.NEWLINK, False), (RtMsg.DELLINK, True)])
def test_link_events(kind: RtMsg, gone: bool) -> None:
    message = link_message(LinkSpec("evpn-a", IF_ID, mtu=1400, underlying="lo"))
    message.update(index=LO, flags=1)
    assert event(kind, message) == LinkChanged(LINK, gone)


def test_link_events_of_no_concern() -> None:
    bridge = link_by_name("lan1")
    bridge["family"] = 7
    assert event(RtMsg.DELLINK, bridge) is None
    wireless = ifinfmsg()
    wireless["attrs"] = [("IFLA_WIRELESS", {"attrs": []})]
    assert event(RtMsg.NEWLINK, wireless) is None
    assert event(99, link_by_name("lan1")) is None


def test_address_events() -> None:
    address = ip_interface("10.77.0.1/24")
    assert event(RtMsg.NEWADDR, address_message(AddressSpec("lo", address))) == AddressChanged("lo", address)
    message = address_message(AddressSpec("lo", address))
    message["index"] = 0x7FFF_FFFF
    assert event(RtMsg.DELADDR, message) == AddressChanged("", address, gone=True)


def test_route_events() -> None:
    assert event(RtMsg.NEWROUTE, route_message(ROUTE, 0)) == RouteChanged(ROUTE)
    assert event(RtMsg.DELROUTE, route_message(ROUTE, 0)) == RouteChanged(ROUTE, gone=True)
    rule = RuleSpec(version=4, priority=31_000, table=254, longer_than=0)
    assert event(RuleMsg.DELRULE, rule_message(rule)) == RuleRemoved(rule)
    assert event(RuleMsg.NEWRULE, rule_message(rule)) is None
    assert event(RuleMsg.DELRULE, rules_message()) is None
    local = route_message(ROUTE, 0)
    local["table"] = 255
    assert event(RtMsg.NEWROUTE, local) is None
