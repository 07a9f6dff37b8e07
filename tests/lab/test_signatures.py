"""Two sites, each proved by a certificate: every kind of signature that the peers can make, and chains."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from edgevpn.pki.keys import PrivateKey
from tests.lab.conftest import Peers, Role, Tunnels
from tests.lab.network import Network
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.tunnel import Tunnel
from tests.support.certificates import Made, rsa_key

KEYS: dict[str, Callable[[], PrivateKey]] = {
    "rsa": lambda: rsa_key(2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of signature: the key, how strongSwan is told to make it, and what it calls it."""

    key: str
    scheme: str
    name: str


KINDS = {
    "rsa-sha256": Kind("rsa", "pubkey-sha256", "RSA_EMSA_PKCS1_SHA2_256"),
    "rsa-sha512": Kind("rsa", "pubkey-sha512", "RSA_EMSA_PKCS1_SHA2_512"),
    "pss-sha256": Kind("rsa", "rsa/pss-sha256", "RSA_EMSA_PSS_SHA2_256"),
    "pss-sha384": Kind("rsa", "rsa/pss-sha384", "RSA_EMSA_PSS_SHA2_384"),
    "p256": Kind("p256", "pubkey-sha256", "ECDSA_WITH_SHA256_DER"),
    "p384": Kind("p384", "pubkey-sha384", "ECDSA_WITH_SHA384_DER"),
    "p521": Kind("p521", "pubkey-sha512", "ECDSA_WITH_SHA512_DER"),
    "ed25519": Kind("ed25519", "ed25519", "ED25519"),
}


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Lab root")


def proofs(cabinet: Cabinet, root: Made, site: Connection, kind: Kind) -> tuple[Connection, Connection]:
    """Both sides of a site, each with a key of this kind."""
    ours = cabinet.proof(root, holder("a.example", root, key=KEYS[kind.key]()))
    theirs = cabinet.proof(root, holder("b.example", root, key=KEYS[kind.key]()), scheme=kind.scheme)
    return replace(site, auth=ours), replace(site.mirrored(), auth=theirs)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_signature(tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, kind: Kind) -> None:
    """The peer signs in one way; we take it, and it takes ours."""
    tunnel = tunnels.between(*proofs(cabinet, root, site, kind))

    tunnel.up()

    tunnel.theirs.logged(f"authentication of 'b.example' (myself) with {kind.name}")
    tunnel.theirs.logged("authentication of 'a.example' with")
    tunnel.assert_carries()


@pytest.mark.parametrize("role", ["responder"], indirect=True)
@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_pss_is_answered_with_pss(tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection) -> None:
    tunnel = tunnels.between(*proofs(cabinet, root, site, KINDS["pss-sha256"]))

    tunnel.up()

    tunnel.theirs.logged("authentication of 'a.example' with RSA_EMSA_PSS_SHA2_256")


def test_pss_for_who_is_told(peers: Peers, network: Network, cabinet: Cabinet, root: Made, site: Connection) -> None:
    """We call, and nothing is known yet of how the peer signs."""
    a, b = proofs(cabinet, root, site, KINDS["pss-sha256"])
    ours = peers.edgevpn(network["gateway_a"], site_table(a, start="wait", signature="pss"))
    theirs = peers.strongswan(network["gateway_b"], b)
    tunnel = Tunnel(network, ours, theirs, initiator=ours)

    tunnel.up()

    theirs.logged("authentication of 'a.example' with RSA_EMSA_PSS_SHA2_256")
    tunnel.assert_carries()


OLD_METHODS = {
    "rsa": "RSA signature",
    "p256": "ECDSA-256 signature",
    "p384": "ECDSA-384 signature",
    "p521": "ECDSA-521 signature",
}


@pytest.mark.parametrize(("key", "name"), OLD_METHODS.items(), ids=OLD_METHODS)
def test_signature_without_a_choice_of_hash(
    peers: Peers, network: Network, role: Role, cabinet: Cabinet, root: Made, site: Connection, key: str, name: str
) -> None:
    """A peer that does not speak RFC 7427: RSA with SHA-1, or a curve with its one hash (RFC 4754)."""
    a, b = proofs(cabinet, root, site, Kind(key, "", name))
    ours = peers.edgevpn(network["gateway_a"], site_table(a, start="wait"))
    theirs = peers.strongswan(network["gateway_b"], b, options="signature_authentication = no")
    tunnel = Tunnel(network, ours, theirs, initiator=ours if role == "initiator" else theirs)

    tunnel.up()

    theirs.logged(f"authentication of 'b.example' (myself) with {name} successful")
    theirs.logged(f"authentication of 'a.example' with {name} successful")
    tunnel.assert_carries()


LIBRESWAN = {
    "rsa": Kind("rsa", "", "rsasig"),
    "p256": Kind("p256", "ecdsa", "ecdsa"),
    "p384": Kind("p384", "ecdsa", "ecdsa"),
    "p521": Kind("p521", "ecdsa", "ecdsa"),
}


@pytest.mark.parametrize("kind", LIBRESWAN.values(), ids=LIBRESWAN)
@pytest.mark.parametrize("peer", ["libreswan"], indirect=True)
def test_signature_of_libreswan(tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, kind: Kind) -> None:
    tunnel = tunnels.between(*proofs(cabinet, root, site, kind))

    tunnel.up()

    tunnel.assert_carries()


@pytest.mark.parametrize("role", ["responder"], indirect=True)
@pytest.mark.parametrize("peer", ["libreswan"], indirect=True)
@pytest.mark.parametrize("scheme", ["rsa/pss-sha256", "rsa/pss-sha512"])
def test_libreswan_that_takes_nothing_but_pss(
    tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, scheme: str
) -> None:
    tunnel = tunnels.between(*proofs(cabinet, root, site, Kind("rsa", scheme, "")))

    tunnel.up()

    tunnel.assert_carries()


OPENIKED = {
    "rsa": Kind("rsa", "rfc7427", ""),
    "rsa-sha1": Kind("rsa", "rsa", ""),
    "p256": Kind("p256", "rfc7427", ""),
    "p384": Kind("p384", "rfc7427", ""),
    "p521": Kind("p521", "rfc7427", ""),
    "p256-old": Kind("p256", "ecdsa256", ""),
}


@pytest.mark.parametrize("kind", OPENIKED.values(), ids=OPENIKED)
@pytest.mark.parametrize("peer", ["openiked"], indirect=True)
def test_signature_of_openiked(tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, kind: Kind) -> None:
    tunnel = tunnels.between(*proofs(cabinet, root, replace(site, esp="aes128-sha512-x25519"), kind))

    tunnel.up()

    tunnel.assert_carries()


def below_two(cabinet: Cabinet, root: Made, site: Connection, scheme: str) -> tuple[Connection, Connection]:
    """Both sides with certificates that two CAs stand between and the root."""
    upper = authority("Upper CA", root)
    lower = authority("Lower CA", upper)
    ours = cabinet.proof(root, holder("a.example", lower, key=KEYS["p256"]()), lower, upper)
    theirs = cabinet.proof(root, holder("b.example", lower, key=KEYS["p256"]()), lower, upper, scheme=scheme)
    return replace(site, auth=ours), replace(site.mirrored(), auth=theirs)


@pytest.mark.parametrize(
    ("peer", "scheme"),
    [("strongswan", ""), ("libreswan", "ecdsa"), ("openiked", "")],
    indirect=["peer"],
    ids=["strongswan", "libreswan", "openiked"],
)
def test_chain(tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, scheme: str) -> None:
    """Each side knows the root alone, and sends along what is between."""
    site = replace(site, esp="aes128-sha512-x25519")  # what they all can
    tunnel = tunnels.between(*below_two(cabinet, root, site, scheme))

    tunnel.up()

    tunnel.assert_carries()
