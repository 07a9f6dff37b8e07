"""Addresses that change under a tunnel: MOBIKE (RFC 4555), NAT that forgets, and who moves behind one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.lab import xfrm
from tests.lab.capture import Capture, Kind, capturing
from tests.lab.conftest import Tunnels
from tests.lab.network import Nat, Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.peer import eventually
from tests.lab.sites import behind_nat
from tests.lab.traffic import ping, pinging
from tests.lab.tunnel import Tunnel

MOVES = 10
UNDER_WAY = 0.1
"""Seconds that a ping takes there and back, at the most: one that was sent so shortly before a gap may fall into it."""
RENEWING = 0.2
"""Seconds after a mapping has changed in which both ends give their SAs the new port, each in its own time: no message
tells of it, and a kernel has no SA for a moment."""
LONGEST_GAP = 2.0
"""Seconds that a move may take, the command that makes it included: a message that is lost is not sent again before."""
IPV4 = '[gateway]\nlisten = ["0.0.0.0"]\n'
"""Of edgevpn's file. Else it goes over IPv6 while an address is gone, where there is no NAT."""


@pytest.fixture
def settled(gateway_a: Node, gateway_b: Node, internet: Node) -> Iterator[None]:
    """The gateways have their own addresses again afterwards, and no NAT is before them."""
    before = [(node, node.wan.v4) for node in (gateway_a, gateway_b)]
    yield
    for node, address in before:
        if node.wan.v4 != address:
            node.readdress("wan", v4=address)
        internet.run("nft", "delete", "table", "ip", f"nat_{node.name}", check=False)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("role", ["initiator"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_we_move(tunnels: Tunnels, site: Connection, gateway_a: Node) -> None:
    """Ten other addresses, one IKE SA."""
    tunnel = tunnels.between(replace(site, local=""), site.mirrored(remote=""), top=IPV4)
    tunnel.up()

    with unbroken(tunnel, gateway_a) as gaps:
        for address in other_addresses(gateway_a):
            with gaps.moving_to(address):
                gateway_a.readdress("wan", v4=address)
            wait_through(tunnel)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("role", ["responder"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_the_peer_moves(tunnels: Tunnels, site: Connection, gateway_b: Node) -> None:
    tunnel = tunnels.between(replace(site, remote=""), site.mirrored(local=""), top=IPV4)
    tunnel.up()

    with unbroken(tunnel, gateway_b) as gaps:
        for address in other_addresses(gateway_b):
            with gaps.moving_to(address):
                gateway_b.readdress("wan", v4=address)
            wait_through(tunnel)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("peer", ["strongswan", "edgevpn"], indirect=True)
def test_behind_a_nat_and_out_again(network: Network, tunnels: Tunnels, site: Connection) -> None:
    """Who called moves; ESP goes in UDP as long as the NAT is there."""
    if tunnels.role == "initiator":
        mover, ends = network["gateway_a"], (replace(site, local=""), site.mirrored(remote=""))
    else:
        mover, ends = network["gateway_b"], (replace(site, remote=""), site.mirrored(local=""))
    tunnel = tunnels.between(*ends, top=IPV4)
    tunnel.up()
    tunnel.assert_carries()
    inside, outside, *_ = other_addresses(mover)

    with unbroken(tunnel, mover) as gaps:
        with gaps.moving_to(inside, Kind.ESP_IN_UDP):
            nat = Nat(network, mover.name)
            mover.readdress("wan", v4=inside)
        wait_wrapped(tunnel, in_udp=True)
        wait_through(tunnel, mover.name)
    tunnel.assert_carries(esp=Kind.ESP_IN_UDP)

    with unbroken(tunnel, mover) as gaps:
        with gaps.moving_to(outside):
            nat.remove()
            mover.readdress("wan", v4=outside)
        wait_wrapped(tunnel, in_udp=False)
        wait_through(tunnel, mover.name)
    tunnel.assert_carries()


@pytest.mark.parametrize("mobike", [True, False], ids=["mobike", "no-mobike"])
def test_nat_forgets(network: Network, tunnels: Tunnels, site: Connection, *, mobike: bool) -> None:
    """The NAT in front of who called gives it another port: the other side follows what is authentic."""
    hidden = "gateway_a" if tunnels.role == "initiator" else "gateway_b"
    nat = Nat(network, hidden)
    tunnel = tunnels.between(*behind_nat(network, replace(site, mobike=mobike), hidden))
    tunnel.up()

    with unbroken(tunnel, network[hidden], renewing=RENEWING) as gaps:
        for _ in range(3):
            with gaps.moving_to(network[hidden].wan.v4, Kind.ESP_IN_UDP):
                nat.rebind()
            wait_through(tunnel, hidden)
    nat.remove()


@dataclass(frozen=True, slots=True)
class Gap:
    """From when an address or a mapping goes until packets pass again both ways, in seconds since the epoch."""

    began: float
    ended: float

    @property
    def length(self) -> float:
        return self.ended - self.began


class Gaps:
    """Moves of a gateway, and when they were over, as its uplink shows."""

    def __init__(self, outside: Capture) -> None:
        self._outside = outside
        self._moves: list[tuple[float, float, str, Kind]] = []

    @contextmanager
    def moving_to(self, address: str, kind: Kind = Kind.ESP) -> Iterator[None]:
        """In the block the gateway is moved to an address where its packets are of this kind."""
        began = time.time()
        yield
        self._moves.append((began, time.time(), address, kind))

    def all(self) -> list[Gap]:
        """Each is over when packets of the right kind have left the gateway's address, and reached it."""
        return [Gap(began, self._over(moved, address, kind)) for began, moved, address, kind in self._moves]

    def _over(self, moved: float, here: str, kind: Kind) -> float:
        frames = [frame for frame in self._outside.of(kind) if frame.at > moved]
        return max(
            next(frame.at for frame in frames if frame.source == here),
            next(frame.at for frame in frames if frame.destination == here),
        )


@contextmanager
def unbroken(tunnel: Tunnel, mover: Node, renewing: float = 0.0) -> Iterator[Gaps]:
    """All through the block pings go on. Only those are lost that were under way in a gap, and no handshake is new.

    `renewing`: seconds after a gap in which the ends may still be at it.
    """
    ike = tunnel.ours.spis()
    uplink = tunnel.network.uplinks[mover.name]
    with (
        capturing(tunnel.network[uplink.upstream], uplink.upstream_interface) as outside,
        pinging(tunnel.network["host_a"], tunnel.network["host_b"].lan.v4) as echoes,
    ):
        yield (gaps := Gaps(outside))
    assert tunnel.ours.spis() == ike
    found = gaps.all()
    spans = [(gap.began - UNDER_WAY, gap.ended + renewing) for gap in found]
    strays = [at for at in echoes.lost_at() if not any(began <= at <= ended for began, ended in spans)]
    assert not strays, f"lost at {strays}, with gaps {found}; {tunnel.losses()}"
    assert max(gap.length for gap in found) <= LONGEST_GAP, found


def wait_wrapped(tunnel: Tunnel, *, in_udp: bool) -> None:
    """Wait until the SAs of both kernels are those that are due: a ping may pass before, as a NAT lets ESP through."""
    nodes = (tunnel.ours.node, tunnel.theirs.node)
    eventually(
        lambda: all(bool(state.encap) == in_udp for node in nodes for state in xfrm.states(node)),
        within=15,
        what=f"ESP in UDP: {in_udp}",
    )


def wait_through(tunnel: Tunnel, gateway: str = "gateway_a") -> None:
    """Wait until pings pass from the LAN behind a gateway to the other."""
    here, there = ("host_a", "host_b") if gateway == "gateway_a" else ("host_b", "host_a")
    source, target = tunnel.network[here], tunnel.network[there].lan.v4
    eventually(lambda: ping(source, target, wait=0.1).passed, within=15, what=f"pings pass, {tunnel.losses()}")


def other_addresses(node: Node) -> list[str]:
    """As many others on the WAN as there are moves."""
    prefix = node.wan.v4.rpartition(".")[0]
    return [f"{prefix}.{number}" for number in range(101, 101 + MOVES)]
