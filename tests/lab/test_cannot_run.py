"""`edgevpn run` where it cannot: one sentence with the cure, exit status 1, and nothing left behind."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.conftest import Peers
from tests.lab.holdings import assert_holds, holdings
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table

NETLINK_XFRM = 6
WITHOUT_XFRM = (sys.executable, "-m", "tests.lab.refused_socket", str(NETLINK_XFRM))


@pytest.fixture
def edgevpn(peers: Peers, site: Connection, gateway_a: Node) -> EdgeVpn:
    return peers.edgevpn_at_rest(gateway_a, site_table(site))


def assert_refuses(edgevpn: EdgeVpn, *wrapper: str, why: str, cure: str) -> None:
    before = holdings(edgevpn.node)

    status, output = edgevpn.run_to_end(*wrapper)

    assert status == 1, output
    assert output.startswith("edgevpn: ")
    assert output.count("\n") == 1, output
    assert why in output
    assert cure in output
    assert_holds(edgevpn.node, before)


@pytest.mark.parametrize("right", ["net_admin", "net_bind_service"])
def test_without_rights(edgevpn: EdgeVpn, right: str) -> None:
    wrapper = ("setpriv", f"--bounding-set=-{right}", f"--inh-caps=-{right}")

    assert_refuses(edgevpn, *wrapper, why=f"CAP_{right.upper()}", cure="root")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["v4", "v6"])
@pytest.mark.parametrize("port", [500, 4500])
def test_port_is_taken(edgevpn: EdgeVpn, gateway_a: Node, family: socket.AddressFamily, port: int) -> None:
    with taken(gateway_a, family, port):
        assert_refuses(edgevpn, why=str(port), cure="stop")


def test_without_kernel_module(edgevpn: EdgeVpn) -> None:
    assert_refuses(edgevpn, *WITHOUT_XFRM, why="xfrm_user", cure="install kmod-ipsec")


@contextmanager
def taken(node: Node, family: socket.AddressFamily, port: int) -> Iterator[None]:
    with node.socket(family, socket.SOCK_DGRAM) as other:
        if family is socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("", port))
        yield
