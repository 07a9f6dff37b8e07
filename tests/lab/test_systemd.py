"""The Debian packages under systemd: its units confine both processes, and everything works all the same.

One machine serves all tests here. A system call that a unit forbids ends the process in it: `NRestarts` counts that.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgevpn.kernel.trial_results import Verdict
from tests.lab import xfrm
from tests.lab.conftest import Peers
from tests.lab.network import Network
from tests.lab.peers.connection import Connection, Psk
from tests.lab.peers.debian import UNITS, Debian
from tests.lab.peers.edgevpn import site_table
from tests.lab.peers.peer import eventually
from tests.lab.sites import site_to_site
from tests.lab.traffic import pinging
from tests.lab.tunnel import Tunnel

SECRET = "a word that systemd passes on"
CREDENTIAL, KEY_FILE = "/run/credentials/edgevpn.service/psk", "/root/psk"
SOON_HUNG = "WatchdogSec=20\nRestartSec=1\n"
WORST = {"edgevpn": 2.8, "edgevpn-web": 1.3}
"""What systemd-analyze makes of the units, from 0 (nothing is exposed) to 10; packet sockets make up 0.2."""


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    """Those of the module."""
    (results := Path(os.environ["EDGEVPN_LAB_RESULTS"], "test_systemd")).mkdir(parents=True, exist_ok=True)
    peers = Peers(results)
    yield peers
    peers.close()


@pytest.fixture(scope="module")
def debian(network: Network, peers: Peers) -> Debian:
    """At gateway_a, with the packages; its file has a site whose key systemd hands to the daemon alone."""
    machine = peers.debian(network["gateway_a"])
    machine.install()
    machine.secrets["psk"] = SECRET.encode()
    key = machine.file(KEY_FILE)
    key.touch(mode=0o600)
    key.write_text(SECRET)
    machine.extend("edgevpn", "key", f"LoadCredential=psk:{KEY_FILE}\n")
    return machine


@pytest.fixture(scope="module")
def tunnel(network: Network, peers: Peers, debian: Debian) -> Tunnel:
    """The machine's site is up; strongSwan is at its other end and waits."""
    site = site_to_site(network, auth=Psk(SECRET))
    other = peers.strongswan(network["gateway_b"], site.mirrored())
    debian.configure(table(site))
    debian.restart()
    debian.wait_up()
    return Tunnel(network, debian, other, initiator=debian)


def table(connection: Connection) -> str:
    """Its part of the file; the key is where systemd puts it."""
    return site_table(connection).replace(f'psk = "{SECRET}"', f'psk_file = "{CREDENTIAL}"')


def test_installed(debian: Debian) -> None:
    """Both services are there for good, and the ciphers were tried."""
    for unit in UNITS:
        debian.wait_active(unit)
        assert debian.shown("UnitFileState", unit) == "enabled"
    eventually(lambda: bool(debian.kept()), within=30, what="the trial is over")
    found = debian.kept()
    print({each.name: each.bits_per_second for each in found})
    assert {each.verdict for each in found} == {Verdict.WORKS}
    assert all(each.bits_per_second for each in found)
    assert "table inet edgevpn" in debian.do("nft", "list", "tables")
    eventually(lambda: "listening url=https://" in debian.log(), within=30, what="the panel listens")


def test_a_tunnel(debian: Debian, tunnel: Tunnel) -> None:
    """It carries traffic; the key came by way of systemd, which is told how it goes."""
    tunnel.assert_carries()
    eventually(lambda: debian.shown("StatusText").startswith("1 of 1 sites up"), within=30, what="systemd knows")


def test_reload(debian: Debian, tunnel: Tunnel) -> None:
    """A second site is called in vain; the first loses no packet."""
    before, sas = debian.config.read_text(), tunnel.sas()
    site = site_to_site(tunnel.network, auth=Psk(SECRET))
    second = replace(site, name="other", remote="198.51.100.99", remote_id="c.example", remote_ts=("10.77.0.0/24",))

    with pinging(tunnel.network["host_a"], tunnel.network["host_b"].lan.v4) as echoes:
        debian.configure(before + table(second))
        debian.reload()
        eventually(lambda: "of 2 sites" in debian.shown("StatusText"), within=30, what="the second site is known")
        debian.configure(before)
        debian.reload()

    assert echoes.lost == 0
    assert tunnel.sas() == sas


def test_restart(debian: Debian, tunnel: Tunnel) -> None:
    sas, process = tunnel.sas(), debian.shown("MainPID")

    debian.restart()

    debian.wait_active(after=process)
    debian.wait_up()
    tunnel.wait_rekeyed(sas)
    tunnel.assert_carries()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_comes_back(debian: Debian, tunnel: Tunnel, number: signal.Signals) -> None:
    """Killed or hung, the daemon is started again by systemd, and its tunnel comes back."""
    debian.extend("edgevpn", "watchdog", SOON_HUNG)
    debian.restart()
    debian.wait_up()
    sas, process, before = tunnel.sas(), debian.shown("MainPID"), int(debian.shown("NRestarts"))

    debian.signal(number)

    debian.wait_active(after=process)
    debian.wait_active("edgevpn-web")
    debian.wait_up()
    tunnel.wait_rekeyed(sas)
    tunnel.assert_carries()
    assert int(debian.shown("NRestarts")) == before + 1


@pytest.mark.parametrize("unit", UNITS)
def test_confined(debian: Debian, unit: str) -> None:
    report = debian.do("systemd-analyze", "security", "--no-pager", unit)
    (exposure,) = re.findall(r"Overall exposure level for .*: ([0-9.]+)", report)
    assert float(exposure) <= WORST[unit], report


def test_nothing_was_denied(debian: Debian, tunnel: Tunnel) -> None:
    """No traceback, no error, no process ended by the filter; the doctor minds the lab's private addresses alone."""
    log = debian.log()
    assert "Traceback" not in log
    assert not re.findall(r".*(?:status=31/SYS|Operation not permitted|ERROR).*", log)
    checks = json.loads(debian.run("doctor", "--json", check=False))
    assert [each for each in checks if each["level"] != "good"] == [each for each in checks if each["id"] == "wan"]


def test_purged(debian: Debian, tunnel: Tunnel) -> None:
    """The end of the machine: nothing of ours is left in the kernel, nor below /etc."""
    debian.do("dpkg", "--purge", *UNITS)

    node = debian.node
    assert not xfrm.states(node)
    assert not xfrm.policies(node)
    assert "evpn-" not in node.run("ip", "link")
    assert "edgevpn" not in debian.do("nft", "list", "tables")
    assert not debian.file("/etc/edgevpn").exists()
