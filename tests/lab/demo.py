"""The main job in one look: two edgevpn routers join their LANs through the kernel. See `make demo`."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.lab import xfrm
from tests.lab.capture import Capture, capturing
from tests.lab.network import Network, Node, home_network
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.sites import site_to_site
from tests.lab.traffic import ping, transfer

OCTETS = 20_000_000


def main() -> int:
    release, guest = os.uname().release, os.environ.get("EDGEVPN_LAB_GUEST", "host")
    say(f"kernel {release} ({guest})")
    with ExitStack() as stack:
        network = home_network()
        stack.callback(network.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-", dir="/dev/shm")))
        show(network, folder, stack)
    return 0


def show(network: Network, folder: Path, stack: ExitStack) -> None:
    """Two routers, a tunnel, traffic, and what it looks like from outside."""
    host_a, host_b = network["host_a"], network["host_b"]
    say(f"LAN a {host_a.lan.net4} -- router a -- internet -- router b -- LAN b {host_b.lan.net4}")
    say(
        f"ping from LAN a to LAN b, no tunnel: {'answered' if ping(host_a, host_b.lan.v4, wait=0.3).passed else 'lost'}"
    )

    a = replace(site_to_site(network), dpd_delay=30, rekey_child=3600)
    router_b = stack.enter_context(router(network["gateway_b"], folder, a.mirrored(name="branch"), start="wait"))
    router_a = stack.enter_context(router(network["gateway_a"], folder, replace(a, name="office"), start="wait"))
    router_a.up("office")
    say("edgevpn up office: the tunnel is up; edgevpn status on both routers:")
    for each in (router_a, router_b):
        print(each.run("status"))

    with capturing(network["internet"], "a") as outside:
        report(host_a, host_b)
    say(f"seen on the internet: {summary(outside)}")
    for state in xfrm.states(network["gateway_a"]):
        algorithms = " ".join(state.algorithms)
        say(f"SA in the kernel: {state.source} > {state.destination} {algorithms}, {state.packets} packets")


def report(host_a: Node, host_b: Node) -> None:
    echoes = ping(host_a, host_b.lan.v4, count=5)
    say(f"ping from LAN a to LAN b: {len(echoes.answered)} of {echoes.sent} answered")
    rate = transfer(host_a, host_b, host_b.lan.v4, OCTETS)
    say(f"TCP from LAN a to LAN b: {OCTETS / 1e6:.0f} MB at {rate / 1e6:.0f} Mbit/s")


def summary(capture: Capture) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in capture.kinds().most_common())
    return f"{kinds}; in clear: {len(capture.strays())}"


@contextmanager
def router(node: Node, folder: Path, connection: Connection, **settings: object) -> Iterator[EdgeVpn]:
    """An edgevpn on a gateway, gone afterwards; its log is shown when something fails."""
    state = folder / node.name
    state.mkdir()
    daemon = EdgeVpn(node, state, folder / f"{node.name}.log", site_table(connection, **settings))
    try:
        yield daemon.start()
    except BaseException:
        print(daemon.log(), file=sys.stderr)
        raise
    finally:
        daemon.close()


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
