"""A router as it is after the installation: the real daemon with the kernel in memory, the real web process, a client.

Nothing of it is a stand-in; only that no packet of a tunnel goes anywhere.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgevpn.client import Client
from tests.panel.places import HASH, START, process, web_process
from tests.support.panel import free_port
from tests.support.ports import free_ports

NAME = "vpn.example.org"
CONFIG = """
# A router that has just been set up.
[gateway]
listen = ["{address}"]

[web]
listen = ["127.0.0.1"]
port = {port}
title = "{title}"
"""
"""The table `[web]` goes on with what a test adds."""
SET_UP = f"""password_hash = "{HASH}"

[pki]
public_name = "{NAME}"

[pool.home]
v4 = "10.89.0.0/24"
"""
"""A password, a name, a pool: what the first run leaves."""


@dataclass(frozen=True, slots=True)
class Router:
    """One router: where its panel is, and where it is asked for tunnels."""

    base: str
    folder: Path
    address: str
    ports: tuple[int, int]

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.folder / "control.sock"

    @property
    def config(self) -> str:
        """Its configuration file."""
        return (self.folder / "edgevpn.toml").read_text()

    def run(self, *words: str) -> str:
        """What a command says that is run on it."""
        command = [sys.executable, "-c", START, *words, "--socket", str(self.socket)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ca(self) -> Path:
        """The certificate of its CA, as a device has it."""
        with Client(self.socket) as client:
            path = self.folder / "ca.pem"
            path.write_text(client.call("pki.ca", 60)["content"])
        return path


@contextmanager
def router(
    folder: Path, extra: str = "", address: str = "127.0.0.1", ports: tuple[int, int] | None = None
) -> Iterator[Router]:
    """A router without a password yet; `extra` is more of its configuration."""
    folder.mkdir(exist_ok=True)
    file = folder / "edgevpn.toml"
    file.write_text(CONFIG.format(address=address, port=free_port(), title=folder.name) + extra)
    file.chmod(0o600)
    if ports is None:
        free = free_ports()
        ports = (free.ike, free.nat)
    socket = folder / "control.sock"
    words = ("run", "-c", str(file), "--kernel", "memory", "--socket", str(socket), "--ports", f"{ports[0]},{ports[1]}")
    with process(*words, until="started version="), web_process(socket) as (base, _):
        yield Router(base, folder, address, ports)


@contextmanager
def simulated(router: Router, platform: str, user: str, password: str) -> Iterator[subprocess.Popen[str]]:
    """A client of another make, which tries to come in, and stays until the end of the block if it does."""
    secret = router.folder / "typed.txt"
    secret.write_text(password)
    secret.chmod(0o600)
    command = [sys.executable, "-c", START, "simulate", platform, "--server", NAME, "--address", router.address]
    command += ["--user", user, "--password-file", str(secret), "--ca", str(router.ca()), "--stay", "600", "--no-ping"]
    command += ["--ports", f"{router.ports[0]},{router.ports[1]}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        try:
            yield client
        finally:
            client.terminate()
            assert client.stdout is not None
            client.stdout.read()
