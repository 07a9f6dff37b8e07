"""The main job in one look: two edgevpn routers join their LANs, a phone calls one of them. See `make demo`.

Exit status 0 when all that it claims has been found true.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.lab import xfrm
from tests.lab.capture import IPSEC, Capture, capturing
from tests.lab.holdings import holdings
from tests.lab.network import Network, Node, home_network
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import PROGRAM, EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.sites import site_to_site
from tests.lab.traffic import ping, transfer
from tests.lab.visitors import PHONE, READY, by_password, come_in, gateway_table

IKE, ESP = "aes256gcm16-prfsha384-x25519", "aes256gcm16-x25519"
OCTETS = 5_000_000
PANEL_PORT = 8443
SETTLING = 5.0  # seconds for the last TCP acknowledgements, and for what closes


@dataclass
class Findings:
    """Claims so far, and how many of them were false."""

    false: int = 0

    def check(self, claim: str, *, holds: bool) -> None:
        self.false += not holds
        print(f"   [{' ok ' if holds else 'FAIL'}] {claim}", flush=True)


def main() -> int:
    findings = Findings()
    say(f"kernel {os.uname().release} ({os.environ.get('EDGEVPN_LAB_GUEST', 'host')})")
    with ExitStack() as stack:
        network = home_network()
        stack.callback(network.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-", dir="/dev/shm")))
        show(network, folder, findings)
    say(f"{findings.false} claims were false" if findings.false else "all of it true")
    return 1 if findings.false else 0


def show(network: Network, folder: Path, findings: Findings) -> None:
    """Two routers, a tunnel, traffic, and what it looks like from outside."""
    host_a, host_b, gateways = network["host_a"], network["host_b"], (network["gateway_a"], network["gateway_b"])
    say(f"LAN a {host_a.lan.net4} -- router a -- internet -- router b -- LAN b {host_b.lan.net4}")
    findings.check("without a tunnel no ping arrives", holds=not ping(host_a, host_b.lan.v4, wait=0.3).answered)
    before = [holdings(node) for node in gateways]

    with two_routers(network, folder) as (router_a, router_b):
        with capturing(network["internet"], "a") as outside:
            say("edgevpn up branch")
            print(indented(router_a.run("up", "branch")))
            use(host_a, host_b, findings)
            for router in (router_a, router_b):
                say(f"edgevpn status, on {router.node.name}")
                print(indented(router.run("status")))
            compare_counters(*gateways, findings)
            with phone(network["phone"], folder, router_a) as visitor:
                see_the_phone(visitor, router_a, host_a, findings)
        look_from_outside(outside, findings)
        with panel(router_a, folder):
            see_the_panel(router_a, host_a, network["internet"], findings)

    say("both routers stopped")
    changes = [line for node, were in zip(gateways, before, strict=True) for line in holdings(node) ^ were]
    print("".join(f"   {line}\n" for line in changes), end="")
    findings.check("they leave nothing in their kernels", holds=not changes)


def use(host_a: Node, host_b: Node, findings: Findings) -> None:
    """Pings and a transfer, both ways."""
    say("traffic between the LANs")
    for source, target in ((host_a, host_b), (host_b, host_a)):
        way = f"{source.name} to {target.name}"
        echoes = ping(source, target.lan.v4, count=5)
        findings.check(f"ping, {way}: {len(echoes.answered)} of {echoes.sent} answered", holds=echoes.passed)
        rate = transfer(source, target, target.lan.v4, OCTETS)
        findings.check(f"TCP, {way}: {OCTETS / 1e6:.0f} MB arrive unchanged, {rate / 1e6:.0f} Mbit/s", holds=True)


def compare_counters(a: Node, b: Node, findings: Findings) -> None:
    """Each SA is in both kernels, and they have counted the same."""
    say("ip -s xfrm state, on both routers")

    def pairs() -> list[tuple[xfrm.State, xfrm.State]]:
        at_b = {state.spi: state for state in xfrm.states(b)}
        return [(state, at_b[state.spi]) for state in xfrm.states(a) if state.spi in at_b]

    def agree() -> bool:
        return all((here.octets, here.packets) == (there.octets, there.packets) for here, there in pairs())

    settled = True
    try:
        eventually(agree, within=SETTLING, what="the counters agree")
    except AssertionError:
        settled = False
    for here, there in pairs():
        print(f"   {here.source} > {here.destination} esp spi {here.spi:#010x} {' '.join(here.algorithms)}")
        for node, state in ((a, here), (b, there)):
            print(f"      {node.name}: {state.octets} bytes, {state.packets} packets")
    findings.check("one SA each way, in both kernels", holds=len(pairs()) == len(xfrm.states(a)) == 2)
    findings.check("the transfers went through them", holds=all(here.octets > OCTETS for here, _ in pairs()))
    findings.check("both kernels have counted the same", holds=settled)


@contextmanager
def phone(node: Node, folder: Path, router: EdgeVpn) -> Iterator[StrongSwan]:
    """A phone behind the NAT of somebody's home; strongSwan plays it, and logs in as a phone does, by password."""
    state = folder / node.name
    state.mkdir()
    eventually(lambda: READY in router.log(), within=60, what="the router has its certificate")
    client = StrongSwan(node, state, folder / f"{node.name}.log", by_password(router))
    try:
        client.start()
        yield client
    finally:
        client.close()


def see_the_phone(client: StrongSwan, router: EdgeVpn, host: Node, findings: Findings) -> None:
    """It gets an address, and talks to the LAN."""
    say("a phone behind NAT calls router a, by password")
    come_in(client, router)
    (session,) = router.device("phone")["sessions"]
    print(f"   from {session['remote']}, it has {', '.join(session['addresses'])} here")
    echoes = ping(client.node, host.lan.v4, count=5)
    findings.check(f"ping, phone to {host.name}: {len(echoes.answered)} of {echoes.sent} answered", holds=echoes.passed)
    rate = transfer(client.node, host, host.lan.v4, OCTETS)
    findings.check(
        f"TCP, phone to {host.name}: {OCTETS / 1e6:.0f} MB arrive unchanged, {rate / 1e6:.0f} Mbit/s", holds=True
    )


@contextmanager
def panel(router: EdgeVpn, folder: Path) -> Iterator[None]:
    """The panel's process on a router."""
    log = folder / "panel.log"
    with log.open("ab") as output:
        process = router.node.spawn([str(PROGRAM), "web"], output, router.environment)
    try:
        eventually(lambda: "listening" in log.read_text(), within=60, what="the panel listens")
        yield
    finally:
        process.terminate()
        process.wait()


def see_the_panel(router: EdgeVpn, inside: Node, outside: Node, findings: Findings) -> None:
    """It is there for the LAN, and for nobody else."""
    say("edgevpn setup-token, on router a")
    told = router.run("setup-token")
    print(indented(told))
    findings.check("the panel answers in LAN a", holds=answers(inside, router.node.lan.v4))
    findings.check("it does not answer on the internet", holds=not answers(outside, router.node.wan.v4))


def answers(node: Node, address: str) -> bool:
    """Whether the panel's port is open for a host."""

    def connect() -> None:
        socket.create_connection((address, PANEL_PORT), timeout=1.0).close()

    try:
        node.call(connect)
    except OSError:
        return False
    return True


def look_from_outside(seen: Capture, findings: Findings) -> None:
    say("all that was on the link from router a to the internet")
    for kind, count in seen.kinds().most_common():
        print(f"   {count:7} {kind}")
    kinds = set(seen.kinds())
    findings.check("IKE and ESP, and nothing in clear", holds=not seen.strays() and len(kinds & IPSEC) > 1)


@contextmanager
def two_routers(network: Network, folder: Path) -> Iterator[tuple[EdgeVpn, EdgeVpn]]:
    """Router a knows a site called branch and a phone, router b a site called office; all wait."""
    a = replace(site_to_site(network), ike=IKE, esp=ESP, dpd_delay=30, rekey_child=3600)
    with (
        router(network["gateway_b"], folder, waiting(a.mirrored(name="office"))) as router_b,
        router(
            network["gateway_a"], folder, waiting(replace(a, name="branch")) + gateway_table({"phone": PHONE})
        ) as router_a,
    ):
        for each in (router_a, router_b):
            each.wait_ready()
        yield router_a, router_b


@contextmanager
def router(node: Node, folder: Path, toml: str) -> Iterator[EdgeVpn]:
    """An edgevpn that starts on a gateway, and is stopped afterwards; its log is shown when something fails."""
    state = folder / node.name
    state.mkdir()
    daemon = EdgeVpn(node, state, folder / f"{node.name}.log", toml)
    try:
        daemon.launch()
        yield daemon
        daemon.stop()
    except BaseException:
        print(indented(daemon.log()), file=sys.stderr)
        daemon.close()
        raise


def waiting(site: Connection) -> str:
    """A site that comes up when somebody asks."""
    return site_table(site, start="wait")


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
