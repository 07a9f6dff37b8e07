"""New keys under traffic: a ping every 20 ms, and none is lost by us."""

from dataclasses import replace

import pytest

from tests.lab.conftest import Tunnels
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.peer import eventually
from tests.lab.traffic import pinging
from tests.lab.tunnel import Side


@pytest.mark.parametrize("who", ["ours", "theirs"])
@pytest.mark.parametrize("esp", ["aes128gcm16-x25519", "aes128gcm16"], ids=["pfs", "no-pfs"])
def test_child_rekey(tunnels: Tunnels, site: Connection, host_a: Node, host_b: Node, who: Side, esp: str) -> None:
    tunnel = tunnels.between(replace(site, esp=esp))
    tunnel.up()
    old = tunnel.sas()

    with pinging(host_a, host_b.lan.v4) as echoes:
        tunnel.side(who).rekey_child()
        tunnel.wait_rekeyed(old)

    assert echoes.lost == 0, tunnel.losses()
    tunnel.assert_carries()


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_ike_rekey(tunnels: Tunnels, site: Connection, host_a: Node, host_b: Node, who: Side) -> None:
    """The CHILD SA stays as it is, and can be rekeyed by way of the new IKE SA."""
    tunnel = tunnels.between(site)
    tunnel.up()
    children, ike = tunnel.sas(), tunnel.ours.spis()

    with pinging(host_a, host_b.lan.v4) as echoes:
        tunnel.side(who).rekey_ike()
        eventually(
            lambda: len(now := tunnel.ours.spis()) == 1 and now != ike, within=15, what="one IKE SA, and it is new"
        )
        assert tunnel.sas() == children
        tunnel.ours.rekey_child()
        tunnel.wait_rekeyed(children)

    assert echoes.lost == 0, tunnel.losses()
    tunnel.assert_carries()
