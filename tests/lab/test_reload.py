"""A changed configuration is applied as a difference: tunnels that it does not name go on."""

from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.sites import site_to_home
from tests.lab.traffic import ping, pinging


@pytest.fixture
def second(network: Network) -> Connection:
    return site_to_home(network)


@pytest.fixture
def gateway(
    peers: Peers, site: Connection, second: Connection, gateway_a: Node, gateway_b: Node, home: Node
) -> EdgeVpn:
    """Edgevpn at gateway_a with two tunnels up, one of them to the home router."""
    peers.strongswan(gateway_b, site.mirrored())
    peers.strongswan(home, second.mirrored())
    gateway = peers.edgevpn(gateway_a, site_table(site) + site_table(second))
    gateway.wait_up(site.name)
    gateway.wait_up(second.name)
    return gateway


def spis(gateway: EdgeVpn, name: str) -> set[str]:
    """SPIs of a site's CHILD SAs."""
    return {child["spi_in"] for ike in gateway.site(name)["ike"] for child in ike["children"]}


def test_a_site_is_removed(gateway: EdgeVpn, site: Connection, second: Connection, host_a: Node, host_b: Node) -> None:
    kept, removed = spis(gateway, site.name), spis(gateway, second.name)

    with pinging(host_a, host_b.lan.v4) as echoes:
        gateway.configure(site_table(site))
        gateway.reload()

    assert echoes.lost == 0
    assert [each["name"] for each in gateway.report()["sites"]] == [site.name]
    assert spis(gateway, site.name) == kept
    assert removed.isdisjoint(f"{spi:08x}" for spi in xfrm.spis(gateway.node))
    assert "evpn-home" not in gateway.node.interfaces()


def test_a_site_is_changed(
    gateway: EdgeVpn, site: Connection, second: Connection, host_a: Node, host_b: Node, phone: Node
) -> None:
    kept, changed = spis(gateway, site.name), spis(gateway, second.name)

    with pinging(host_a, host_b.lan.v4) as echoes:
        wider = replace(second, local_ts=(*second.local_ts, "10.1.7.0/24"))
        gateway.configure(site_table(site) + site_table(wider))
        gateway.reload()
        eventually(lambda: not changed & spis(gateway, second.name), within=15, what="the tunnel is made anew")
        gateway.wait_up(second.name)

    assert echoes.lost == 0
    assert spis(gateway, site.name) == kept
    assert ping(host_a, phone.wan.v4).passed


def test_what_holds_from_the_next_rekeying_on_drops_nothing(
    gateway: EdgeVpn, site: Connection, second: Connection
) -> None:
    before = spis(gateway, second.name)

    gateway.configure(site_table(site) + site_table(second, esp_rekey_time="30m"))
    gateway.reload()

    assert spis(gateway, second.name) == before


def test_a_site_is_added(
    gateway: EdgeVpn, site: Connection, second: Connection, host_a: Node, host_b: Node, phone: Node
) -> None:
    gateway.configure(site_table(site))
    gateway.reload()
    kept = spis(gateway, site.name)

    with pinging(host_a, host_b.lan.v4) as echoes:
        gateway.configure(site_table(site) + site_table(second))
        gateway.reload()
        gateway.wait_up(second.name)

    assert echoes.lost == 0
    assert spis(gateway, site.name) == kept
    assert ping(host_a, phone.wan.v4).passed


def test_a_bad_file_changes_nothing(gateway: EdgeVpn, site: Connection, host_a: Node, host_b: Node) -> None:
    kept = spis(gateway, site.name)

    gateway.configure(site_table(site, mobike="sometimes"))
    gateway.reload()

    assert spis(gateway, site.name) == kept
    assert ping(host_a, host_b.lan.v4).passed
