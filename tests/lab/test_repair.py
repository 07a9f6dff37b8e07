"""What somebody takes out of the kernel comes back by itself or on demand; what is not ours is never touched."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.traffic import ping
from tests.lab.visitors import ROUTER_V4, ROUTER_V6, gateway_table

WHOLE = "everything is as it should be\n"
ENDS, KEY = "src 192.0.2.2 dst 198.51.100.9 proto esp", "0x" + "0a" * 20


@pytest.fixture
def ours(peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node) -> EdgeVpn:
    """A gateway with a tunnel to a strongSwan that is up."""
    peers.strongswan(gateway_b, site.mirrored())
    ours = peers.edgevpn(gateway_a, site_table(site))
    ours.wait_up()
    eventually(lambda: is_whole(ours), within=5, what="the firewall has caught up with the tunnel")
    return ours


def is_whole(ours: EdgeVpn) -> bool:
    return bool(ours.ask("repair", dry_run=True) == {"steps": [], "renewed": []})


def outward(node: Node) -> str:
    (policy,) = [each for each in xfrm.policies(node) if each.direction == "out"]
    return f"xfrm policy delete src {policy.source} dst {policy.destination} dir out if_id {policy.if_id:#x}"


def sa_from(node: Node, source: str) -> str:
    (state,) = [each for each in xfrm.states(node) if each.source == source]
    return f"xfrm state delete src {state.source} dst {state.destination} proto esp spi {state.spi:#x}"


# What a hand does to gateway_a. The tunnel's own addresses are a's and b's of the internet.
DAMAGE: dict[str, Callable[[Node, Connection], str]] = {
    "link": lambda node, site: "link delete evpn-site",
    "link is set down": lambda node, site: "link set evpn-site down",
    "route": lambda node, site: "route delete 10.2.0.0/24",
    "policy": lambda node, site: outward(node),
    "policies": lambda node, site: "xfrm policy flush",
    "inbound SA": lambda node, site: sa_from(node, site.remote),
    "outbound SA": lambda node, site: sa_from(node, site.local),
    "SAs": lambda node, site: "xfrm state flush",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_taken_away_comes_back(
    ours: EdgeVpn, site: Connection, host_a: Node, host_b: Node, damage: Callable[[Node, Connection], str]
) -> None:
    """By itself, and traffic flows; nobody has asked for it."""
    assert ping(host_a, host_b.lan.v4).passed

    ours.node.ip(damage(ours.node, site))

    eventually(lambda: ping(host_a, host_b.lan.v4, count=1, wait=0.2).passed, within=10, what="traffic flows")
    eventually(lambda: is_whole(ours), within=10, what="everything is there again")
    assert ping(host_b, host_a.lan.v4).passed


def test_an_address_comes_back(peers: Peers, gateway_a: Node) -> None:
    ours = peers.edgevpn(gateway_a, gateway_table())
    gateway_a.ip(f"address delete {ROUTER_V4}/32 dev evpn-road", f"address delete {ROUTER_V6}/128 dev evpn-road")
    eventually(lambda: is_whole(ours), within=10, what="everything is there again")
    for address in (ROUTER_V4, ROUTER_V6):
        assert ping(gateway_a, address, count=1).passed


def test_the_lan_gets_another_address(ours: EdgeVpn, gateway_a: Node, host_b: Node) -> None:
    """With the address goes the route that has it as its source; the gateway's own packets get another."""
    gateway_a.ip("address delete 10.1.0.1/24 dev lan")
    eventually(lambda: "10.2.0.0/24 dev evpn-site" in gateway_a.ip("route show"), within=10, what="the route is back")
    gateway_a.ip("address add 10.1.0.1/24 dev lan")
    eventually(lambda: ping(gateway_a, host_b.lan.v4, count=1, wait=0.2).passed, within=10, what="we have an address")
    assert is_whole(ours)


def test_new_keys_as_responder(peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, host_a: Node) -> None:
    """Who was called makes them, too."""
    theirs = peers.strongswan(gateway_b, site.mirrored())
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    theirs.initiate()
    ours.wait_up()

    gateway_a.ip(sa_from(gateway_a, site.remote))

    lan_b = str(site.remote_ts[0]).replace("0/24", "2")
    eventually(lambda: ping(host_a, lan_b, count=1, wait=0.2).passed, within=10, what="traffic flows")


@pytest.mark.parametrize("command", ["delete table inet edgevpn", "flush ruleset"])
def test_the_firewall_comes_back(ours: EdgeVpn, host_a: Node, host_b: Node, command: str) -> None:
    before = ours.node.run("nft", "list", "table", "inet", "edgevpn")
    ours.node.run("nft", command)
    eventually(lambda: "table inet edgevpn" in ours.node.run("nft", "list", "tables"), within=10, what="our table")
    eventually(lambda: is_whole(ours), within=10, what="everything is there again")
    assert len(ours.node.run("nft", "list", "table", "inet", "edgevpn").splitlines()) == len(before.splitlines())
    assert ping(host_a, host_b.lan.v4).passed


def test_it_is_said_and_not_done(ours: EdgeVpn) -> None:
    """What no news tells of: somebody has put there what looks as if it were ours."""
    ours.node.ip("route add 10.80.0.0/16 dev evpn-site proto 101")

    command = "ip route delete 10.80.0.0/16 dev evpn-site proto 101 metric 0"
    assert ours.run("repair", "--dry-run") == f"would do: {command}\n"
    assert "10.80.0.0/16" in ours.node.ip("route show")

    assert ours.run("repair") == f"done: {command}\n"
    assert "10.80.0.0/16" not in ours.node.ip("route show")
    assert ours.run("repair") == WHOLE


THEIRS = (
    f"xfrm state add {ENDS} spi 0x999 reqid 9 mode tunnel aead rfc4106(gcm(aes)) {KEY} 128",
    f"xfrm policy add src 10.66.0.0/16 dst 10.67.0.0/16 dir out tmpl {ENDS} reqid 9 mode tunnel",
    "link add theirs type xfrm dev wan if_id 9",
    "link set theirs addrgenmode none up",
    "address add 10.66.0.1/24 dev theirs",
    "route add 10.67.0.0/16 dev theirs proto static",
    "route add 10.68.0.0/16 dev theirs proto static table 77",
    "rule add to 10.68.0.0/16 lookup 77",
)


@pytest.fixture
def theirs(gateway_a: Node) -> Iterator[Callable[[], tuple[str, ...]]]:
    """Things of somebody else at gateway_a; called, it shows them."""
    gateway_a.ip(*THEIRS)
    gateway_a.nft("table inet theirs {\nchain forward {\ntype filter hook forward priority 5\n}\n}\n")

    def show() -> tuple[str, ...]:
        foreign = [state.text for state in xfrm.states(gateway_a) if state.spi == 0x999]
        policies = [policy.text for policy in xfrm.policies(gateway_a) if policy.source == "10.66.0.0/16"]
        others = ("link show dev theirs", "address show dev theirs", "route show dev theirs", "route show table 77")
        tables = gateway_a.run("nft", "list", "table", "inet", "theirs")
        rule = [line for line in gateway_a.ip("rule show").splitlines() if "10.68.0.0" in line]
        return (*foreign, *policies, *map(gateway_a.ip, others), tables, *rule)

    yield show
    gateway_a.ip("rule delete to 10.68.0.0/16 lookup 77", "link delete theirs", "xfrm state flush", "xfrm policy flush")
    gateway_a.run("nft", "flush ruleset")


def test_what_is_not_ours_is_left_alone(
    theirs: Callable[[], tuple[str, ...]],
    peers: Peers,
    site: Connection,
    gateway_a: Node,
    gateway_b: Node,
    host_a: Node,
    host_b: Node,
) -> None:
    """At start, repair, reload, stop, and at the start after a crash."""
    before = theirs()
    assert len(before) == 8
    peers.strongswan(gateway_b, site.mirrored())
    ours = peers.edgevpn(gateway_a, site_table(site))
    ours.wait_up()
    assert theirs() == before

    ours.node.ip("link delete evpn-site")
    eventually(lambda: ping(host_a, host_b.lan.v4, count=1, wait=0.2).passed, within=10, what="traffic flows")
    ours.node.ip("route add 10.80.0.0/16 dev evpn-site proto 101")
    assert "done: ip route delete 10.80.0.0/16" in ours.run("repair")
    assert theirs() == before

    ours.configure(site_table(site, mtu=1300))
    ours.reload()
    assert theirs() == before

    ours.kill()
    ours.configure(site_table(site, interface="evpn-other"))
    ours.start()
    ours.wait_up()
    assert theirs() == before
    assert "evpn-site" not in ours.node.interfaces()

    ours.stop()
    assert theirs() == before


def test_nothing_happens_by_itself(ours: EdgeVpn, site: Connection) -> None:
    """Start, new keys, a reload and a moment of rest: there is nothing to repair in what we do ourselves."""
    ours.rekey_child()
    ours.configure(site_table(site, mtu=1300))
    ours.reload()
    ours.rekey_child()
    eventually(lambda: len(xfrm.states(ours.node)) == 2, within=15, what="old keys are gone")
    assert is_whole(ours)
    log = ours.log()
    assert "repaired" not in log
    assert "sa_lost" not in log
