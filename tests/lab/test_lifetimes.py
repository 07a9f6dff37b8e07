"""Tunnels that end with their time: unused ones, and those whose ends have to show again who they are (RFC 4478)."""

import time
from dataclasses import replace

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import ANY_V4, ANY_V6, Eap
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.peer import eventually
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.sites import site_to_site
from tests.lab.traffic import pinging
from tests.lab.tunnel import PAIR
from tests.lab.visitors import EVERYTHING, PASSWORD, by_password, by_psk, come_in, gateway_table, opened

IDLE, REAUTH = 60.0, 60.0  # seconds: the shortest that there are
OVERTAKEN = 5  # pings in a row, of one every 20 ms
BEFORE_BREAK = "make_before_break = yes"


def test_who_moves_nothing_is_closed(peers: Peers, gateway_a: Node, phone: Node, laptop: Node, host_a: Node) -> None:
    """After a minute; who sends a packet now and then stays."""
    gateway = opened(peers, gateway_a, gateway_table(pool={"idle_time": "1m", "dpd_delay": "10s"}))
    quiet = peers.strongswan(phone, by_password(gateway))
    busy = peers.strongswan(laptop, by_psk(gateway))
    with pinging(laptop, host_a.lan.v4, interval=5.0) as echoes:
        come_in(busy, gateway)
        come_in(quiet, gateway)
        began = time.monotonic()

        quiet.wait_down("road", within=IDLE + 15)

    assert time.monotonic() - began > IDLE - 5
    gateway.logged('why="nothing has come through for long" cause=idle')
    assert gateway.device("phone")["sessions"] == []
    assert busy.is_up("road")
    assert echoes.sent > IDLE / 5 - 1


@pytest.mark.parametrize("unique", ["keep", "replace", "refuse"])
def test_a_device_shows_again_who_it_is(peers: Peers, gateway_a: Node, phone: Node, host_a: Node, unique: str) -> None:
    """We say how long its login counts. It logs in anew before it lets go, keeps its addresses and loses no packet.

    While strongSwan lets go its own kernel may have no policy for a moment, and drops what it is to send then.
    """
    gateway = opened(peers, gateway_a, gateway_table(pool={"reauth_time": "1m", "unique": unique}))
    client = peers.strongswan(
        phone, by_password(gateway), options=BEFORE_BREAK, connection_options={"over_time": "20s"}
    )
    come_in(client, gateway)
    client.logged("received AUTH_LIFETIME of 60s, scheduling reauthentication in 40s")
    before, old, dropped = client.spis(), xfrm.spis(gateway_a), dropped_by(phone)
    assert client.addresses("road") == ["10.99.0.2", "fd99::2"]

    with pinging(phone, host_a.lan.v4) as up, pinging(host_a, "10.99.0.2") as down:
        eventually(lambda: gateway.log().count("device_in ") == 2, within=REAUTH, what="it has logged in again")
        eventually(lambda: len(now := xfrm.spis(gateway_a)) == PAIR and not now & old, within=15, what="one child")

    lost, dropped = up.lost + down.lost, dropped_by(phone) - dropped
    assert lost <= dropped, f"gateway {xfrm.errors(gateway_a)}, client {xfrm.errors(phone)}"
    assert client.addresses("road") == ["10.99.0.2", "fd99::2"]
    assert not client.spis() & before
    (session,) = gateway.device("phone")["sessions"]
    assert session["addresses"] == ["10.99.0.2", "fd99::2"]


def test_we_show_again_who_we_are(
    peers: Peers, network: Network, gateway_a: Node, gateway_b: Node, host_b: Node
) -> None:
    """As a client of strongSwan's, which says how long our login counts; we keep our address.

    strongSwan sends on new SAs along with the answer that makes them, so what overtakes that answer is lost.
    """
    cabinet, root = Cabinet(peers.state / "certificates"), authority("Lab root")
    site, login = site_to_site(network), Eap("branch", PASSWORD, cabinet.authority(root))
    office = replace(
        site.mirrored(),
        remote="",
        remote_id="%any",
        auth=cabinet.proof(root, holder("b.example", root)),
        remote_auth=login,
        remote_ts=(),
        pools=("10.77.0.0/24", "fd77::/64"),
    )
    there = peers.strongswan(
        gateway_b, office, connection_options={"reauth_time": "75s", "rand_time": "0s", "over_time": "45s"}
    )
    ours = peers.edgevpn(
        gateway_a,
        site_table(
            replace(site, auth=login, local_ts=EVERYTHING),
            start="wait",
            virtual_ips=[ANY_V4, ANY_V6],
            close_action="clear",
        ),
    )
    ours.initiate()
    before, old = ours.spis(), xfrm.spis(gateway_a)

    with pinging(gateway_a, host_b.lan.v4) as echoes:
        eventually(lambda: not ours.spis() & before, within=100, what="another IKE SA")
        eventually(lambda: len(now := xfrm.spis(gateway_a)) == PAIR and not now & old, within=30, what="one child")

    assert echoes.longest_gap() <= OVERTAKEN, f"ours {xfrm.errors(gateway_a)}, theirs {xfrm.errors(gateway_b)}"
    assert "10.77.0.1/32" in gateway_a.ip("address show dev evpn-site")
    there.logged("N(AUTH_LFT)")


def dropped_by(node: Node) -> int:
    """How many packets a kernel has dropped for want of an SA to send them by."""
    return xfrm.errors(node).get("XfrmAcquireError", 0)
