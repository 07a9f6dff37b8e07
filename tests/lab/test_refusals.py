"""Peers that cannot agree: the caller learns why, and nothing is left behind."""

from dataclasses import replace

import pytest

from tests.lab.conftest import Tunnels
from tests.lab.holdings import assert_holds, holdings
from tests.lab.network import Node
from tests.lab.peers.connection import Connection, Psk
from tests.lab.peers.peer import eventually
from tests.lab.tunnel import Tunnel


def assert_refused(tunnel: Tunnel, node: Node, reason: str) -> None:
    """The call fails for this reason, and our kernel holds afterwards what it held before."""
    before = holdings(node)

    tunnel.initiator.begin()

    tunnel.initiator.logged(reason)
    eventually(lambda: not any(sa.children for sa in tunnel.ours.status()), within=5, what="no CHILD SA")
    assert_holds(node, before)


def test_wrong_key(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    tunnel = tunnels.between(site, replace(site.mirrored(), auth=Psk("another")))

    assert_refused(tunnel, gateway_a, "AUTHENTICATION_FAILED")

    eventually(lambda: not tunnel.ours.status(), within=5, what="no IKE SA")


def test_unknown_identity(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    tunnel = tunnels.between(site, replace(site.mirrored(), local_id="stranger.example", remote_id="nobody.example"))

    assert_refused(tunnel, gateway_a, "AUTHENTICATION_FAILED")

    eventually(lambda: not tunnel.ours.status(), within=5, what="no IKE SA")


def test_no_common_ike_proposal(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    tunnel = tunnels.between(site, replace(site.mirrored(), ike="aes256-sha512-prfsha512-ecp384"))

    assert_refused(tunnel, gateway_a, "NO_PROPOSAL_CHOSEN")

    eventually(lambda: not tunnel.ours.status(), within=5, what="no IKE SA")


def test_no_common_esp_proposal(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    tunnel = tunnels.between(site, replace(site.mirrored(), esp="aes256-sha512"))

    assert_refused(tunnel, gateway_a, "NO_PROPOSAL_CHOSEN")


def test_no_common_selectors(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    tunnel = tunnels.between(site, replace(site.mirrored(), local_ts=("10.77.0.0/24",)))

    assert_refused(tunnel, gateway_a, "TS_UNACCEPTABLE")


@pytest.mark.parametrize("role", ["initiator"], indirect=True)
def test_wrong_key_is_told_to_who_asked(tunnels: Tunnels, site: Connection) -> None:
    tunnel = tunnels.between(site, replace(site.mirrored(), auth=Psk("another")))

    with pytest.raises(AssertionError, match="AUTHENTICATION_FAILED"):
        tunnel.ours.initiate()
