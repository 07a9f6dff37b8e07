"""Two sites, one shared key: algorithms, address families, NAT, identities, selectors; edgevpn calls and is called."""

from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.capture import Kind
from tests.lab.conftest import Tunnels
from tests.lab.network import Nat, Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.sites import Family, behind_nat, site_to_site

SUITES = {
    "aes256gcm": ("aes256gcm16-prfsha384-x25519", "aes256gcm16-x25519", "rfc4106(gcm(aes))"),
    "chacha20": ("chacha20poly1305-prfsha256-ecp256", "chacha20poly1305-ecp256", "rfc7539esp(chacha20,poly1305)"),
    "aes256cbc": ("aes256-sha256-prfsha256-modp2048", "aes256-sha256-modp2048", "hmac(sha256)"),
}

IDENTITIES = {
    "address": ("192.0.2.2", "198.51.100.2"),
    "address6": ("2001:db8:a::2", "2001:db8:b::2"),
    "fqdn": ("a.example", "b.example"),
    "email": ("office@a.example", "branch@b.example"),
    "keyid": ("keyid:office", "keyid:branch"),
    "mixed": ("keyid:office", "198.51.100.2"),
}


@pytest.mark.parametrize(("ike", "esp", "algorithm"), SUITES.values(), ids=SUITES)
def test_suite(tunnels: Tunnels, site: Connection, gateway_a: Node, ike: str, esp: str, algorithm: str) -> None:
    tunnel = tunnels.between(replace(site, ike=ike, esp=esp))

    tunnel.up()

    tunnel.assert_carries()
    assert all(algorithm in state.algorithms for state in xfrm.states(gateway_a))


@pytest.mark.parametrize("peer", ["openiked", "openiked-sid"], indirect=True)
def test_openiked(tunnels: Tunnels, site: Connection) -> None:
    """With what it can on Linux."""
    tunnel = tunnels.between(replace(site, esp="aes128-sha512-x25519"))

    tunnel.up()

    tunnel.assert_carries()
    tunnel.ours.terminate()
    tunnel.wait_gone()


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
def test_families(tunnels: Tunnels, network: Network, outer: Family, inner: Family) -> None:
    tunnel = tunnels.between(site_to_site(network, outer=outer, inner=inner))

    tunnel.up()

    tunnel.assert_carries(inner)


@pytest.mark.parametrize("hidden", [("gateway_a",), ("gateway_b",), ("gateway_a", "gateway_b")], ids="-".join)
def test_nat(tunnels: Tunnels, network: Network, site: Connection, hidden: tuple[str, ...]) -> None:
    """A gateway behind NAT, or both; the router in front hands on what comes to its IKE ports."""
    nats = [Nat(network, name) for name in hidden]
    tunnel = tunnels.between(*behind_nat(network, site, *hidden))

    tunnel.up()

    tunnel.assert_carries(esp=Kind.ESP_IN_UDP)
    for nat in nats:
        nat.remove()


@pytest.mark.parametrize("ids", IDENTITIES.values(), ids=IDENTITIES)
def test_identities(tunnels: Tunnels, site: Connection, ids: tuple[str, str]) -> None:
    tunnel = tunnels.between(replace(site, local_id=ids[0], remote_id=ids[1]))

    tunnel.up()

    tunnel.assert_carries()


def test_narrowing_by_the_peer(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    """We would have taken more than the peer has behind it."""
    tunnel = tunnels.between(replace(site, remote_ts=("10.2.0.0/16",)), site.mirrored())

    tunnel.up()

    tunnel.assert_carries()
    assert selectors(gateway_a) == {("10.1.0.0/24", "10.2.0.0/24")}


def test_narrowing_by_us(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    """The peer would have taken more than we have behind us."""
    tunnel = tunnels.between(site, replace(site.mirrored(), remote_ts=("10.1.0.0/16",)))

    tunnel.up()

    tunnel.assert_carries()
    assert selectors(gateway_a) == {("10.1.0.0/24", "10.2.0.0/24")}


def selectors(node: Node) -> set[tuple[str, str]]:
    return {(policy.source, policy.destination) for policy in xfrm.policies(node) if policy.direction == "out"}
