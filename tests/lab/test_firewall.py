"""The firewall's rules do what they say: a gateway between a LAN, the internet, road warriors and a branch.

        host --lan-- gateway --wan-- internet
                     |     |
      phone --evpn-road   evpn-site-- branch

The tunnels are cables here: to the firewall an interface is its name.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.firewall import Device, FirewallSpec, Flow, Tunnel, Zone, table
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import difference, transaction
from tests.lab.namespace import Namespace
from tests.lab.traffic import ping, transfer
from tests.support.kernel import kernel_in

# Node -> its interface at the gateway, and its networks: the gateway has the first address of each, the node the next.
NODES = {
    "host": ("lan", "10.1.0.0/24", "fd00:1::/64"),
    "branch": ("evpn-site", "10.2.0.0/24", "fd00:2::/64"),
    "phone": ("evpn-road", "10.9.0.0/24", "fd00:9::/64"),
    "internet": ("wan", "192.0.2.0/24", "2001:db8::/64"),
}
PORT = 7777

SPEC = FirewallSpec(
    tunnels=(Tunnel("evpn-road", 1380), Tunnel("evpn-site", 1400)),
    zones=(
        Zone("lan", frozenset({"lan"})),
        Zone("wan", frozenset({"wan"})),
        Zone("pool", frozenset({"evpn-road"})),
        Zone("site", frozenset({"evpn-site"})),
    ),
    flows=(Flow("pool", "lan"), Flow("lan", "pool"), Flow("site", "lan"), Flow("pool", "wan")),
    masquerade=(ip_network("10.9.0.0/24"),),
    devices=(Device("phone", frozenset({ip_address("10.9.0.2")})),),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The gateway with its kernel, and the nodes around it."""

    gateway: Namespace
    kernel: Kernel
    nodes: dict[str, Namespace]

    def reaches(self, source: str, target: str, version: int = 4) -> bool:
        """Whether an echo comes back."""
        return ping(self.nodes[source], address(target, version), count=1, wait=0.5).passed

    def set(self, spec: FirewallSpec | None) -> None:
        self.kernel.set_firewall(spec)


def address(node: str, version: int = 4) -> str:
    return str(ip_network(NODES[node][1 if version == 4 else 2])[2])


@pytest.fixture(scope="module")
def wired() -> Iterator[Place]:
    gateway = Namespace("gateway")
    nodes = {name: Namespace(name) for name in NODES}
    gateway.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
    for name, (interface, *networks) in NODES.items():
        node = nodes[name]
        node.sysctl(ipv4__tcp_timestamps=0)
        gateway.ip(f"link add {interface} type veth peer name cable netns {node.tid}")
        for space, own, number in ((gateway, interface, 1), (node, "cable", 2)):
            for text in networks:
                network = ip_network(text)
                nodad = "nodad" if network.version == 6 else ""
                space.ip(f"address add {network[number]}/{network.prefixlen} dev {own} {nodad}")
            space.ip(f"link set {own} up")
        node.ip(*(f"route add default via {ip_network(text)[1]}" for text in networks))
    kernel = kernel_in(gateway)
    yield Place(gateway, kernel, nodes)
    kernel.close()
    for namespace in (gateway, *nodes.values()):
        namespace.close()


@pytest.fixture
def place(wired: Place) -> Iterator[Place]:
    """With the firewall in force, and nothing of it left afterwards."""
    wired.set(SPEC)
    yield wired
    wired.gateway.run("nft", "flush", "ruleset")


ALLOWED = {("phone", "host"), ("host", "phone"), ("branch", "host"), ("phone", "internet")}
UNCONCERNED = {("host", "internet"), ("internet", "host")}
PAIRS = [(source, target) for source in NODES for target in NODES if source != target]


@pytest.mark.parametrize("version", [4, 6])
def test_zones(place: Place, version: int) -> None:
    """What is listed passes, with its answers; what no tunnel of ours has to do with is left alone."""
    passing = {pair for pair in PAIRS if place.reaches(*pair, version)}
    assert passing == ALLOWED | UNCONCERNED


def test_without_firewall_all_pass(wired: Place) -> None:
    assert {pair for pair in PAIRS if wired.reaches(*pair)} == set(PAIRS)


@pytest.mark.parametrize(
    ("family", "version", "words"), [(socket.AF_INET, 4, "No route to host"), (socket.AF_INET6, 6, "Permission denied")]
)
def test_who_is_refused_is_told(place: Place, family: int, version: int, words: str) -> None:
    """At once, instead of being left to wait."""
    with place.nodes["phone"].socket(family, socket.SOCK_STREAM) as sock, pytest.raises(OSError, match=words):
        sock.connect((address("branch", version), PORT))


def test_the_rest_of_ipv6_stays_in_a_pool_without(place: Place) -> None:
    """It is told to go away, so that it uses IPv4; both within the pool's reach and beyond."""
    place.set(replace(SPEC, tunnels=(Tunnel("evpn-road", 1380, ipv6=False), SPEC.tunnels[1])))
    for target in ("host", "internet"):
        with place.nodes["phone"].socket(socket.AF_INET6, socket.SOCK_STREAM) as sock, pytest.raises(PermissionError):
            sock.connect((address(target, 6), PORT))
        assert place.reaches("phone", target)
    assert place.reaches("branch", "host", 6)


@pytest.mark.parametrize(("target", "seen"), [("internet", "192.0.2.1"), ("host", "10.9.0.2")])
def test_masquerade(place: Place, target: str, seen: str) -> None:
    """Towards the internet the gateway's address is seen, in the LAN the device's own."""
    with (
        place.nodes[target].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        place.nodes["phone"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((address(target), PORT))
        receiver.settimeout(5)
        sender.sendto(b"hello", (address(target), PORT))
        assert receiver.recvfrom(100)[1][0] == seen


def segment_size(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def connected(place: Place, source: str, target: str, version: int) -> tuple[int, int]:
    """The segment sizes that the two ends of a TCP connection settle on."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with (
        place.nodes[target].socket(family, socket.SOCK_STREAM) as listener,
        place.nodes[source].socket(family, socket.SOCK_STREAM) as near,
    ):
        listener.bind((address(target, version), 0))
        listener.listen()
        near.connect(listener.getsockname()[:2])
        far, _ = listener.accept()
        with far:
            return segment_size(near), segment_size(far)


SEGMENTS = {
    "into and out of the LAN": ("phone", "host", 4, 1380 - 40),
    "from the LAN": ("host", "phone", 4, 1380 - 40),
    "IPv6": ("phone", "host", 6, 1380 - 60),
    "another tunnel": ("branch", "host", 4, 1400 - 40),
    "no tunnel": ("host", "internet", 4, 1500 - 40),
}


@pytest.mark.parametrize(("source", "target", "version", "size"), SEGMENTS.values(), ids=SEGMENTS)
def test_segments_fit_the_tunnel(place: Place, source: str, target: str, version: int, size: int) -> None:
    assert connected(place, source, target, version) == (size, size)


def test_transfer_where_icmp_is_blocked(place: Place) -> None:
    """Neither end knows that the tunnel is narrower, nobody can tell them, and the phone asks for full segments."""
    place.gateway.nft(
        "table inet other {\nchain out {\ntype filter hook output priority 0\nmeta l4proto icmp drop\n}\n}"
    )
    place.gateway.ip("link set evpn-road mtu 1380")
    assert not ping(place.nodes["host"], address("phone"), count=1, wait=0.5, size=1400).passed
    for source, target in (("host", "phone"), ("phone", "host")):
        transfer(place.nodes[source], place.nodes[target], address(target), 1 << 20)
    place.gateway.ip("link set evpn-road mtu 1500")


def counted(place: Place) -> dict[str, int]:
    """The packets that rules have counted, by the rules' reasons."""
    listing = json.loads(place.gateway.run("nft", "-j", "list", "table", "inet", "edgevpn"))
    rules = [each["rule"] for each in listing["nftables"] if "rule" in each]
    return {
        str(rule["comment"]).partition(" [")[0]: each["counter"]["packets"]
        for rule in rules
        for each in rule["expr"]
        if "counter" in each
    }


def test_input_at_configured_addresses(place: Place) -> None:
    """IKE, ESP in UDP and ESP to the address that we serve, and not to another of ours."""
    place.set(replace(SPEC, listen=frozenset({ip_address("192.0.2.1")})))
    with (
        place.nodes["internet"].socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        place.nodes["internet"].socket(socket.AF_INET, socket.SOCK_RAW, 50) as esp,
    ):
        for ours in ("192.0.2.1", "10.1.0.1"):
            for port in (500, 4500, 53):
                udp.sendto(b"packet", (ours, port))
            esp.sendto(bytes(16), (ours, 0))
        ping(place.nodes["internet"], "192.0.2.1", count=1)
    counts = counted(place)
    assert (counts["IKE over IPv4"], counts["ESP over IPv4"]) == (2, 1)
    assert "IKE over IPv6" not in counts


def test_owners_rules(place: Place) -> None:
    """They name a device by its set, outlive our changes, and go on when the device has another address."""
    place.gateway.run("nft", "add rule inet edgevpn owner_forward ip saddr @device_phone_ipv4 drop")
    assert not place.reaches("phone", "host")

    elsewhere = Device("phone", frozenset({ip_address("10.9.0.3")}))
    place.set(replace(SPEC, devices=(elsewhere,), flows=SPEC.flows[:1]))
    assert place.reaches("phone", "host")
    place.set(SPEC)
    assert not place.reaches("phone", "host")


def test_owners_rules_outlive_the_device_and_us(place: Place) -> None:
    """What a rule of theirs names stays, empty; with their last rule the table goes, too."""
    place.gateway.run("nft", "add rule inet edgevpn owner_forward ip saddr @device_phone_ipv4 drop")
    place.set(replace(SPEC, devices=()))
    assert place.reaches("phone", "host")

    place.set(None)
    assert "ip saddr @device_phone_ipv4 drop" in place.gateway.run("nft", "list", "ruleset")
    assert place.reaches("branch", "phone")
    place.set(SPEC)
    assert not place.reaches("phone", "host")

    place.gateway.run("nft", "flush chain inet edgevpn owner_forward")
    place.set(None)
    assert place.gateway.run("nft", "list", "ruleset") == ""


DAMAGE = {
    "all is flushed": "flush ruleset",
    "a chain is flushed": "flush chain inet edgevpn forward",
    "a chain is deleted": "flush chain inet edgevpn source_nat; delete chain inet edgevpn source_nat",
    "a rule is added": "insert rule inet edgevpn forward accept",
    "a policy is changed": "chain inet edgevpn forward { policy drop ; }",
    "an element is deleted": 'delete element inet edgevpn zone_lan { "lan" }',
    "a set of ours is added": "add set inet edgevpn zone_old { type ifname ; }",
}


@pytest.mark.parametrize("command", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_repaired(place: Place, command: str) -> None:
    place.gateway.run("nft", command)
    assert place.kernel.set_firewall(SPEC) != ()
    assert place.kernel.firewall_changes(SPEC) == ()
    assert place.reaches("phone", "host")
    assert not place.reaches("phone", "branch")


def test_tables_of_others_are_left_alone(place: Place) -> None:
    place.gateway.nft("table inet fw4 {\nchain forward {\ntype filter hook forward priority 0\n}\n}")
    theirs = place.gateway.run("nft", "list", "table", "inet", "fw4")
    place.set(replace(SPEC, flows=()))
    place.set(None)
    assert place.gateway.run("nft", "list", "ruleset") == theirs


def test_nft_accepts_it(place: Place) -> None:
    """Without doing it, and with more of everything."""
    many = replace(
        SPEC,
        listen=frozenset(map(ip_address, ("192.0.2.1", "192.0.2.9", "2001:db8::1"))),
        tunnels=tuple(Tunnel(f"evpn-{number}", 1280 + number, ipv6=bool(number % 2)) for number in range(200)),
        masquerade=tuple(map(ip_network, ("10.9.0.0/24", "10.9.1.0/24", "fd00:9::/64"))),
        devices=tuple(Device(f"device-{number}", frozenset({ip_address(number + 1)})) for number in range(200)),
    )
    commands = difference(table(many), None)
    place.gateway.run("nft", "-c", "-j", "-f", "/proc/self/fd/0", text=transaction(commands))


OTHERS = {
    "closed": ("policy drop;", "ct state vmap { established : accept, related : accept }; tcp dport 22 accept;"),
    "the LAN alone": ("policy drop;", 'iifname { "lan", "lo" } accept;'),
    "rejects what is left": ("policy accept;", "udp dport 1194 accept; reject with icmpx admin-prohibited;"),
    "bans some": ("policy drop;", "ip saddr { 203.0.113.7 } drop; udp dport { 500, 4500 } accept;"),
    "by the interface": ("policy drop;", 'iifname "wan" udp dport 400-600 accept;'),
    "open": ("policy accept;", "ct state invalid drop;"),
}


@pytest.mark.parametrize(("policy", "rules"), OTHERS.values(), ids=OTHERS)
def test_what_others_keep_out(place: Place, policy: str, rules: str) -> None:
    """Our accept overrules nobody's drop; that it is foretold right is seen by sending."""
    place.gateway.nft(
        f"table inet others {{ chain input {{ type filter hook input priority 0; {policy} {rules} }}\n}}\n"
    )

    found = place.gateway.call(Nft().barriers, ["wan"])

    assert ("UDP 500" in {packet for each in found for packet in each.packets}) is not is_open(place, 500)
    place.gateway.nft("delete table inet others")


def is_open(place: Place, port: int) -> bool:
    """Whether a datagram of the internet's comes in at the gateway."""
    with (
        place.gateway.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside,
        place.nodes["internet"].socket(socket.AF_INET, socket.SOCK_DGRAM) as outside,
    ):
        inside.bind(("", port))
        inside.settimeout(0.5)
        outside.sendto(b"who is there", ("192.0.2.1", port))
        try:
            return bool(inside.recv(100))
        except TimeoutError:
            return False
