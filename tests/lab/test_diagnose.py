"""One setting is wrong at one end: the first line of `edgevpn diagnose last` names it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from edgevpn.client import Client
from tests.lab.certificates import authority
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection, Psk
from tests.lab.peers.edgevpn import IMPATIENT, EdgeVpn, site_table
from tests.lab.peers.peer import Peer, eventually
from tests.lab.sites import site_to_site

Change = Callable[[Connection], Connection]
RIGHT = Psk("correct horse battery staple")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the peer has wrong, and which key of ours has to do with it. `called`: we call, else the peer does."""

    change: Change
    setting: str
    called: bool = False


def differing(**keys: object) -> Change:
    return lambda connection: replace(connection, **keys)  # type: ignore[arg-type]


MISTAKES = {
    "key": Mistake(differing(auth=Psk("another")), "psk"),
    "its name": Mistake(differing(local_id="stranger.example"), "remote_id"),
    "our name": Mistake(differing(remote_id="stranger.example"), "local_id"),
    "IKE cipher": Mistake(differing(ike="chacha20poly1305-prfsha256-x25519"), "ike_proposals"),
    "IKE cipher with integrity": Mistake(differing(ike="aes256-sha512-prfsha512-x25519"), "ike_proposals"),
    "IKE key length": Mistake(differing(ike="aes256gcm16-prfsha256-x25519"), "ike_proposals"),
    "IKE PRF": Mistake(differing(ike="aes128gcm16-prfsha384-x25519"), "ike_proposals"),
    "IKE group": Mistake(differing(ike="aes128gcm16-prfsha256-ecp384"), "ike_proposals"),
    "ESP cipher": Mistake(differing(esp="chacha20poly1305-x25519"), "esp_proposals"),
    "ESP cipher with integrity": Mistake(differing(esp="aes256-sha512"), "esp_proposals"),
    "ESP key length": Mistake(differing(esp="aes256gcm16-x25519"), "esp_proposals"),
    "its networks": Mistake(differing(local_ts=("10.77.0.0/24",)), "remote_networks"),
    "our networks": Mistake(differing(remote_ts=("10.77.0.0/24",)), "local_networks"),
    "called, key": Mistake(differing(auth=Psk("another")), "psk", called=True),
    "called, its name": Mistake(differing(local_id="stranger.example"), "remote_id", called=True),
    "called, IKE": Mistake(differing(ike="aes256-sha512-prfsha512-ecp384"), "ike_proposals", called=True),
    "called, ESP": Mistake(differing(esp="aes256-sha512"), "esp_proposals", called=True),
    "called, networks": Mistake(differing(local_ts=("10.77.0.0/24",)), "remote_networks", called=True),
}
"""Of each only the one setting is wrong. With PFS and the way of proof, below, there are twenty for each peer."""


def first_line(ours: EdgeVpn) -> str:
    """Once the attempt has come to nothing, what its owner reads first."""

    def has_failed() -> bool:
        with Client(ours.socket) as client:
            return any(each["cause"] for each in client.call("attempts"))

    eventually(has_failed, within=30, what="an attempt that has failed")
    return ours.run("diagnose", "last").splitlines()[0]


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_setting_is_named(mistake: Mistake, peer: str, network: Network, peers: Peers, gateway_a: Node) -> None:
    """The two are configured alike but for the mistake."""
    ours = peers.edgevpn(gateway_a, IMPATIENT + site_table(site_to_site(network, auth=RIGHT), start="wait"))
    wrong = mistake.change(site_to_site(network, auth=RIGHT).mirrored())
    theirs: Peer = peers.of_kind(peer, network["gateway_b"], wrong)

    (ours if mistake.called else theirs).begin()

    head = first_line(ours).partition(":")[0]
    assert mistake.setting in head.replace(",", " ").replace(".", " ").split()


def test_pfs_differs(peer: str, network: Network, peers: Peers, gateway_a: Node) -> None:
    """Nobody notices before new keys are wanted."""
    site = site_to_site(network, auth=RIGHT)
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    theirs = peers.of_kind(peer, network["gateway_b"], replace(site.mirrored(), esp="aes128gcm16"))
    theirs.initiate()
    theirs.rekey_child()
    assert first_line(ours).startswith("site.site.esp_proposals: the two sides differ in the key exchange")


def test_another_way_to_prove_itself(peer: str, network: Network, peers: Peers, gateway_a: Node) -> None:
    """The peer has a certificate where we expect a key."""
    site, issued = site_to_site(network, auth=RIGHT), authority(peers.state).issue("b.example")
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    remote_auth = RIGHT if peer == "strongswan" else None  # libreswan wants the same of both sides
    theirs = peers.of_kind(peer, network["gateway_b"], replace(site.mirrored(), auth=issued, remote_auth=remote_auth))
    theirs.begin()
    assert first_line(ours).startswith("site.site.auth: the peer proves itself by ")


# --- not of one setting at the peer ----------------------------------------------------------------------------------


def test_untouched_windows(network: Network, peers: Peers, gateway_a: Node) -> None:
    """Its one group, which libreswan no longer has."""
    ours = peers.edgevpn(gateway_a, site_table(site_to_site(network, auth=RIGHT), start="wait"))
    wrong = replace(site_to_site(network, auth=RIGHT).mirrored(), ike="aes128gcm16-prfsha256-modp1024")
    peers.strongswan(network["gateway_b"], wrong).begin()
    assert first_line(ours).startswith("site.site.ike_proposals: the device offers only the key exchange modp1024")


def test_nobody_is_there(network: Network, peers: Peers, gateway_a: Node) -> None:
    """The peer is switched off."""
    ours = peers.edgevpn(gateway_a, IMPATIENT + site_table(site_to_site(network, auth=RIGHT), start="wait"))
    ours.begin()
    assert first_line(ours).startswith("site.site.remote: nobody answers")


def test_address_of_nobody(network: Network, peers: Peers, gateway_a: Node, home: Node) -> None:
    """Our file expects the peer elsewhere."""
    site = site_to_site(network, auth=RIGHT)
    ours = peers.edgevpn(gateway_a, site_table(replace(site, remote=home.wan.v4), start="wait"))
    peers.strongswan(network["gateway_b"], site.mirrored()).begin()
    assert first_line(ours).startswith("site.*.remote: no site is expected at ")


# --- what would become of it -----------------------------------------------------------------------------------------


REPLAYED = {
    "its name": differing(local_id="stranger.example"),
    "our networks": differing(remote_ts=("10.77.0.0/24",)),
    "ESP cipher": differing(esp="aes256-sha512"),
}


@pytest.mark.parametrize("change", REPLAYED.values(), ids=REPLAYED)
def test_what_replay_foretells(change: Change, network: Network, peers: Peers, gateway_a: Node) -> None:
    """The file that the failure comes from fails again; one that replay finds good is applied, and connects."""
    site = site_to_site(network, auth=RIGHT)
    other = change(site.mirrored())
    mended = site_table(replace(other.mirrored(), auth=RIGHT), start="wait")
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    theirs = peers.strongswan(network["gateway_b"], other)
    theirs.begin()
    first = first_line(ours)

    bundle, file = ours.state / "bundle.json", ours.state / "mended.toml"
    bundle.write_text(ours.run("diagnose", "--bundle"))
    file.write_text(mended)
    file.chmod(0o600)
    again = ours.run("replay", str(bundle), "-c", str(ours.config), check=False)
    assert again.splitlines()[0] == first
    assert f"fails in the same way: {first}" in again
    assert '"remote_networks"' in bundle.read_text()  # the configuration that the daemon runs with, wherever it is
    assert RIGHT.secret not in bundle.read_text()
    assert "would not hinder it any more" in ours.run("replay", str(bundle), "-c", str(file))

    ours.run("apply", str(file))
    with suppress(AssertionError):  # what is left of the failure is there only where applying has not closed it
        theirs.terminate()
    theirs.initiate()
    ours.wait_up("site")
    assert [each["level"] for each in ours.ask("health") if each["id"] == "kernel"] == ["good"]
