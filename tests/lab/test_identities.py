"""Who the owner means: the subject of a certificate, and all whose identity is like a pattern."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.lab.conftest import Peers, Tunnels
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.peer import eventually
from tests.lab.proofs import BEGIN, END, Cabinet, authority, holder
from tests.lab.traffic import ping
from tests.lab.visitors import by_certificate, come_in, gateway_table, opened
from tests.support import certificates as support
from tests.support.certificates import Made

OURS, THEIRS = "C=CH, O=Lab, CN=a.example", "C=CH, O=Lab, CN=b.example"
SUBJECT = ""
"""In the place of an identity: strongSwan then says that it is the subject of its certificate."""

LIKE_THEM = {
    "domain": ("*.example", "b.example"),
    "subject": ("C=CH, O=Lab, CN=*", SUBJECT),
}
UNLIKE_THEM = {
    "domain": ("*.lab.example", "b.example"),
    "subject": ("C=CH, O=Lab, OU=Office, CN=*", SUBJECT),
}


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Lab root")


def made(host: str, root: Made) -> Made:
    """A certificate that names a host, and has C=CH, O=Lab in its subject besides."""
    oids = (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in zip(oids, ("CH", "Lab", host), strict=True)])
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    return support.certificate(subject, root, [(names, False)], begins=BEGIN, ends=END)


def certified(cabinet: Cabinet, root: Made, site: Connection, **theirs: str) -> tuple[Connection, Connection]:
    """Both sides of a site, each with a certificate; `theirs` is what the peer's side says otherwise than ours."""
    ours, others = (cabinet.proof(root, made(host, root)) for host in ("a.example", "b.example"))
    return replace(site, auth=ours), site.mirrored(auth=others, **theirs)


@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_both_are_the_subjects_of_their_certificates(
    tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection
) -> None:
    """Each is known by it, however it is written: case and string types make no difference."""
    here, there = certified(cabinet, root, replace(site, local_id=OURS, remote_id=THEIRS.lower()), local_id=SUBJECT)
    tunnel = tunnels.between(here, there)

    tunnel.up()

    tunnel.theirs.logged(f"authentication of '{THEIRS}' (myself)")
    tunnel.theirs.logged(f"authentication of '{OURS}' with")
    tunnel.ours.logged(f'id="{THEIRS}"')
    tunnel.assert_carries()


@pytest.mark.parametrize(("pattern", "identity"), LIKE_THEM.values(), ids=LIKE_THEM)
@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_one_who_is_like_a_pattern(
    tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, pattern: str, identity: str
) -> None:
    here, there = certified(cabinet, root, replace(site, remote_id=pattern), local_id=identity)
    tunnel = tunnels.between(here, there)

    tunnel.up()

    tunnel.assert_carries()


@pytest.mark.parametrize(("pattern", "identity"), UNLIKE_THEM.values(), ids=UNLIKE_THEM)
@pytest.mark.parametrize("peer", ["strongswan"], indirect=True)
def test_one_who_is_not(
    tunnels: Tunnels, cabinet: Cabinet, root: Made, site: Connection, pattern: str, identity: str
) -> None:
    """Its certificate is good; that is not enough."""
    here, there = certified(cabinet, root, replace(site, remote_id=pattern), local_id=identity)
    tunnel = tunnels.between(here, there)

    tunnel.initiator.begin()

    tunnel.ours.logged("other-identity" if tunnels.role == "initiator" else "identity-unknown")
    eventually(lambda: not tunnel.ours.status(), within=5, what="no IKE SA")


def test_all_of_a_company_are_one_device(
    peers: Peers, cabinet: Cabinet, gateway_a: Node, phone: Node, laptop: Node, host_a: Node
) -> None:
    """Each has an address of its own; who is of another company stays out."""
    company = authority("Company root")
    devices = {"company": {"login": "certificate", "id": "*@example.org"}}
    gateway = opened(peers, gateway_a, gateway_table(devices, pki={"trust": [str(cabinet.authority(company))]}))
    names = {phone: "carol@example.org", laptop: "dave@example.org"}
    clients = {
        node: peers.strongswan(node, by_certificate(gateway, cabinet.proof(company, holder(name, company)), name))
        for node, name in names.items()
    }

    for client in clients.values():
        come_in(client, gateway)

    addresses = [address for client in clients.values() for address in client.addresses("road")]
    assert len(set(addresses)) == 4
    assert len(gateway.device("company")["sessions"]) == 2
    assert all(ping(node, host_a.lan.v4).passed for node in clients)

    clients[phone].close()
    stranger = "carol@example.com"
    proof = cabinet.proof(company, holder(stranger, company))
    with pytest.raises(AssertionError):
        peers.strongswan(phone, by_certificate(gateway, proof, stranger)).initiate("road")
    gateway.logged("the certificate is refused: no device has this name")
