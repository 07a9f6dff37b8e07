"""What the doctor says of a gateway that ails: packets that go one way alone, and a WAN that is not public."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Network, Node, Uplink, home_network
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.traffic import ping
from tests.lab.tunnel import Tunnel
from tests.lab.visitors import by_password, come_in, gateway_table, opened

ENOUGH = 20  # datagrams of which one way alone is worth a word
LENGTH = 1000
CLOSED = "table inet closed {{ chain {0} {{ type filter hook {0} priority 0\n{1}\n}}\n}}\n"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    network = home_network()
    yield network
    network.close()


def says(gateway: EdgeVpn, check: str) -> dict[str, str]:
    """What the doctor says under this heading; the gravest, if it says several things."""
    found = all_says(gateway, check)
    assert found
    return max(found, key=lambda each: ("good", "warning", "bad").index(each["level"]))


def all_says(gateway: EdgeVpn, check: str) -> list[dict[str, str]]:
    """All that it says under this heading."""
    told = json.loads(gateway.run("doctor", "--json", check=False))
    return [each for each in told if each["id"] == check]


def shout(node: Node, address: str) -> None:
    """Datagrams to which nobody answers."""
    with node.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(ENOUGH):
            sock.sendto(bytes(LENGTH), (address, 9))


@pytest.fixture
def closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each node that a test has closed is open again afterwards."""
    nodes: list[Node] = []
    request.node.closed = nodes
    yield
    for node in nodes:
        node.run("nft", "delete", "table", "inet", "closed", check=False)


def close(request: pytest.FixtureRequest, node: Node, hook: str, rule: str) -> None:
    """A table of somebody else's with one rule."""
    node.nft(CLOSED.format(hook, rule))
    request.node.closed.append(node)


def mute(request: pytest.FixtureRequest, host: Node) -> None:
    """A host that takes what comes and answers nothing, not even by ICMP."""
    close(request, host, "output", "oifname lan drop")


# --- one way -------------------------------------------------------------------------------------------------------


SPOILS = "@th,256,32 set 0x0badc0de"
PATHS = {
    "drops ESP": ("drop", "site.site.encap = true"),
    "spoils ESP, as a driver would": (SPOILS, "a cipher's driver spoils them"),
}


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize(("does", "cure"), PATHS.values(), ids=PATHS)
def test_a_path(
    request: pytest.FixtureRequest,
    tunnels: Tunnels,
    site: Connection,
    internet: Node,
    host_a: Node,
    host_b: Node,
    does: str,
    cure: str,
) -> None:
    """IKE passes, so that the tunnel is up; nothing comes out of it."""
    tunnel = tunnels.between(site)
    tunnel.up()
    close(request, internet, "forward", f"iifname b meta l4proto esp {does}")

    shout(host_a, host_b.lan.v4)
    assert ping(host_b, host_a.lan.v4, wait=0.5).lost == 3

    assert isinstance(tunnel.ours, EdgeVpn)
    found = says(tunnel.ours, "traffic")
    assert found["message"].startswith("site (site): ")
    assert found["message"].endswith("went into the tunnel and none came out of it.")
    assert cure in found["cure"]


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("encap", [False, True])
def test_a_phone_that_hears_nothing(
    request: pytest.FixtureRequest, peers: Peers, gateway_a: Node, phone: Node, host_a: Node, *, encap: bool
) -> None:
    """It is behind a NAT, so ESP is in UDP whatever the pool says: it is not that."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"encap": encap}))
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)
    close(request, phone, "output", "ip daddr 10.1.0.0/24 drop")

    shout(host_a, "10.99.0.2")

    found = says(gateway, "traffic")
    assert found["message"].startswith("phone (203.0.113.")
    assert "none came out" in found["message"]
    assert "no route back" in found["cure"]


@pytest.mark.usefixtures("closed")
def test_each_tunnel_for_itself(
    request: pytest.FixtureRequest,
    peers: Peers,
    site: Connection,
    network: Network,
    gateway_a: Node,
    phone: Node,
    host_a: Node,
) -> None:
    """What is spoilt on its way to one tunnel says nothing about another, which nothing comes out of either."""
    gateway = opened(peers, gateway_a, gateway_table() + site_table(site, start="wait"))
    peer = peers.strongswan(network["gateway_b"], site.mirrored())
    Tunnel(network, gateway, peer, initiator=peer).up()
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)
    close(request, network["internet"], "forward", f"iifname b meta l4proto esp {SPOILS}")
    close(request, phone, "output", "ip daddr 10.1.0.0/24 drop")

    for address in (network["host_b"].lan.v4, "10.99.0.2"):
        shout(host_a, address)
    assert ping(network["host_b"], host_a.lan.v4, wait=0.5).lost == 3

    cures = {each["message"].partition(" ")[0]: each["cure"] for each in all_says(gateway, "traffic")}
    assert "a cipher's driver spoils them" in cures["site"]
    assert "no route back" in cures["phone"]


@pytest.mark.usefixtures("closed")
def test_a_lan_that_does_not_answer(
    request: pytest.FixtureRequest, peers: Peers, gateway_a: Node, phone: Node, host_a: Node
) -> None:
    gateway = opened(peers, gateway_a, gateway_table())
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)
    mute(request, host_a)

    shout(phone, host_a.lan.v4)

    found = says(gateway, "traffic")
    assert found["message"].startswith("phone (203.0.113.")
    assert found["message"].endswith("came through the tunnel and none went back.")
    assert "this router as their gateway" in found["cure"]


@pytest.mark.usefixtures("closed")
def test_a_firewall_that_forwards_nothing(
    request: pytest.FixtureRequest, peers: Peers, gateway_a: Node, phone: Node, host_a: Node
) -> None:
    """A chain of another program's drops all that comes out of tunnels, whatever ours accepts."""
    gateway = opened(peers, gateway_a, gateway_table())
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)
    close(request, gateway_a, "forward", "iifname lan oifname wan accept\niifname evpn-road drop")

    shout(phone, host_a.lan.v4)

    assert "A firewall of this machine" in says(gateway, "traffic")["cure"]
    assert says(gateway, "firewall")["message"] == (
        "The firewall forwards nothing that comes out of tunnels, IPv4 of evpn-road, IPv6 of evpn-road:"
        " chain forward of table inet closed."
    )


def test_a_machine_that_does_not_forward(peers: Peers, gateway_a: Node, phone: Node, host_a: Node) -> None:
    gateway = opened(peers, gateway_a, gateway_table())
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)
    gateway_a.sysctl(ipv4__ip_forward=0)

    shout(phone, host_a.lan.v4)

    try:
        assert "does not forward" in says(gateway, "traffic")["cure"]
        assert says(gateway, "forwarding")["cure"].startswith("sysctl -w net.ipv4.ip_forward=1")
    finally:
        gateway_a.sysctl(ipv4__ip_forward=1)


# --- the way to the internet ---------------------------------------------------------------------------------------


WANS = {
    "private": ("10.20.0.0/24", "warning", "The address outside is private: 10.20.0.2", "double NAT"),
    "carrier NAT": ("100.64.8.0/24", "bad", "(carrier NAT): ours is 100.64.8.2", "use IPv6"),
}


@pytest.fixture
def customer(prefix: str) -> Iterator[Node]:
    """A router whose provider gives it such an address, and no IPv6 that is everybody's."""
    network = Network((Uplink("gateway", "wan", "provider", "customer", prefix, "fd00:77::/64"),))
    yield network["gateway"]
    network.close()


@pytest.mark.parametrize(("prefix", "level", "message", "cure"), WANS.values(), ids=WANS)
def test_a_wan_that_is_not_public(customer: Node, peers: Peers, level: str, message: str, cure: str) -> None:
    found = says(opened(peers, customer, gateway_table()), "wan")

    assert (found["level"], message in found["message"], cure in found["cure"]) == (level, True, True), found
