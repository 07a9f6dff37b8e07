"""The clients that people have, in strongSwan's words: their proposals and habits, as far as strongSwan can have them.

What each of them does is told in edgevpn/simulate/clients.py, and where that is known from; here it stands once more,
so that a mistake there is none here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import Certificate, Connection
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.visitors import PHONE, TABLET, Table, by_certificate, by_password, by_psk, gateway_table, opened

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

OWNERS = {"password": "phone", "psk": "tablet", "certificate": "laptop"}
"""The device for each way to log in."""

TABLES: dict[str, Table] = {"phone": PHONE, "tablet": TABLET, "laptop": {"login": "certificate", "id": LAPTOP}}


def gateway_for(peers: Peers, node: Node, proof: Certificate, **pool: object) -> EdgeVpn:
    """A gateway that knows these devices, and the CA of the laptop's certificate."""
    return opened(peers, node, gateway_table(TABLES, pool, pki={"trust": [str(proof.authority)]}))


def played(peers: Peers, node: Node, client: Client, login: str, gateway: EdgeVpn, proof: Certificate) -> StrongSwan:
    """The client at a node, set up for a way to log in; `proof` is the laptop's."""
    return peers.strongswan(
        node,
        connection(client, login, gateway, proof),
        options=client.options,
        connection_options={"send_certreq": "yes" if client.asks_certificate else "no"},
    )


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
