"""What the daemon relies on, the same in the kernel in memory and, in the lab, in the real one."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from edgevpn.kernel.contract import Features, Flushed, Kernel
from edgevpn.kernel.errors import AlreadyExists, KernelError, NotFound, NotSupported
from edgevpn.kernel.events import AddressChanged, Event, LinkChanged, RouteChanged, RuleRemoved
from edgevpn.kernel.firewall import Device, FirewallSpec, Flow, Tunnel, Zone
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, ProxySpec, RouteKind, RouteSpec, RuleSpec
from edgevpn.kernel.operations import Add, Delete, Operation, SetMtu, SetUp, Update
from edgevpn.kernel.spec import (
    OURS_IF_ID,
    OURS_MARK,
    OURS_REQID,
    Action,
    Aead,
    DeviceFeatures,
    Direction,
    Encryption,
    Integrity,
    Limits,
    Mark,
    Migration,
    Mode,
    PolicySpec,
    PortMask,
    SaCounts,
    SaFlag,
    SaKey,
    SaSpec,
    Selector,
    Sequence,
    Template,
    UdpEncap,
)
from edgevpn.kernel.sysctl import Setting
from tests.support.kernel import (
    ELSEWHERE,
    GCM,
    HERE,
    HERE6,
    IF_ID,
    KEY,
    OUT,
    POLICY,
    REQID,
    TEMPLATE,
    THERE,
    THERE6,
    kernel_in,
    policy,
    sa,
)

FAR = ip_address("203.0.113.77")
LINK = LinkSpec("evpn-office", IF_ID, mtu=1400)
ROUTE = RouteSpec(destination=ip_network("10.78.0.0/16"), interface=LINK.name)

SAS = {
    "an AEAD in tunnel mode": OUT,
    "ChaCha20": sa(cipher=Aead("rfc7539esp(chacha20,poly1305)", bytes(36), 128)),
    "CCM with a short ICV": sa(cipher=Aead("rfc4309(ccm(aes))", bytes(19), 64)),
    "CBC and HMAC": sa(cipher=Encryption("cbc(aes)", bytes(16)), integrity=Integrity("hmac(sha256)", bytes(32), 128)),
    "CTR and XCBC": sa(
        cipher=Encryption("rfc3686(ctr(aes))", bytes(20)), integrity=Integrity("xcbc(aes)", bytes(16), 96)
    ),
    "IPv6": sa(source=HERE6, destination=THERE6),
    "in UDP": sa(encapsulation=UdpEncap(4500, 4501)),
    "no replay window": sa(replay_window=0),
    "a short replay window": sa(replay_window=32),
    "a long replay window": sa(replay_window=1000),
    "ESN": sa(esn=True),
    "an interface": sa(if_id=IF_ID),
    "marks": sa(mark=Mark(5, 0xFF), output_mark=Mark(6, 0xF0)),
    "limits": sa(soft=Limits(1000, 30, 50), hard=Limits(2000, 40, 3600)),
    "flags": sa(flags=SaFlag.NO_PMTU_DISCOVERY | SaFlag.NO_ECN | SaFlag.DONT_ENCAP_DSCP),
    "transport mode": sa(
        mode=Mode.TRANSPORT,
        selector=Selector(ip_network(HERE), ip_network(THERE), 17, PortMask(1701), PortMask(1701)),
    ),
}

POLICIES = {
    "out": POLICY,
    "in": policy(direction=Direction.IN),
    "forward": policy(direction=Direction.FWD),
    "IPv6 in IPv4": policy(selector=Selector(ip_network("2001:db8:1::/64"), ip_network("::/0"))),
    "ports": policy(
        selector=Selector(ip_network("10.0.0.0/8"), ip_network("10.2.0.1/32"), 6, None, PortMask(0x100, 0xFF00))
    ),
    "without interface": policy(if_id=0),
    "block": policy(action=Action.BLOCK, templates=()),
    "mark": policy(mark=Mark(7)),
    "optional, in transport mode": policy(templates=(Template(HERE, THERE, REQID, Mode.TRANSPORT, optional=True),)),
    "two templates": policy(templates=(TEMPLATE, Template(HERE, ELSEWHERE, REQID))),
}

ROUTES = {
    "by an interface": ROUTE,
    "with a source": replace(ROUTE, source=ip_address("10.77.0.1")),
    "IPv6": replace(ROUTE, destination=ip_network("fd00:8::/64")),
    "the default": replace(ROUTE, destination=ip_network("0.0.0.0/0")),
    "another table": replace(ROUTE, table=1000, metric=7),
    "by a gateway": replace(ROUTE, gateway=ip_address("10.77.0.9")),
    "unreachable": RouteSpec(destination=ip_network("10.79.0.0/16"), kind=RouteKind.UNREACHABLE),
    "IPv6 to nowhere": RouteSpec(destination=ip_network("fd00:9::/64"), kind=RouteKind.BLACKHOLE),
}


@pytest.fixture(params=["memory", pytest.param("netlink", marks=[pytest.mark.lab, pytest.mark.netns])])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """Each kernel, connected to an internet by `uplink`, with nothing of ours in it."""
    if request.param == "memory":
        memory = MemoryKernel()
        yield memory
        memory.close()
        return
    from tests.lab.namespace import Namespace

    namespace = Namespace("kernel")
    namespace.ip(
        "link add uplink type dummy",
        "address add 192.0.2.1/24 dev uplink",
        "address add 2001:db8::1/64 dev uplink nodad",
        "link set uplink up",
        "route add default via 192.0.2.254",
        "route add default via 2001:db8::fe",
    )
    kernel = kernel_in(namespace)
    yield kernel
    kernel.close()
    namespace.close()


def events_until_quiet(kernel: Kernel) -> list[Event]:
    """All events that wait; `fileno` says that there are any."""
    events: list[Event] = []
    while select.select([kernel.fileno()], [], [], 0)[0]:
        events += kernel.read_events()
    return events


# SAs


@pytest.mark.parametrize("spec", SAS.values(), ids=SAS)
def test_sa_is_read_as_added(kernel: Kernel, spec: SaSpec) -> None:
    kernel.add_sa(spec)

    state = kernel.get_sa(spec.key)
    assert state.spec == spec.without_keys()
    assert (state.octets, state.packets, state.late, state.replayed, state.forged) == (0, 0, 0, 0, 0)
    assert kernel.list_sas() == (state,)
    assert kernel.count_sas() == {spec.key: SaCounts()}

    kernel.delete_sa(spec.key)
    assert kernel.list_sas() == ()


def test_sa_exists(kernel: Kernel) -> None:
    kernel.add_sa(OUT)
    with pytest.raises(AlreadyExists, match="cannot add SA c0ffee01 to"):
        kernel.add_sa(OUT)
    kernel.add_sa(replace(OUT, destination=ELSEWHERE))


@pytest.mark.parametrize("key", [SaKey(THERE, OUT.spi + 1), SaKey(ELSEWHERE, OUT.spi)])
def test_sa_is_missing(kernel: Kernel, key: SaKey) -> None:
    kernel.add_sa(OUT)
    for operation in (kernel.get_sa, kernel.delete_sa):
        with pytest.raises(NotFound):
            operation(key)
    with pytest.raises(NotFound):
        kernel.update_sa(replace(OUT, spi=key.spi, destination=key.destination))
    with pytest.raises(NotFound):
        kernel.move_sa(key, HERE, ELSEWHERE, None)


def test_sa_with_a_mark_is_found_by_it(kernel: Kernel) -> None:
    marked = sa(mark=Mark(5))
    kernel.add_sa(marked)
    with pytest.raises(NotFound):
        kernel.get_sa(OUT.key)
    assert kernel.get_sa(marked.key).spec.mark == Mark(5)


def test_sa_without_our_tag(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.add_sa(sa(reqid=1))
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.alloc_spi(THERE, HERE, 1)
    assert kernel.flush_ours() == Flushed()


def test_update_changes_limits(kernel: Kernel) -> None:
    kernel.add_sa(OUT)
    limited = replace(OUT, soft=Limits(packets=10), hard=Limits(seconds=3600))
    kernel.update_sa(limited)
    assert kernel.get_sa(OUT.key).spec == limited.without_keys()


def test_update_changes_ports(kernel: Kernel) -> None:
    spec = sa(encapsulation=UdpEncap(4500, 4500))
    kernel.add_sa(spec)
    rebound = replace(spec, encapsulation=UdpEncap(61000, 4500))
    kernel.update_sa(rebound)
    assert kernel.get_sa(spec.key).spec.encapsulation == UdpEncap(61000, 4500)


def test_update_cannot_begin_encapsulation(kernel: Kernel) -> None:
    kernel.add_sa(OUT)
    with pytest.raises(KernelError):
        kernel.update_sa(sa(encapsulation=UdpEncap(4500, 4500)))
    assert kernel.get_sa(OUT.key).spec.encapsulation is None


def test_allocated_spi_becomes_an_sa(kernel: Kernel) -> None:
    spi = kernel.alloc_spi(THERE, HERE, REQID, if_id=IF_ID)
    spec = sa(spi, source=THERE, destination=HERE, if_id=IF_ID)
    assert kernel.list_sas() == ()
    with pytest.raises(NotFound):
        kernel.get_sa(spec.key)
    with pytest.raises(AlreadyExists):
        kernel.add_sa(spec)

    kernel.update_sa(spec)
    assert kernel.get_sa(spec.key).spec == spec.without_keys()


def test_allocated_spi_is_given_back(kernel: Kernel) -> None:
    only = range(0x1000, 0x1001)
    assert kernel.alloc_spi(THERE, HERE, REQID, spis=only) == 0x1000
    with pytest.raises(KernelError, match="cannot allocate an SPI"):
        kernel.alloc_spi(THERE, HERE, REQID, spis=only)
    kernel.delete_sa(SaKey(HERE, 0x1000))
    assert kernel.alloc_spi(THERE, HERE, REQID, spis=only) == 0x1000


def test_allocated_spis_differ(kernel: Kernel) -> None:
    assert len({kernel.alloc_spi(THERE, HERE, REQID) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("spec", "sequence"),
    [
        (sa(replay_window=32), Sequence(sent=70000, received=50, bitmap=b"\x0f\0\0\0")),
        (sa(replay_window=64), Sequence(sent=3, received=50, bitmap=b"\xff\0\0\0\1\0\0\0")),
        (sa(esn=True, replay_window=64), Sequence(sent=5 << 32 | 6, received=7 << 32 | 8, bitmap=b"\1\0\0\0\0\0\0\0")),
    ],
)
def test_sa_goes_on_counting(kernel: Kernel, spec: SaSpec, sequence: Sequence) -> None:
    kernel.add_sa(replace(spec, sequence=sequence))
    assert kernel.get_sa(spec.key).sequence == sequence


def test_move_keeps_all_but_addresses(kernel: Kernel) -> None:
    spec = sa(hard=Limits(seconds=3600), if_id=IF_ID)
    kernel.add_sa(replace(spec, sequence=Sequence(sent=9, received=50, bitmap=b"\xff\0\0\0\1\0\0\0")))
    before = kernel.get_sa(spec.key)

    key = kernel.move_sa(spec.key, ELSEWHERE, FAR, UdpEncap(4500, 61000))

    moved = replace(spec, source=ELSEWHERE, destination=FAR, encapsulation=UdpEncap(4500, 61000))
    assert key == moved.key
    assert kernel.get_sa(key) == replace(before, spec=moved.without_keys())
    with pytest.raises(NotFound):
        kernel.get_sa(spec.key)


def test_move_of_the_source_alone(kernel: Kernel) -> None:
    kernel.add_sa(OUT)
    assert kernel.move_sa(OUT.key, ELSEWHERE, THERE, None) == OUT.key
    assert kernel.get_sa(OUT.key).spec.source == ELSEWHERE


def test_a_cable_ciphers_nothing(kernel: Kernel) -> None:
    assert kernel.device_features("uplink") == DeviceFeatures()
    with pytest.raises(NotFound, match="there is no such interface"):
        kernel.device_features("nothing")


def test_a_driver_is_known_once_it_was_used(kernel: Kernel) -> None:
    assert kernel.crypto_driver("there is none") is None


def test_move_to_a_taken_place(kernel: Kernel) -> None:
    kernel.add_sa(OUT)
    kernel.add_sa(replace(OUT, destination=ELSEWHERE))
    before = set(kernel.list_sas())
    with pytest.raises(AlreadyExists):
        kernel.move_sa(OUT.key, HERE, ELSEWHERE, None)
    assert set(kernel.list_sas()) == before


def test_migrate(kernel: Kernel) -> None:
    """A kernel without XFRM_MIGRATE says so; one with it moves policy and SA together."""
    spec = sa(if_id=IF_ID)
    kernel.add_sa(spec)
    kernel.add_policy(POLICY)
    migration = Migration(policy=POLICY.key, template=TEMPLATE, source=HERE, destination=ELSEWHERE)
    if not kernel.features().migrate:
        with pytest.raises(NotSupported):
            kernel.migrate(migration)
        return

    kernel.migrate(migration)

    moved = Template(HERE, ELSEWHERE, REQID)
    assert kernel.get_policy(POLICY.key).spec.templates == (moved,)
    assert [state.spec for state in kernel.list_sas()] == [replace(spec, destination=ELSEWHERE).without_keys()]
    kernel.delete_policy(POLICY.key)
    with pytest.raises(NotFound):
        kernel.migrate(replace(migration, template=moved, destination=THERE))


UNSUPPORTED = {
    "AEAD": (Aead("rfc4106(gcm(rot13))", KEY, 128), None),
    "encryption": (Encryption("cbc(rot13)", KEY), Integrity("hmac(sha1)", KEY, 96)),
    "integrity": (Encryption("cbc(aes)", bytes(16)), Integrity("hmac(rot13)", KEY, 96)),
}


@pytest.mark.parametrize(("cipher", "integrity"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_algorithm_is_unknown(kernel: Kernel, cipher: Aead | Encryption, integrity: Integrity | None) -> None:
    with pytest.raises(NotSupported, match="rot13"):
        kernel.try_algorithms(cipher, integrity)
    with pytest.raises(NotSupported, match="rot13"):
        kernel.add_sa(sa(cipher=cipher, integrity=integrity))
    assert kernel.flush_ours() == Flushed()


def test_algorithms_are_tried_without_a_trace(kernel: Kernel) -> None:
    kernel.try_algorithms(GCM)
    kernel.try_algorithms(Encryption("cbc(aes)", bytes(16)), Integrity("hmac(sha1)", bytes(20), 96))
    assert kernel.flush_ours() == Flushed()


def test_key_of_a_wrong_length(kernel: Kernel) -> None:
    key = b"secret octets"
    with pytest.raises(KernelError) as caught:
        kernel.add_sa(sa(cipher=Aead("rfc4106(gcm(aes))", key, 128)))
    error: BaseException | None = caught.value
    while error is not None:
        assert "secret" not in str(error) + repr(error)
        assert key.hex() not in str(error) + repr(error)
        error = error.__cause__ or error.__context__


# Policies


@pytest.mark.parametrize("spec", POLICIES.values(), ids=POLICIES)
def test_policy_is_read_as_added(kernel: Kernel, spec: PolicySpec) -> None:
    kernel.add_policy(spec)

    state = kernel.get_policy(spec.key)
    assert state.spec == spec
    assert state.index & 7 == spec.direction
    assert kernel.list_policies() == (state,)

    kernel.delete_policy(spec.key)
    assert kernel.list_policies(foreign=True) == ()


def test_policy_exists(kernel: Kernel) -> None:
    kernel.add_policy(POLICY)
    with pytest.raises(AlreadyExists, match="cannot add policy out"):
        kernel.add_policy(policy(priority=7))
    kernel.add_policy(policy(if_id=IF_ID + 1))


def test_policy_is_replaced(kernel: Kernel) -> None:
    kernel.update_policy(POLICY)
    changed = policy(priority=7, templates=(Template(HERE, ELSEWHERE, REQID),))
    kernel.update_policy(changed)
    assert [state.spec for state in kernel.list_policies()] == [changed]


@pytest.mark.parametrize("key", [policy(if_id=0).key, policy(mark=Mark(1)).key, policy(direction=Direction.IN).key])
def test_policy_is_missing(kernel: Kernel, key: object) -> None:
    kernel.add_policy(POLICY)
    for operation in (kernel.get_policy, kernel.delete_policy):
        with pytest.raises(NotFound):
            operation(key)  # type: ignore[arg-type]


def test_policy_without_our_tag(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.add_policy(policy(if_id=0, templates=()))
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.update_policy(policy(if_id=1, templates=(Template(HERE, THERE, 1),)))


# Sockets


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_socket_options(kernel: Kernel, family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        kernel.bypass_socket(sock)
        kernel.enable_udp_encapsulation(sock)
        assert kernel.list_policies(foreign=True) == ()


# Network


def test_link(kernel: Kernel) -> None:
    link = kernel.add_link(LINK)
    assert (link.name, link.if_id, link.mtu, link.up, link.kind) == (LINK.name, IF_ID, 1400, True, "xfrm")
    assert kernel.get_link(LINK.name) == link
    assert kernel.list_links() == (link,)
    assert {"lo", "uplink", LINK.name} <= {each.name for each in kernel.list_links(foreign=True)}
    assert kernel.list_addresses(LINK.name) == ()

    kernel.delete_link(LINK.name)
    assert kernel.list_links() == ()
    with pytest.raises(NotFound):
        kernel.get_link(LINK.name)
    with pytest.raises(NotFound):
        kernel.delete_link(LINK.name)


def test_link_is_changed(kernel: Kernel) -> None:
    link = kernel.add_link(LINK)
    kernel.set_mtu(LINK.name, 1300)
    kernel.set_up(LINK.name)
    assert kernel.get_link(LINK.name) == replace(link, mtu=1300)

    for change in (lambda name: kernel.set_mtu(name, 1300), kernel.set_up, kernel.delete_link):
        with pytest.raises(NotFound):
            change("evpn-none")
        with pytest.raises(ValueError, match="without a tag of ours"):
            change("uplink")
    assert kernel.get_link("uplink").mtu == 1500


def test_link_exists(kernel: Kernel) -> None:
    kernel.add_link(LINK)
    with pytest.raises(AlreadyExists):
        kernel.add_link(LinkSpec(LINK.name, IF_ID + 1))
    with pytest.raises(AlreadyExists):
        kernel.add_link(LinkSpec("evpn-other", IF_ID))


def test_link_over_a_device(kernel: Kernel) -> None:
    assert kernel.add_link(replace(LINK, underlying="uplink")).underlying == "uplink"
    with pytest.raises(NotFound):
        kernel.add_link(LinkSpec("evpn-other", IF_ID + 1, underlying="nothing"))


def test_link_of_somebody_else(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.add_link(LinkSpec("office", IF_ID))
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.add_link(LinkSpec("evpn-office", 5))
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.delete_link("uplink")


@pytest.mark.parametrize("text", ["10.77.0.1/24", "10.77.0.1/32", "fd00:7::1/64"])
def test_address(kernel: Kernel, text: str) -> None:
    kernel.add_link(LINK)
    spec = AddressSpec(LINK.name, ip_interface(text))
    kernel.add_address(spec)
    assert kernel.list_addresses(LINK.name) == (spec.address,)
    with pytest.raises(AlreadyExists):
        kernel.add_address(spec)

    kernel.delete_address(spec)
    assert kernel.list_addresses(LINK.name) == ()
    with pytest.raises(NotFound):
        kernel.delete_address(spec)


def test_address_of_no_interface(kernel: Kernel) -> None:
    spec = AddressSpec("evpn-none", ip_interface("10.77.0.1/24"))
    for operation in (kernel.add_address, kernel.delete_address):
        with pytest.raises(NotFound):
            operation(spec)
    with pytest.raises(NotFound):
        kernel.list_addresses("evpn-none")


def test_all_addresses(kernel: Kernel) -> None:
    kernel.add_link(LINK)
    specs = [AddressSpec(LINK.name, ip_interface(text)) for text in ("10.77.0.1/24", "fd00:7::1/64")]
    for spec in specs:
        kernel.add_address(spec)
    uplink = AddressSpec("uplink", ip_interface("192.0.2.1/24"))
    assert set(kernel.list_all_addresses()) == set(specs)
    assert {*specs, uplink} <= set(kernel.list_all_addresses(foreign=True))


@pytest.fixture
def office(kernel: Kernel) -> Kernel:
    """The kernel with an interface and an address."""
    kernel.add_link(LINK)
    kernel.add_address(AddressSpec(LINK.name, ip_interface("10.77.0.1/24")))
    return kernel


@pytest.mark.parametrize("spec", ROUTES.values(), ids=ROUTES)
def test_route(office: Kernel, spec: RouteSpec) -> None:
    office.add_route(spec)
    assert office.list_routes() == (spec,)
    with pytest.raises(AlreadyExists):
        office.add_route(spec)

    office.delete_route(spec)
    assert office.list_routes() == ()
    with pytest.raises(NotFound):
        office.delete_route(spec)


@pytest.mark.parametrize("destination", ["10.78.0.0/16", "fd00:8::/64"])
def test_route_is_replaced(office: Kernel, destination: str) -> None:
    other = LinkSpec("evpn-other", IF_ID + 1)
    office.add_link(other)
    route = replace(ROUTE, destination=ip_network(destination))
    for spec in (route, replace(route, interface=other.name)):
        office.replace_route(spec)
        assert office.list_routes() == (spec,)
    with pytest.raises(NotFound):
        office.replace_route(replace(route, interface="evpn-none"))


def test_routes_go_with_their_link(office: Kernel) -> None:
    office.add_route(ROUTE)
    office.delete_link(LINK.name)
    assert office.list_routes() == ()


def test_route_without_our_tag(office: Kernel) -> None:
    with pytest.raises(ValueError, match="without a tag of ours"):
        office.add_route(replace(ROUTE, protocol=4))


@pytest.mark.parametrize("text", ["192.0.2.77", "2001:db8::77"])
def test_proxy(kernel: Kernel, text: str) -> None:
    spec = ProxySpec("uplink", ip_address(text))
    kernel.add_proxy(spec)
    assert kernel.list_proxies() == kernel.list_proxies(foreign=True) == (spec,)
    with pytest.raises(AlreadyExists):
        kernel.add_proxy(spec)

    kernel.delete_proxy(spec)
    assert kernel.list_proxies() == ()
    with pytest.raises(NotFound):
        kernel.delete_proxy(spec)


RULES = {
    "main, but not its default route": RuleSpec(version=4, priority=31_256, table=254, longer_than=0),
    "a table of ours, but for our own packets": RuleSpec(version=4, priority=31_001, table=1000, unless=OURS_MARK),
    "IPv6": RuleSpec(version=6, priority=31_000, table=0x6576_0000, unless=Mark(1, 3), longer_than=7),
}


@pytest.mark.parametrize("spec", RULES.values(), ids=RULES)
def test_rule_is_read_as_added(kernel: Kernel, spec: RuleSpec) -> None:
    kernel.add_rule(spec)
    assert kernel.list_rules() == (spec,)
    with pytest.raises(AlreadyExists):
        kernel.add_rule(spec)

    events_until_quiet(kernel)
    kernel.delete_rule(spec)
    assert kernel.list_rules() == ()
    assert events_until_quiet(kernel) == [RuleRemoved(spec)]
    with pytest.raises(NotFound):
        kernel.delete_rule(spec)


def test_rule_without_our_tag(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.add_rule(replace(RULES["IPv6"], protocol=2))


def test_rules_are_flushed(kernel: Kernel) -> None:
    """With everything, not with one interface."""
    assert set(kernel.apply([Add(rule) for rule in RULES.values()])) == {None}
    assert kernel.flush_ours(OURS_IF_ID[1]) == Flushed()
    assert kernel.flush_ours() == Flushed(rules=3)
    assert kernel.list_rules() == ()


def test_proxy_of_no_interface(kernel: Kernel) -> None:
    spec = ProxySpec("evpn-none", ip_address("192.0.2.77"))
    for operation in (kernel.add_proxy, kernel.delete_proxy):
        with pytest.raises(NotFound):
            operation(spec)


def test_path(office: Kernel) -> None:
    office.add_route(ROUTE)
    path = office.path_to(THERE)
    assert (path.interface, path.source, str(path.gateway), path.mtu) == ("uplink", HERE, "192.0.2.254", 1500)
    path = office.path_to(ip_address("2001:db8:9::9"))
    assert (path.interface, path.source, str(path.gateway)) == ("uplink", HERE6, "2001:db8::fe")
    path = office.path_to(ip_address("10.78.1.1"))
    assert (path.interface, str(path.source), path.gateway, path.mtu) == (LINK.name, "10.77.0.1", None, 1400)
    assert office.path_to(THERE, HERE).source == HERE


# Many operations


def everything(number: int) -> list[Operation]:
    """A tunnel: interface, address, policy, both SAs, route, proxy."""
    if_id, name = OURS_IF_ID[number], f"evpn-{number}"
    network = ip_network((0x0A00_0000 + (number << 8), 24))
    return [
        Add(LinkSpec(name, if_id)),
        Add(AddressSpec(name, ip_interface((int(network[1]), 32)))),
        Add(policy(if_id=if_id)),
        Add(sa(0x1000 + number, if_id=if_id)),
        Add(sa(0x1000 + number, source=THERE, destination=HERE, if_id=if_id)),
        Add(RouteSpec(destination=network, interface=name)),
        Add(ProxySpec("uplink", network[9])),
    ]


def test_apply(kernel: Kernel) -> None:
    made = everything(1)
    assert kernel.apply(made) == (None,) * len(made)

    assert [link.name for link in kernel.list_links()] == ["evpn-1"]
    assert len(kernel.list_sas()) == 2
    link = kernel.get_link("evpn-1")
    changes: list[Operation] = [
        SetMtu(link, 1300),
        SetUp(link),
        Update(policy(if_id=link.if_id, priority=7)),
        Update(sa(0x1001, if_id=link.if_id, soft=Limits(packets=10))),
        Update(RouteSpec(destination=ip_network("10.0.1.0/24"), interface="uplink")),
    ]
    assert kernel.apply(changes) == (None,) * len(changes)
    assert kernel.get_link("evpn-1") == replace(link, mtu=1300)
    assert [state.spec.priority for state in kernel.list_policies()] == [7]
    assert [route.interface for route in kernel.list_routes()] == ["uplink"]

    removals: list[Operation] = [
        *(Delete(state.spec.key) for state in kernel.list_policies()),
        *(Delete(state.spec.key) for state in kernel.list_sas()),
        *(Delete(route) for route in kernel.list_routes()),
        *(Delete(spec) for spec in kernel.list_all_addresses()),
        *(Delete(proxy) for proxy in kernel.list_proxies()),
        Delete(link),
    ]
    assert kernel.apply(removals) == (None,) * 7
    assert kernel.flush_ours() == Flushed()


def test_apply_goes_on_after_a_failure(kernel: Kernel) -> None:
    kernel.add_link(LinkSpec("evpn-1", OURS_IF_ID[9]))
    kernel.add_sa(sa(0x1001, if_id=OURS_IF_ID[1]))
    proxy = ProxySpec("uplink", ip_address("10.0.1.9"))
    kernel.add_proxy(proxy)
    fates = kernel.apply([*everything(1), Delete(sa(0x999).key), Delete(AddressSpec("none", ip_interface("::1/128")))])

    kinds = [type(fate) for fate in fates]
    assert kinds == [
        AlreadyExists,
        type(None),
        type(None),
        AlreadyExists,
        *[type(None)] * 2,
        AlreadyExists,
        NotFound,
        NotFound,
    ]
    assert str(fates[7]).startswith("cannot delete SA 00000999 to")
    assert kernel.get_link("evpn-1").if_id == OURS_IF_ID[9]


@pytest.mark.parametrize(
    "operation",
    [
        Add(sa(reqid=1)),
        Update(policy(if_id=0, templates=())),
        Add(LinkSpec("office", IF_ID)),
        Delete(replace(ROUTE, protocol=4)),
    ],
    ids=str,
)
def test_apply_without_our_tag(kernel: Kernel, operation: Operation) -> None:
    with pytest.raises(ValueError, match="without a tag of ours"):
        kernel.apply([Add(OUT), operation])
    assert kernel.list_sas() == ()


def test_apply_to_an_interface_of_somebody_else(kernel: Kernel) -> None:
    uplink = kernel.get_link("uplink")
    for operation in (Delete(uplink), SetMtu(uplink, 1300), SetUp(uplink)):
        with pytest.raises(ValueError, match="without a tag of ours"):
            kernel.apply([operation])
    assert kernel.get_link("uplink") == uplink


def test_many_are_applied(kernel: Kernel) -> None:
    operations = [operation for number in range(1, 101) for operation in everything(number)]
    operations.sort(key=lambda operation: type(getattr(operation, "what", None)) is not LinkSpec)
    assert set(kernel.apply(operations)) == {None}
    assert kernel.flush_ours() == Flushed(sas=200, policies=100, routes=100, links=100, proxies=100)


# The system


FORWARDING, RP_FILTER, PROXY_NDP = (
    Setting(4, "uplink", "forwarding"),
    Setting(4, "uplink", "rp_filter"),
    Setting(6, "uplink", "proxy_ndp"),
)


def test_settings(kernel: Kernel) -> None:
    wanted = {FORWARDING: 1, RP_FILTER: 2, PROXY_NDP: 1}
    initial = {setting: kernel.read_setting(setting) for setting in wanted}

    before = kernel.change_settings(wanted)

    assert {setting: kernel.read_setting(setting) for setting in wanted} == wanted
    assert before.items() <= initial.items()
    assert kernel.change_settings(wanted) == {}
    kernel.change_settings(before)
    assert {setting: kernel.read_setting(setting) for setting in wanted} == initial


@pytest.mark.parametrize("setting", [Setting(4, "nothing", "rp_filter"), Setting(6, "uplink", "no_such_thing")])
def test_settings_change_together_or_not(kernel: Kernel, setting: Setting) -> None:
    was = kernel.read_setting(FORWARDING)
    with pytest.raises(NotFound):
        kernel.read_setting(setting)
    with pytest.raises(NotFound):
        kernel.change_settings({FORWARDING: 1 - was, setting: 1})
    assert kernel.read_setting(FORWARDING) == was


def test_settings_of_an_interface_of_ours(kernel: Kernel) -> None:
    kernel.add_link(LINK)
    kernel.change_settings({Setting(4, LINK.name, "disable_policy"): 1})
    assert kernel.read_setting(Setting(4, LINK.name, "disable_policy")) == 1
    kernel.delete_link(LINK.name)
    with pytest.raises(NotFound):
        kernel.read_setting(Setting(4, LINK.name, "disable_policy"))


def test_statistics(kernel: Kernel) -> None:
    try:
        counters = kernel.statistics()
    except NotSupported:
        return
    assert counters["XfrmInNoStates"] == 0


def test_nothing_to_forget(kernel: Kernel) -> None:
    everything, everything6 = ip_network("0.0.0.0/0"), ip_network("::/0")
    assert kernel.forget_connections([(everything, everything), (everything6, everything6)]) == 0


# The firewall


FIREWALL = FirewallSpec(
    listen=frozenset({HERE, HERE6}),
    tunnels=(Tunnel("evpn-road", 1380, ipv6=False), Tunnel("evpn-site", 1400), Tunnel("evpn-other")),
    zones=(
        Zone("lan", frozenset({"lan", "guests"})),
        Zone("wan", frozenset({"uplink"})),
        Zone("pool", frozenset({"evpn-road"})),
        Zone("site", frozenset()),
    ),
    flows=(Flow("pool", "lan"), Flow("lan", "pool"), Flow("pool", "wan"), Flow("site", "site")),
    masquerade=(ip_network("10.9.0.0/24"), ip_network("10.9.1.0/24"), ip_network("fd00:9::/64")),
    devices=(Device("alice-phone", frozenset({ip_address("10.9.0.2"), ip_address("fd00:9::2")})), Device("bob.tv")),
)


def test_firewall(kernel: Kernel) -> None:
    """What was set is as it shall be; it goes without a trace."""
    planned = kernel.firewall_changes(FIREWALL)
    assert kernel.set_firewall(FIREWALL) == planned
    assert planned[0].startswith("add table")
    assert kernel.firewall_changes(FIREWALL) == kernel.set_firewall(FIREWALL) == ()

    assert kernel.set_firewall(None) == ("delete table",)
    assert kernel.set_firewall(None) == ()


CHANGES: dict[str, tuple[FirewallSpec, list[str]]] = {
    "a device got another address": (
        replace(FIREWALL, devices=(Device("alice-phone", frozenset({ip_address("10.9.0.7")})), Device("bob.tv"))),
        [
            "delete element device_alice-phone_ipv4: 10.9.0.2",
            "add element device_alice-phone_ipv4: 10.9.0.7",
            "delete element device_alice-phone_ipv6: fd00:9::2",
        ],
    ),
    "a device is gone": (
        replace(FIREWALL, devices=FIREWALL.devices[:1]),
        ["delete set device_bob.tv_ipv4", "delete set device_bob.tv_ipv6"],
    ),
    "a site came up": (
        replace(FIREWALL, zones=(*FIREWALL.zones[:3], Zone("site", frozenset({"evpn-site"})))),
        ["add element zone_site: evpn-site"],
    ),
    "nothing is masqueraded": (replace(FIREWALL, masquerade=()), ["flush chain source_nat"]),
}


@pytest.mark.parametrize(("changed", "words"), CHANGES.values(), ids=CHANGES)
def test_firewall_changes_where_it_differs(kernel: Kernel, changed: FirewallSpec, words: list[str]) -> None:
    kernel.set_firewall(FIREWALL)
    assert sorted(kernel.set_firewall(changed)) == sorted(words)
    assert kernel.firewall_changes(changed) == ()
    kernel.set_firewall(FIREWALL)
    assert kernel.firewall_changes(FIREWALL) == ()


def test_firewall_of_nothing(kernel: Kernel) -> None:
    kernel.set_firewall(FirewallSpec())
    assert kernel.firewall_changes(FirewallSpec()) == ()


# All together


def test_features(kernel: Kernel) -> None:
    assert replace(kernel.features(), migrate=True) == Features(esp4=True, esp6=True, xfrm_interface=True, migrate=True)
    assert kernel.list_links() == ()
    assert kernel.flush_ours() == Flushed()


def furnished(kernel: Kernel, number: int) -> None:
    """One of each, for the interface of that number."""
    if_id, name = OURS_IF_ID[number], f"evpn-{number}"
    kernel.add_link(LinkSpec(name, if_id))
    kernel.add_sa(sa(0x1000 + number, if_id=if_id))
    kernel.alloc_spi(THERE, HERE, OURS_REQID[number], if_id=if_id)
    kernel.add_policy(policy(if_id=if_id))
    kernel.add_route(RouteSpec(destination=ip_network(f"10.{number}.0.0/16"), interface=name))
    kernel.add_proxy(ProxySpec("uplink", ip_address(f"192.0.2.{number}")))


def test_flush(kernel: Kernel) -> None:
    for number in (1, 2):
        furnished(kernel, number)
    kernel.add_route(ROUTES["unreachable"])

    assert kernel.flush_ours(OURS_IF_ID[1]) == Flushed(sas=2, policies=1, routes=1, links=1)
    assert [link.if_id for link in kernel.list_links()] == [OURS_IF_ID[2]]
    assert kernel.flush_ours() == Flushed(sas=2, policies=1, routes=2, links=1, proxies=2)
    assert kernel.flush_ours() == Flushed()


def test_many_are_flushed(kernel: Kernel) -> None:
    for number in range(300):
        kernel.add_sa(sa(0x1000 + number))
    assert len(kernel.list_sas()) == 300
    assert kernel.flush_ours().sas == 300


def test_events_of_the_network(kernel: Kernel) -> None:
    events_until_quiet(kernel)
    link = kernel.add_link(LINK)
    address = ip_interface("10.77.0.1/24")
    kernel.add_address(AddressSpec(LINK.name, address))
    kernel.add_route(ROUTE)

    events = events_until_quiet(kernel)
    assert {LinkChanged(link), AddressChanged(LINK.name, address), RouteChanged(ROUTE)} <= set(events)
    assert kernel.read_events() == ()

    kernel.delete_route(ROUTE)
    assert events_until_quiet(kernel) == [RouteChanged(ROUTE, gone=True)]
    kernel.delete_link(LINK.name)
    assert [event.gone for event in events_until_quiet(kernel) if isinstance(event, LinkChanged)][-1]
