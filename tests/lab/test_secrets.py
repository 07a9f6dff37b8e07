"""No secret is written where it has no business.

At the end of every lab test `EdgeVpn.close` and `Peers.close` look besides: at each edgevpn's status, at the command
lines of all processes, at files that others may read, and at all that the test has written: logs of every daemon,
captures.
"""

import resource
from dataclasses import replace

import pytest

from tests.lab.conftest import Peers
from tests.lab.leaks import leaked, leaked_by_files, leaked_by_processes, secrets_of
from tests.lab.network import Node
from tests.lab.peers.connection import Connection
from tests.lab.peers.edgevpn import site_table
from tests.lab.proofs import Cabinet, authority, holder
from tests.lab.visitors import DEVICES, by_password, by_psk, come_in, gateway_table, opened

WRONG = "this is not what was agreed on"


def test_a_planted_secret_is_found() -> None:
    """In whatever spelling."""
    secrets = secrets_of('[device.phone]\npassword = "correct horse battery staple"\n')
    (password, nt_hash) = secrets.values()
    wide = password.decode().encode("utf-16-le")
    for told in (password, password.hex().encode(), wide, nt_hash.hex().upper().encode()):
        assert leaked(b"INFO up why=" + told + b"\n", secrets)
    assert not leaked(b"INFO up why=none\n", secrets)


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
