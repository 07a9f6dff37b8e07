"""What must be done for the kernel to hold what we want of ours, and nothing else of ours.

Only what bears our tags is looked at. What we want and do not find is added, what we find and do not want is deleted,
what differs is changed in place where the kernel can do that. An SA cannot be put back: its sequence numbers are lost
with it, so it is named, to be negotiated anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

from edgevpn.frozen import dataclass
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, LinkState, ProxySpec, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.spec import PolicySpec, PolicyState, SaKey, SaState

T = TypeVar("T", SaKey, AddressSpec, RuleSpec, ProxySpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What shall be there. Addresses are those of the links. Raises ValueError where two things want one place."""

    sas: frozenset[SaKey] = frozenset()
    policies: tuple[PolicySpec, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    addresses: frozenset[AddressSpec] = frozenset()
    routes: tuple[RouteSpec, ...] = ()
    rules: frozenset[RuleSpec] = frozenset()
    proxies: frozenset[ProxySpec] = frozenset()

    def __post_init__(self) -> None:
        check_different("name of links", (link.name for link in self.links))
        check_different("if_id of links", (link.if_id for link in self.links))
        check_different("key of policies", (policy.key for policy in self.policies))
        check_different("place of routes", (route.place for route in self.routes))
        strangers = {address.interface for address in self.addresses} - {link.name for link in self.links}
        if strangers:
            raise ValueError(f"addresses on interfaces that are not ours: {', '.join(sorted(strangers))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is there: perhaps of others, too, but addresses of our links and proxies of ours alone."""

    sas: tuple[SaState, ...] = ()
    policies: tuple[PolicyState, ...] = ()
    links: tuple[LinkState, ...] = ()
    addresses: tuple[AddressSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    proxies: tuple[ProxySpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order; and the SAs that are missing, which no operation can put back."""

    operations: tuple[Operation, ...] = ()
    lost: frozenset[SaKey] = frozenset()


def find(kernel: Kernel) -> Found:
    """Read what is there of ours. Raises KernelError."""
    links = kernel.list_links()
    names = {link.name for link in links}
    return Found(
        sas=kernel.list_sas(),
        policies=kernel.list_policies(),
        links=links,
        addresses=tuple(each for each in kernel.list_all_addresses(foreign=True) if each.interface in names),
        routes=kernel.list_routes(),
        rules=kernel.list_rules(),
        proxies=kernel.list_proxies(),
    )


def reconcile(desired: Desired, found: Found) -> Plan:
    """How to get from what is there to what shall be.

    Things are deleted from the policies down, so that no packet asks for what has just gone, and added from the links
    up: a route comes when what it leads to is protected, and a rule when there is a route that it leads to.
    """
    wanted = {spec.name: spec for spec in desired.links}
    links = [link for link in found.links if link.ours]
    staying = {link.name: link for link in links if link.name in wanted and is_same(link, wanted[link.name])}
    going = [link for link in links if link.name not in staying]
    gone = {link.name for link in going}  # and with them what is on them

    sas = {state.spec.key for state in found.sas if state.spec.ours}
    addresses = {each for each in found.addresses if each.interface in staying and is_ours(each, desired)}
    proxies = {each for each in found.proxies if each.interface not in gone}
    rules = {each for each in found.rules if each.ours}
    policies = policy_changes(desired.policies, found.policies)
    routes = route_changes(desired.routes, [each for each in found.routes if each.ours and each.interface not in gone])
    operations: list[Operation] = [
        *(each for each in policies if isinstance(each, Delete)),
        *map(Delete, in_order(sas - desired.sas)),
        *map(Delete, in_order(rules - desired.rules)),
        *(each for each in routes if isinstance(each, Delete)),
        *map(Delete, in_order(proxies - desired.proxies)),
        *map(Delete, in_order(addresses - desired.addresses)),
        *map(Delete, going),
        *(Add(spec) for spec in desired.links if spec.name not in staying),
        *(change for link in staying.values() for change in link_changes(link, wanted[link.name])),
        *map(Add, in_order(desired.addresses - addresses)),
        *(each for each in policies if not isinstance(each, Delete)),
        *(each for each in routes if not isinstance(each, Delete)),
        *map(Add, in_order(desired.rules - rules)),
        *map(Add, in_order(desired.proxies - proxies)),
    ]
    return Plan(tuple(operations), desired.sas - sas)


def is_ours(spec: AddressSpec, desired: Desired) -> bool:
    """The kernel may give an interface of ours a link-local address by itself."""
    return spec in desired.addresses or not spec.address.is_link_local


def is_same(link: LinkState, spec: LinkSpec) -> bool:
    """Whether an interface is the wanted one, or can be made so."""
    return (link.if_id, link.underlying) == (spec.if_id, spec.underlying)


def link_changes(link: LinkState, spec: LinkSpec) -> list[SetMtu | SetUp]:
    changes: list[SetMtu | SetUp] = []
    if spec.mtu not in (None, link.mtu):
        changes.append(SetMtu(link, spec.mtu))
    if not link.up:
        changes.append(SetUp(link))
    return changes


def policy_changes(desired: Iterable[PolicySpec], found: Iterable[PolicyState]) -> list[Add | Update | Delete]:
    wanted = {spec.key: spec for spec in desired}
    present = {state.spec.key: state.spec for state in found if state.spec.ours}
    return [
        *(Delete(key) for key in present if key not in wanted),
        *(Update(spec) if key in present else Add(spec) for key, spec in wanted.items() if present.get(key) != spec),
    ]


def route_changes(desired: Iterable[RouteSpec], found: Iterable[RouteSpec]) -> list[Add | Update | Delete]:
    """A route takes the place of one of ours; never of somebody else's, where it is refused."""
    wanted = {spec.place: spec for spec in desired}
    right = {spec for spec in found if wanted.get(spec.place) == spec}
    wrong = {spec.place: spec for spec in found if spec not in right}
    missing = {spot: spec for spot, spec in wanted.items() if spec not in right}
    replaced = {wrong[spot] for spot in missing if spot in wrong}
    return [
        *(Delete(spec) for spec in found if spec not in right and spec not in replaced),
        *(Update(spec) if spot in wrong else Add(spec) for spot, spec in missing.items()),
    ]


def in_order(things: Iterable[T]) -> list[T]:
    """The same plan for the same difference."""
    return sorted(things, key=str)


def check_different(what: str, values: Iterable[Hashable]) -> None:
    twice = [str(value) for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"the same {what}: {', '.join(twice)}")
