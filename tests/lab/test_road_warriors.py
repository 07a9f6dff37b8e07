"""Phones and laptops of strongSwan's make, behind the home router: addresses, routes, and several of them at once."""

import socket
import time
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.pki.errors import Reason
from tests.lab.capture import Kind, capturing
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node, guest_uplink, home_network
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.traffic import ping, transfer
from tests.lab.visitors import (
    EVERYTHING,
    PASSWORD,
    PHONE,
    PSK,
    ROUTER_V4,
    ROUTER_V6,
    authority_of,
    by_certificate,
    by_password,
    by_psk,
    come_in,
    gateway_table,
    opened,
    reopened,
)

GUESTS = range(1, 11)
OCTETS = 200_000


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """With ten more hosts behind the home router."""
    network = home_network(*map(guest_uplink, GUESTS))
    yield network
    network.close()


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node) -> EdgeVpn:
    return opened(peers, gateway_a, gateway_table())


def test_ten_behind_one_nat(peers: Peers, network: Network, gateway_a: Node, host_a: Node) -> None:
    """Half of them with a password, half with a key of their own; all move traffic at the same time."""
    with_key = {f"guest_{number}": {"login": "psk", "psk": f"{PSK}, of guest {number}"} for number in GUESTS[5:]}
    with_password = {f"guest_{number}": {"password": f"{PASSWORD} {number}"} for number in GUESTS[:5]}
    gateway = opened(peers, gateway_a, gateway_table(with_key | with_password))
    clients = {
        name: peers.strongswan(
            network[name],
            by_psk(gateway, name, with_key[name]["psk"])
            if name in with_key
            else by_password(gateway, name, with_password[name]["password"]),
        )
        for name in (f"guest_{number}" for number in GUESTS)
    }
    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(lambda client: client.initiate("road"), clients.values()))
        list(threads.map(lambda name: transfer(network[name], host_a, host_a.lan.v4, OCTETS), clients))
        list(threads.map(lambda name: transfer(network[name], host_a, host_a.lan.v6, OCTETS), clients))

    sessions = [session for name in clients for session in gateway.device(name)["sessions"]]
    assert len({session["remote"] for session in sessions}) == len(clients)
    assert {session["remote"].partition(":")[0] for session in sessions} == {network["home"].wan.v4}
    assert all(session["bytes_in"] > 2 * OCTETS for session in sessions)
    assert len({address for session in sessions for address in session["addresses"]}) == 2 * len(clients)


# --- the same device twice -----------------------------------------------------------------------------------------


def twice(peers: Peers, phone: Node, laptop: Node, gateway: EdgeVpn) -> tuple[StrongSwan, StrongSwan]:
    """Two clients that say they are the same device; the first is in."""
    first, second = (peers.strongswan(node, by_password(gateway)) for node in (phone, laptop))
    come_in(first, gateway)
    return first, second


def test_both_are_kept(peers: Peers, gateway_a: Node, phone: Node, laptop: Node, host_a: Node) -> None:
    """Each has addresses of its own. That each says that it is the first of its name changes nothing."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"unique": "keep"}))
    first, second = twice(peers, phone, laptop, gateway)
    first.logged("N(INIT_CONTACT)")

    come_in(second, gateway)

    assert len(gateway.device("phone")["sessions"]) == 2
    assert not set(first.addresses("road")) & set(second.addresses("road"))
    assert ping(phone, host_a.lan.v4).passed
    assert ping(laptop, host_a.lan.v4).passed


def test_the_new_one_replaces_the_old(peers: Peers, gateway_a: Node, phone: Node, laptop: Node, host_a: Node) -> None:
    """It takes over its addresses, and they stay its own when the old one is gone."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"unique": "replace"}))
    first, second = twice(peers, phone, laptop, gateway)
    before = first.addresses("road")

    come_in(second, gateway)

    first.wait_down("road")
    assert second.addresses("road") == before == ["10.99.0.2", "fd99::2"]
    (session,) = gateway.device("phone")["sessions"]
    assert session["addresses"] == before
    assert ping(laptop, host_a.lan.v4).passed
    assert ping(laptop, host_a.lan.v6).passed
    assert ping(host_a, before[0]).passed


def test_a_phone_without_mobike_reconnects_elsewhere(peers: Peers, gateway_a: Node, phone: Node, host_a: Node) -> None:
    """As Android 11 does: it forgets its IKE SA without a word and logs in anew, and the LAN finds it where it was."""
    pool = {"v4": "10.1.0.200-10.1.0.210", "v6": None, "proxy": True, "dns": [gateway_a.lan.v4], "unique": "replace"}
    gateway = opened(peers, gateway_a, gateway_table(pool=pool))
    client = peers.strongswan(phone, by_password(gateway, mobike=False))
    come_in(client, gateway)
    before = client.addresses("road")
    assert before[0] == "10.1.0.200"

    client.kill()
    phone.restore()
    client.start()
    come_in(client, gateway)

    assert client.addresses("road") == before
    assert len(gateway.device("phone")["sessions"]) == 1
    assert ping(host_a, "10.1.0.200").passed
    assert ping(phone, host_a.lan.v4).passed


def test_one_device_of_a_pool_is_in_once_only(peers: Peers, gateway_a: Node, phone: Node, laptop: Node) -> None:
    """Though others of the pool may be in twice."""
    gateway = opened(peers, gateway_a, gateway_table({"phone": PHONE | {"unique": "refuse"}}))
    first, second = twice(peers, phone, laptop, gateway)

    with pytest.raises(AssertionError):
        come_in(second, gateway)

    gateway.logged("second-refused")
    assert first.is_up("road")


def test_the_new_one_is_refused(peers: Peers, gateway_a: Node, phone: Node, laptop: Node, host_a: Node) -> None:
    gateway = opened(peers, gateway_a, gateway_table(pool={"unique": "refuse"}))
    first, second = twice(peers, phone, laptop, gateway)

    with pytest.raises(AssertionError):
        come_in(second, gateway)

    gateway.logged("second-refused")
    assert first.is_up("road")
    assert ping(phone, host_a.lan.v4).passed


# --- certificates of the gateway's own CA --------------------------------------------------------------------------


def test_revoked(peers: Peers, gateway_a: Node, phone: Node, host_a: Node) -> None:
    """The session ends within a second, and the next try is refused for that reason."""
    gateway = opened(peers, gateway_a, gateway_table({"laptop": {"login": "certificate", "id": "laptop.example"}}))
    password = gateway.ask("device.reset", name="laptop")["password"]
    file = gateway.ask("device.export", name="laptop", form="p12", secret=password)
    cabinet = Cabinet(peers.state / "certificates")
    proof = cabinet.container(b64decode(file["content"]), password, authority_of(gateway))
    client = peers.strongswan(phone, by_certificate(gateway, proof, "laptop.example"))
    come_in(client, gateway)
    assert ping(phone, host_a.lan.v4).passed

    gateway.ask("device.revoke", name="laptop")

    client.wait_down("road", within=1.0)
    assert gateway.device("laptop")["sessions"] == []
    with pytest.raises(AssertionError):
        client.initiate("road")
    gateway.logged(f"CN=laptop {Reason.BLOCKED.value}")


def test_revoked_by_a_list_of_another_ca(peers: Peers, gateway_a: Node, phone: Node, laptop: Node) -> None:
    """As soon as the file has changed; who is not in it does not notice."""
    cabinet, root = Cabinet(peers.state / "certificates"), authority("Company root")
    owners = {name: holder(f"{name}.example", root) for name in ("phone", "laptop")}
    devices = {name: {"login": "certificate", "id": f"{name}.example"} for name in owners}
    pki = {"trust": [str(cabinet.authority(root))], "crl_files": [str(cabinet.crl(root))]}
    gateway = opened(peers, gateway_a, gateway_table(devices, pki=pki))
    clients = {
        name: peers.strongswan(node, by_certificate(gateway, cabinet.proof(root, owners[name]), f"{name}.example"))
        for name, node in (("phone", phone), ("laptop", laptop))
    }
    for client in clients.values():
        come_in(client, gateway)

    cabinet.crl(root, owners["laptop"])

    clients["laptop"].wait_down("road", within=1.0)
    gateway.logged('device_shown_out device=laptop why="its certificate was revoked"')
    assert gateway.log().count("device_shown_out") == 1
    assert clients["phone"].is_up("road")
    with pytest.raises(AssertionError):
        clients["laptop"].initiate("road")
    gateway.logged(Reason.REVOKED_LEAF.value)


# --- routes --------------------------------------------------------------------------------------------------------


def test_split_tunnel(
    peers: Peers, gateway_a: Node, gateway_b: Node, phone: Node, host_a: Node, internet: Node
) -> None:
    """The client asks for everything and is told what goes through the tunnel; the rest stays outside."""
    networks = [gateway_a.lan.net4, gateway_a.lan.net6]
    gateway = opened(peers, gateway_a, gateway_table(pool={"mode": "split", "networks": networks}))
    client = peers.strongswan(phone, by_password(gateway))

    come_in(client, gateway)

    assert remote_selectors(client) == {*networks, f"{ROUTER_V4}/32", f"{ROUTER_V6}/128"}  # it asks for names there
    assert ping(phone, ROUTER_V4).passed
    assert ping(phone, host_a.lan.v4).passed
    assert ping(phone, host_a.lan.v6).passed
    with capturing(internet, "a") as seen:
        assert ping(phone, gateway_b.wan.v4).passed
        assert ping(phone, gateway_b.wan.v6).passed
    assert not seen.of(Kind.ESP_IN_UDP)


def test_split_tunnel_of_one_device(peers: Peers, gateway_a: Node, phone: Node) -> None:
    devices = {"phone": PHONE | {"mode": "split", "networks": [gateway_a.lan.net4]}}
    gateway = opened(peers, gateway_a, gateway_table(devices))
    client = peers.strongswan(phone, by_password(gateway))

    come_in(client, gateway)

    assert remote_selectors(client) == {gateway_a.lan.net4, f"{ROUTER_V4}/32", f"{ROUTER_V6}/128"}


def test_full_tunnel_to_the_internet(
    peers: Peers, gateway: EdgeVpn, gateway_b: Node, phone: Node, internet: Node
) -> None:
    """Under the gateway's address, and nothing beside the tunnel."""
    client = peers.strongswan(phone, by_password(gateway))
    come_in(client, gateway)

    with capturing(internet, "home") as outside, capturing(internet, "b") as beyond:
        assert ping(phone, gateway_b.wan.v4).passed
        assert ping(phone, gateway_b.wan.v6).passed

    assert not outside.strays()
    askers = {frame.source for frame in beyond.of(Kind.OTHER)}
    assert askers == {gateway.node.wan.v4, gateway.node.wan.v6, gateway_b.wan.v4, gateway_b.wan.v6}


def test_a_pool_without_ipv6_takes_it_all_the_same(
    peers: Peers, gateway_a: Node, gateway_b: Node, phone: Node, internet: Node
) -> None:
    """It does not get out beside the tunnel; it is turned away at once, so that its user does not wait."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"v6": None}))
    client = peers.strongswan(phone, by_password(gateway))
    assert ping(phone, gateway_b.wan.v6).passed

    come_in(client, gateway)

    v4, v6 = client.addresses("road")
    assert (v4, ip_address(v6) in ip_network("fd00::/8")) == ("10.99.0.2", True)
    assert remote_selectors(client) == set(EVERYTHING)
    with capturing(internet, "home") as outside:
        assert ping(phone, gateway_b.wan.v4).passed
        began = time.monotonic()
        with phone.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock, pytest.raises(PermissionError):
            sock.connect((gateway_b.wan.v6, 7777))
        assert time.monotonic() - began < 3  # here the first answer comes before connect() has let go of its socket
    assert not outside.strays()


def test_ipv6_that_its_owner_lets_pass(peers: Peers, gateway_a: Node, gateway_b: Node, phone: Node) -> None:
    gateway = opened(peers, gateway_a, gateway_table(pool={"v6": None}, firewall={"reject_v6": False}))
    client = peers.strongswan(phone, by_password(gateway))

    come_in(client, gateway)

    assert client.addresses("road") == ["10.99.0.2"]
    assert ping(phone, gateway_b.wan.v6).passed


# --- addresses -----------------------------------------------------------------------------------------------------


def test_fixed_addresses(peers: Peers, gateway_a: Node, phone: Node) -> None:
    devices = {"phone": PHONE | {"v4": "10.99.0.77", "v6": "fd99::77"}}
    gateway = opened(peers, gateway_a, gateway_table(devices))
    client = peers.strongswan(phone, by_password(gateway))

    come_in(client, gateway)

    assert client.addresses("road") == ["10.99.0.77", "fd99::77"]


def test_the_prefix_of_the_provider(peers: Peers, gateway_a: Node, phone: Node) -> None:
    """Devices have addresses out of it; when it changes they come in anew and have others."""
    pool = {"v6": "::9:0:0:0/80", "v6_prefix_of": "lan", "proxy": True}
    gateway_a.ip("address add 2001:db8:aa::1/64 dev lan nodad")
    gateway = opened(peers, gateway_a, gateway_table(pool=pool))
    client = peers.strongswan(phone, by_password(gateway))
    come_in(client, gateway)
    assert client.addresses("road") == ["10.99.0.2", "2001:db8:aa:0:9::2"]
    assert ping(phone, "2001:db8:aa:0:9::1").passed

    gateway_a.ip("address add 2001:db8:bb::1/64 dev lan nodad", "address delete 2001:db8:aa::1/64 dev lan")

    client.wait_down("road")
    gateway.logged("prefix_changed v6=2001:db8:bb:0:9::/80")
    come_in(client, gateway)
    assert client.addresses("road") == ["10.99.0.2", "2001:db8:bb:0:9::2"]
    assert ping(phone, "2001:db8:bb:0:9::1").passed


def test_a_lease_survives_a_restart(peers: Peers, gateway: EdgeVpn, phone: Node, laptop: Node) -> None:
    first, second = (
        peers.strongswan(phone, by_password(gateway)),
        peers.strongswan(laptop, by_psk(gateway)),
    )
    come_in(first, gateway)
    come_in(second, gateway)
    before = first.addresses("road"), second.addresses("road")
    assert before == (["10.99.0.2", "fd99::2"], ["10.99.0.3", "fd99::3"])

    gateway.stop()
    first.wait_down("road")
    reopened(gateway)

    come_in(second, gateway)
    come_in(first, gateway)
    assert (first.addresses("road"), second.addresses("road")) == before


def test_a_lease_survives_a_power_cut(peers: Peers, gateway: EdgeVpn, phone: Node, laptop: Node) -> None:
    """Nobody is told; what was written is read, though a later write was cut short."""
    first = peers.strongswan(phone, by_password(gateway))
    come_in(first, gateway)
    assert first.addresses("road") == ["10.99.0.2", "fd99::2"]
    leases = gateway.state / "state" / "leases.json"
    eventually(lambda: leases.exists() and '"10.99.0.2"' in leases.read_text(), within=5, what="the lease is written")

    gateway.kill()
    first.kill()
    phone.restore()
    (leases.parent / "leases.json.new").write_text('{"version": 1, "poo')
    reopened(gateway)

    come_in(peers.strongswan(laptop, by_psk(gateway)), gateway)
    first.start()
    come_in(first, gateway)
    assert first.addresses("road") == ["10.99.0.2", "fd99::2"]


def test_a_pool_that_has_no_address_left(peers: Peers, gateway_a: Node, phone: Node, laptop: Node) -> None:
    pool = {"v4": "10.99.0.10", "v6": None, "router": ["10.99.0.1"]}
    gateway = opened(peers, gateway_a, gateway_table(pool=pool))
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)
    late = peers.strongswan(laptop, by_psk(gateway))

    with pytest.raises(AssertionError):
        late.initiate("road")

    late.logged("INTERNAL_ADDRESS_FAILURE")
    gateway.logged("no-address")


def test_addresses_inside_the_lan(peers: Peers, gateway_a: Node, phone: Node, host_a: Node) -> None:
    """The gateway answers ARP and neighbour discovery for the device, while it is in."""
    pool = {
        "v4": "10.1.0.200-10.1.0.210",
        "v6": "fd00:1::200-fd00:1::210",
        "proxy": True,
        "dns": [gateway_a.lan.v4],
    }
    gateway = opened(peers, gateway_a, gateway_table(pool=pool))
    client = peers.strongswan(phone, by_password(gateway))

    come_in(client, gateway)

    assert client.addresses("road") == ["10.1.0.200", "fd00:1::200"]
    assert ping(host_a, "10.1.0.200").passed
    assert ping(host_a, "fd00:1::200").passed
    assert ping(phone, host_a.lan.v4).passed
    client.terminate("road")
    host_a.ip("neighbour flush dev lan")
    assert ping(host_a, "10.1.0.200", wait=0.5).lost == 3


def remote_selectors(client: StrongSwan) -> set[str]:
    """What goes through a client's tunnel."""
    return {
        selector.decode()
        for _, sa in client.sas()
        for child in sa["child-sas"].values()
        for selector in child["remote-ts"]
    }
