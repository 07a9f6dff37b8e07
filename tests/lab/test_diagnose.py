"""One setting is wrong at one end: the first line of `edgevpn diagnose last` names it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from edgevpn.client import Client
from tests.lab.certificates import authority
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.connection import Connection, Psk
from tests.lab.peers.edgevpn import IMPATIENT, EdgeVpn, site_table
from tests.lab.peers.peer import Peer, eventually
from tests.lab.sites import site_to_site

Kind = Literal["strongswan", "libreswan"]
Change = Callable[[Connection], Connection]
RIGHT = Psk("correct horse battery staple")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the peer has wrong, and which key of ours has to do with it. `called`: we call, else the peer does."""

    peer: Kind
    change: Change
    setting: str
    called: bool = False


def differing(**keys: object) -> Change:
    return lambda connection: replace(connection, **keys)  # type: ignore[arg-type]


MISTAKES = {
    "key": Mistake("strongswan", differing(auth=Psk("another")), "psk"),
    "its name": Mistake("strongswan", differing(local_id="stranger.example"), "remote_id"),
    "our name": Mistake("strongswan", differing(remote_id="stranger.example"), "local_id"),
    "IKE cipher": Mistake("strongswan", differing(ike="aes256-sha256-prfsha256-x25519"), "ike_proposals"),
    "IKE key length": Mistake("strongswan", differing(ike="aes256gcm16-prfsha256-x25519"), "ike_proposals"),
    "IKE PRF": Mistake("strongswan", differing(ike="aes128gcm16-prfsha384-x25519"), "ike_proposals"),
    "IKE group": Mistake("strongswan", differing(ike="aes128gcm16-prfsha256-ecp384"), "ike_proposals"),
    "modp1024": Mistake("strongswan", differing(ike="aes128gcm16-prfsha256-modp1024"), "ike_proposals"),
    "ESP cipher": Mistake("strongswan", differing(esp="aes256-sha256"), "esp_proposals"),
    "ESP key length": Mistake("strongswan", differing(esp="aes256gcm16-x25519"), "esp_proposals"),
    "its networks": Mistake("strongswan", differing(local_ts=("10.77.0.0/24",)), "remote_networks"),
    "our networks": Mistake("strongswan", differing(remote_ts=("10.77.0.0/24",)), "local_networks"),
    "libreswan: key": Mistake("libreswan", differing(auth=Psk("another")), "psk"),
    "libreswan: its name": Mistake("libreswan", differing(local_id="stranger.example"), "remote_id"),
    "libreswan: IKE group": Mistake("libreswan", differing(ike="aes128gcm16-prfsha256-ecp384"), "ike_proposals"),
    "libreswan: ESP cipher": Mistake("libreswan", differing(esp="aes256-sha512"), "esp_proposals"),
    "libreswan: networks": Mistake("libreswan", differing(local_ts=("10.77.0.0/24",)), "remote_networks"),
    "called, key": Mistake("strongswan", differing(auth=Psk("another")), "psk", called=True),
    "called, IKE": Mistake("libreswan", differing(ike="aes256-sha512-prfsha512-ecp384"), "ike_proposals", called=True),
    "called, ESP": Mistake("strongswan", differing(esp="aes256-sha256"), "esp_proposals", called=True),
    "called, networks": Mistake("libreswan", differing(local_ts=("10.77.0.0/24",)), "remote_networks", called=True),
}
"""Of each only the one setting is wrong."""


def first_line(ours: EdgeVpn) -> str:
    """Once the attempt has come to nothing, what its owner reads first."""

    def has_failed() -> bool:
        with Client(ours.socket) as client:
            return any(each["cause"] for each in client.call("attempts"))

    eventually(has_failed, within=30, what="an attempt that has failed")
    return ours.run("diagnose", "last").splitlines()[0]


def called_wrongly(mistake: Mistake, network: Network, peers: Peers, ours: EdgeVpn) -> None:
    """One end calls the other, which are configured alike but for the mistake."""
    wrong = mistake.change(site_to_site(network, auth=RIGHT).mirrored())
    theirs: Peer = peers.of_kind(mistake.peer, network["gateway_b"], wrong)
    (ours if mistake.called else theirs).begin()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_setting_is_named(mistake: Mistake, network: Network, peers: Peers, gateway_a: Node) -> None:
    ours = peers.edgevpn(gateway_a, IMPATIENT + site_table(site_to_site(network, auth=RIGHT), start="wait"))

    called_wrongly(mistake, network, peers, ours)

    head = first_line(ours).partition(":")[0]
    assert mistake.setting in head.replace(",", " ").replace(".", " ").split()


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


def test_pfs_differs(network: Network, peers: Peers, gateway_a: Node) -> None:
    """Nobody notices before new keys are wanted."""
    site = site_to_site(network, auth=RIGHT)
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    theirs = peers.strongswan(network["gateway_b"], replace(site.mirrored(), esp="aes128gcm16-ecp384"))
    theirs.initiate()
    theirs.rekey_child()
    assert first_line(ours).startswith("site.site.esp_proposals: the two sides differ in the key exchange")


def test_another_way_to_prove_itself(network: Network, peers: Peers, gateway_a: Node, results: Path) -> None:
    """The peer has a certificate where we expect a key."""
    site, issued = site_to_site(network, auth=RIGHT), authority(peers.state).issue("b.example")
    ours = peers.edgevpn(gateway_a, site_table(site, start="wait"))
    theirs = peers.strongswan(network["gateway_b"], replace(site.mirrored(), auth=issued, remote_auth=RIGHT))
    theirs.begin()
    assert first_line(ours).startswith("site.site.auth: the peer proves itself by ")
