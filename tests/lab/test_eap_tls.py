"""Logins by a certificate within EAP: EAP-TLS with TLS 1.2 and 1.3, with strongSwan as the client."""

from base64 import b64decode
from dataclasses import replace

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.lab.conftest import Peers
from tests.lab.network import Node
from tests.lab.peers.connection import Certificate, Connection, EapTls
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually
from tests.lab.peers.strongswan import StrongSwan
from tests.lab.proofs import LONG_OVER, Cabinet, authority, holder, revocations
from tests.lab.traffic import ping
from tests.lab.visitors import PHONE, Table, authority_of, by_password, come_in, gateway_table, opened, visit
from tests.support.certificates import Made

ROOT, OTHER_ROOT = authority("root"), authority("another")
LAPTOP = "laptop.example"
DEVICES: dict[str, Table] = {
    "laptop": {"login": "eap-tls", "id": LAPTOP},
    "phone": PHONE,
}
ALONE = {"laptop": DEVICES["laptop"]}
BOTH: Table = {"logins": ["password", "eap-tls"]}
SID = {"release": "strongswan-sid"}
VERSION_1_3 = "tls {\n        version_max = 1.3\n    }"


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


def gateway_for(
    peers: Peers,
    node: Node,
    cabinet: Cabinet,
    devices: dict[str, Table] = DEVICES,
    pool: Table = BOTH,
    **pki: object,
) -> EdgeVpn:
    trust = {"trust": [str(cabinet.authority(ROOT))]} | pki
    return opened(peers, node, gateway_table(devices, pool=pool, pki=trust))


@pytest.fixture
def gateway(peers: Peers, gateway_a: Node, cabinet: Cabinet) -> EdgeVpn:
    return gateway_for(peers, gateway_a, cabinet)


def by_tls(
    gateway: EdgeVpn, proof: Certificate, *, alone: bool = False, local_id: str = LAPTOP, user: str = ""
) -> Connection:
    """A device that shows a certificate within EAP."""
    known = replace(proof, authority=authority_of(gateway))
    return visit(gateway, EapTls(known, user, alone), local_id)


def refused(client: StrongSwan) -> None:
    """The device calls, and does not come in."""
    with pytest.raises(AssertionError):
        client.initiate("road")


# 5.9.8 knows TLS 1.3, and does not survive what comes after a handshake of it.
@pytest.mark.parametrize(
    ("version", "settings"),
    [("1.2", {}), ("1.2", SID), ("1.3", SID | {"options": VERSION_1_3})],
    ids=["1.2", "1.2 with sid's", "1.3 with sid's"],
)
def test_certificate(
    peers: Peers,
    gateway: EdgeVpn,
    phone: Node,
    host_a: Node,
    cabinet: Cabinet,
    version: str,
    settings: dict[str, str],
) -> None:
    proof = cabinet.proof(ROOT, holder(LAPTOP, ROOT))
    client = peers.strongswan(phone, by_tls(gateway, proof), **settings)

    come_in(client, gateway)

    (session,) = gateway.device("laptop")["sessions"]
    assert session["proof"] == "EAP-TLS"
    assert session["own_proof"] != "EAP-TLS"
    assert ping(phone, host_a.lan.v4).passed
    client.logged(f"negotiated TLS {version} using suite")


def test_from_our_own_authority(peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet) -> None:
    """What `device export` has made."""
    made = gateway.ask("device.export", name="laptop", form="p12", secret="a password of its file")
    proof = cabinet.container(b64decode(made["content"]), "a password of its file", authority_of(gateway))
    client = peers.strongswan(phone, by_tls(gateway, proof))

    come_in(client, gateway)

    (session,) = gateway.device("laptop")["sessions"]
    assert session["proof"] == "EAP-TLS"


def test_who_it_is_says_the_certificate_alone(peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet) -> None:
    """Windows calls itself by its address, and within EAP by what is in its certificate for that."""
    proof = cabinet.proof(ROOT, holder(LAPTOP, ROOT))
    client = peers.strongswan(phone, by_tls(gateway, proof, local_id="10.9.1.2", user="CN=laptop.example"))

    come_in(client, gateway)

    assert len(gateway.device("laptop")["sessions"]) == 1


def test_eap_alone(peers: Peers, gateway_a: Node, phone: Node, cabinet: Cabinet) -> None:
    """EAP shows who both are, if the client asks for that and the owner lets it (rw-eap-tls-only)."""
    gateway = gateway_for(peers, gateway_a, cabinet, ALONE, {"logins": ["eap-tls"], "eap_only": True})
    client = peers.strongswan(phone, by_tls(gateway, cabinet.proof(ROOT, holder(LAPTOP, ROOT)), alone=True))

    come_in(client, gateway)

    (session,) = gateway.device("laptop")["sessions"]
    assert (session["proof"], session["own_proof"]) == ("EAP-TLS", "EAP-TLS")
    client.logged("allow mutual EAP-only authentication")


def test_long_chain(peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet) -> None:
    """Ours is in several packets, and so is the client's: four CAs between it and the root."""
    between = [authority("first", ROOT)]
    for name in ("second", "third", "fourth"):
        between.append(authority(name, between[-1]))
    proof = cabinet.proof(ROOT, holder(LAPTOP, between[-1]), *reversed(between))
    client = peers.strongswan(phone, by_tls(gateway, proof), options=SHORT_FRAGMENTS)

    come_in(client, gateway)

    (session,) = gateway.device("laptop")["sessions"]
    assert session["proof"] == "EAP-TLS"
    assert client.log().count("EAP/RES/TLS") > 7


SHORT_FRAGMENTS = "plugins {\n        eap-tls {\n            fragment_size = 300\n        }\n    }"

REFUSED: dict[str, tuple[str, Made, Made]] = {
    "of another authority": ("CA", OTHER_ROOT, holder(LAPTOP, OTHER_ROOT)),
    "of nobody that is known": ("no device", ROOT, holder("nobody.example", ROOT)),
    "of a server": ("purpose", ROOT, holder(LAPTOP, ROOT, purposes=[ExtendedKeyUsageOID.SERVER_AUTH])),
    "expired": ("expired", ROOT, holder(LAPTOP, ROOT, ends=LONG_OVER)),
}


@pytest.mark.parametrize(("why", "root", "owner"), REFUSED.values(), ids=REFUSED)
def test_refused(
    peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet, why: str, root: Made, owner: Made
) -> None:
    """By our own judge, as in IKE itself; the owner is told why."""
    name = owner.certificate.subject.rfc4514_string().removeprefix("CN=")
    client = peers.strongswan(phone, by_tls(gateway, cabinet.proof(root, owner), local_id=name))

    refused(client)

    gateway.logged("cause=certificate-refused")
    assert gateway.device("laptop")["sessions"] == []
    assert why in gateway.run("diagnose", "last")


def test_revoked(peers: Peers, gateway_a: Node, phone: Node, cabinet: Cabinet) -> None:
    """It is named: in the log, and by `edgevpn diagnose`."""
    owner = holder(LAPTOP, ROOT)
    crl = cabinet.folder / "revoked.crl"
    crl.write_bytes(revocations(ROOT, owner))
    gateway = gateway_for(peers, gateway_a, cabinet, crl_files=[str(crl)])
    client = peers.strongswan(phone, by_tls(gateway, cabinet.proof(ROOT, owner)))

    refused(client)

    gateway.logged("cause=certificate-refused")
    assert "revoked" in gateway.run("diagnose", "last").lower()


def test_client_that_does_not_know_our_authority(peers: Peers, gateway_a: Node, phone: Node, cabinet: Cabinet) -> None:
    gateway = gateway_for(peers, gateway_a, cabinet, ALONE, {"logins": ["eap-tls"], "eap_only": True})
    proof = replace(cabinet.proof(ROOT, holder(LAPTOP, ROOT)), authority=cabinet.authority(OTHER_ROOT))
    client = peers.strongswan(phone, visit(gateway, EapTls(proof, alone=True), LAPTOP))

    refused(client)

    gateway.logged("cause=left-unconvinced")


# --- beside passwords ----------------------------------------------------------------------------------------------


def test_each_by_its_own_method(peers: Peers, gateway: EdgeVpn, phone: Node, laptop: Node, cabinet: Cabinet) -> None:
    """The password is asked for first; who has none says what it has (rw-eap-dynamic)."""
    with_password = peers.strongswan(laptop, by_password(gateway))
    with_certificate = peers.strongswan(phone, by_tls(gateway, cabinet.proof(ROOT, holder(LAPTOP, ROOT))))

    come_in(with_certificate, gateway)
    come_in(with_password, gateway)

    proofs = {name: [each["proof"] for each in gateway.device(name)["sessions"]] for name in DEVICES}
    assert proofs == {"laptop": ["EAP-TLS"], "phone": ["EAP-MSCHAPV2"]}


def test_it_ends_with_the_device(peers: Peers, gateway: EdgeVpn, phone: Node, cabinet: Cabinet) -> None:
    client = peers.strongswan(phone, by_tls(gateway, cabinet.proof(ROOT, holder(LAPTOP, ROOT))))
    come_in(client, gateway)

    gateway.ask("device.set", name="laptop", settings={"enabled": False})

    eventually(lambda: not gateway.device("laptop")["sessions"], within=10, what="it has been shown out")
    refused(client)
