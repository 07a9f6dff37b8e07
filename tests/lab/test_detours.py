"""Connections that were there before the tunnel turn into it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.capture import Kind, capturing
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.peer import eventually

PORT, EVERY = 5060, 0.05

WAY_OUT = """
table inet way_out {
    chain post {
        type nat hook postrouting priority srcnat
        oifname "wan" TRANSLATION
    }
}
"""

TRANSLATIONS = {"masquerade": "masquerade", "snat": "ip saddr 10.1.0.0/24 snat ip to 192.0.2.2"}


@contextmanager
def calling(node: Node, address: str) -> Iterator[None]:
    """A telephone that registers again and again, from the same port: its connection never rests."""
    stop = threading.Event()
    sock = node.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def call() -> None:
        while not stop.wait(EVERY):
            sock.sendto(b"register", (address, PORT))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sock.close()


@pytest.mark.parametrize("translation", TRANSLATIONS.values(), ids=TRANSLATIONS)
def test_a_translated_flow_turns_into_the_tunnel(
    network: Network,
    peers: Peers,
    site: Connection,
    gateway_a: Node,
    gateway_b: Node,
    host_a: Node,
    host_b: Node,
    translation: str,
) -> None:
    """It went out of the WAN under the gateway's address; afterwards the other end sees who it is.

    What is masqueraded the kernel may forget by itself when it leaves by another interface, other translations never.
    """
    peers.strongswan(gateway_b, site.mirrored())
    gateway_a.nft(WAY_OUT.replace("TRANSLATION", translation))
    with host_b.socket(socket.AF_INET, socket.SOCK_DGRAM) as exchange, calling(host_a, host_b.lan.v4):
        exchange.bind((host_b.lan.v4, PORT))
        exchange.settimeout(10)
        with capturing(network["internet"], "a") as before:
            eventually(lambda: bool(before.strays()), within=5, what="the call goes out in clear")

        ours = peers.edgevpn(gateway_a, site_table(site))
        ours.wait_up()

        message, (caller, _) = exchange.recvfrom(100)
        assert (message, caller) == (b"register", host_a.lan.v4)
        with capturing(network["internet"], "a") as seen:
            for _ in range(5):
                exchange.recvfrom(100)
        assert not seen.strays()
        assert seen.kinds()[Kind.ESP] >= 4
    gateway_a.nft("delete table inet way_out\n")
    assert "connections_forgotten count=1" in ours.log() or translation == "masquerade"
