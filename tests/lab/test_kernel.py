"""The real kernel: its traffic, what it tells by itself, and what ip(8) says it holds."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError, NotSupported
from edgevpn.kernel.events import Acquire, Event, Expire, SaMappingChanged
from edgevpn.kernel.network_spec import AddressSpec, LinkSpec, ProxySpec, RouteSpec
from edgevpn.kernel.spec import (
    Action,
    Aead,
    Direction,
    Limits,
    Mark,
    Migration,
    Offload,
    PolicyKey,
    PolicySpec,
    SaSpec,
    Selector,
    Template,
    UdpEncap,
)
from edgevpn.kernel.sysctl import Setting
from tests.lab import xfrm
from tests.lab.namespace import Namespace
from tests.lab.traffic import ping
from tests.support.kernel import GCM, IF_ID, KEY, POLICY, REQID, kernel_in, policy, sa

WEST, EAST, EAST_MOVED = (ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "192.0.2.22"))
WEST_INNER, EAST_INNER = ip_address("10.1.0.1"), ip_address("10.2.0.1")
WESTWARD = Selector(ip_network("10.2.0.0/16"), ip_network("10.1.0.0/16"))
EASTWARD = Selector(ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16"))
SPI = 0xC0FFEE01
PORT = 7
EVENT_LIMIT = 5  # seconds

# <linux/in.h>
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Two namespaces joined by a cable, each with its kernel; datagrams go from west to east, in an SA of `SPI`."""

    west_namespace: Namespace
    east_namespace: Namespace
    west: Kernel
    east: Kernel
    sender: socket.socket
    receiver: socket.socket

    def send(self, count: int = 1) -> None:
        """Send datagrams to the inner address in the east."""
        for number in range(count):
            self.sender.sendto(bytes([number]), (str(EAST_INNER), PORT))

    def received(self) -> int:
        """How many datagrams have come out; all have by the time that `send` returns."""
        count = 0
        while select.select([self.receiver], [], [], 0)[0]:
            self.receiver.recv(100)
            count += 1
        return count


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends with interface, addresses, routes and policies, and no SA."""
    west, east = Namespace("west"), Namespace("east")
    west.ip(f"link add wan type veth peer name wan netns {east.tid}")
    for namespace, addresses in ((west, (WEST,)), (east, (EAST, EAST_MOVED))):
        namespace.ip(*(f"address add {address}/24 dev wan" for address in addresses), "link set wan up")
    kernels = kernel_in(west), kernel_in(east)
    settle(kernels[0], WEST_INNER, EASTWARD, Template(WEST, EAST, REQID))
    settle(kernels[1], EAST_INNER, WESTWARD, Template(EAST, WEST, REQID))
    sender, receiver = (each.socket(socket.AF_INET, socket.SOCK_DGRAM) for each in (west, east))
    receiver.bind((str(EAST_INNER), PORT))
    yield Pair(west, east, *kernels, sender, receiver)
    for kernel in kernels:
        kernel.close()
    for closing in (sender, receiver, west, east):
        closing.close()


def settle(kernel: Kernel, inner: object, out: Selector, template: Template) -> None:
    """An interface with an address, the route to the other side, and policies both ways."""
    back = Template(template.destination, template.source, REQID)
    kernel.add_link(LinkSpec("evpn-pair", IF_ID))
    kernel.add_address(AddressSpec("evpn-pair", ip_interface(f"{inner}/32")))
    kernel.add_route(RouteSpec(destination=out.destination, interface="evpn-pair"))
    towards = Selector(out.destination, out.source)
    kernel.add_policy(PolicySpec(key=PolicyKey(out, Direction.OUT, IF_ID), priority=1, templates=(template,)))
    kernel.add_policy(PolicySpec(key=PolicyKey(towards, Direction.IN, IF_ID), priority=1, templates=(back,)))


def eastward_sa(**changes: object) -> SaSpec:
    return replace(sa(SPI, source=WEST, destination=EAST, if_id=IF_ID), **changes)  # type: ignore[arg-type]


def event_of(kernel: Kernel, kind: type[Event]) -> Event:
    """The first event of a kind, waited for."""
    while select.select([kernel.fileno()], [], [], EVENT_LIMIT)[0]:
        for event in kernel.read_events():
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind}")


def test_traffic(pair: Pair) -> None:
    spec = eastward_sa(esn=True)
    pair.east.add_sa(spec)
    pair.west.add_sa(spec)
    pair.send(5)

    assert pair.received() == 5
    sent, received = pair.west.get_sa(spec.key), pair.east.get_sa(spec.key)
    assert (sent.packets, sent.sequence.sent) == (5, 5)
    assert (received.packets, received.sequence.received) == (5, 5)
    assert received.octets == sent.octets > 0
    assert sent.added_at <= (sent.first_used_at or 0) <= (sent.last_used_at or 0)
    assert received.added_at <= (received.first_used_at or 0)
    assert received.last_used_at is None or received.last_used_at >= (received.first_used_at or 0)
    (policy_out,) = [state for state in pair.west.list_policies() if state.spec.direction is Direction.OUT]
    assert policy_out.packets == 0 or policy_out.first_used_at is not None


def test_forged_packets_are_counted(pair: Pair) -> None:
    spec = eastward_sa()
    pair.west.add_sa(spec)
    pair.east.add_sa(replace(spec, cipher=replace(GCM, key=bytes(20))))
    pair.send(3)
    assert pair.received() == 0
    assert pair.east.get_sa(spec.key).forged == 3


def test_old_packets_are_counted(pair: Pair) -> None:
    spec = eastward_sa()
    pair.west.add_sa(spec)
    pair.east.add_sa(spec)
    pair.send(100)
    pair.west.delete_sa(spec.key)
    pair.west.add_sa(spec)
    pair.send(40)
    state = pair.east.get_sa(spec.key)
    assert (state.packets, state.late, state.replayed) == (100, 36, 4)


@pytest.mark.parametrize("encapsulation", [None, UdpEncap(4500, 4500)])
def test_traffic_goes_on_after_a_move(pair: Pair, encapsulation: UdpEncap | None) -> None:
    """Both ends move: no packet is taken twice, none is refused, the numbers go on."""
    spec = eastward_sa()
    for kernel in (pair.west, pair.east):
        kernel.add_sa(spec)
    with pair.east_namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as nat_t:
        nat_t.bind(("0.0.0.0", 4500))  # noqa: S104 - in a namespace
        pair.east.enable_udp_encapsulation(nat_t)
        pair.send(3)

        key = pair.east.move_sa(spec.key, WEST, EAST_MOVED, encapsulation)
        assert pair.west.move_sa(spec.key, WEST, EAST_MOVED, encapsulation) == key
        moved = Template(WEST, EAST_MOVED, REQID)
        for kernel, selector, direction in (
            (pair.west, EASTWARD, Direction.OUT),
            (pair.east, EASTWARD, Direction.IN),
        ):
            kernel.update_policy(PolicySpec(key=PolicyKey(selector, direction, IF_ID), priority=1, templates=(moved,)))
        pair.send(4)

        assert pair.received() == 7
        state = pair.east.get_sa(key)
        assert (state.packets, state.sequence.received, state.late, state.replayed) == (7, 7, 0, 0)
        assert pair.west.get_sa(key).sequence.sent == 7


@pytest.mark.parametrize(("esn", "window"), [(True, 128), (False, 128), (False, 32)])
def test_a_moved_sa_remembers_what_it_has_received(pair: Pair, esn: bool, window: int) -> None:
    """The west starts its numbers again, as an attacker would who repeats packets: those already seen are refused."""
    spec = eastward_sa(esn=esn, replay_window=window)
    for kernel in (pair.west, pair.east):
        kernel.add_sa(spec)
    pair.send(5)
    before = pair.east.get_sa(spec.key)

    pair.east.move_sa(spec.key, WEST, EAST, None)
    assert pair.east.get_sa(spec.key).sequence == before.sequence
    pair.west.delete_sa(spec.key)
    pair.west.add_sa(spec)
    pair.send(7)

    state = pair.east.get_sa(spec.key)
    assert pair.received() == 5 + 2
    assert (state.packets, state.replayed, state.sequence.received) == (7, 5, 7)


@pytest.mark.parametrize("encapsulation", [None, UdpEncap(4500, 4500)])
def test_traffic_goes_on_after_a_migration(pair: Pair, encapsulation: UdpEncap | None) -> None:
    """In one step, policy and SA, at either end; the numbers go on."""
    if not pair.west.features().migrate:
        return
    spec = eastward_sa(esn=True, encapsulation=encapsulation)
    for kernel in (pair.west, pair.east):
        kernel.add_sa(spec)
    with pair.east_namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as nat_t:
        nat_t.bind(("0.0.0.0", 4500))  # noqa: S104 - in a namespace
        pair.east.enable_udp_encapsulation(nat_t)
        pair.send(3)

        for kernel, direction in ((pair.east, Direction.IN), (pair.west, Direction.OUT)):
            kernel.migrate(
                Migration(
                    policy=PolicyKey(EASTWARD, direction, IF_ID),
                    template=Template(WEST, EAST, REQID),
                    source=WEST,
                    destination=EAST_MOVED,
                    encapsulation=encapsulation,
                )
            )
        pair.send(4)

        assert pair.received() == 7
        state = pair.east.get_sa(replace(spec, destination=EAST_MOVED).key)
        assert (state.packets, state.sequence.received, state.late, state.replayed) == (7, 7, 0, 0)
        assert state.spec == replace(spec, destination=EAST_MOVED).without_keys()


def test_drops_are_told_by_reason(pair: Pair) -> None:
    spec = eastward_sa()
    pair.west.add_sa(spec)
    pair.send(2)
    pair.east.add_sa(replace(spec, cipher=replace(GCM, key=bytes(20))))
    pair.send(3)
    try:
        counters = pair.east.statistics()
    except NotSupported:
        return
    assert (counters["XfrmInNoStates"], counters["XfrmInStateProtoError"]) == (2, 3)


def test_mtu_of_the_interface_counts(pair: Pair) -> None:
    """A datagram that would not fit is refused to its sender, once the MTU says so."""
    pair.west.add_sa(eastward_sa())
    pair.sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    pair.sender.sendto(bytes(1350), (str(EAST_INNER), PORT))
    pair.west.set_mtu("evpn-pair", 1300)
    with pytest.raises(OSError, match="Message too long"):
        pair.sender.sendto(bytes(1350), (str(EAST_INNER), PORT))


def test_acquire(pair: Pair) -> None:
    pair.send()
    event = event_of(pair.west, Acquire)
    assert isinstance(event, Acquire)
    assert (event.source, event.destination, event.reqid, event.if_id) == (WEST, EAST, REQID, IF_ID)
    assert event.selector.destination == ip_network(EAST_INNER)
    (out,) = [state for state in pair.west.list_policies() if state.spec.direction is Direction.OUT]
    assert event.policy_index == out.index


@pytest.mark.parametrize(("soft", "hard"), [(Limits(packets=2), Limits()), (Limits(), Limits(packets=2))])
def test_expire(pair: Pair, soft: Limits, hard: Limits) -> None:
    spec = eastward_sa(soft=soft, hard=hard)
    pair.west.add_sa(spec)
    pair.send(4)
    assert event_of(pair.west, Expire) == Expire(spec.key, REQID, hard=hard.packets is not None)


def test_mapping_changed(pair: Pair) -> None:
    """The west's NAT took another port than the one that the SA knows."""
    spec = eastward_sa(encapsulation=UdpEncap(61000, 4500))
    pair.west.add_sa(spec)
    pair.east.add_sa(replace(spec, encapsulation=UdpEncap(4500, 4500)))
    with pair.east_namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as nat_t:
        nat_t.bind(("0.0.0.0", 4500))  # noqa: S104 - in a namespace
        pair.east.enable_udp_encapsulation(nat_t)
        pair.send()

        assert pair.received() == 1
        assert event_of(pair.east, SaMappingChanged) == SaMappingChanged(spec.key, REQID, WEST, 61000, WEST, 4500)


def test_ip_reads_the_same_sa(pair: Pair) -> None:
    spec = eastward_sa(encapsulation=UdpEncap(4500, 4501), hard=Limits(1000, 20, 3600), output_mark=Mark(6, 0xF0))
    pair.west.add_sa(spec)

    (state,) = xfrm.states(pair.west_namespace)
    assert (state.source, state.destination, state.protocol, state.spi) == (str(WEST), str(EAST), "esp", SPI)
    assert (state.reqid, state.if_id, state.mode) == (REQID, IF_ID, "tunnel")
    assert state.algorithms == (GCM.name,)
    assert state.encap.startswith("espinudp sport 4500 dport 4501")
    assert f"{GCM.name} 0x{KEY.hex()} (160 bits) 128" in state.text
    assert "replay_window 64" in state.text
    assert "hard 1000(bytes)" in state.text
    assert "hard 20(packets)" in state.text
    assert "hard 3600(sec)" in state.text
    assert "output-mark 0x6/0xf0" in state.text


def test_ip_reads_the_same_policy(pair: Pair) -> None:
    pair.west.flush_ours()
    pair.west.add_policy(policy(mark=Mark(5, 0xFF), action=Action.BLOCK))

    (state,) = xfrm.policies(pair.west_namespace)
    assert (state.source, state.destination) == (str(POLICY.selector.source), str(POLICY.selector.destination))
    assert (state.direction, state.priority, state.if_id) == ("out", POLICY.priority, IF_ID)
    assert state.template == "src 192.0.2.1 dst 198.51.100.2"
    assert f"reqid {REQID}" in state.text
    assert "action block" in state.text
    assert "mark 0x5/0xff" in state.text


def test_ip_reads_the_same_network(pair: Pair) -> None:
    link = pair.west_namespace.run("ip", "-d", "link", "show", "dev", "evpn-pair")
    assert f"xfrm if_id {IF_ID:#x}" in link
    assert "addrgenmode none" in link
    assert "10.2.0.0/16 dev evpn-pair proto 101 scope link metric 1024" in pair.west_namespace.ip("route show")


def test_others_are_left_alone(pair: Pair) -> None:
    theirs = pair.west_namespace
    gcm, key = "aead rfc4106(gcm(aes))", "0x" + KEY.hex()
    theirs.ip(
        f"xfrm state add src {WEST} dst {EAST} proto esp spi 0x999 reqid 9 mode tunnel {gcm} {key} 128",
        f"xfrm state add src {WEST} dst {EAST} proto ah spi 0x998 reqid 9 mode transport auth hmac(sha1) {key}",
        f"xfrm policy add src 10.9.0.0/16 dst 0.0.0.0/0 dir out tmpl src {WEST} dst {EAST} proto ah reqid 9 mode beet",
        "link add theirs type xfrm dev wan if_id 9",
        "link set theirs up",
        "route add 10.9.0.0/16 dev theirs proto static",
    )
    assert pair.west.list_sas() == ()
    assert len(pair.west.list_policies()) == 2
    assert len(pair.west.list_policies(foreign=True)) == 3

    pair.west.flush_ours()

    assert {state.spi for state in xfrm.states(theirs)} == {0x999, 0x998}
    assert [state.source for state in xfrm.policies(theirs)] == ["10.9.0.0/16"]
    assert "10.9.0.0/16 dev theirs" in theirs.ip("route show")
    assert "evpn-pair" not in theirs.interfaces()


def test_bypass(pair: Pair) -> None:
    """A policy that blocks everything between the gateways does not block the daemon's own socket."""
    selector = Selector(ip_network(WEST), ip_network(EAST))
    pair.west.add_policy(
        PolicySpec(key=PolicyKey(selector, Direction.OUT), priority=1, templates=POLICY.templates, action=Action.BLOCK)
    )
    with (
        pair.west_namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as ike,
        pair.east_namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.bind((str(EAST), 500))
        with pytest.raises(PermissionError):
            ike.sendto(b"blocked", (str(EAST), 500))
        pair.west.bypass_socket(ike)
        ike.sendto(b"passed", (str(EAST), 500))
        assert peer.recv(100) == b"passed"


def test_offload_is_read_as_it_is(pair: Pair) -> None:
    """A simulated card takes the SA where the kernel has one; a cable never does, and we hear of that."""
    cards = Path("/sys/bus/netdevsim/new_device")
    interface = "wan"
    if cards.exists():
        before = pair.west_namespace.interfaces()
        pair.west_namespace.call(cards.write_text, "1 1")
        (interface,) = pair.west_namespace.interfaces() - before
        pair.west_namespace.ip(f"link set {interface} up")
    wanted = Offload(interface, Direction.OUT)
    for spec, expected in (
        (eastward_sa(offload=wanted), wanted if cards.exists() else None),
        (eastward_sa(spi=SPI + 1, offload=Offload("wan", Direction.OUT)), None),
    ):
        pair.west.add_sa(spec)
        assert pair.west.get_sa(spec.key).spec.offload == expected


def test_offload_to_nothing(pair: Pair) -> None:
    with pytest.raises(KernelError, match="no such interface"):
        pair.west.add_sa(eastward_sa(offload=Offload("nothing", Direction.OUT)))


@pytest.mark.parametrize(
    ("lan", "settings"),
    [
        ("10.1.0.0/24", {Setting(4, "lan", "forwarding"): 1, Setting(4, "pool", "forwarding"): 1}),
        ("fd00:1::/64", {Setting(6, "all", "forwarding"): 1, Setting(6, "lan", "proxy_ndp"): 1}),
    ],
)
def test_proxy(lan: str, settings: dict[Setting, int]) -> None:
    """A road warrior with an address of the LAN: hosts find it there because the gateway answers for it."""
    network = ip_network(lan)
    router, neighbour, phone = network[1], network[2], network[77]
    near, far = "02:00:00:00:00:01", "02:00:00:00:00:02"
    once = "nodad" if network.version == 6 else ""
    host, gateway, warrior = Namespace("host"), Namespace("gateway"), Namespace("warrior")
    gateway.ip(
        f"link add lan type veth peer name lan netns {host.tid}",
        f"link add pool address {near} type veth peer name tunnel address {far} netns {warrior.tid}",
        f"address add {router}/{network.prefixlen} dev lan {once}",
        *(f"link set {interface} up" for interface in ("lan", "pool")),
        f"route add {phone} dev pool",
        f"neighbour add {phone} lladdr {far} dev pool",
    )
    host.ip(f"address add {neighbour}/{network.prefixlen} dev lan {once}", "link set lan up")
    warrior.ip(
        f"address add {phone} dev tunnel {once}",
        "link set tunnel up",
        f"route add {network} dev tunnel",
        f"neighbour add {neighbour} lladdr {near} dev tunnel",
    )
    kernel = kernel_in(gateway)
    kernel.change_settings(settings)

    assert not ping(host, str(phone), count=1, wait=0.5).passed
    host.ip("neighbour flush dev lan")
    kernel.add_proxy(ProxySpec("lan", phone))
    assert ping(host, str(phone)).passed

    kernel.close()
    for namespace in (host, gateway, warrior):
        namespace.close()


def test_no_key_is_read(pair: Pair) -> None:
    pair.west.add_sa(eastward_sa())
    (state,) = pair.west.list_sas()
    assert isinstance(state.spec.cipher, Aead)
    assert state.spec.cipher.key == b""
