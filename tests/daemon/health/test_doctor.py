"""edgevpn.daemon.health.doctor: a gateway on loopback is examined."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgevpn.daemon.health.doctor import Clues, Doctor, Flow
from edgevpn.daemon.health.facts import Suspect
from edgevpn.daemon.login import tls
from edgevpn.kernel.nft import Nft
from edgevpn.pki.errors import PkiError, Reason
from tests.support.gateways import running, until
from tests.support.ports import free_ports
from tests.support.visitors import gateway

HOLD = """\
import socket
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.bind(("127.0.0.9", {}))
print(flush=True)
input()
"""


@contextmanager
def another(port: int) -> Iterator[int]:
    """Another program has that port, at another address; yields its process."""
    words = [sys.executable, "-c", HOLD.format(port)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


LOCAL = {"public_name": "127.0.0.1", "key_type": "ecdsa256"}


async def test_running_gateway(tmp_path: Path) -> None:
    config = gateway(pki=LOCAL)
    async with running(config, free_ports(), folder=tmp_path) as here:
        await until(lambda: here.gateway.knows("road/password"))
        doctor = Doctor(here.gateway.patient, here.gateway.standing, tmp_path / "state", carries_traffic=True)
        found = {each["id"]: each for each in await doctor.examine(config)}
    assert {"kernel", "ports", "wan", "name", "clock", "certificates", "space"} <= found.keys()
    assert found["ports"]["message"] == "UDP ports are open on 127.0.0.1."
    assert found["name"]["level"] == "good"
    assert found["certificates"]["level"] == "good"


@pytest.mark.parametrize(("script", "level"), [("echo '{\"nftables\": []}'", "good"), ("exit 1", "warning")])
async def test_firewall_is_read(script: str, level: str, tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    config = gateway(pki=LOCAL)
    async with running(config, free_ports(), folder=tmp_path) as here:
        doctor = Doctor(here.gateway.patient, here.gateway.standing, tmp_path / "state", True, Nft(str(program)))
        found = {each["id"]: each["level"] for each in await doctor.examine(config)}
    assert found["firewall"] == level


async def test_another_daemon_at_our_ports_is_named(tmp_path: Path) -> None:
    """It has another address, so both run; peers may well call the wrong one."""
    config, ports = gateway(pki=LOCAL), free_ports()
    with another(ports.nat) as pid:
        async with running(config, ports, folder=tmp_path) as here:
            doctor = Doctor(here.gateway.patient, here.gateway.standing, tmp_path / "state", carries_traffic=True)
            found = [each for each in await doctor.examine(config) if each["id"] == "ports"]
    assert f"UDP port {ports.nat} is also held by" in found[0]["message"]
    assert f"(process {pid})" in found[0]["message"]


@pytest.mark.parametrize(("installed", "levels"), [(True, []), (False, ["bad"])])
async def test_eap_tls_needs_a_library(
    installed: bool, levels: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "is_there", lambda: installed)
    config = gateway({"phone": {"login": "eap-tls"}}, pki=LOCAL)
    async with running(config, free_ports(), folder=tmp_path) as here:
        doctor = Doctor(here.gateway.patient, here.gateway.standing, tmp_path / "state", carries_traffic=True)
        found = [each for each in await doctor.examine(config) if each["id"] == "logins"]
    assert [each["level"] for each in found] == levels
    assert all("(phone)" in each["message"] for each in found)


NONE = Clues(unforwarded=False, barred=False)
SUSPECTS = {
    "our kernel cannot read it": (Flow(0, 20_000, wrapped=False, undeciphered=7), NONE, Suspect.DAMAGED),
    "no ESP": (Flow(0, 20_000, wrapped=False), NONE, Suspect.BARE_ESP),
    "nothing in UDP": (Flow(0, 20_000, wrapped=True), NONE, Suspect.PEER),
    "no forwarding": (Flow(20_000, 0, wrapped=True), replace(NONE, unforwarded=True, barred=True), Suspect.FORWARDING),
    "somebody's chain": (Flow(20_000, 0, wrapped=True), replace(NONE, barred=True), Suspect.FIREWALL),
    "silent hosts": (Flow(20_000, 0, wrapped=False, undeciphered=7), NONE, Suspect.LAN),
}


@pytest.mark.parametrize(("flow", "clues", "suspect"), SUSPECTS.values(), ids=SUSPECTS)
def test_who_is_suspected(flow: Flow, clues: Clues, suspect: Suspect) -> None:
    assert flow.is_one_way
    assert flow.silent("office", "site.office.encap", clues).suspect is suspect


@pytest.mark.parametrize("flow", [Flow(0, 0, False), Flow(9_999, 0, False), Flow(1, 20_000, False)])
def test_who_has_something_to_say(flow: Flow) -> None:
    assert not flow.is_one_way


async def test_what_tunnels_carry_is_forwarded(tmp_path: Path) -> None:
    """A kernel in memory forwards neither IP version until it is told to."""
    config = gateway(pki=LOCAL)
    async with running(config, free_ports(), folder=tmp_path) as here:
        assert here.gateway.patient.unforwarded() == {4, 6}
        doctor = Doctor(here.gateway.patient, here.gateway.standing, tmp_path / "state", carries_traffic=True)
        found = [each["message"] for each in await doctor.examine(config) if each["id"] == "forwarding"]
    assert ["IPv4" in each for each in found] == [True, False]


async def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    async def damaged() -> tuple[()]:
        raise PkiError(Reason.DAMAGED, "ca.pem")

    config = gateway(pki=LOCAL)
    async with running(config, free_ports(), folder=tmp_path) as here:
        found = await Doctor(here.gateway.patient, damaged, tmp_path / "not yet", carries_traffic=False).examine(config)
    (fault,) = (each for each in found if each["id"] == "certificates")
    assert (fault["level"], fault["message"]) == ("bad", "ca.pem is damaged")
    assert found[0]["level"] == "bad"
