"""A network card takes SAs where it can: netdevsim, whose own list tells what it got; it ciphers nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from edgevpn.config.services import Offload as Wish
from edgevpn.daemon.dataplane.offload import Offloader
from edgevpn.kernel.spec import DeviceFeatures, Direction, UdpEncap
from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.namespace import Namespace
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.tunnel import Tunnel
from tests.support.kernel import OUT, kernel_in

BUS = Path("/sys/bus/netdevsim")
DEBUG = Path("/sys/kernel/debug/netdevsim")

pytestmark = pytest.mark.skipif(not BUS.exists(), reason="this kernel has no netdevsim")

HERE, THERE = "192.0.2.129", "192.0.2.130"
ESP = "aes128gcm16-noesn"
"""What netdevsim takes; it knows neither longer keys nor ESN."""


@dataclass(frozen=True, slots=True)
class Card:
    """A simulated network card in a namespace."""

    number: int
    interface: str

    def sas(self) -> list[str]:
        """The SPIs of the SAs that it says to have."""
        text = (DEBUG / f"netdevsim{self.number}" / "ports" / "0" / "ipsec").read_text()
        spis = re.findall(r"spi=0x([0-9a-f]{8})", text)
        assert f"SA count={len(spis)} " in text
        return spis


def plug(namespace: Namespace, number: int, address: str) -> Card:
    before = namespace.interfaces()
    namespace.call((BUS / "new_device").write_text, f"{number} 1")
    (interface,) = namespace.interfaces() - before
    namespace.ip(f"address add {address}/30 dev {interface}", f"link set {interface} up")
    return Card(number, interface)


def unplug(number: int) -> None:
    (BUS / "del_device").write_text(f"{number}")


def join(*ends: tuple[Namespace, Card]) -> None:
    """Lay a cable between two cards."""
    handles = [os.open(f"/proc/self/task/{namespace.tid}/ns/net", os.O_RDONLY) for namespace, _ in ends]
    indices = [index_of(*end) for end in ends]
    words = [f"{handle}:{index}" for handle, index in zip(handles, indices, strict=True)]
    (BUS / "link_device").write_text(" ".join(words))
    for handle in handles:
        os.close(handle)


def index_of(namespace: Namespace, card: Card) -> str:
    return namespace.run("ip", "-o", "link", "show", "dev", card.interface).partition(":")[0]


@pytest.fixture
def card(gateway_a: Node, gateway_b: Node) -> Iterator[Card]:
    """A card in our gateway, with a cable to one in the peer's."""
    ours, theirs = plug(gateway_a, 11, HERE), plug(gateway_b, 12, THERE)
    join((gateway_a, ours), (gateway_b, theirs))
    yield ours
    for number in (11, 12):
        unplug(number)


def up(network: Network, peers: Peers, connection: Connection, **settings: object) -> tuple[Tunnel, EdgeVpn]:
    theirs = peers.strongswan(network["gateway_b"], connection.mirrored())
    ours = peers.edgevpn(network["gateway_a"], site_table(connection, start="wait", **settings))
    tunnel = Tunnel(network, ours, theirs, initiator=ours)
    tunnel.up()
    return tunnel, ours


def carriers(ours: EdgeVpn) -> tuple[str, str, str]:
    """Who works for what comes in, for what goes out, and why."""
    (child,) = ours.site()["ike"][0]["children"]
    return child["carrier_in"], child["carrier_out"], child["carrier_why"]


def over(site: Connection, **changes: object) -> Connection:
    return replace(site, local=HERE, remote=THERE, esp=ESP, **changes)  # type: ignore[arg-type]


def test_the_card_has_what_we_say(network: Network, card: Card, peers: Peers, site: Connection) -> None:
    """What goes out is ciphered by the card, until the tunnel goes, and new keys go there too.

    What comes in is not: the kernel cannot tell an interface's packets before they are deciphered, and says so.
    """
    tunnel, ours = up(network, peers, over(site))
    by_both = ("cpu", f"crypto({card.interface})", "in: XFRM if_id is not supported in RX path")

    (outward,) = [state for state in xfrm.states(ours.node) if state.source == HERE]
    assert outward.offload.startswith(f"dev {card.interface} dir out")
    assert card.sas() == [f"{outward.spi:08x}"]
    assert carriers(ours) == by_both

    old = tunnel.sas()
    ours.rekey_child()
    tunnel.wait_rekeyed(old)
    eventually(lambda: len(card.sas()) == 1, within=30, what="the card has the new one alone")
    assert int(card.sas()[0], 16) not in old
    assert carriers(ours) == by_both

    ours.terminate()
    eventually(lambda: not card.sas(), within=10, what="the card has none left")


LEFT_TO_THE_CPU = {
    "ESN": ({"esp": "aes128gcm16-esn"}, {}, "ESN"),
    "another cipher": ({"esp": "chacha20poly1305-noesn"}, {}, "out: "),
    "in UDP": ({"encap": True}, {}, "cannot cipher ESP in UDP"),
    "not wanted": ({}, {"offload": "off"}, "offload is off"),
}


@pytest.mark.parametrize(("changes", "settings", "why"), LEFT_TO_THE_CPU.values(), ids=LEFT_TO_THE_CPU)
def test_what_the_card_does_not_take(
    network: Network,
    card: Card,
    peers: Peers,
    site: Connection,
    changes: dict[str, object],
    settings: dict[str, object],
    why: str,
) -> None:
    """The CPU does it, and the reason is told."""
    _, ours = up(network, peers, replace(over(site), **changes), **settings)  # type: ignore[arg-type]

    *by, said = carriers(ours)
    print(f"{changes} {settings}: {by}: {said}")
    assert by == ["cpu", "cpu"]
    assert why in said
    assert card.sas() == []
    assert not any(state.offload for state in xfrm.states(ours.node))


def test_a_wish_that_is_not_met(network: Network, peers: Peers, site: Connection) -> None:
    """The doctor says so, the table says why, and packets pass nevertheless."""
    tunnel, ours = up(network, peers, site, offload="crypto")

    checks = [check for check in json.loads(ours.run("doctor", "--json", check=False)) if check["id"] == "offload"]
    assert [(check["level"], "wan has no esp-hw-offload" in check["message"]) for check in checks] == [
        ("warning", True)
    ]
    tunnel.assert_carries()


def test_the_table(network: Network, card: Card, peers: Peers, site: Connection) -> None:
    """What was measured, with its driver; which SA the card works for, and which the CPU."""
    _, ours = up(network, peers, over(site))
    eventually(ours.tried.exists, within=20, what="the trial is over")

    text, report = ours.run("offload"), json.loads(ours.run("offload", "--json"))
    print(text)
    assert {each["verdict"] for each in report["ciphers"]} == {"works"}
    assert all(each["driver"] and each["bits_per_second"] > 1e6 for each in report["ciphers"])
    assert {"device": card.interface, "feature": "on", "checksum": True, "why": ""} in report["cards"]
    assert [(each["direction"], each["carrier"]) for each in report["sas"]] == [
        ("in", "cpu"),
        ("out", f"crypto({card.interface})"),
    ]
    rows = {line.split()[2]: line for line in text.splitlines() if line.startswith("cpu")}
    assert rows["aes128gcm16"].rstrip().endswith("site/site in")
    assert "esp-hw-offload on" in text
    assert "no network card, as XFRM if_id is not supported in RX path" in text


def test_a_cable_is_honest(network: Network, peers: Peers, site: Connection) -> None:
    tunnel, ours = up(network, peers, site)

    assert carriers(ours) == ("cpu", "cpu", "wan has no esp-hw-offload")
    tunnel.assert_carries()


def test_after_a_move_the_card_is_asked_anew() -> None:
    """To where a NAT is in the way, and back: the card's list follows."""
    namespace = Namespace("mover")
    card = plug(namespace, 13, HERE)
    namespace.ip(f"route add default via {THERE}")
    kernel = kernel_in(namespace)
    offloader = Offloader(kernel)
    try:
        assert kernel.device_features(card.interface) == DeviceFeatures(True, True, True)
        spec = replace(OUT, source=ip_address(HERE))
        added = offloader.add(spec, Direction.OUT, Wish.AUTO)
        assert (str(added), card.sas()) == (f"crypto({card.interface})", [f"{OUT.spi:08x}"])

        nat = UdpEncap(4500, 4500)
        to = (spec.source, spec.destination)
        key, moved = offloader.move(spec.key, *to, nat, Direction.OUT, Wish.AUTO)
        assert (str(moved), card.sas()) == ("cpu", [])

        key, moved = offloader.move(key, *to, None, Direction.OUT, Wish.AUTO)
        assert (str(moved), card.sas()) == (f"crypto({card.interface})", [f"{OUT.spi:08x}"])
        kernel.delete_sa(key)
    finally:
        kernel.close()
        unplug(13)
        namespace.close()
