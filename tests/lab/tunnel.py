"""A tunnel between the two sites, and what a test says of it."""

from dataclasses import dataclass
from typing import Literal

from tests.lab import xfrm
from tests.lab.capture import Kind, capturing
from tests.lab.network import Network, Node
from tests.lab.peers.peer import Peer, eventually
from tests.lab.sites import Family
from tests.lab.traffic import ping

Side = Literal["ours", "theirs"]

PAIR = 2
"""SAs of one CHILD SA in a kernel."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Two running daemons with one connection: ours at gateway_a, its peer at gateway_b."""

    network: Network
    ours: Peer
    theirs: Peer
    initiator: Peer

    @property
    def responder(self) -> Peer:
        return self.theirs if self.initiator is self.ours else self.ours

    def up(self) -> None:
        """The initiator brings it up."""
        self.initiator.initiate()
        self.responder.wait_up()

    def sas(self) -> frozenset[int]:
        """The SPIs of the SAs that gateway_a's kernel holds."""
        return frozenset(state.spi for state in xfrm.states(self.ours.node))

    def all_spis(self) -> frozenset[int]:
        """The SPIs of the SAs that either kernel holds."""
        return self.sas() | {state.spi for state in xfrm.states(self.theirs.node)}

    def wait_settled(self, *, within: float = 30.0) -> None:
        """Wait until one pair of SAs is left in each kernel, and the same."""
        eventually(
            lambda: len(self.sas()) == len(self.all_spis()) == PAIR, within=within, what="one pair of SAs is left"
        )

    def wait_rekeyed(self, old: frozenset[int], *, within: float = 30.0) -> None:
        """Wait until one pair of SAs is left in each kernel, and none of the old."""
        nodes = (self.ours.node, self.theirs.node)
        eventually(lambda: all(_replaced(node, old) for node in nodes), within=within, what="new SAs, and no others")

    def wait_new_keys(self, old: frozenset[int], *, within: float = 30.0) -> None:
        """Wait until each kernel holds a new pair of SAs; the old may be there still."""
        nodes = (self.ours.node, self.theirs.node)
        eventually(lambda: all(_has_new(node, old) for node in nodes), within=within, what="new SAs")

    def wait_gone(self, *, within: float = 15.0) -> None:
        """Wait until neither kernel holds an SA."""
        nodes = (self.ours.node, self.theirs.node)
        eventually(lambda: not any(map(xfrm.states, nodes)), within=within, what="no SA left in either kernel")

    def assert_carries(self, inner: Family = 4, *, esp: Kind = Kind.ESP) -> None:
        """Pings pass between the LANs both ways, in ESP, and nothing goes in clear."""
        host_a, host_b = self.network["host_a"], self.network["host_b"]
        with capturing(self.network["internet"], "a") as seen:
            for host, other in ((host_a, host_b), (host_b, host_a)):
                assert ping(host, other.lan.v4 if inner == 4 else other.lan.v6).passed, self.losses()
        assert not seen.strays(), [frame.octets.hex() for frame in seen.strays()]
        assert seen.kinds()[esp] == 12, seen.kinds()

    def side(self, name: Side) -> Peer:
        """The daemon of one side: ours or theirs."""
        return self.ours if name == "ours" else self.theirs

    def losses(self) -> str:
        """Why the kernels dropped packets, for a failed assertion."""
        return "; ".join(f"{node.name}: {xfrm.errors(node)}" for node in (self.ours.node, self.theirs.node))


def _replaced(node: Node, old: frozenset[int]) -> bool:
    spis = {state.spi for state in xfrm.states(node)}
    return len(spis) == PAIR and not spis & old


def _has_new(node: Node, old: frozenset[int]) -> bool:
    return len({state.spi for state in xfrm.states(node)} - old) >= PAIR
