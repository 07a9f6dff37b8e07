"""A box that nobody logs in to: it gets one file, is started, and phones and a site connect."""

import json
from pathlib import Path

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Network, Node
from tests.lab.peers.edgevpn import IMPATIENT, site_table
from tests.lab.peers.packaged import Packaged
from tests.lab.peers.peer import eventually
from tests.lab.sites import site_to_site
from tests.lab.traffic import ping
from tests.lab.visitors import READY, by_password, by_psk, come_in, gateway_table, opened


@pytest.mark.parametrize("login", ["password", "psk"])
def test_one_file_and_nothing_typed(
    network: Network,
    peers: Peers,
    gateway_a: Node,
    gateway_b: Node,
    phone: Node,
    host_a: Node,
    host_b: Node,
    login: str,
) -> None:
    """Certificates are made, the site comes up, the phone gets in; all three see one another."""
    site = site_to_site(network)
    peers.strongswan(gateway_b, site.mirrored())
    toml = IMPATIENT + gateway_table() + site_table(site, start="load")
    box = peers.edgevpn_at_rest(gateway_a, toml)
    assert not {"pki", "state", "secrets.toml"} & {path.name for path in box.state.iterdir()}

    peers.start(box)
    box.logged(READY, within=60)
    eventually(lambda: box.site()["state"] == "up", within=30, what="the site is up")
    connection = by_password(box) if login == "password" else by_psk(box)
    come_in(peers.strongswan(phone, connection), box)

    assert ping(host_a, host_b.lan.v4).passed
    assert ping(phone, host_a.lan.v4).passed
    assert len(xfrm.spis(gateway_a)) == 4
    status = json.loads(box.run("status", "--json"))
    assert [(each["name"], each["state"]) for each in status["sites"]] == [("site", "up")]
    assert [each["name"] for each in status["devices"] if each["sessions"]] == [
        "phone" if login == "password" else "tablet"
    ]
    assert 'edgevpn_site_up{site="site"} 1' in box.run("metrics")
    assert box.config.read_text() == toml


def test_one_file_and_the_package(peers: Peers, gateway_a: Node, phone: Node, host_a: Node, results: Path) -> None:
    """The same of a router's package, with a router's rights: no checkout, no file but that one."""
    state = peers.state / "packaged"
    state.mkdir()
    box = Packaged(gateway_a, state, results / "packaged.log", gateway_table())
    before = box.config.read_text()

    peers.start(box)
    box.logged(READY, within=60)
    client = peers.strongswan(phone, by_password(box))
    come_in(client, box)

    assert client.addresses("road") == ["10.99.0.2", "fd99::2"]
    for address in (host_a.lan.v4, host_a.lan.v6):
        assert ping(phone, address).passed
    assert ping(host_a, "10.99.0.2").passed
    assert box.config.read_text() == before


def test_what_is_asked_of_it_later(
    network: Network, peers: Peers, gateway_a: Node, gateway_b: Node, phone: Node
) -> None:
    """A device that is added on the command line comes in; one whose secret is another now is out at once."""
    box = opened(peers, gateway_a, gateway_table())

    made = json.loads(box.run("device", "add", "desk", "login=psk", "--json"))
    client = peers.strongswan(phone, by_psk(box, "desk", made["psk"]))
    come_in(client, box)
    assert [each["name"] for each in json.loads(box.run("device", "list", "--json")) if each["sessions"]] == ["desk"]

    box.run("device", "reset", "desk")
    eventually(lambda: not box.device("desk")["sessions"], within=5, what="it is out")
    assert not xfrm.spis(gateway_a)
