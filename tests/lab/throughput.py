"""What goes through a tunnel, by who has set it up:  python -m tests.lab.throughput [SECONDS]  (see `make bench-guest`)

Tunnels between two gateways, each in a network of its own, all up at the same time: edgevpn's, strongSwan's, and the
SAs of edgevpn as ip(8) makes them, with interfaces and without. The same amount goes through each of them in turn, in
slices so short that whatever else the machine does troubles all alike, and each slice is compared with that of the same
round through the tunnel made by hand. What costs something by itself is beside what has it too: an XFRM interface, and
the firewall, which made by hand has the same rules. Nothing here fails.
"""

import os
import select
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tabulate import tabulate

from edgevpn.config.services import Firewall
from edgevpn.kernel.firewall import FirewallSpec, Tunnel, Zone, table
from edgevpn.kernel.firewall import Flow as Forwarding
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import difference
from tests.lab.conftest import Peers
from tests.lab.network import UPLINKS, Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.peer import Peer
from tests.lab.sites import site_to_site
from tests.lab.traffic import ping

SECONDS = 60.0
SLICE = 100_000
"""Octets: some milliseconds."""
DATAGRAM = 1372
"""Octets of payload, with which ESP fits a path of 1500."""
AT_ONCE = 16
"""Datagrams on their way; no buffer is too small for so many."""
PATIENCE = 2.0
PORT = 7
IF_ID, MTU = 42, 1438
NODES = ("gateway_a", "gateway_b", "host_a", "host_b")
KEYS = ("11" * 20, "22" * 20)
FIREWALL = FirewallSpec(
    tunnels=(Tunnel("evpn-hand", MTU),),
    zones=(
        Zone("lan", frozenset({"lan"})),
        Zone("wan", frozenset({"wan"})),
        Zone("pool", frozenset()),
        Zone("site", frozenset({"evpn-hand"})),
    ),
    flows=tuple(Forwarding(*flow.value.split("-")) for flow in Firewall().forward),
)
NO_FIREWALL = '[firewall]\nmanage = "off"\n'


class Flow(Protocol):
    """Traffic from host_a to host_b."""

    def carry(self) -> float:
        """A slice of it; seconds."""


class Datagrams:
    """UDP: every packet costs the same, and none waits for an answer."""

    def __init__(self, network: Network) -> None:
        source, target = network["host_a"], network["host_b"]
        self._receiver = target.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.bind((target.lan.v4, PORT))
        self._receiver.setblocking(False)
        self._sender = source.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.connect((target.lan.v4, PORT))
        self._payload = os.urandom(DATAGRAM)

    def carry(self) -> float:
        sent = arrived = 0
        count, began = SLICE // DATAGRAM, time.perf_counter()
        while sent < count:
            for _ in range(AT_ONCE):
                self._sender.send(self._payload)
            sent += AT_ONCE
            arrived += self._arrived()
        while arrived < sent:
            if not select.select([self._receiver], [], [], PATIENCE)[0]:
                raise AssertionError(f"{sent - arrived} of {sent} datagrams lost")
            arrived += self._arrived()
        return (time.perf_counter() - began) * count / sent

    def _arrived(self) -> int:
        count = 0
        with suppress(BlockingIOError):
            while self._receiver.recv(DATAGRAM):
                count += 1
        return count


class Stream:
    """TCP, over one connection that is there all the time."""

    def __init__(self, network: Network) -> None:
        source, target = network["host_a"], network["host_b"]
        with target.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((target.lan.v4, PORT))
            listener.listen()
            self._sender = source.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._sender.connect((target.lan.v4, PORT))
            self._receiver, _ = listener.accept()
        for end in (self._sender, self._receiver):
            end.setblocking(False)
        self._payload = os.urandom(1 << 16)

    def carry(self) -> float:
        to_send = to_arrive = SLICE
        began = time.perf_counter()
        while to_arrive:
            writers = [self._sender] if to_send else []
            readable, writable, _ = select.select([self._receiver], writers, [], PATIENCE)
            if not (readable or writable):
                raise AssertionError(f"{to_arrive} of {SLICE} octets are stuck")
            if writable:
                to_send -= self._sender.send(self._payload[:to_send])
            if readable:
                to_arrive -= len(self._receiver.recv(1 << 20))
        return time.perf_counter() - began


FLOWS: Mapping[str, Callable[[Network], Flow]] = {"UDP": Datagrams, "TCP": Stream}


def edgevpn(network: Network, peers: Peers, top: str = "") -> None:
    a = site_to_site(network)
    theirs = peers.edgevpn(network["gateway_b"], top + site_table(a.mirrored(), start="wait"))
    _up(peers.edgevpn(network["gateway_a"], top + site_table(a, start="wait")), theirs)


def edgevpn_alone(network: Network, peers: Peers) -> None:
    """Without the rules of its firewall, as others have none."""
    edgevpn(network, peers, NO_FIREWALL)


def strongswan(network: Network, peers: Peers) -> None:
    """As it is used mostly: without interfaces."""
    _strongswan(network, peers, site_to_site(network))


def strongswan_interface(network: Network, peers: Peers) -> None:
    _strongswan(network, peers, replace(site_to_site(network), if_id=IF_ID))
    a, b = network["gateway_a"], network["gateway_b"]
    for here, there in ((a, b), (b, a)):
        here.ip(*_interface(there))


def _strongswan(network: Network, peers: Peers, a: Connection) -> None:
    theirs = peers.strongswan(network["gateway_b"], a.mirrored())
    _up(peers.strongswan(network["gateway_a"], a), theirs)


def _up(ours: Peer, theirs: Peer) -> None:
    ours.initiate()
    theirs.wait_up()


def by_hand(network: Network, _: Peers) -> None:
    """The SAs, policies, interfaces and routes of edgevpn, as ip(8) makes them."""
    _by_hand(network, interface=True)


def by_hand_walled(network: Network, peers: Peers) -> None:
    """The same with the rules of edgevpn's firewall between two sites."""
    by_hand(network, peers)
    for name in ("gateway_a", "gateway_b"):
        network[name].call(Nft().change, difference(table(FIREWALL), None))


def by_hand_bare(network: Network, _: Peers) -> None:
    """The least that ESP takes: SAs and policies."""
    _by_hand(network, interface=False)


def _by_hand(network: Network, *, interface: bool) -> None:
    a, b = network["gateway_a"], network["gateway_b"]
    for here, there, numbers in ((a, b, (0x1000, 0x2000)), (b, a, (0x2000, 0x1000))):
        here.ip(*_commands(here, there, *numbers, interface=interface))


def _commands(here: Node, there: Node, spi_in: int, spi_out: int, *, interface: bool) -> Iterator[str]:
    tag = f" if_id {IF_ID}" if interface else ""
    keys = dict(zip((0x1000, 0x2000), KEYS, strict=True))
    ends = ((there, here, spi_in, ""), (here, there, spi_out, " output-mark 0x65000000 mask 0xff000000"))
    for source, target, spi, mark in ends:
        yield (
            f"xfrm state add src {source.wan.v4} dst {target.wan.v4} proto esp spi {spi:#x} reqid 42 mode tunnel"
            f" replay-window 256 flag af-unspec flag esn aead rfc4106(gcm(aes)) 0x{keys[spi]} 128{tag}{mark}"
        )
    for direction, source, target in (("out", here, there), ("in", there, here), ("fwd", there, here)):
        outer = f"src {source.wan.v4} dst {target.wan.v4}" if direction == "out" else ""
        yield (
            f"xfrm policy add src {source.lan.net4} dst {target.lan.net4} dir {direction} priority 1000{tag}"
            f" tmpl {outer} proto esp reqid 42 mode tunnel"
        )
    if interface:
        yield from _interface(there)


def _interface(there: Node) -> Iterator[str]:
    yield f"link add evpn-hand type xfrm if_id {IF_ID}"
    yield f"link set dev evpn-hand up mtu {MTU}"
    yield f"route add {there.lan.net4} dev evpn-hand"


WAYS: Mapping[str, Callable[[Network, Peers], None]] = {
    "by hand": by_hand,
    "by hand, the same firewall": by_hand_walled,
    "edgevpn": edgevpn,
    "edgevpn, no firewall": edgevpn_alone,
    "strongSwan": strongswan,
    "strongSwan, with interface": strongswan_interface,
    "by hand, no interface": by_hand_bare,
}
REFERENCE = "by hand"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one way: bits per second, and in each round how many times as many as the reference."""

    rate: float
    lower: float
    ratio: float
    upper: float


def measure(flows: Mapping[str, Flow], seconds: float) -> dict[str, Figures]:
    """A slice through each in turn, first one and then another the first, until the time is over."""
    took: dict[str, list[float]] = {name: [] for name in flows}
    names, until = list(flows), time.monotonic() + seconds
    for flow in flows.values():
        flow.carry()  # neighbours, routes and windows are found
    while time.monotonic() < until:
        for name in names:
            took[name].append(flows[name].carry())
        names = [*names[1:], names[0]]
    return {name: _figures(each, took[REFERENCE]) for name, each in took.items()}


def _figures(took: list[float], reference: list[float]) -> Figures:
    ratios = [theirs / ours for ours, theirs in zip(took, reference, strict=True)]
    lower, ratio, upper = statistics.quantiles(ratios, n=4)
    return Figures(SLICE * 8 / statistics.median(took), lower, ratio, upper)


@contextmanager
def all_up() -> Iterator[dict[str, Network]]:
    """A network for each way, with its tunnel."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughput-", dir="/dev/shm")))
        networks = {}
        for number, (name, set_up) in enumerate(WAYS.items()):
            network = Network(tuple(uplink for uplink in UPLINKS if uplink.node in NODES))
            stack.callback(network.close)
            (results := folder / str(number)).mkdir()
            peers = Peers(results)
            stack.callback(peers.close)
            set_up(network, peers)
            assert ping(network["host_a"], network["host_b"].lan.v4, wait=5.0).answered, name
            networks[name] = network
            print(f"{name}: up", flush=True)
        yield networks


def main(words: list[str]) -> None:
    seconds = float(words[0]) if words else SECONDS
    with all_up() as networks:
        rows = []
        for kind, make in FLOWS.items():
            found = measure({name: make(network) for name, network in networks.items()}, seconds)
            rows += [
                (kind, name, each.rate / 1e6, each.ratio, f"{each.lower:.3f} - {each.upper:.3f}")
                for name, each in found.items()
            ]
    head = ("", "tunnel", "Mbit/s", f"beside {REFERENCE!r}", "quartiles")
    print(tabulate(rows, head, floatfmt=("", "", ".0f", ".3f", "")))


if __name__ == "__main__":
    main(sys.argv[1:])
