"""edgevpn.kernel.reconcile."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteKind, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.reconcile import Desired, Found, Plan, find, reconcile
from edgevpn.kernel.spec import OURS_IF_ID, Direction, PolicyKey, PolicySpec, PolicyState, SaState, Template
from tests.support.kernel import HERE, IF_ID, OUT, POLICY, TEMPLATE, THERE, policy, sa

LINK = LinkSpec("evpn-a", IF_ID, mtu=1400)
LINK_STATE = LinkState("evpn-a", 7, 1400, True, "xfrm", IF_ID)
ADDRESS = AddressSpec("evpn-a", ip_interface("10.77.0.1/24"))
ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface="evpn-a")
RULE = RuleSpec(version=4, priority=31_001, table=1000)
PROXY = ProxySpec("uplink", ip_address("192.0.2.77"))

ALL = Desired(
    sas=frozenset({OUT.key}),
    policies=(POLICY,),
    links=(LINK,),
    addresses=frozenset({ADDRESS}),
    routes=(ROUTE,),
    rules=frozenset({RULE}),
    proxies=frozenset({PROXY}),
)
ALL_FOUND = Found(
    sas=(SaState(spec=OUT),),
    policies=(PolicyState(spec=POLICY, index=9),),
    links=(LINK_STATE,),
    addresses=(ADDRESS,),
    routes=(ROUTE,),
    rules=(RULE,),
    proxies=(PROXY,),
)


def plan(desired: Desired, found: Found) -> list[str]:
    """In words; nothing is lost."""
    made = reconcile(desired, found)
    assert made.lost == frozenset()
    return [str(operation) for operation in made.operations]


def test_all_is_well() -> None:
    assert reconcile(ALL, ALL_FOUND) == Plan()


def test_from_nothing() -> None:
    """The interface comes first, the route when the policy is there; the SA cannot be put back."""
    made = reconcile(ALL, Found())
    assert made.operations == (Add(LINK), Add(ADDRESS), Add(POLICY), Add(ROUTE), Add(RULE), Add(PROXY))
    assert made.lost == {OUT.key}


def test_to_nothing() -> None:
    """What goes with its interface is not deleted before."""
    assert reconcile(Desired(), ALL_FOUND).operations == (
        Delete(POLICY.key),
        Delete(OUT.key),
        Delete(RULE),
        Delete(PROXY),
        Delete(LINK_STATE),
    )


ONE_IS_MISSING: dict[str, tuple[Found, list[Operation]]] = {
    "policy": (replace(ALL_FOUND, policies=()), [Add(POLICY)]),
    "address": (replace(ALL_FOUND, addresses=()), [Add(ADDRESS)]),
    "route": (replace(ALL_FOUND, routes=()), [Add(ROUTE)]),
    "rule": (replace(ALL_FOUND, rules=()), [Add(RULE)]),
    "proxy": (replace(ALL_FOUND, proxies=()), [Add(PROXY)]),
    "link": (replace(ALL_FOUND, links=(), addresses=(), routes=()), [Add(LINK), Add(ADDRESS), Add(ROUTE)]),
}


@pytest.mark.parametrize(("found", "operations"), ONE_IS_MISSING.values(), ids=ONE_IS_MISSING)
def test_one_is_missing(found: Found, operations: list[Operation]) -> None:
    assert reconcile(ALL, found) == Plan(tuple(operations))


ONE_IS_WRONG: dict[str, tuple[Found, list[Operation]]] = {
    "policy": (
        replace(ALL_FOUND, policies=(PolicyState(spec=policy(priority=7), index=9),)),
        [Update(POLICY)],
    ),
    "address": (
        replace(ALL_FOUND, addresses=(replace(ADDRESS, address=ip_interface("10.77.0.1/32")),)),
        [Delete(replace(ADDRESS, address=ip_interface("10.77.0.1/32"))), Add(ADDRESS)],
    ),
    "route": (replace(ALL_FOUND, routes=(replace(ROUTE, interface="uplink"),)), [Update(ROUTE)]),
    "another metric": (
        replace(ALL_FOUND, routes=(replace(ROUTE, metric=7),)),
        [Delete(replace(ROUTE, metric=7)), Add(ROUTE)],
    ),
    "MTU": (replace(ALL_FOUND, links=(replace(LINK_STATE, mtu=1500),)), [SetMtu(replace(LINK_STATE, mtu=1500), 1400)]),
    "down": (
        replace(ALL_FOUND, links=(replace(LINK_STATE, up=False),), routes=()),
        [SetUp(replace(LINK_STATE, up=False)), Add(ROUTE)],
    ),
}


@pytest.mark.parametrize(("found", "operations"), ONE_IS_WRONG.values(), ids=ONE_IS_WRONG)
def test_one_is_wrong(found: Found, operations: list[Operation]) -> None:
    assert reconcile(ALL, found) == Plan(tuple(operations))


@pytest.mark.parametrize("changes", [{"if_id": IF_ID + 1}, {"underlying": "uplink"}])
def test_link_that_cannot_be_changed(changes: dict[str, object]) -> None:
    """It is made anew, and all that was on it with it."""
    old = replace(LINK_STATE, **changes)  # type: ignore[arg-type]
    assert reconcile(ALL, replace(ALL_FOUND, links=(old,))).operations == (
        Delete(old),
        Add(LINK),
        Add(ADDRESS),
        Add(ROUTE),
    )


def test_names_are_exchanged() -> None:
    """The if_id that one takes over must be free before."""
    other = LinkSpec("evpn-b", IF_ID + 1)
    found = (
        LinkState("evpn-a", 7, 1500, True, "xfrm", IF_ID + 1),
        LinkState("evpn-b", 8, 1500, True, "xfrm", IF_ID),
    )
    assert plan(Desired(links=(LINK, other)), Found(links=found)) == [
        "delete interface evpn-a",
        "delete interface evpn-b",
        "add interface evpn-a",
        "add interface evpn-b",
    ]


def test_proxy_goes_with_its_link() -> None:
    on_it, old = replace(PROXY, interface="evpn-a"), replace(LINK_STATE, if_id=IF_ID + 1)
    found = Found(links=(old,), proxies=(on_it,))
    assert reconcile(Desired(), found).operations == (Delete(old),)
    again = Desired(links=(LINK,), proxies=frozenset({on_it}))
    assert reconcile(again, found).operations == (Delete(old), Add(LINK), Add(on_it))


def test_mtu_of_no_concern() -> None:
    desired = Desired(links=(replace(LINK, mtu=None),))
    assert plan(desired, Found(links=(replace(LINK_STATE, mtu=1280),))) == []


def test_two_of_ours_in_one_place() -> None:
    """IPv4 has room for both, if they lead elsewhere."""
    wrong, worse = replace(ROUTE, interface="uplink"), replace(ROUTE, interface="lo")
    assert plan(Desired(routes=(ROUTE,)), Found(routes=(ROUTE, wrong))) == ["delete route to 10.78.0.0/16 by uplink"]
    assert plan(Desired(routes=(ROUTE,)), Found(routes=(worse, wrong))) == [
        "delete route to 10.78.0.0/16 by lo",
        "update route to 10.78.0.0/16 by evpn-a",
    ]


def test_link_local_address_of_the_kernel() -> None:
    """It stays, unless it is ours to decide."""
    by_itself = AddressSpec("evpn-a", ip_interface("fe80::1/64"))
    found = Found(links=(LINK_STATE,), addresses=(by_itself,))
    assert plan(Desired(links=(LINK,)), found) == []
    assert plan(Desired(links=(LINK,), addresses=frozenset({by_itself})), found) == []


FOREIGN = Found(
    sas=(SaState(spec=sa(reqid=1, if_id=0)),),
    policies=(PolicyState(spec=policy(if_id=0, templates=(Template(HERE, THERE, 1),)), index=9),),
    links=(
        LinkState("evpn-x", 3, 1400, True, "xfrm", 5),
        LinkState("office", 4, 1400, True, "xfrm", IF_ID),
        LinkState("evpn-y", 5, 1400, True, "veth"),
    ),
    addresses=(AddressSpec("evpn-x", ip_interface("10.9.0.1/24")),),
    routes=(replace(ROUTE, protocol=4), replace(ROUTE, destination=ip_network("0.0.0.0/0"), protocol=3)),
)


def test_others_are_left_alone() -> None:
    assert reconcile(Desired(), FOREIGN) == Plan()


def test_others_in_our_places() -> None:
    """We do not replace them: we try to add ours, and the kernel refuses."""
    wanted = policy(if_id=0)
    theirs = PolicyState(spec=policy(if_id=0, templates=()), index=9)
    desired = Desired(policies=(wanted,), routes=(ROUTE,), links=(LinkSpec("evpn-x", IF_ID),))
    found = replace(FOREIGN, policies=(theirs,))
    assert reconcile(desired, found).operations == (Add(LinkSpec("evpn-x", IF_ID)), Add(wanted), Add(ROUTE))


AT_ODDS = {
    "name": {"links": (LINK, LinkSpec("evpn-a", IF_ID + 1))},
    "if_id": {"links": (LINK, LinkSpec("evpn-b", IF_ID))},
    "key": {"policies": (POLICY, policy(priority=7))},
    "place": {"routes": (ROUTE, replace(ROUTE, interface="lo"))},
    "not ours": {"addresses": frozenset({ADDRESS})},
}


@pytest.mark.parametrize(("what", "parts"), AT_ODDS.items(), ids=AT_ODDS)
def test_wishes_at_odds(what: str, parts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=what):
        Desired(**parts)  # type: ignore[arg-type]


# Any state, any wish

NAMES = ("evpn-a", "evpn-b", "evpn-c")
NETWORKS = tuple(ip_network(text) for text in ("10.1.0.0/16", "10.2.0.0/16", "fd00:1::/64"))
LINKS = [LinkSpec(*each) for each in product(NAMES, OURS_IF_ID[:3], (None, 1300, 1400), (None, "uplink"))]
ADDRESSES = [AddressSpec(name, ip_interface(f"10.{number}.0.1/24")) for name in NAMES for number in (1, 2)]
POLICIES = [
    PolicySpec(key=PolicyKey(POLICY.selector, direction, if_id), priority=priority, templates=(TEMPLATE,))
    for direction, priority, if_id in product(Direction, (1, 2), OURS_IF_ID[:2])
]
ROUTES = [
    *(RouteSpec(destination=each, interface=name) for each, name in product(NETWORKS, (*NAMES, "uplink"))),
    *(RouteSpec(destination=each, kind=RouteKind.UNREACHABLE) for each in NETWORKS),
]
PROXIES = [ProxySpec("uplink", ip_address(f"192.0.2.{number}")) for number in (7, 8)]
SAS = [sa(0x1000 + number) for number in range(3)]


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    """Any that is not at odds with itself, and whose interfaces exist."""
    links = draw(st.lists(st.sampled_from(LINKS), unique_by=(lambda link: link.name, lambda link: link.if_id)))
    names = {link.name for link in links}
    addresses = draw(st.frozensets(st.sampled_from(ADDRESSES)))
    routes = draw(st.lists(st.sampled_from(ROUTES), unique_by=lambda route: route.place))
    return Desired(
        sas=frozenset(spec.key for spec in draw(st.sets(st.sampled_from(SAS)))),
        policies=tuple(draw(st.lists(st.sampled_from(POLICIES), unique_by=lambda spec: spec.key))),
        links=tuple(links),
        addresses=frozenset(each for each in addresses if each.interface in names),
        routes=tuple(each for each in routes if each.interface in {None, "uplink", *names}),
        proxies=draw(st.frozensets(st.sampled_from(PROXIES))),
    )


def carried_out(kernel: MemoryKernel, desired: Desired) -> Plan:
    """A plan whose every operation succeeds."""
    made = reconcile(desired, find(kernel))
    assert set(kernel.apply(made.operations)) <= {None}
    return made


@settings(max_examples=60)
@given(before=wishes(), after=wishes(), downs=st.sets(st.sampled_from(NAMES)))
def test_one_plan_is_enough(before: Desired, after: Desired, downs: set[str]) -> None:
    """From any state to any other: each operation is possible in its turn, and then nothing is left to do."""
    kernel = MemoryKernel()
    for spec in SAS:
        kernel.add_sa(spec)
    carried_out(kernel, before)
    for name in downs & {link.name for link in kernel.list_links()}:
        kernel.set_link(name, up=False, mtu=1280)

    carried_out(kernel, after)

    found = find(kernel)
    there = {state.spec.key for state in found.sas}
    assert there == before.sas & after.sas
    assert {state.spec for state in found.policies} == set(after.policies)
    assert {(link.name, link.if_id, link.underlying) for link in found.links} == {
        (link.name, link.if_id, link.underlying) for link in after.links
    }
    assert all(link.up for link in found.links)
    assert set(found.addresses) == after.addresses
    assert set(found.routes) == set(after.routes)
    assert set(found.proxies) == after.proxies
    assert reconcile(after, found) == Plan(lost=after.sas - there)
    kernel.close()


@settings(max_examples=30)
@given(wishes(), wishes())
def test_nothing_of_others_is_named(before: Desired, after: Desired) -> None:
    """What others have there changes no plan."""
    kernel = MemoryKernel()
    carried_out(kernel, before)
    ours = find(kernel)
    kernel.close()
    mixed = Found(
        sas=ours.sas + FOREIGN.sas,
        policies=ours.policies + FOREIGN.policies,
        links=ours.links + FOREIGN.links,
        addresses=ours.addresses + FOREIGN.addresses,
        routes=ours.routes + FOREIGN.routes,
        proxies=ours.proxies,
    )
    assert reconcile(after, mixed) == reconcile(after, ours)
