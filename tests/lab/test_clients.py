"""The clients that people have: strongSwan with their proposals and habits, as far as it can have them.

What each of them does is told in edgevpn/simulate/clients.py, and where that is known from; here it stands once more,
in strongSwan's words, so that a mistake there is none here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import Certificate, Connection
from tests.lab.peers.edgevpn import PROGRAM, EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.traffic import ping, pinging
from tests.lab.tunnel import PAIR
from tests.lab.visitors import (
    PASSWORD,
    PHONE,
    PUBLIC_NAME,
    ROUTER_V4,
    ROUTER_V6,
    TABLET,
    Table,
    authority_of,
    by_certificate,
    by_password,
    by_psk,
    come_in,
    gateway_table,
    opened,
)
from tests.support.certificates import Made

LAPTOP = "laptop.example"
NO_REDIRECT, NO_HASHES = "follow_redirects = no\n", "signature_authentication = no\n"


@dataclass(frozen=True, slots=True)
class Client:
    """What it offers, and its habits: `identity` makes IDi of what its user typed, `suite` is what is agreed on."""

    ike: str
    esp: str
    suite: str
    names_server: bool = True
    asks_certificate: bool = False
    mobike: bool = True
    logins: tuple[str, ...] = ("password", "certificate", "psk")
    identity: Callable[[str], str] = str
    options: str = NO_HASHES
    known_as: str = "strongSwan"


ANDROID_11_PRF_KE = "prfaesxcbc-prfsha1-modp4096-modp3072-modp2048"
ANDROID_12_PRF_KE = "prfsha512-prfsha384-prfsha256-prfaesxcbc-prfaescmac-prfsha1-modp4096-x25519-modp3072-modp2048"
GCM = "aes256gcm16-aes192gcm16-aes128gcm16-aes256gcm12-aes128gcm12-aes256gcm8-aes128gcm8"
CBC = "aes256-aes192-aes128-sha512-sha384-sha256-aesxcbc"

CLIENTS = {
    "windows": Client(
        ike="aes256gcm16-prfsha256-ecp256",
        esp="aes256gcm16-ecp256",
        suite="aes256gcm16-prfsha256-ecp256",
        names_server=False,
        asks_certificate=True,
        logins=("password", "certificate"),
        options=f"fragment_size = 576\n{NO_HASHES}",
    ),
    "ios": Client(
        ike="aes256-sha256-modp2048, aes256-sha256-ecp256, aes256-sha256-modp1536, aes128-sha1-modp1024",
        esp="aes256-sha256-modp2048, aes256-sha256, aes128-sha1",
        suite="aes256-sha256-prfsha256-modp2048",
    ),
    "macos": Client(ike="aes256-sha256-modp2048", esp="aes256-sha256", suite="aes256-sha256-prfsha256-modp2048"),
    "apple-by-profile": Client(
        ike="aes256gcm16-prfsha256-ecp256", esp="aes256gcm16-ecp256", suite="aes256gcm16-prfsha256-ecp256"
    ),
    "android-11": Client(
        ike=f"{CBC}-{ANDROID_11_PRF_KE}, {GCM}-{ANDROID_11_PRF_KE}",
        esp="aes256-aes192-aes128-sha512-sha384-sha256, aes256gcm16-aes128gcm16",
        suite="aes256gcm16-prfaesxcbc-modp4096",
        mobike=False,
        identity=lambda typed: f"keyid:{typed}",
        options=NO_REDIRECT,
        known_as="Android",
    ),
    "android-12": Client(
        ike=f"aes256ctr-aes128ctr-{CBC}-aescmac-{ANDROID_12_PRF_KE}, chacha20poly1305-{GCM}-{ANDROID_12_PRF_KE}",
        esp="aes256ctr-aes256-aes128-sha512-sha384-sha256, chacha20poly1305-aes256gcm16-aes128gcm16",
        suite="aes256gcm16-prfsha384-x25519",
        options=NO_REDIRECT,
        known_as="Android",
    ),
}

CASES = [(name, login) for name, client in CLIENTS.items() for login in client.logins]


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Company root")


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node, cabinet: Cabinet, root: Made) -> EdgeVpn:
    """A device for each way to log in."""
    laptop: Table = {"login": "certificate", "id": LAPTOP}
    devices = {"phone": PHONE, "tablet": TABLET, "laptop": laptop}
    return opened(peers, gateway_a, gateway_table(devices, pki={"trust": [str(cabinet.authority(root))]}))


def connection(client: Client, login: str, gateway: EdgeVpn, proof: Certificate) -> Connection:
    """What its user has typed into the client."""
    habits: dict[str, Any] = {"ike": client.ike, "esp": client.esp, "mobike": client.mobike}
    if not client.names_server:
        habits["remote_id"] = "%any"
    match login:
        case "password":
            return by_password(gateway, local_id=client.identity("phone"), **habits)
        case "psk":
            return by_psk(gateway, client.identity("tablet"), **habits)
    return by_certificate(gateway, proof, LAPTOP if client.names_server else f"CN={LAPTOP}", **habits)


DEVICES = {"password": "phone", "psk": "tablet", "certificate": "laptop"}


@pytest.mark.parametrize(("name", "login"), CASES, ids=["-".join(case) for case in CASES])
def test_client(
    peers: Peers, gateway: EdgeVpn, cabinet: Cabinet, root: Made, phone: Node, host_a: Node, name: str, login: str
) -> None:
    """Addresses, name servers, traffic to the LAN, new keys, and off again."""
    client = CLIENTS[name]
    proof = cabinet.proof(root, holder(LAPTOP, root))
    them = peers.strongswan(
        phone,
        connection(client, login, gateway, proof),
        options=client.options,
        connection_options={"send_certreq": "yes" if client.asks_certificate else "no"},
    )

    come_in(them, gateway)

    (session,) = gateway.device(DEVICES[login])["sessions"]
    assert them.addresses("road") == session["addresses"] == ["10.99.0.2", "fd99::2"]
    assert set(them.name_servers()) == {ROUTER_V4, ROUTER_V6}
    assert ping(phone, host_a.lan.v6).passed
    with pinging(phone, host_a.lan.v4) as echoes:
        new_child_keys(them, gateway)
        new_ike_keys(them, gateway)
        new_child_keys(them, gateway)
    assert echoes.lost == 0, f"gateway {xfrm.errors(gateway.node)}, client {xfrm.errors(phone)}"
    assert (session["client"], session["suite"]) == (client.known_as, client.suite)
    them.terminate("road")
    eventually(lambda: not xfrm.spis(gateway.node), within=5, what="nothing is left of it")


UNTOUCHED_WINDOWS = Client(
    ike="aes256-sha1-modp1024, aes256-sha256-modp1024, aes256-sha384-modp1024, aes256gcm16-prfsha384-modp1024",
    esp="aes256-sha1, aes128-sha1",
    suite="aes256-sha1-prfsha1-modp1024",
    names_server=False,
    asks_certificate=True,
    logins=("password",),
)


def untouched_windows(peers: Peers, gateway: EdgeVpn, phone: Node) -> StrongSwan:
    """A Windows that ran no script."""
    them = UNTOUCHED_WINDOWS
    typed = by_password(gateway, remote_id="%any", local_id="10.9.1.2", ike=them.ike, esp=them.esp)
    return peers.strongswan(phone, typed, options=them.options)


def test_untouched_windows_is_refused(peers: Peers, gateway: EdgeVpn, phone: Node) -> None:
    """MODP-1024 is all that it has for a key exchange."""
    them = untouched_windows(peers, gateway, phone)

    with pytest.raises(AssertionError):
        them.initiate("road")

    them.logged("NO_PROPOSAL_CHOSEN")
    gateway.logged("no-common-proposal")
    told = gateway.run("diagnose", "last")
    assert "modp1024" in told
    assert "Run the script that `edgevpn device export` makes for Windows" in told


def test_untouched_windows_is_let_in_where_the_owner_wants_it(
    peers: Peers, gateway_a: Node, phone: Node, host_a: Node
) -> None:
    gateway = opened(peers, gateway_a, gateway_table(pool={"legacy": True}))

    come_in(untouched_windows(peers, gateway, phone), gateway)

    (session,) = gateway.device("phone")["sessions"]
    assert session["suite"] == UNTOUCHED_WINDOWS.suite
    assert [each.partition(":")[0] for each in session["weak"]] == ["sha1", "prfsha1", "modp1024"]
    assert "WEAK: sha1, prfsha1, modp1024" in gateway.run("status")
    assert ping(phone, host_a.lan.v4).passed


@pytest.mark.parametrize("name", ["windows11", "ios", "macos", "android11", "android12"])
def test_simulated_client(gateway: EdgeVpn, phone: Node, name: str) -> None:
    """`edgevpn simulate` behind the NAT: an empty EAP identity as Android has it, and what strongSwan cannot do."""
    password = gateway.state / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)

    login = ("--user", "phone", "--password-file", str(password), "--ca", str(authority_of(gateway)))
    address = ("--server", PUBLIC_NAME, "--address", gateway.node.wan.v4)
    phone.run(str(PROGRAM), "simulate", name, *address, *login, "--rekey")

    gateway.logged("device_in device=phone")
    gateway.logged("device_out device=phone")
    assert not xfrm.spis(gateway.node)


def new_child_keys(client: StrongSwan, gateway: EdgeVpn) -> None:
    """The client rekeys its CHILD SA."""
    old = xfrm.spis(gateway.node)
    client.rekey_child("road")
    eventually(lambda: len(now := xfrm.spis(gateway.node)) == PAIR and not now & old, within=15, what="new child keys")


def new_ike_keys(client: StrongSwan, gateway: EdgeVpn) -> None:
    """The client rekeys its IKE SA, and has its child with the new one."""
    old, before = client.spis(), gateway.log().count("ike_rekeyed")
    client.rekey_ike("road")
    eventually(lambda: gateway.log().count("ike_rekeyed") > before, within=15, what="new IKE keys")
    eventually(lambda: _is_alone(client, old), within=15, what="one IKE SA, a new one, with its child")


def _is_alone(client: StrongSwan, old: set[str]) -> bool:
    now = client.status()
    return len(now) == 1 and now[0].established and now[0].children == 1 and now[0].spi not in old
