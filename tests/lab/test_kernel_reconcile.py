"""What others undo in a real kernel comes back, and what is theirs stays."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.ip_words import ip_words
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, ProxySpec, RouteKind, RouteSpec
from edgevpn.kernel.reconcile import Desired, Plan, find, reconcile
from edgevpn.kernel.spec import OURS_IF_ID, Direction, PolicyKey, PolicySpec, Selector, Template
from tests.lab.namespace import Namespace
from tests.support.kernel import HERE, IF_ID, KEY, REQID, THERE, kernel_in, sa

EVERYTHING = Selector(ip_network("0.0.0.0/0"), ip_network("0.0.0.0/0"))
ENDS = {
    Direction.IN: Template(THERE, HERE, REQID),
    Direction.OUT: Template(HERE, THERE, REQID),
    Direction.FWD: Template(THERE, HERE, REQID),
}
INBOUND, OUTBOUND = sa(0x1001, source=THERE, destination=HERE, if_id=IF_ID), sa(0x1002, if_id=IF_ID)
DESIRED = Desired(
    sas=frozenset({INBOUND.key, OUTBOUND.key}),
    policies=tuple(
        PolicySpec(key=PolicyKey(EVERYTHING, direction, IF_ID), priority=1000, templates=(template,))
        for direction, template in ENDS.items()
    ),
    links=(LinkSpec("evpn-a", IF_ID, mtu=1400), LinkSpec("evpn-b", OURS_IF_ID[3], underlying="uplink")),
    addresses=frozenset(AddressSpec("evpn-a", ip_interface(text)) for text in ("10.77.0.1/32", "fd00:7::1/128")),
    routes=(
        RouteSpec(destination=ip_network("10.78.0.0/16"), interface="evpn-a", source=ip_address("10.77.0.1")),
        RouteSpec(destination=ip_network("fd00:8::/64"), interface="evpn-a"),
        RouteSpec(destination=ip_network("10.79.0.0/16"), kind=RouteKind.UNREACHABLE, metric=2000),
    ),
    proxies=frozenset({ProxySpec("uplink", ip_address("192.0.2.77"))}),
)

# Of somebody else: XFRM states, policies, links, addresses, routes, proxies.
THEIRS = (
    f"xfrm state add src {HERE} dst {THERE} proto esp spi 0x999 reqid 9 aead rfc4106(gcm(aes)) 0x{KEY.hex()} 128",
    f"xfrm policy add src 10.9.0.0/16 dst 0.0.0.0/0 dir out tmpl src {HERE} dst {THERE} proto esp reqid 9 mode tunnel",
    "link add theirs type xfrm dev uplink if_id 9",
    "link set theirs addrgenmode none",
    "link set theirs up",
    "address add 10.9.0.1/24 dev theirs",
    "route add 10.9.0.0/16 dev theirs proto static",
    "neighbour add proxy 192.0.2.99 dev uplink",
)
SHOWN = ("xfrm state", "xfrm policy", "address show dev theirs", "route show dev theirs", "neighbour show proxy")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """Connected to an internet, with things of somebody else."""
    namespace = Namespace("gateway")
    namespace.ip("link add uplink type dummy", "address add 192.0.2.1/24 dev uplink", "link set uplink up", *THEIRS)
    yield namespace
    namespace.close()


@pytest.fixture
def kernel(namespace: Namespace) -> Iterator[Kernel]:
    """All is as desired."""
    kernel = kernel_in(namespace)
    for spec in (INBOUND, OUTBOUND):
        kernel.add_sa(spec)
    carry_out(kernel, DESIRED)
    yield kernel
    kernel.close()


def carry_out(kernel: Kernel, desired: Desired) -> Plan:
    plan = reconcile(desired, find(kernel))
    assert set(kernel.apply(plan.operations)) <= {None}
    return plan


def test_nothing_is_left_to_do(kernel: Kernel) -> None:
    assert reconcile(DESIRED, find(kernel)) == Plan()


# A hand's work, and what is done about it.
DAMAGE = {
    "xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 0x65760002": [
        "add policy out 0.0.0.0/0 -> 0.0.0.0/0"
    ],
    "xfrm policy update src 0.0.0.0/0 dst 0.0.0.0/0 dir in if_id 0x65760002 priority 7 action block": [
        "update policy in 0.0.0.0/0 -> 0.0.0.0/0"
    ],
    "link delete evpn-b": ["add interface evpn-b"],
    "link delete evpn-a": [
        "add interface evpn-a",
        "add address 10.77.0.1/32 on evpn-a",
        "add address fd00:7::1/128 on evpn-a",
        "add route to 10.78.0.0/16 by evpn-a",
        "add route to fd00:8::/64 by evpn-a",
    ],
    "link set evpn-a mtu 1280": ["set MTU 1400 on interface evpn-a"],
    "link set evpn-b down": ["set up interface evpn-b"],
    "address add 10.77.0.2/32 dev evpn-a": ["delete address 10.77.0.2/32 on evpn-a"],
    "address delete fd00:7::1/128 dev evpn-a": ["add address fd00:7::1/128 on evpn-a"],
    "route delete 10.78.0.0/16": ["add route to 10.78.0.0/16 by evpn-a"],
    "route change 10.78.0.0/16 dev evpn-b proto 101 metric 1024": ["update route to 10.78.0.0/16 by evpn-a"],
    "route add 10.80.0.0/16 dev evpn-b proto 101": ["delete route to 10.80.0.0/16 by evpn-b"],
    "route delete unreachable 10.79.0.0/16": ["add route to 10.79.0.0/16"],
    "neighbour delete proxy 192.0.2.77 dev uplink": ["add proxy for 192.0.2.77 on uplink"],
}


@pytest.mark.parametrize(("damage", "repair"), DAMAGE.items(), ids=DAMAGE)
def test_damage_is_repaired(namespace: Namespace, kernel: Kernel, damage: str, repair: list[str]) -> None:
    namespace.ip(damage)
    assert [str(operation) for operation in carry_out(kernel, DESIRED).operations] == repair
    assert reconcile(DESIRED, find(kernel)) == Plan()


@pytest.mark.parametrize("damage", DAMAGE, ids=DAMAGE)
def test_what_is_said_can_be_typed(namespace: Namespace, kernel: Kernel, damage: str) -> None:
    """The words for a repair do what it would do."""
    namespace.ip(damage)
    for operation in reconcile(DESIRED, find(kernel)).operations:
        namespace.run(*ip_words(operation).split())
    assert reconcile(DESIRED, find(kernel)) == Plan()


def test_link_that_was_down_has_its_routes_again(namespace: Namespace, kernel: Kernel) -> None:
    namespace.ip("link set evpn-a down")
    carry_out(kernel, DESIRED)
    assert reconcile(DESIRED, find(kernel)) == Plan()


def test_sa_is_lost(namespace: Namespace, kernel: Kernel) -> None:
    namespace.ip(f"xfrm state delete src {HERE} dst {THERE} proto esp spi 0x1002")
    assert carry_out(kernel, DESIRED) == Plan(lost=frozenset({OUTBOUND.key}))


def test_orphans_are_removed(kernel: Kernel) -> None:
    """A daemon that was killed left an SA behind; an SPI that is being negotiated stays."""
    orphan = replace(INBOUND, spi=0x1003)
    kernel.add_sa(orphan)
    spi = kernel.alloc_spi(THERE, HERE, REQID, if_id=IF_ID)
    assert [str(operation) for operation in carry_out(kernel, DESIRED).operations] == [f"delete {orphan}"]
    kernel.update_sa(replace(INBOUND, spi=spi))


def test_others_keep_what_is_theirs(namespace: Namespace, kernel: Kernel) -> None:
    """All of ours goes, and nothing else."""
    carry_out(kernel, Desired())
    left = {show: namespace.ip(show) for show in SHOWN}

    bare = Namespace("bare")
    bare.ip("link add uplink type dummy", "address add 192.0.2.1/24 dev uplink", "link set uplink up", *THEIRS)
    assert left == {show: bare.ip(show) for show in SHOWN}
    assert namespace.interfaces() == bare.interfaces()
    bare.close()
