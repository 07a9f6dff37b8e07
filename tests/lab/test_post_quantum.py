"""Further key exchanges, ML-KEM among them: with sid's strongSwan, and beside peers that do not know them.

`tests/lab/install newer` makes that peer; RFC 9242, RFC 9370.
"""

from dataclasses import replace

import pytest

from edgevpn.config.tunnel import IKE_PROPOSALS
from tests.lab.conftest import Tunnels
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.traffic import pinging
from tests.lab.tunnel import Side, Tunnel

CLASSIC = "aes256gcm16-prfsha384-x25519"
HYBRID = f"{CLASSIC}-ke1_mlkem768"
PFS = "aes128gcm16-x25519-ke1_mlkem768"

NEWER = pytest.mark.parametrize("peer", ["strongswan-sid"], indirect=True)


def suites(tunnel: Tunnel) -> tuple[str, str]:
    """What protects the IKE SA and its child, as we tell it."""
    assert isinstance(tunnel.ours, EdgeVpn)
    (ike,) = tunnel.ours.site()["ike"]
    (child,) = ike["children"]
    return ike["suite"], child["suite"]


@NEWER
@pytest.mark.parametrize("more", ["ke1_mlkem768", "ke1_mlkem1024", "ke1_ecp384-ke2_mlkem768"])
def test_suite(tunnels: Tunnels, site: Connection, more: str) -> None:
    tunnel = tunnels.between(replace(site, ike=f"{CLASSIC}-{more}"))

    tunnel.up()

    assert suites(tunnel)[0] == f"{CLASSIC}-{more}"
    tunnel.assert_carries()
    tunnel.ours.terminate()
    tunnel.wait_gone()


@NEWER
@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_rekeying(tunnels: Tunnels, site: Connection, host_a: Node, host_b: Node, who: Side) -> None:
    """Of the IKE SA, then of the child, with ML-KEM in both; nothing is lost."""
    tunnel = tunnels.between(replace(site, ike=HYBRID, esp=PFS))
    tunnel.up()
    children, ike = tunnel.sas(), tunnel.ours.spis()

    with pinging(host_a, host_b.lan.v4) as echoes:
        tunnel.side(who).rekey_ike()
        eventually(lambda: len(now := tunnel.ours.spis()) == 1 and now != ike, within=15, what="another IKE SA")
        assert tunnel.sas() == children
        tunnel.side(who).rekey_child()
        tunnel.wait_rekeyed(children)

    assert suites(tunnel) == (HYBRID, f"{PFS}-noesn")
    assert echoes.lost == 0, tunnel.losses()
    tunnel.assert_carries()
    assert "IKE_FOLLOWUP_KE" in tunnel.theirs.log()


@pytest.mark.parametrize("peer", ["strongswan", "strongswan-sid", "libreswan", "openiked"], indirect=True)
def test_peer_that_does_without(tunnels: Tunnels, site: Connection) -> None:
    """What it does not know, or is not to use, stands in a proposal of its own, before the one that it takes."""
    site = replace(site, ike=CLASSIC, esp="aes128-sha512-x25519")
    tunnel = tunnels.between(site, ike_proposals=IKE_PROPOSALS)

    tunnel.up()

    assert suites(tunnel)[0] == CLASSIC
    tunnel.assert_carries()


@NEWER
def test_as_built_in(tunnels: Tunnels, site: Connection) -> None:
    """Nobody has to ask us for it."""
    tunnel = tunnels.between(replace(site, ike=f"{HYBRID}, {CLASSIC}"), ike_proposals=IKE_PROPOSALS)

    tunnel.up()

    assert suites(tunnel)[0] == HYBRID
    tunnel.assert_carries()


@NEWER
def test_narrow_path(tunnels: Tunnels, site: Connection, internet: Node) -> None:
    """The messages of ML-KEM-1024 come in fragments (RFC 7383), so that none is longer than the path carries."""
    for link in ("a", "b"):
        internet.ip(f"link set dev {link} mtu 1280")
    tunnel = tunnels.between(replace(site, ike=f"{CLASSIC}-ke1_mlkem1024"))

    tunnel.up()

    assert suites(tunnel)[0].endswith("-ke1_mlkem1024")
    for link in ("a", "b"):
        internet.ip(f"link set dev {link} mtu 1500")
