"""What is agreed on in passing: another key exchange than guessed, ESN, a late first child, UDP by choice; and loss."""

import re
from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.capture import Kind
from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.sites import Family, site_to_site
from tests.lab.tunnel import Tunnel


@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_another_key_exchange_than_guessed(tunnels: Tunnels, site: Connection) -> None:
    """INVALID_KE_PAYLOAD, in IKE_SA_INIT and at the first rekeying with PFS."""
    caller = replace(site, ike="aes128gcm16-prfsha256-x25519-ecp256", esp="aes128gcm16-x25519-ecp256")
    other = replace(site, ike="aes128gcm16-prfsha256-ecp256", esp="aes128gcm16-ecp256")
    a, b = (caller, other) if tunnels.role == "initiator" else (other, caller)
    tunnel = tunnels.between(a, b.mirrored())

    tunnel.up()

    tunnel.assert_carries()
    old = tunnel.sas()
    tunnel.initiator.rekey_child()
    tunnel.wait_rekeyed(old)
    tunnel.assert_carries()


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
@pytest.mark.parametrize("esn", [True, False], ids=["esn", "no-esn"])
def test_extended_sequence_numbers(tunnels: Tunnels, site: Connection, gateway_a: Node, *, esn: bool) -> None:
    """We can do with and without; the peer wants one of them."""
    tunnel = tunnels.between(site, site.mirrored(esp=site.esp + ("-esn" if esn else "-noesn")))

    tunnel.up()

    tunnel.assert_carries()
    assert {bool(re.search(r"flag .*\besn\b", state.text)) for state in xfrm.states(gateway_a)} == {esn}


def test_the_ike_sa_first(network: Network, peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node) -> None:
    """RFC 6023: no child in IKE_AUTH; it comes by CREATE_CHILD_SA, with a key exchange of its own."""
    theirs = peers.strongswan(gateway_b, site.mirrored(), connection_options={"childless": "force"})
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait", childless="force"))
    tunnel = Tunnel(network, ours, theirs, initiator=ours)

    tunnel.up()

    tunnel.assert_carries()
    assert "parsed CREATE_CHILD_SA request" in theirs.log()


@pytest.mark.parametrize("outer", [4, 6])
def test_udp_by_choice(network: Network, tunnels: Tunnels, internet: Node, outer: Family) -> None:
    """Something on the way drops ESP; with `encap` it goes in UDP, though there is no NAT."""
    internet.nft(
        "table inet no_esp { chain forward { type filter hook forward priority 0\nmeta l4proto esp drop\n}\n}\n"
    )
    tunnel = tunnels.between(replace(site_to_site(network, outer=outer), encap=True))

    tunnel.up()

    tunnel.assert_carries(esp=Kind.ESP_IN_UDP)
    internet.nft("delete table inet no_esp\n")


@pytest.mark.parametrize("peer", ["strongswan", "libreswan", "edgevpn"], indirect=True)
def test_a_bad_link(tunnels: Tunnels, site: Connection, gateway_a: Node, gateway_b: Node) -> None:
    """A tenth of all packets is lost each way, some come twice or late; questions are repeated until it works.

    With more, chance would let a peer give up now and then: each repeats a question five times.
    """
    tunnel = tunnels.between(site)
    bad = [(node, "loss 10% duplicate 10% delay 20ms 10ms") for node in (gateway_a, gateway_b)]

    for node, discipline in bad:
        node.impair("wan", discipline)
    tunnel.up()
    old = tunnel.sas()
    tunnel.ours.rekey_child()
    tunnel.wait_new_keys(old)
    for node, _ in bad:
        node.impair("wan", "")

    tunnel.wait_settled()
    tunnel.assert_carries()
