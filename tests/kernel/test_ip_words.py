"""edgevpn.kernel.ip_words; tests/lab/test_kernel_reconcile.py types what it says."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.kernel.ip_words import ip_words
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteKind, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.spec import OURS_MARK, Action, Direction, Mark, PolicyKey, PolicySpec, PortMask, Selector
from tests.support.kernel import HERE, IF_ID, OUT, POLICY, THERE

LINK = LinkState("evpn-a", 7, 1400, True, "xfrm", IF_ID)
ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface="evpn-a", source=ip_address("10.77.0.1"))
IPV6 = RouteSpec(destination=ip_network("fd00:8::/64"), gateway=ip_address("fe80::1"), interface="evpn-a", table=1000)
NOWHERE = RouteSpec(destination=ip_network("10.79.0.0/16"), kind=RouteKind.UNREACHABLE, metric=2000)
ADDRESS = AddressSpec("evpn-a", ip_interface("10.77.0.1/24"))
ADDRESS6 = AddressSpec("evpn-a", ip_interface("fd00:7::1/128"))
PROXY = ProxySpec("lan", ip_address("192.0.2.77"))
SA = "dst 198.51.100.2 proto esp spi 0xc0ffee01"
SELECTED = "src 10.1.0.0/24 dst 10.2.0.0/16 dir out if_id 0x65760002"
TEMPLATE = "src 192.0.2.1 dst 198.51.100.2 proto esp reqid 1702232071 mode tunnel"
PORTS = Selector(POLICY.selector.source, POLICY.selector.destination, 17, PortMask(4500), PortMask(1024, 0xFC00))
PING = Selector(POLICY.selector.source, POLICY.selector.destination, 1, PortMask(8), PortMask(0))
BLOCK = PolicySpec(key=PolicyKey(PING, Direction.FWD, IF_ID), priority=7, action=Action.BLOCK, offload="eth0")

WORDS: list[tuple[Operation, str]] = [
    (Add(OUT), f"ip xfrm state add src {HERE} {SA} reqid {OUT.reqid}"),
    (Update(OUT), f"ip xfrm state update src {HERE} {SA} reqid {OUT.reqid}"),
    (Delete(OUT.key), f"ip xfrm state delete {SA}"),
    (Delete(replace(OUT.key, mark=Mark(1, 3))), f"ip xfrm state delete {SA} mark 0x1 mask 0x3"),
    (Add(POLICY), f"ip xfrm policy add {SELECTED} priority 1000 tmpl {TEMPLATE}"),
    (Update(POLICY), f"ip xfrm policy update {SELECTED} priority 1000 tmpl {TEMPLATE}"),
    (Delete(POLICY.key), f"ip xfrm policy delete {SELECTED}"),
    (
        Delete(replace(POLICY.key, selector=PORTS, if_id=0)),
        "ip xfrm policy delete src 10.1.0.0/24 dst 10.2.0.0/16 proto 17 sport 4500 dport 1024/0xfc00 dir out",
    ),
    (
        Add(BLOCK),
        "ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/16 proto 1 type 8 code 0 dir fwd if_id 0x65760002"
        " action block priority 7 offload packet dev eth0",
    ),
    (
        Add(replace(POLICY, templates=(replace(POLICY.templates[0], optional=True, spi=0x1000),))),
        f"ip xfrm policy add {SELECTED} priority 1000"
        f" tmpl src {HERE} dst {THERE} proto esp spi 0x1000 reqid 1702232071 mode tunnel level use",
    ),
    (
        Add(LinkSpec("evpn-a", IF_ID, 1400, "wan")),
        "ip link add evpn-a mtu 1400 up type xfrm dev wan if_id 0x65760002",
    ),
    (Add(LinkSpec("evpn-a", IF_ID)), "ip link add evpn-a up type xfrm if_id 0x65760002"),
    (Delete(LINK), "ip link delete dev evpn-a"),
    (SetMtu(LINK, 1300), "ip link set dev evpn-a mtu 1300"),
    (SetUp(LINK), "ip link set dev evpn-a up"),
    (Add(ADDRESS), "ip address add 10.77.0.1/24 dev evpn-a"),
    (Add(ADDRESS6), "ip -6 address add fd00:7::1/128 dev evpn-a nodad"),
    (Delete(ADDRESS6), "ip -6 address delete fd00:7::1/128 dev evpn-a"),
    (Add(ROUTE), "ip route add 10.78.0.0/16 dev evpn-a proto 101 src 10.77.0.1 metric 1024"),
    (Update(IPV6), "ip -6 route replace fd00:8::/64 via fe80::1 dev evpn-a table 1000 proto 101 metric 1024"),
    (Delete(NOWHERE), "ip route delete unreachable 10.79.0.0/16 proto 101 metric 2000"),
    (
        Add(RuleSpec(version=4, priority=31_001, table=1000, unless=OURS_MARK)),
        "ip rule add not fwmark 0x65000000/0xff000000 lookup 1000 priority 31001 protocol 101",
    ),
    (
        Delete(RuleSpec(version=6, priority=31_256, table=254, longer_than=0)),
        "ip -6 rule delete lookup main suppress_prefixlength 0 priority 31256 protocol 101",
    ),
    (Add(PROXY), "ip neighbour add proxy 192.0.2.77 dev lan protocol 101"),
]


@pytest.mark.parametrize(("operation", "words"), WORDS, ids=[words for _, words in WORDS])
def test_words(operation: Operation, words: str) -> None:
    assert ip_words(operation) == words
