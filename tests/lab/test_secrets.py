"""No secret is written where it has no business.

At the end of every lab test `EdgeVpn.close` and `Peers.close` look besides: at each edgevpn's status, at the command
lines of all processes, at files that others may read, and at all that the test has written: logs of every daemon,
captures. They look for what either side was set up with, pre-shared keys, post-quantum ones, passwords and the private
keys of sites and clients, and for what edgevpn has made itself.
"""

import os
import resource
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.lab.conftest import Peers
from tests.lab.leaks import leaked, leaked_by_files, leaked_by_processes, secrets_of, secrets_said
from tests.lab.network import Node
from tests.lab.peers.connection import Connection, EapTls, Ppk
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.peer import eventually
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.visitors import (
    DEVICES,
    PHONE,
    Table,
    authority_of,
    by_password,
    by_psk,
    come_in,
    gateway_table,
    opened,
    visit,
)

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
GUEST = os.environ.get("EDGEVPN_LAB_GUEST")
WRONG = "this is not what was agreed on"


def test_a_planted_secret_is_found() -> None:
    """In whatever spelling."""
    secrets = secrets_of('[device.phone]\npassword = "correct horse battery staple"\n')
    (password, nt_hash) = secrets.values()
    wide = password.decode().encode("utf-16-le")
    for told in (password, password.hex().encode(), wide, nt_hash.hex().upper().encode()):
        assert leaked(b"INFO up why=" + told + b"\n", secrets)
    assert not leaked(b"INFO up why=none\n", secrets)


def test_a_planted_key_is_found(tmp_path: Path) -> None:
    """In a file, whatever stands before it there, and in the text of a log."""
    proof = Cabinet(tmp_path / "certificates").proof(authority("Lab root"), holder("a.example", authority("Lab root")))
    secrets = secrets_of(f'[site.office]\nkey = "{proof.key}"\n')
    (octets,) = secrets.values()
    der = load_pem_private_key(proof.key.read_bytes(), None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    for told in (proof.key.read_bytes(), der, octets.hex(":").replace(":", "").encode(), urlsafe_b64encode(der)):
        assert leaked(b"INFO up why=" + told + b"\n", secrets)
    assert not leaked(proof.certificate.read_bytes(), secrets)


def test_what_a_test_has_written_is_looked_through(results: Path, site: Connection, gateway_b: Node) -> None:
    """For a peer's key, too, and be it nobody's but its owner's to read."""
    peers, root = Peers(results), authority("Lab root")
    proof = Cabinet(peers.state / "certificates").proof(root, holder("b.example", root))
    peers.strongswan(gateway_b, replace(site.mirrored(), auth=proof))
    planted = results / "planted.txt"
    planted.touch(mode=0o600)
    planted.write_bytes(b"key=" + proof.key.read_bytes())

    try:
        with pytest.raises(AssertionError, match=r"planted\.txt: site: own private key of StrongSwan at gateway_b"):
            peers.close()
    finally:
        planted.unlink()


def test_secrets_stay_where_they_are(
    peers: Peers, site: Connection, gateway_a: Node, gateway_b: Node, phone: Node, laptop: Node
) -> None:
    """A site by certificate, devices by key and password, a mistyped one too, and the log at its most talkative."""
    cabinet, root = Cabinet(peers.state / "certificates"), authority("Lab root")
    ours = replace(site, auth=cabinet.proof(root, holder("a.example", root)))
    toml = gateway_table(DEVICES, gateway={"log_level": "debug"}) + site_table(ours, start="wait")
    gateway = opened(peers, gateway_a, toml)
    peers.strongswan(gateway_b, replace(site.mirrored(), auth=cabinet.proof(root, holder("b.example", root))))

    gateway.initiate()
    come_in(peers.strongswan(laptop, by_psk(gateway)), gateway)
    mistyped = peers.strongswan(phone, by_password(gateway, password=WRONG))
    with pytest.raises(AssertionError):
        mistyped.initiate("road")
    mistyped.stop()
    come_in(peers.strongswan(phone, by_password(gateway)), gateway)

    secrets = {**secrets_of(toml), "the mistyped password": WRONG.encode()}
    assert len(secrets) >= 5
    assert not leaked(gateway.log().encode(), secrets)
    assert not leaked(gateway.run("status", "--json").encode(), secrets)
    assert not leaked_by_processes(secrets)
    assert not leaked_by_files(gateway.state, secrets)
    assert gateway.process is not None
    assert resource.prlimit(gateway.process.pid, resource.RLIMIT_CORE) == (0, 0)  # no core dump


@pytest.fixture
def taken(peers: Peers) -> Iterator[Path]:
    """Where a program leaves the core dumps that this kernel has it take, by process ID."""
    taker, folder = peers.state / "take", peers.state / "dumps"
    folder.mkdir()
    taker.write_text(f'#!/bin/sh\ncat > "{folder}/$1"\n')
    taker.chmod(0o755)
    before = CORE_PATTERN.read_text()
    CORE_PATTERN.write_text(f"|{taker} %p")
    yield folder
    CORE_PATTERN.write_text(before)


@pytest.mark.skipif(GUEST not in ("uml", "qemu"), reason="who takes core dumps is a whole kernel's to say")
def test_no_program_gets_the_memory(peers: Peers, gateway_a: Node, taken: Path) -> None:
    """Of a daemon that falls down, where another's is taken."""
    with subprocess.Popen([sys.executable, "-c", "import os; os.abort()"]) as other:
        pass
    gateway = opened(peers, gateway_a, gateway_table(DEVICES))
    assert gateway.process is not None

    gateway.kill(signal.SIGABRT)

    eventually(lambda: (taken / str(other.pid)).exists(), within=5, what="the other's dump")
    assert [dump.name for dump in taken.iterdir()] == [str(other.pid)]


PPK = Ppk("winter", "a post-quantum key that is as long as they are to be")
LAPTOP = "laptop.example"
VISITORS: dict[str, Table] = {
    "laptop": {"login": "eap-tls", "id": LAPTOP, "ppk": PPK.secret, "ppk_id": PPK.name},
    "phone": PHONE,
}
AGREED_ON = {"secret", "shared Diffie Hellman secret", "SKEYSEED", "Sk_d secret", "Sk_pi secret", "Sk_er secret"}
AGREED_ON |= {"encryption initiator key", "encryption responder key"}


@pytest.mark.parametrize("name", VISITORS)
def test_what_two_ends_have_agreed_on_stays_with_them(peers: Peers, gateway_a: Node, phone: Node, name: str) -> None:
    """Keys of TLS, of EAP, of IKE and of ESP: the log of a client that holds nothing back says what they are."""
    cabinet, root = Cabinet(peers.state / "certificates"), authority("Lab root")
    trust = {"trust": [str(cabinet.authority(root))]}
    pool = {"logins": ["password", "eap-tls"]}
    gateway = opened(peers, gateway_a, gateway_table(VISITORS, pool=pool, pki=trust, gateway={"log_level": "debug"}))
    proof = replace(cabinet.proof(root, holder(LAPTOP, root)), authority=authority_of(gateway))
    login = visit(gateway, EapTls(proof), LAPTOP, ppk=PPK) if name == "laptop" else by_password(gateway)
    client = peers.strongswan(phone, login, talk=4)

    come_in(client, gateway)
    client.rekey_child("road")
    eventually(lambda: client.log().count("encryption initiator key => ") == 2, within=5, what="new keys of ESP")

    said = secrets_said(client.log())
    assert {name.rpartition(",")[0] for name in said} >= AGREED_ON
    client.secrets |= said  # for when all that the test has written is looked through
    diagnosis = [gateway.run("diagnose", *options) for options in ((), ("--bundle",))]
    told = [gateway.run("status", "--json"), gateway.run("metrics"), gateway.log(), *diagnosis]
    assert not leaked("".join(told).encode(), said)
    assert not leaked_by_processes(said)
    assert not leaked_by_files(gateway.state, said, owners=True, without=[gateway.config])
