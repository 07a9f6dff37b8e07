"""What is handed over for strongSwan: unpacked as it says and loaded by swanctl, it connects, and traffic passes."""

import io
import zipfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.traffic import ping
from tests.lab.visitors import PASSWORD, PHONE, TABLET, Table, gateway_table, opened

CONNECTED = 15.0  # seconds
SWANCTL = Path("/etc/swanctl")
TITLE = "home"

DEVICES: dict[str, Table] = {
    "phone": PHONE,
    "tablet": TABLET,
    "laptop": {"login": "certificate", "id": "laptop.example"},
}
SECRETS = {"phone": PASSWORD, "tablet": "", "laptop": ""}


def unpack(archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(SWANCTL)


def load(client: StrongSwan, made: Any) -> str:
    """Do with an archive, or with a text, what its instructions say."""
    if made["base64"]:
        client.place.call(unpack, b64decode(made["content"]))
    else:
        client.place.call((SWANCTL / "conf.d" / made["name"]).write_text, made["content"])
    return client.place.run("swanctl", "--load-all", "--uri", f"unix://{client.socket}")


def known_here(gateway: Node, **tables: Table) -> str:
    """A gateway that is called by its address."""
    return gateway_table(DEVICES, pki={"public_name": gateway.wan.v4}, web={"title": TITLE}, **tables)


@pytest.mark.parametrize("device", DEVICES)
def test_a_device(peers: Peers, gateway_a: Node, phone: Node, host_a: Node, device: str) -> None:
    gateway = opened(peers, gateway_a, known_here(gateway_a))
    client = peers.strongswan(phone)

    made = gateway.ask("device.export", name=device, form="swanctl", secret=SECRETS[device])
    told = load(client, made)

    assert "failed" not in told
    eventually(lambda: bool(gateway.device(device)["sessions"]), within=CONNECTED, what=f"{device} has come in\n{told}")
    eventually(lambda: ping(phone, host_a.lan.v4, wait=0.2).passed, within=5, what="packets pass")


def test_a_password_that_is_not_known_has_its_place(peers: Peers, gateway_a: Node, phone: Node, host_a: Node) -> None:
    """The file is loaded as it is; who does what its note says comes in."""
    gateway = opened(peers, gateway_a, known_here(gateway_a))
    client = peers.strongswan(phone)
    assert "failed" not in load(client, gateway.ask("device.export", name="phone", form="swanctl"))

    def fill_in() -> None:
        (file,) = (SWANCTL / "conf.d").glob("*-phone.conf")
        before, note, comment = file.read_text().partition("# The password is not known here")
        assert note
        section = "\n".join(line.removeprefix("# ") for line in comment.splitlines()[1:])
        file.write_text(before + section.replace('secret = ""', f'secret = "{PASSWORD}"') + "\n")

    client.place.call(fill_in)
    assert "failed" not in client.place.run("swanctl", "--load-all", "--uri", f"unix://{client.socket}")
    client.initiate(TITLE)
    assert ping(phone, host_a.lan.v4).passed


@pytest.mark.parametrize("auth", ["psk", "certificate"])
def test_a_site(peers: Peers, gateway_a: Node, gateway_b: Node, host_a: Node, host_b: Node, auth: str) -> None:
    site: Table = {
        "remote": gateway_b.wan.v4,
        "remote_id": "branch.example.org",
        "local_id": gateway_a.wan.v4,
        "auth": auth,
        **({"psk": "a long and random text, as all should be"} if auth == "psk" else {}),
        "local_networks": [host_a.lan.net4],
        "remote_networks": [host_b.lan.net4],
        "start": "wait",
    }
    gateway: EdgeVpn = opened(peers, gateway_a, known_here(gateway_a, site={"branch": site}))
    them = peers.strongswan(gateway_b)

    told = load(them, gateway.ask("site.snippet", name="branch", form="strongswan"))

    assert "failed" not in told
    eventually(lambda: gateway.site("branch")["state"] == "up", within=CONNECTED, what=f"the site is up\n{told}")
    eventually(lambda: ping(host_a, host_b.lan.v4, wait=0.2).passed, within=5, what="packets pass")
