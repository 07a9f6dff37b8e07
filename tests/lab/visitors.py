"""Phones and laptops: edgevpn as the gateway that they come to, and what each of them is set up with."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import ANY_V4, ANY_V6, Auth, Certificate, Connection, Eap, Psk
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import Peer, eventually
from tests.lab.sites import Family

Table = dict[str, Any]

PUBLIC_NAME = "vpn.example"
POOL: Table = {"v4": "10.99.0.0/24", "v6": "fd99::/64"}
ROUTER_V4, ROUTER_V6 = "10.99.0.1", "fd99::1"
"""The gateway's own addresses in the pool, which are also those of the name server."""

PASSWORD, PSK = "correct horse battery staple", "a long and random text, as all should be"
PHONE: Table = {"password": PASSWORD}
TABLET: Table = {"login": "psk", "psk": PSK}
DEVICES: dict[str, Table] = {"phone": PHONE, "tablet": TABLET}

READY, CHILD_UP = "certificates_ready", "child_up"
EVERYTHING = ("0.0.0.0/0", "::/0")


def gateway_table(devices: Mapping[str, Table] = DEVICES, pool: Table | None = None, **tables: Table) -> str:
    """A configuration with the pool "road"; keys that are None are left out."""
    pki = {"public_name": PUBLIC_NAME, "key_type": "rsa2048"} | dict(tables.pop("pki", {}))
    road = {key: value for key, value in {**POOL, **(pool or {})}.items() if value is not None}
    return tomlkit.dumps({**tables, "pki": pki, "pool": {"road": road}, "device": devices})


def opened(peers: Peers, node: Node, toml: str) -> EdgeVpn:
    """A gateway that devices can come to."""
    gateway = peers.edgevpn(node, toml)
    gateway.logged(READY, within=60)
    return gateway


def reopened(gateway: EdgeVpn) -> None:
    """Start it again, and wait until devices can come to it."""
    before = gateway.log().count(READY)
    gateway.start()
    eventually(lambda: gateway.log().count(READY) > before, within=60, what="devices can come again")


def come_in(client: Peer, gateway: EdgeVpn) -> None:
    """The device calls and is let in; when this returns, both ends can send."""
    before = gateway.log().count(CHILD_UP)
    client.initiate("road")
    eventually(lambda: gateway.log().count(CHILD_UP) > before, within=5, what=f"{client} has come in")


def authority_of(gateway: EdgeVpn) -> Path:
    """The certificate of the gateway's own CA, as every device gets it."""
    certificate, *_ = x509.load_pem_x509_certificates((gateway.state / "pki" / "ca.pem").read_bytes())
    alone = gateway.state / "authority.pem"
    alone.write_bytes(certificate.public_bytes(Encoding.PEM))
    return alone


def far_end(gateway: EdgeVpn, outer: Family) -> str:
    """Where a device calls the gateway."""
    return gateway.node.wan.v4 if outer == 4 else gateway.node.wan.v6


def visit(gateway: EdgeVpn, auth: Auth, name: str, **changes: Any) -> Connection:
    """A device's side of a full tunnel, with strong algorithms and an address of each IP version."""
    settings: dict[str, Any] = {
        "name": "road",
        "local": "",
        "remote": gateway.node.wan.v4,
        "local_id": name,
        "remote_id": PUBLIC_NAME,
        "auth": auth,
        "remote_ts": EVERYTHING,
        "request_addresses": (ANY_V4, ANY_V6),
        "ike": "aes256gcm16-prfsha384-ecp384",
        "esp": "aes256gcm16",
    }
    return Connection(**(settings | changes))


def by_password(gateway: EdgeVpn, user: str = "phone", password: str = PASSWORD, **changes: Any) -> Connection:
    """A device that logs in with EAP-MSCHAPv2."""
    return visit(gateway, Eap(user, password, authority_of(gateway)), user, **changes)


def by_psk(gateway: EdgeVpn, user: str = "tablet", secret: str = PSK, **changes: Any) -> Connection:
    """A device that has a pre-shared key."""
    return visit(gateway, Psk(secret), user, **changes)


def by_certificate(gateway: EdgeVpn, proof: Certificate, name: str, **changes: Any) -> Connection:
    """A device that has a certificate, of whatever CA; the gateway it knows by the gateway's own."""
    return visit(gateway, replace(proof, authority=authority_of(gateway)), name, **changes)
