"""edgevpn itself, from a TOML text, by the commands that its users type."""

import json
import signal
import sys
from pathlib import Path

from edgevpn.api import SOCKET_VARIABLE, SiteStatus, Status
from edgevpn.client import Client, DaemonUnreachable
from tests.lab.namespace import Sandbox
from tests.lab.network import Node
from tests.lab.peers.connection import Connection, Psk
from tests.lab.peers.peer import Daemon, eventually

PROGRAM = Path(sys.executable).with_name("edgevpn")


def site_table(connection: Connection, **settings: object) -> str:
    """The `[site.NAME]` table of a connection; `settings` are further keys: `start="wait"`."""
    assert isinstance(connection.auth, Psk), "a site proves itself by a shared key"
    table: dict[str, object] = {
        "remote": connection.remote or "any",
        "local": connection.local,
        "local_id": connection.local_id,
        "remote_id": connection.remote_id,
        "psk": connection.auth.secret,
        "local_networks": list(connection.local_ts),
        "remote_networks": list(connection.remote_ts),
        "ike_proposals": [connection.ike],
        "esp_proposals": [connection.esp],
        "ike_rekey_time": connection.rekey_ike,
        "esp_rekey_time": connection.rekey_child,
        "dpd_delay": connection.dpd_delay,
        "mobike": connection.mobike,
        "encap": connection.encap,
        **settings,
    }
    # Strings, numbers, truth values and lists of them are written alike in JSON and TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join([f"[site.{connection.name}]", *lines, ""])


class EdgeVpn(Daemon):
    """One `edgevpn run`; `status`, `up` and `down` use its control socket without starting a program."""

    def __init__(self, node: Node, state: Path, log: Path, toml: str, *, arguments: tuple[str, ...] = ()) -> None:
        super().__init__(node, Sandbox(node, state), state, log)
        self.arguments = arguments
        self.config, self.socket = state / "edgevpn.toml", state / "control.sock"
        self.configure(toml)

    @property
    def command(self) -> tuple[str, ...]:
        return (str(PROGRAM), "run", "-c", str(self.config), *self.arguments)

    @property
    def environment(self) -> dict[str, str]:
        return {SOCKET_VARIABLE: str(self.socket), "PYTHONUNBUFFERED": "1"}

    def is_ready(self) -> bool:
        try:
            self.status()
        except DaemonUnreachable:
            return False
        return True

    def configure(self, toml: str) -> None:
        """Write the configuration file; a running daemon reads it at `reload`."""
        self.config.write_text(toml)
        self.config.chmod(0o600)

    def reload(self) -> None:
        """Have the file read again, by the signal."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run the command line where the daemon runs: `run("status", "--json")`; returns its output."""
        return self.place.run("env", f"{SOCKET_VARIABLE}={self.socket}", str(PROGRAM), *arguments, check=check)

    def status(self) -> Status:
        with Client(self.socket) as client:
            return client.status()

    def up(self, site: str = "site") -> None:
        """Bring a site up; raises edgevpn.api.RpcError with the daemon's reason."""
        with Client(self.socket) as client:
            client.site_up(site)

    def down(self, site: str = "site") -> None:
        with Client(self.socket) as client:
            client.site_down(site)

    def site(self, name: str = "site") -> SiteStatus:
        """A site's part of the status."""
        return next(site for site in self.status()["sites"] if site["name"] == name)

    def is_up(self, name: str = "site") -> bool:
        return self.site(name)["state"] == "up"

    def wait_up(self, name: str = "site", *, within: float = 15.0) -> None:
        eventually(lambda: self.is_up(name), within=within, what=f"{name} up, says {self}")

    def wait_down(self, name: str = "site", *, within: float = 15.0) -> None:
        eventually(lambda: self.site(name)["state"] == "down", within=within, what=f"{name} down, says {self}")

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.node.run("nft", "flush", "ruleset")
