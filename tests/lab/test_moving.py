"""Addresses that change under a tunnel: MOBIKE (RFC 4555), NAT that forgets, and who moves behind one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.lab.capture import Kind
from tests.lab.conftest import Tunnels
from tests.lab.network import Nat, Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.peer import eventually
from tests.lab.sites import behind_nat
from tests.lab.traffic import ping, pinging
from tests.lab.tunnel import Tunnel

MOVES = 10
IN_FLIGHT = 25
"""Pings in a row that a move may cost, of one every 20 ms: half a second."""


@pytest.fixture
def settled(gateway_a: Node, gateway_b: Node) -> Iterator[None]:
    """The gateways have their own addresses again afterwards."""
    before = [(node, node.wan.v4) for node in (gateway_a, gateway_b)]
    yield
    for node, address in before:
        if node.wan.v4 != address:
            node.readdress("wan", v4=address)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_we_move(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    """Ten other addresses, one IKE SA."""
    tunnel = tunnels.between(replace(site, local=""), site.mirrored(remote=""))
    tunnel.up()

    with unbroken(tunnel):
        for address in other_addresses(gateway_a):
            gateway_a.readdress("wan", v4=address)
            wait_through(tunnel)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("role", ["responder"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_the_peer_moves(tunnels: Tunnels, site: Connection, gateway_b: Node) -> None:
    tunnel = tunnels.between(replace(site, remote=""), site.mirrored(local=""))
    tunnel.up()

    with unbroken(tunnel):
        for address in other_addresses(gateway_b):
            gateway_b.readdress("wan", v4=address)
            wait_through(tunnel)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_behind_a_nat_and_out_again(network: Network, tunnels: Tunnels, site: Connection) -> None:
    """Who called moves; ESP goes in UDP as long as the NAT is there."""
    if tunnels.role == "initiator":
        mover, ends = network["gateway_a"], (replace(site, local=""), site.mirrored(remote=""))
    else:
        mover, ends = network["gateway_b"], (replace(site, remote=""), site.mirrored(local=""))
    tunnel = tunnels.between(*ends)
    tunnel.up()
    tunnel.assert_carries()

    with unbroken(tunnel):
        nat = Nat(network, mover.name)
        mover.readdress("wan", v4=other_addresses(mover)[0])
        wait_through(tunnel, mover.name)
    tunnel.assert_carries(esp=Kind.ESP_IN_UDP)

    with unbroken(tunnel):
        nat.remove()
        mover.readdress("wan", v4=other_addresses(mover)[1])
        wait_through(tunnel, mover.name)
    tunnel.assert_carries()


@pytest.mark.parametrize("mobike", [True, False], ids=["mobike", "no-mobike"])
def test_nat_forgets(network: Network, tunnels: Tunnels, site: Connection, *, mobike: bool) -> None:
    """The NAT in front of who called gives it another port: the other side follows what is authentic."""
    hidden = "gateway_a" if tunnels.role == "initiator" else "gateway_b"
    nat = Nat(network, hidden)
    tunnel = tunnels.between(*behind_nat(network, replace(site, mobike=mobike), hidden))
    tunnel.up()

    with unbroken(tunnel):
        for _ in range(3):
            nat.rebind()
            wait_through(tunnel, hidden)
    nat.remove()


@contextmanager
def unbroken(tunnel: Tunnel) -> Iterator[None]:
    """All through the block pings go on, few in a row are lost, and there is no new handshake."""
    ike = tunnel.ours.spis()
    with pinging(tunnel.network["host_a"], tunnel.network["host_b"].lan.v4) as echoes:
        yield
    assert tunnel.ours.spis() == ike
    assert echoes.longest_gap() <= IN_FLIGHT, tunnel.losses()


def wait_through(tunnel: Tunnel, gateway: str = "gateway_a") -> None:
    """Wait until pings pass from the LAN behind a gateway to the other."""
    here, there = ("host_a", "host_b") if gateway == "gateway_a" else ("host_b", "host_a")
    source, target = tunnel.network[here], tunnel.network[there].lan.v4
    eventually(lambda: ping(source, target, wait=0.1).passed, within=15, what=f"pings pass, {tunnel.losses()}")


def other_addresses(node: Node) -> list[str]:
    """As many others on the WAN as there are moves."""
    prefix = node.wan.v4.rpartition(".")[0]
    return [f"{prefix}.{number}" for number in range(101, 101 + MOVES)]
