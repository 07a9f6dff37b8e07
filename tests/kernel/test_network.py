"""edgevpn.kernel.network, with a kernel that says what we lay ready; for the real one see test_contract."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotPermitted, NotSupported
from edgevpn.kernel.framework import ifinfmsg, nlmsg, rtmsg
from edgevpn.kernel.netlink import HEADER, NETLINK_ROUTE, Flag, attribute, open_socket, request
from edgevpn.kernel.network import DOOMED_GROUP, Network, request_for
from edgevpn.kernel.network_codec import (
    RtMsg,
    address_message,
    link_by_name,
    link_message,
    proxy_message,
    route_message,
)
from edgevpn.kernel.network_spec import (
    AddressSpec,
    LinkSpec,
    LinkState,
    Path,
    ProxySpec,
    RouteKind,
    RouteSpec,
    RuleSpec,
)
from edgevpn.kernel.operations import Add, Delete, SetMtu, SetUp, Update
from edgevpn.kernel.rule_codec import RuleMsg, rule_message
from edgevpn.kernel.spec import OURS_MARK
from tests.support.kernel import HERE, IF_ID, OUT, THERE
from tests.support.netlink import Wire, Wires, ack, done, message
from tests.support.rights import without_rights

SPEC = LinkSpec("evpn-a", IF_ID, mtu=1400)
LINK = LinkState("evpn-a", 7, 1400, True, "xfrm", IF_ID)
ADDRESS = AddressSpec("lo", ip_interface("10.77.0.1/24"))
ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface="lo")
RULE = RuleSpec(version=4, priority=31_001, table=1000, unless=OURS_MARK)
PROXY = ProxySpec("lo", ip_address("10.77.0.9"))
LO = socket.if_nametoindex("lo")
IFINFO_SIZE = 16


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def network(wires: Wires) -> Network:
    return Network(wires.open)


@pytest.fixture
def wire(wires: Wires, network: Network) -> Wire:
    return wires.opened[0]


def told(sequence: int, said: nlmsg) -> bytes:
    """A message of the kernel; its type does not matter to who has asked."""
    return message(RtMsg.NEWLINK, sequence, request(RtMsg.NEWLINK, said).body, 2)


def a_link(sequence: int = 1, spec: LinkSpec = SPEC, *, index: int = 7) -> bytes:
    said = link_message(spec)
    said.update(index=index, flags=1)
    return told(sequence, said)


def a_foreign_link(sequence: int = 1) -> bytes:
    said = link_by_name("eth0")
    said.update(index=3)
    return told(sequence, said)


def sent(wire: Wire) -> list[tuple[int, int]]:
    """Types and special flags of what was asked."""
    return [(each.type, each.flags & ~(Flag.REQUEST | Flag.ACK)) for each in wire.sent()]


NEW = Flag.CREATE | Flag.EXCLUSIVE

REQUESTS = {
    Add(SPEC): (RtMsg.NEWLINK, NEW),
    SetMtu(LINK, 1300): (RtMsg.SETLINK, 0),
    SetUp(LINK): (RtMsg.SETLINK, 0),
    Delete(LINK): (RtMsg.DELLINK, 0),
    Add(ADDRESS): (RtMsg.NEWADDR, NEW),
    Delete(ADDRESS): (RtMsg.DELADDR, 0),
    Add(ROUTE): (RtMsg.NEWROUTE, NEW),
    Update(ROUTE): (RtMsg.NEWROUTE, Flag.CREATE | Flag.REPLACE),
    Delete(ROUTE): (RtMsg.DELROUTE, 0),
    Add(RULE): (RuleMsg.NEWRULE, NEW),
    Delete(RULE): (RuleMsg.DELRULE, 0),
    Add(PROXY): (RtMsg.NEWNEIGH, NEW),
    Delete(PROXY): (RtMsg.DELNEIGH, 0),
}


@pytest.mark.parametrize(("operation", "expected"), REQUESTS.items(), ids=map(str, REQUESTS))
def test_requests(network: Network, wire: Wire, operation: Add, expected: tuple[int, int]) -> None:
    wire.answer(ack(1))
    assert network.change_network([operation]) == (None,)
    assert sent(wire) == [expected]


REFUSALS: dict[str, tuple[Callable[[Network], object], int, type[KernelError], str]] = {
    "address": (lambda network: network.add_address(ADDRESS), errno.EEXIST, AlreadyExists, "cannot add address"),
    "no address": (
        lambda network: network.delete_address(ADDRESS),
        errno.EADDRNOTAVAIL,
        NotFound,
        "the interface does not have it",
    ),
    "no way to the gateway": (
        lambda network: network.add_route(ROUTE),
        errno.ENETUNREACH,
        NotFound,
        "the gateway cannot be reached",
    ),
    "no route": (lambda network: network.delete_route(ROUTE), errno.ESRCH, NotFound, "cannot delete route to"),
    "no IPv6": (lambda network: network.replace_route(ROUTE), errno.EAFNOSUPPORT, NotSupported, "has no IPv6"),
    "rule": (lambda network: network.add_rule(RULE), errno.EEXIST, AlreadyExists, "cannot add IPv4 rule 31001"),
    "no rule": (lambda network: network.delete_rule(RULE), errno.ENOENT, NotFound, "cannot delete IPv4 rule 31001"),
    "no policy routing": (
        lambda network: network.add_rule(RULE),
        errno.EOPNOTSUPP,
        NotSupported,
        "this kernel was built without IP_MULTIPLE_TABLES",
    ),
    "no proxy": (lambda network: network.delete_proxy(PROXY), errno.ENOENT, NotFound, "cannot delete proxy for"),
}


@pytest.mark.parametrize(("call", "code", "kind", "text"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(
    network: Network,
    wire: Wire,
    call: Callable[[Network], object],
    code: int,
    kind: type[KernelError],
    text: str,
) -> None:
    wire.answer(ack(1, code))
    with pytest.raises(kind, match=text):
        call(network)


def test_not_of_the_network() -> None:
    with pytest.raises(TypeError, match="not of the network: add SA"):
        request_for(Add(OUT))


def test_no_route_netlink(wires: Wires) -> None:
    wires.refused.add(NETLINK_ROUTE)
    with pytest.raises(KernelError, match="cannot open route netlink"):
        Network(wires.open)


# Links


def test_link_is_added(network: Network, wire: Wire) -> None:
    """It is made, kept from a link-local address, and set up: the last two in one go."""
    wire.answer(ack(1), ack(2), ack(3), a_link(4), ack(4))
    assert network.add_link(SPEC) == LINK
    assert [kind for kind, _ in sent(wire)] == [RtMsg.NEWLINK, RtMsg.SETLINK, RtMsg.SETLINK, RtMsg.GETLINK]


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EOPNOTSUPP])
def test_link_without_ipv6(network: Network, wire: Wire, code: int) -> None:
    wire.answer(ack(1), ack(2, code), ack(3), a_link(4), ack(4))
    assert network.add_link(SPEC) == LINK


@pytest.mark.parametrize("codes", [(errno.EINVAL, 0), (0, errno.ENOMEM)])
def test_link_that_cannot_be_set_up_is_removed(network: Network, wire: Wire, codes: tuple[int, int]) -> None:
    wire.answer(ack(1), ack(2, codes[0]), ack(3, codes[1]), a_link(4), ack(4), ack(5))
    with pytest.raises(KernelError, match="cannot set up interface evpn-a"):
        network.add_link(SPEC)
    assert [kind for kind, _ in sent(wire)][-1] == RtMsg.DELLINK


def test_links_have_each_their_fate(network: Network, wire: Wire) -> None:
    """The second is taken, and its holder is not touched."""
    specs = [LinkSpec(f"evpn-{number}", IF_ID + number) for number in range(3)]
    wire.answer(ack(1), ack(2, errno.EEXIST), ack(3), *(ack(4 + number) for number in range(4)))
    fates = network.add_links(specs)
    assert [type(fate) for fate in fates] == [type(None), AlreadyExists, type(None)]
    assert sum(b"evpn-1\0" in each.octets for each in wire.sent()) == 1


def test_links(network: Network, wire: Wire) -> None:
    wire.answer(a_link() + a_foreign_link(), done(1))
    assert network.list_links() == (LINK,)
    wire.answer(a_link(2), a_foreign_link(2), done(2))
    assert [link.name for link in network.list_links(foreign=True)] == ["evpn-a", "eth0"]


def test_link_of_somebody_else_is_not_touched(network: Network, wire: Wire) -> None:
    calls: list[Callable[[], None]] = [
        lambda: network.set_mtu("eth0", 1300),
        lambda: network.set_up("eth0"),
        lambda: network.delete_link("eth0"),
    ]
    for sequence, call in enumerate(calls, 1):
        wire.answer(a_foreign_link(sequence), ack(sequence))
        with pytest.raises(ValueError, match="without a tag of ours"):
            call()
    assert {kind for kind, _ in sent(wire)} == {RtMsg.GETLINK}


def test_links_are_deleted_together(network: Network, wire: Wire) -> None:
    """They get into a group of their own, by index, and that is deleted; one was gone already."""
    links = [replace(LINK, index=number) for number in (7, 8, 9)]
    wire.answer(ack(1), ack(2, errno.ENODEV), ack(3), ack(4))
    assert [type(fate) for fate in network.delete_links(links)] == [type(None), NotFound, type(None)]
    requests = wire.sent()
    assert [each.type for each in requests] == [RtMsg.SETLINK] * 3 + [RtMsg.DELLINK]
    group = attribute(27, DOOMED_GROUP.to_bytes(4, "little"))
    assert [each.octets[HEADER.size + 4] for each in requests] == [7, 8, 9, 0]
    assert {each.octets[HEADER.size + IFINFO_SIZE :] for each in requests} == {group}


def test_links_that_were_gone_are_not_deleted(network: Network, wire: Wire) -> None:
    """No group is deleted that none of them is in."""
    wire.answer(ack(1, errno.ENODEV))
    assert [type(fate) for fate in network.delete_links([LINK])] == [NotFound]
    assert network.delete_links([]) == ()
    assert len(wire.sent()) == 1


def test_links_are_deleted_one_by_one(network: Network, wire: Wire) -> None:
    """Somebody put a link into the group that cannot be deleted."""
    wire.answer(ack(1), ack(2), ack(3, errno.EOPNOTSUPP), ack(4), ack(5))
    assert network.delete_links([LINK, replace(LINK, index=8)]) == (None, None)
    assert [kind for kind, _ in sent(wire)][2:] == [RtMsg.DELLINK] * 3


def test_link_is_missing(network: Network, wire: Wire) -> None:
    wire.answer(ack(1, errno.ENODEV))
    with pytest.raises(NotFound, match="cannot read interface evpn-a: there is no such interface"):
        network.get_link("evpn-a")


@pytest.mark.parametrize(("code", "expected"), [(0, True), (errno.EOPNOTSUPP, False)])
def test_has_xfrm_interface(network: Network, wire: Wire, code: int, expected: bool) -> None:
    wire.answer(ack(1, code), a_link(2), ack(2), ack(3))
    assert network.has_xfrm_interface(SPEC) is expected


# Addresses


def test_addresses(network: Network, wire: Wire) -> None:
    wire.answer(told(1, address_message(ADDRESS)), done(1))
    assert network.list_addresses("lo") == (ADDRESS.address,)
    with pytest.raises(NotFound, match="cannot list addresses of no-such-thing"):
        network.list_addresses("no-such-thing")


def test_all_addresses(network: Network, wire: Wire) -> None:
    """Those of our interfaces, by the interfaces' names; what came up in between is left out."""
    wire.answer(a_link(index=LO), a_foreign_link(), done(1))
    other = address_message(ADDRESS)
    other["index"] = 3
    wire.answer(told(2, address_message(ADDRESS)), told(2, other), done(2))
    assert network.list_all_addresses() == (replace(ADDRESS, interface="evpn-a"),)


def test_addresses_of_all_interfaces(network: Network, wire: Wire) -> None:
    """But of one that has gone in between; the other interfaces are not asked about."""
    gone = address_message(ADDRESS)
    gone["index"] = 0x7FFF_FFFF
    wire.answer(told(1, address_message(ADDRESS)), told(1, gone), done(1))
    assert network.list_all_addresses(foreign=True) == (ADDRESS,)


# Routes


def test_routes(network: Network, wire: Wire) -> None:
    """Of both families; kernels before strict checking also show others' and other families'."""
    theirs = replace(ROUTE, protocol=4)
    sixth = RouteSpec(destination=ip_network("fd00:8::/64"), interface="lo")
    wire.answer(*(told(1, route_message(spec, 0)) for spec in (ROUTE, theirs, sixth)), done(1))
    wire.answer(told(2, route_message(sixth, 0)), done(2))
    assert network.list_routes() == (ROUTE, sixth)


def test_routes_are_flushed(network: Network, wire: Wire) -> None:
    other = replace(ROUTE, destination=ip_network("10.79.0.0/16"))
    nowhere = replace(ROUTE, interface=None, kind=RouteKind.UNREACHABLE)
    wire.answer(*(told(1, route_message(spec, 0)) for spec in (ROUTE, other, nowhere)), done(1), done(2))
    wire.answer(ack(3), ack(4, errno.ESRCH))
    assert network.flush_routes("lo") == 1


def test_routes_may_not_be_flushed(network: Network, wire: Wire) -> None:
    wire.answer(told(1, route_message(ROUTE, 0)), done(1), done(2), ack(3, errno.EPERM))
    with pytest.raises(NotPermitted):
        network.flush_routes(None)


def a_path(sequence: int = 1, **attributes: object) -> bytes:
    said = rtmsg()
    said["family"] = 2
    said["attrs"] = [("RTA_OIF", LO), *((f"RTA_{name.upper()}", value) for name, value in attributes.items())]
    return told(sequence, said)


def test_path(network: Network, wire: Wire) -> None:
    mtu = {"attrs": [("RTAX_MTU", 1400)]}
    wire.answer(a_path(prefsrc=str(HERE), gateway="192.0.2.254", metrics=mtu), ack(1))
    assert network.path_to(THERE) == Path("lo", HERE, ip_address("192.0.2.254"), 1400)


def test_path_with_the_mtu_of_its_interface(network: Network, wire: Wire) -> None:
    wire.answer(a_path(), ack(1), a_link(2), ack(2))
    assert network.path_to(THERE, HERE) == Path("lo", HERE, None, 1400)


def test_path_without_an_address_to_send_from(network: Network, wire: Wire) -> None:
    wire.answer(a_path(), ack(1))
    with pytest.raises(NotFound, match="lo has no address for it"):
        network.path_to(THERE)


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL])
def test_no_path(network: Network, wire: Wire, code: int) -> None:
    wire.answer(ack(1, code))
    with pytest.raises(NotFound, match=r"cannot find a way to 198\.51\.100\.2: nothing leads there"):
        network.path_to(THERE)


# Proxies


def a_foreign_proxy(sequence: int, spec: ProxySpec) -> bytes:
    said = proxy_message(spec)
    said["attrs"].pop()
    return told(sequence, said)


def test_proxies(network: Network, wire: Wire) -> None:
    theirs = ProxySpec("lo", ip_address("10.77.0.8"))
    for sequence, foreign, expected in ((1, False, (PROXY,)), (2, True, (PROXY, theirs))):
        wire.answer(told(sequence, proxy_message(PROXY)), a_foreign_proxy(sequence, theirs), done(sequence))
        assert network.list_proxies(foreign=foreign) == expected


def test_proxy_of_somebody_else_is_not_taken_over(network: Network, wire: Wire) -> None:
    free = ProxySpec("lo", ip_address("10.77.0.8"))
    wire.answer(a_foreign_proxy(1, PROXY), done(1), ack(2))
    fates = network.add_proxies([PROXY, free])
    assert str(fates[0]) == "cannot add proxy for 10.77.0.9 on lo: it exists already (EEXIST)"
    assert fates[1] is None
    assert sent(wire)[1:] == [(RtMsg.NEWNEIGH, NEW)]
    wire.answer(a_foreign_proxy(3, PROXY), done(3))
    with pytest.raises(AlreadyExists):
        network.add_proxy(PROXY)


def test_proxies_are_flushed(network: Network, wire: Wire) -> None:
    wire.answer(told(1, proxy_message(PROXY)), done(1), ack(2, errno.ENOENT))
    assert network.flush_proxies() == 0


# What makes no sense


READINGS: dict[str, Callable[[Network], object]] = {
    "link": lambda network: network.get_link("evpn-a"),
    "path": lambda network: network.path_to(THERE),
}

LISTS: dict[str, Callable[[Network], object]] = {
    "links": Network.list_links,
    "addresses": lambda network: network.list_addresses("lo"),
    "routes": Network.list_routes,
    "proxies": Network.list_proxies,
}


@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
def test_answer_makes_no_sense(network: Network, wire: Wire, read: Callable[[Network], object]) -> None:
    wire.answer(message(RtMsg.NEWLINK, 1, bytes(3)), ack(1))
    with pytest.raises(KernelError, match="the kernel's answer makes no sense"):
        read(network)


@pytest.mark.parametrize("read", LISTS.values(), ids=LISTS)
def test_list_makes_no_sense(network: Network, wire: Wire, read: Callable[[Network], object]) -> None:
    wire.answer(message(RtMsg.NEWLINK, 1, bytes(3), 2), done(1))
    with pytest.raises(KernelError, match="the kernel's answer makes no sense"):
        read(network)


def test_nameless_link_in_a_list(network: Network, wire: Wire) -> None:
    wire.answer(told(1, ifinfmsg()), done(1))
    with pytest.raises(KernelError, match="cannot read interfaces"):
        network.list_links()


# The real thing: what needs no rights


def test_reading_needs_no_rights() -> None:
    def read() -> tuple[LinkState, Path]:
        network = Network(open_socket)
        with_lo = network.get_link("lo"), network.path_to(ip_address("127.0.0.1"))
        network._route.close()
        return with_lo

    link, path = without_rights(read)
    assert (link.name, link.index, link.ours) == ("lo", LO, False)
    assert (path.interface, str(path.source), path.gateway) == ("lo", "127.0.0.1", None)


def test_changing_needs_rights() -> None:
    network = Network(open_socket)
    with pytest.raises(NotPermitted, match="cannot add interface evpn-a: the process lacks CAP_NET_ADMIN"):
        without_rights(network.add_link, SPEC)
    network._route.close()


def test_rules_of_ours_alone(network: Network, wire: Wire) -> None:
    theirs = replace(RULE, protocol=2)
    wire.answer(told(1, rule_message(theirs)), told(1, rule_message(RULE)), done(1))
    assert network.list_rules() == (RULE,)
    wire.answer(told(2, rule_message(theirs)), told(2, rule_message(RULE)), done(2), ack(3, errno.ENOENT))
    assert network.flush_rules() == 0
    with pytest.raises(ValueError, match="without a tag of ours"):
        network.add_rule(theirs)


def test_a_kernel_that_knows_no_rules(network: Network, wire: Wire) -> None:
    wire.answer(ack(1, errno.EOPNOTSUPP), ack(2, errno.EOPNOTSUPP))
    assert network.list_rules() == ()
    assert network.flush_rules() == 0
