"""`edgevpn simulate` against a gateway of the lab: the command lines that play clients as they are."""

from pathlib import Path

from tests.lab.clients import LAPTOP
from tests.lab.peers.connection import Certificate
from tests.lab.peers.edgevpn import PROGRAM, EdgeVpn
from tests.lab.visitors import PASSWORD, PSK, PUBLIC_NAME, authority_of


def by_password(gateway: EdgeVpn) -> tuple[str, ...]:
    """The phone's way to log in."""
    return "--user", "phone", "--password-file", str(_kept(gateway, "password", PASSWORD))


def by_psk(gateway: EdgeVpn) -> tuple[str, ...]:
    """The tablet's way to log in."""
    return "--id", "tablet", "--psk-file", str(_kept(gateway, "psk", PSK))


def by_certificate(gateway: EdgeVpn, proof: Certificate) -> tuple[str, ...]:
    """The laptop's way to log in."""
    both = proof.certificate.read_text() + proof.key.read_text()
    return "--id", LAPTOP, "--certificate", str(_kept(gateway, "certificate", both))


def login(way: str, gateway: EdgeVpn, proof: Certificate) -> tuple[str, ...]:
    """That way to log in: "password", "psk" or "certificate"."""
    match way:
        case "password":
            return by_password(gateway)
        case "psk":
            return by_psk(gateway)
    return by_certificate(gateway, proof)


def simulated(client: str, gateway: EdgeVpn, *login: str) -> tuple[str, ...]:
    """The command line that plays a client; it ends with status 0 if that was let in and could stay."""
    place = ("--server", PUBLIC_NAME, "--address", gateway.node.wan.v4, "--ca", str(authority_of(gateway)))
    return str(PROGRAM), "simulate", client, *place, *login


def _kept(gateway: EdgeVpn, name: str, text: str) -> Path:
    """A secret in a file of its owner's."""
    path = gateway.state / f"simulated-{name}"
    path.touch(mode=0o600)
    path.write_text(text)
    return path
