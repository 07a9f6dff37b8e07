"""A peer whose certificates are no good stays out, whoever calls, and our log says which of them and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from edgevpn.pki.errors import Reason
from tests.lab import xfrm
from tests.lab.conftest import Peers, Role
from tests.lab.network import Node
from tests.lab.peers.connection import Certificate, Connection
from tests.lab.peers.edgevpn import EdgeVpn, site_table
from tests.lab.peers.peer import Peer, eventually
from tests.lab.proofs import BEFORE_IT_WAS_OVER, FAR_OFF, LONG_OVER, ONCE_IT_HAS_COME, Cabinet, authority, holder
from tests.support.certificates import Made

NAME = "b.example"
OF_NOBODY = ObjectIdentifier("1.3.6.1.4.1.99999.1")


def expired(cabinet: Cabinet, root: Made) -> Certificate:
    return cabinet.proof(root, holder(NAME, root, ends=LONG_OVER))


def not_yet_valid(cabinet: Cabinet, root: Made) -> Certificate:
    return cabinet.proof(root, holder(NAME, root, begins=FAR_OFF))


def for_signing_code(cabinet: Cabinet, root: Made) -> Certificate:
    return cabinet.proof(root, holder(NAME, root, purposes=[ExtendedKeyUsageOID.CODE_SIGNING]))


def of_another(cabinet: Cabinet, root: Made) -> Certificate:
    return cabinet.proof(root, holder("stranger.example", root))


def of_another_root(cabinet: Cabinet, root: Made) -> Certificate:
    other = authority("Another root")
    return replace(cabinet.proof(other, holder(NAME, other)), authority=cabinet.authority(root))


def asks_for_what_nobody_knows(cabinet: Cabinet, root: Made) -> Certificate:
    return cabinet.proof(root, holder(NAME, root, [(x509.UnrecognizedExtension(OF_NOBODY, b"\5\0"), True)]))


def below_too_many(cabinet: Cabinet, root: Made) -> Certificate:
    """The upper CA may have none below it."""
    upper = authority("Upper CA", root, path_length=0)
    lower = authority("Lower CA", upper)
    return cabinet.proof(root, holder(NAME, lower), lower, upper)


def below_an_expired_one(cabinet: Cabinet, root: Made) -> Certificate:
    between = authority("Expired CA", root, ends=LONG_OVER)
    return cabinet.proof(root, holder(NAME, between), between)


def without_the_one_between(cabinet: Cabinet, root: Made) -> Certificate:
    return cabinet.proof(root, holder(NAME, authority("Unseen CA", root)))


def revoked(cabinet: Cabinet, root: Made) -> Certificate:
    owner = holder(NAME, root)
    cabinet.crl(root, owner)
    return cabinet.proof(root, owner)


def below_a_revoked_one(cabinet: Cabinet, root: Made) -> Certificate:
    between = authority("Revoked CA", root)
    cabinet.crl(root, between)
    cabinet.crl(between)
    return cabinet.proof(root, holder(NAME, between), between)


@dataclass(frozen=True, slots=True)
class Fault:
    """What the peer shows, what is wrong with it and how `diagnose` calls that, and of which certificate we speak.

    Who looks at its own certificate, too, starts `born`: by its clock it is valid.
    """

    shown: Callable[[Cabinet, Made], Certificate]
    reason: Reason
    cause: str
    subject: str = f"CN={NAME}"
    born: datetime | None = None


FAULTS = (
    Fault(expired, Reason.EXPIRED, "cert-expired", born=BEFORE_IT_WAS_OVER),
    Fault(not_yet_valid, Reason.NOT_YET_VALID, "cert-not-yet-valid", born=ONCE_IT_HAS_COME),
    Fault(for_signing_code, Reason.WRONG_EKU, "cert-wrong-purpose"),
    Fault(of_another, Reason.WRONG_NAME, "cert-wrong-name", "CN=stranger.example"),
    Fault(of_another_root, Reason.UNKNOWN_ISSUER, "cert-unknown-issuer"),
    Fault(asks_for_what_nobody_knows, Reason.UNKNOWN_CRITICAL_EXTENSION, "cert-not-understood"),
    Fault(below_too_many, Reason.PATH_TOO_LONG, "cert-bad-path", "CN=Upper CA"),
    Fault(below_an_expired_one, Reason.EXPIRED, "cert-expired", "CN=Expired CA"),
    Fault(without_the_one_between, Reason.UNKNOWN_ISSUER, "cert-unknown-issuer"),
    Fault(revoked, Reason.REVOKED_LEAF, "cert-revoked"),
    Fault(below_a_revoked_one, Reason.REVOKED_INTERMEDIATE, "cert-revoked", "CN=Revoked CA"),
)


@pytest.fixture
def cabinet(peers: Peers) -> Cabinet:
    return Cabinet(peers.state / "certificates")


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Lab root")


def pki_table(crls: Iterable[Path]) -> str:
    """`[pki]` of edgevpn, with these CRLs."""
    files = [str(crl) for crl in crls]
    return f"[pki]\ncrl_files = {files}\n" if files else ""


def test_a_site_that_is_revoked_while_it_is_up(
    peers: Peers, cabinet: Cabinet, root: Made, site: Connection, gateway_a: Node, gateway_b: Node
) -> None:
    """Its tunnel goes within a second, and comes again when it is on the list no more."""
    owner = holder(NAME, root)
    a = replace(site, auth=cabinet.proof(root, holder("a.example", root)))
    b = replace(site.mirrored(), auth=cabinet.proof(root, owner))
    ours = peers.edgevpn(gateway_a, pki_table([cabinet.crl(root)]) + site_table(a, start="load"))
    theirs = peers.strongswan(gateway_b, b)
    ours.wait_up()

    cabinet.crl(root, owner)

    theirs.wait_down(within=1.0)
    ours.logged(Reason.REVOKED_LEAF.value)
    cabinet.crl(root)
    ours.wait_up(within=60)


ESP = {"openiked": "aes128-sha512-x25519"}
"""What it can on Linux."""
BARE_KEY = Fault(of_another, Reason.MISSING, "cert-missing", "the peer's certificate")
"""OpenIKED looks for a certificate that bears the name that it says it has, and nothing tells it to take another:
without one it shows its key alone."""
CASES = [
    *(("strongswan", fault) for fault in FAULTS),
    *(("libreswan", fault) for fault in FAULTS),
    *(("openiked", BARE_KEY if fault.shown is of_another else fault) for fault in FAULTS),
]


@pytest.mark.parametrize(("peer", "fault"), CASES, ids=[f"{fault.shown.__name__}-{peer}" for peer, fault in CASES])
def test_refused(
    peers: Peers,
    peer: str,
    role: Role,
    cabinet: Cabinet,
    root: Made,
    site: Connection,
    gateway_a: Node,
    gateway_b: Node,
    fault: Fault,
) -> None:
    site = replace(site, esp=ESP.get(peer, site.esp))
    a = replace(site, auth=cabinet.proof(root, holder("a.example", root)))
    b = replace(site.mirrored(), auth=fault.shown(cabinet, root))
    ours = peers.edgevpn(gateway_a, pki_table(cabinet.crls) + site_table(a, start="wait"))
    theirs = bold(peers, peer, gateway_b, b, fault.born)

    (ours if role == "initiator" else theirs).begin()

    ours.logged(f"{fault.subject} {fault.reason.value}")
    eventually(lambda: causes(ours) == {fault.cause}, within=5, what="diagnose names it")
    eventually(lambda: not ours.status() and not stands(theirs), within=10, what="no IKE SA")
    assert not xfrm.spis(gateway_a)


def bold(peers: Peers, peer: str, node: Node, connection: Connection, born: datetime | None) -> Peer:
    """A peer that shows what it has, whatever it is worth."""
    if peer == "strongswan":
        return peers.strongswan(node, connection, options="x509 {\nenforce_critical = no\n}")
    if peer == "libreswan":
        assert isinstance(connection.auth, Certificate)
        return peers.libreswan(node, replace(connection, auth=replace(connection.auth, scheme="ecdsa")), born=born)
    return peers.of_kind(peer, node, connection)


def stands(peer: Peer) -> bool:
    """Whether it has an IKE SA, as far as it is concerned; libreswan lists connections that have none, too."""
    return any(each.established for each in peer.status())


def causes(ours: EdgeVpn) -> set[str]:
    """Why attempts have come to nothing, as `edgevpn diagnose` has it."""
    return {attempt["cause"] for attempt in ours.ask("attempts")}
