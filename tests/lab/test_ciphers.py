"""The trial of the kernel's ciphers: a broken one is found, named and not offered; the fastest of a class is chosen."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from edgevpn.kernel.trial import bench, spis, try_all
from edgevpn.kernel.trial_results import Result, Verdict
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import TRIED, EdgeVpn, site_table
from tests.lab.peers.peer import eventually
from tests.lab.tunnel import Tunnel

# In the way of a cipher's packets, in the far namespace, before they are decrypted.
DROP = "esp spi {spi:#x} drop"
SPOIL = "esp spi {spi:#x} @th,160,32 set 0xdeadbeef"
RULE = "table inet fault {{ chain way {{ type filter hook prerouting priority raw\n{rule}\n}}\n}}\n"


def tried(name: str = "", fault: str = DROP) -> dict[str, Result]:
    """What a trial finds while something happens to one cipher's packets."""

    def work() -> tuple[Result, ...]:
        with bench() as at:
            if name:
                rule = RULE.format(rule=fault.format(spi=spis()[name]))
                subprocess.run(["nft", "-f", "-"], input=rule, text=True, check=True)
            return try_all(at)

    with ThreadPoolExecutor(1) as thread:  # it does not come back from there
        return {each.name: each for each in thread.submit(work).result()}


FAULTS = {
    "dropped": ("aes256gcm16", DROP, Verdict.DROPS, "a packet of 1 octets did not arrive"),
    "spoiled": ("aes256-sha256", SPOIL, Verdict.CORRUPTS, "a packet of 1 octets failed its integrity check"),
}


@pytest.mark.parametrize(("name", "fault", "verdict", "detail"), FAULTS.values(), ids=FAULTS)
def test_a_broken_cipher_is_found(name: str, fault: str, verdict: Verdict, detail: str) -> None:
    found = tried(name, fault)

    assert (found[name].verdict, found[name].detail) == (verdict, detail)
    assert all(each.verdict is Verdict.WORKS and each.bits_per_second for each in found.values() if each.name != name)


def test_nothing_of_it_is_left(gateway_a: Node) -> None:
    before = gateway_a.run("ip", "-br", "link"), gateway_a.run("ip", "xfrm", "state")
    tried()
    assert (gateway_a.run("ip", "-br", "link"), gateway_a.run("ip", "xfrm", "state")) == before


@pytest.fixture
def fresh(peers: Peers, gateway_a: Node, site: Connection) -> Iterator[EdgeVpn]:
    """A daemon that has tried nothing yet, with a site whose ciphers are our own choice."""
    kept = TRIED.read_bytes() if TRIED.exists() else None
    TRIED.unlink(missing_ok=True)
    table = site_table(site, start="wait")
    lines = [line for line in table.splitlines() if "esp_proposals" not in line]
    yield peers.edgevpn_at_rest(gateway_a, "\n".join([*lines, ""]))
    if kept is not None:
        TRIED.write_bytes(kept)


def kept(daemon: EdgeVpn) -> dict[str, Result]:
    (found,) = json.loads(daemon.tried.read_text())["found"].values()
    return {each["name"]: Result.from_json(each) for each in found}


def plant(daemon: EdgeVpn, results: dict[str, Result]) -> None:
    """Have a daemon find this in the place of what it kept of its own trial."""
    content = json.loads(daemon.tried.read_text())
    content["found"] = {place: [each.to_json() for each in results.values()] for place in content["found"]}
    daemon.tried.write_text(json.dumps(content))


def up(network: Network, peers: Peers, ours: EdgeVpn, theirs: Connection) -> str:
    """Have strongSwan call; returns the cipher that was agreed on."""
    tunnel = Tunnel(network, ours, peers.strongswan(network["gateway_b"], theirs), initiator=ours)
    replace(tunnel, initiator=tunnel.theirs).up()
    tunnel.assert_carries()
    return ours.site()["ike"][0]["children"][0]["suite"]


def test_the_fastest_is_chosen(network: Network, peers: Peers, fresh: EdgeVpn, site: Connection) -> None:
    """We listen at once and try meanwhile; then the peer's wish counts for less than what was measured."""
    began = time.monotonic()
    peers.start(fresh)
    listening = time.monotonic() - began
    eventually(fresh.tried.exists, within=20, what="the trial is over")
    trial = time.monotonic() - began
    found = kept(fresh)
    print(f"listening after {listening:.2f} s, measured after {trial:.2f} s: {found}")
    assert {each.verdict for each in found.values()} == {Verdict.WORKS}
    fast, slow = sorted(("aes256gcm16", "chacha20poly1305"), key=lambda name: -found[name].bits_per_second)

    suite = up(network, peers, fresh, site.mirrored(esp=f"{slow}-{fast}"))

    assert suite.startswith(fast), suite


def test_a_broken_cipher_is_not_agreed_on(network: Network, peers: Peers, fresh: EdgeVpn, site: Connection) -> None:
    """The best of all drops its packets here: the log names it, and the next best carries the tunnel."""
    peers.start(fresh)
    eventually(fresh.tried.exists, within=20, what="the trial is over")
    fresh.stop()
    plant(fresh, tried("aes256gcm16") | {"chacha20poly1305": tried("chacha20poly1305")["chacha20poly1305"]})
    fresh.start()
    fresh.logged("cipher_excluded cipher=aes256gcm16")
    fresh.logged("cipher_excluded cipher=chacha20poly1305")

    suite = up(network, peers, fresh, site.mirrored(esp="aes256gcm16-chacha20poly1305-aes128gcm16"))

    assert suite.startswith("aes128gcm16"), suite
