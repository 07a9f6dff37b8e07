"""The lab proves itself: daemons that are not ours, tunnels through the kernel, nothing in clear."""

from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.capture import Kind, capturing
from tests.lab.conftest import Peers
from tests.lab.network import Nat, Network, Node
from tests.lab.peers.connection import ANY_V4, Connection, Psk
from tests.lab.sites import Family, site_to_site
from tests.lab.traffic import ping, pinging, transfer


def test_no_way_without_a_tunnel(host_a: Node, host_b: Node) -> None:
    assert ping(host_a, host_b.lan.v4, wait=0.2).lost == 3


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
def test_strongswan_to_strongswan(
    network: Network,
    peers: Peers,
    gateway_a: Node,
    gateway_b: Node,
    host_a: Node,
    host_b: Node,
    internet: Node,
    outer: Family,
    inner: Family,
) -> None:
    a = site_to_site(network, outer=outer, inner=inner)
    here = peers.strongswan(gateway_a, a)
    there = peers.strongswan(gateway_b, a.mirrored())

    with capturing(internet, "a") as seen:
        here.initiate()
        assert there.is_up()
        assert ping(host_a, host_b.lan.v4 if inner == 4 else host_b.lan.v6).passed

    assert not seen.strays()
    assert seen.kinds()[Kind.ISAKMP] >= 4  # a slow machine repeats a request
    assert seen.kinds()[Kind.ESP] == 6
    assert {state.algorithms for state in xfrm.states(gateway_a)} == {("rfc4106(gcm(aes))",)}


def test_strongswan_to_libreswan(
    network: Network, peers: Peers, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    a = site_to_site(network)
    here = peers.strongswan(gateway_a, a)
    there = peers.libreswan(gateway_b, a.mirrored())

    here.initiate()
    assert there.is_up()
    assert ping(host_b, host_a.lan.v4).passed

    here.terminate()
    there.wait_down()
    there.initiate()
    assert here.is_up()
    assert ping(host_a, host_b.lan.v4).passed


def test_strongswan_to_openiked(
    network: Network, peers: Peers, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    a = replace(site_to_site(network), esp="aes128-sha512-x25519")
    here = peers.strongswan(gateway_a, a)
    there = peers.openiked(gateway_b, a.mirrored())

    here.initiate()
    there.wait_up()
    assert ping(host_a, host_b.lan.v4).passed

    here.terminate()
    there.wait_down()
    there.initiate()
    assert here.is_up()
    assert ping(host_b, host_a.lan.v4).passed


def test_both_gateways_behind_nat(
    network: Network, peers: Peers, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node, internet: Node
) -> None:
    nats = [Nat(network, "gateway_a"), Nat(network, "gateway_b")]
    a = site_to_site(network)
    here = peers.strongswan(gateway_a, a.mirrored().mirrored(remote=gateway_a.wan.far4))
    there = peers.strongswan(gateway_b, a.mirrored(remote=gateway_b.wan.far4))

    with capturing(internet, "b") as seen:
        here.initiate()
        assert there.is_up()
        assert ping(host_a, host_b.lan.v4).passed

    assert not seen.strays()
    assert seen.kinds()[Kind.ESP_IN_UDP] == 6
    assert gateway_a.wan.v4 not in {frame.source for frame in seen.frames}
    for nat in nats:
        nat.remove()


def test_road_warrior(peers: Peers, gateway_a: Node, host_a: Node, phone: Node) -> None:
    gateway = Connection(
        local=gateway_a.wan.v4,
        local_id="a.example",
        remote_id="phone",
        auth=Psk("of the phone"),
        local_ts=(gateway_a.lan.net4,),
        pools=("10.99.0.0/24",),
    )
    client = gateway.mirrored(local=phone.wan.v4, pools=(), request_addresses=(ANY_V4,))
    peers.strongswan(gateway_a, gateway)

    peers.strongswan(phone, client).initiate()

    assert ping(phone, host_a.lan.v4).passed


def test_traffic_goes_on_while_rekeying(
    network: Network, peers: Peers, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    a = site_to_site(network)
    here = peers.strongswan(gateway_a, a)
    peers.strongswan(gateway_b, a.mirrored())
    here.initiate()
    before = {state.spi for state in xfrm.states(gateway_a)}

    with pinging(host_a, host_b.lan.v4) as echoes:
        here.rekey_child()
        here.logged("outbound CHILD_SA site{2} established")

    assert echoes.lost == 0, xfrm.errors(gateway_a) | xfrm.errors(gateway_b)
    assert {state.spi for state in xfrm.states(gateway_a)} != before
    assert transfer(host_a, host_b, host_b.lan.v4, 1_000_000) > 0


def test_peer_that_falls_silent_is_missed(network: Network, peers: Peers, gateway_a: Node, gateway_b: Node) -> None:
    a = site_to_site(network)
    here = peers.strongswan(gateway_a, a)
    there = peers.strongswan(gateway_b, a.mirrored())
    here.initiate()

    there.kill()
    gateway_b.restore()
    assert here.is_up()
    assert not xfrm.states(gateway_b)
