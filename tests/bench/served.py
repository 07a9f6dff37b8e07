"""A daemon of ours as a process of its own, with its kernel in memory, and what it costs."""

from __future__ import annotations

import compileall
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import tomlkit

import edgevpn
from edgevpn.client import Client, DaemonUnreachable
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.login.keyring import prepare
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.keys import KeyKind, pkcs8
from edgevpn.pki.office import Office
from edgevpn.pki.store import Store
from tests.lab.namespace import Inhabited
from tests.support.configs import Table
from tests.support.memory import cpu, resident
from tests.support.ports import free_ports
from tests.support.visitors import PSK, gateway

HERE = ip_address("127.0.0.1")
SERVER = "vpn.example.org"
KEYS = {"ecdsa256": KeyKind.ECDSA_P256, "rsa2048": KeyKind.RSA_2048}
LAPTOP = "laptop@example.org"
PROGRAM = Path(sys.executable).with_name("edgevpn")
PATIENCE = 120.0
"""Seconds for a daemon to start."""

POOL = {"v4": "10.64.0.0/14", "logins": ["psk", "certificate"], "unique": "keep", "dpd_delay": "0s"}
QUIET = {"listen": str(HERE), "log_level": "error"}


@dataclass(frozen=True, slots=True)
class Served:
    """A daemon at work. `started`: seconds from its start until it answered."""

    process: subprocess.Popen[bytes]
    ports: Ports
    socket: Path
    folder: Path
    started: float

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return cpu(self.process.pid)

    def resident(self) -> float:
        """What it has in memory, in MiB."""
        return resident(self.process.pid)

    def client(self) -> Client:
        return Client(self.socket)


@dataclass(frozen=True, slots=True)
class Papers:
    """What a caller has: the gateway's CA, and a certificate with its key. `server`: the gateway's own."""

    ca: bytes
    laptop: Bundle
    server: Bundle


@contextmanager
def served(
    folder: Path, key_type: str = "ecdsa256", tablets: int = 100, place: Inhabited | None = None
) -> Iterator[tuple[Served, Papers]]:
    """A daemon that a laptop logs in to by a certificate, and so many tablets by a pre-shared key.

    In a namespace, `place`, it has the ports of IKE; else such as are free.
    """
    papers = prepared(folder, key_type, tablets)
    with running(folder, place) as daemon:
        yield daemon, papers


def prepared(folder: Path, key_type: str = "ecdsa256", tablets: int = 100) -> Papers:
    """All that such a daemon needs in a folder, and its program compiled, as a router has it after its first start."""
    papers = _papers(folder, key_type)
    certificates = b"".join(map(pem_of, (papers.server.certificate, *papers.server.chain)))
    _write(folder / "server.crt", certificates)
    _write(folder / "server.key", pkcs8(papers.server.key))
    _write(folder / "edgevpn.toml", tomlkit.dumps(_document(folder, key_type, tablets)).encode())
    compileall.compile_dir(Path(edgevpn.__file__).parent, quiet=1)
    return papers


@contextmanager
def running(folder: Path, place: Inhabited | None = None) -> Iterator[Served]:
    """The daemon of a folder, from its start until it is ended."""
    ports, control = Ports() if place else free_ports(), folder / "control.sock"
    command = [str(PROGRAM), "run", "-c", str(folder / "edgevpn.toml"), "--socket", str(control)]
    command += ["--kernel", "memory", "--ports", f"{ports.ike},{ports.nat}"]
    begun = time.monotonic()
    with place.call(subprocess.Popen, command) if place else subprocess.Popen(command) as process:
        try:
            _wait(control, process)
            yield Served(process, ports, control, folder, time.monotonic() - begun)
        finally:
            process.terminate()


def _wait(control: Path, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with Client(control) as client:
                client.call("pki.show")  # once the certificates are there, callers are let in
                return
        except DaemonUnreachable:
            time.sleep(0.005)
    raise RuntimeError("the daemon does not start")


def tablet(number: int) -> str:
    """What the tablet of that number is called."""
    return f"tablet{number}"


def _write(file: Path, octets: bytes) -> None:
    file.write_bytes(octets)
    file.chmod(0o600)


def _document(folder: Path, key_type: str, tablets: int) -> Table:
    """The gateway has the one certificate; else it would have one for ECDSA besides, and prefer it to RSA's."""
    own = {"certificate": str(folder / "server.crt"), "certificate_key": str(folder / "server.key")}
    devices: Table = {"laptop": {"login": "certificate", "id": LAPTOP}}
    devices |= {tablet(number): {"login": "psk", "psk": PSK} for number in range(tablets)}
    return {
        "gateway": QUIET,
        "pki": {"public_name": SERVER, "key_type": key_type, **own},
        "pool": {"road": POOL},
        "device": devices,
    }


def _papers(folder: Path, key_type: str) -> Papers:
    now = datetime.now(UTC)
    office = Office(Store(folder / "pki"))
    prepare(office, gateway(pki={"public_name": SERVER, "key_type": key_type}).pki, now)
    server = office.server(KEYS[key_type])
    assert server is not None
    laptop = office.enrol_device("laptop", LAPTOP, now, kind=KEYS[key_type])
    return Papers(pem_of(office.authority.certificate), laptop, server)
