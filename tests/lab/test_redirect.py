"""A gateway that sends who has called elsewhere (RFC 5685): we go, and the tunnel is up again there."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.traffic import ping

ELSEWHERE = {"IPv4": "198.51.100.77", "IPv6": "2001:db8:b::77"}


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, gateway_b: Node) -> Iterator[str]:
    """The other gateway: another address, at which the same daemon answers."""
    address: str = request.param
    prefix = f"{address}/24" if "." in address else f"{address}/64"
    gateway_b.ip(f"address add {prefix} dev wan" + (" nodad" if ":" in address else ""))
    yield address
    gateway_b.ip(f"address delete {prefix} dev wan")


def where(ours: EdgeVpn) -> set[str]:
    """Whom we have tunnels with."""
    return {ike["remote"].rpartition(":")[0].strip("[]") for ike in ours.site()["ike"] if ike["children"]}


@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE, indirect=True)
def test_sent_elsewhere(
    peers: Peers, site: Connection, elsewhere: str, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node
) -> None:
    """SK {N(REDIRECT)}  <--  and we close, call the other, and say from where we come."""
    theirs = peers.strongswan(gateway_b, site.mirrored(local="", remote=""))
    ours = peers.edgevpn(gateway_a, site_table(replace(site, local=""), start="load"))
    ours.wait_up()
    assert where(ours) == {gateway_b.wan.v4}

    theirs.redirect(elsewhere)

    eventually(lambda: where(ours) == {elsewhere}, within=15, what="the tunnel is up there")
    theirs.logged("REDIR_FROM")
    assert ping(host_a, host_b.lan.v4).passed
    assert ping(host_b, host_a.lan.v4).passed
    assert len(ours.site()["ike"]) == 1
