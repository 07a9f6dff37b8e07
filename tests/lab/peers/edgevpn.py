"""edgevpn itself, from a TOML text, by the commands that its users type."""

import json
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from tomlkit.exceptions import TOMLKitError

from edgevpn.api import SOCKET_VARIABLE, RpcError, SiteStatus, Status
from edgevpn.api.records import DeviceStatus
from edgevpn.client import UP_TIMEOUT, Client, DaemonUnreachable
from edgevpn.daemon.ciphers.speeds import FILE as TRIAL_FILE
from tests.lab.leaks import leaked, leaked_by_files, leaked_by_processes, secrets_made, secrets_of
from tests.lab.namespace import Sandbox
from tests.lab.network import Node
from tests.lab.peers.connection import Auth, Certificate, Connection, Eap, EapTls, Ppk, Psk
from tests.lab.peers.peer import IkeSaStatus, Peer, eventually

PROGRAM = Path(sys.executable).with_name("edgevpn")


TRIED = Path("/dev/shm/edgevpn-ciphers.json")  # noqa: S108 - of this guest alone
"""What the first daemon of a guest found out about its kernel's ciphers; for the others, which need not try again."""

IMPATIENT = '[gateway]\nretransmit_time = "1s"\nretransmit_tries = 2\n'
"""Finds a dead peer dead within seven seconds; stands before the sites."""


def site_table(connection: Connection, **settings: object) -> str:
    """The `[site.NAME]` table of a connection; `settings` are further keys: `start="wait"`."""
    table: dict[str, object] = {
        "remote": connection.remote or "any",
        **({"local": connection.local} if connection.local else {}),
        "local_id": connection.local_id,
        "remote_id": connection.remote_id,
        **_credentials(connection.auth),
        **_ppk(connection.ppk),
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


def _credentials(auth: Auth) -> dict[str, object]:
    match auth:
        case Psk(secret=secret):
            return {"psk": secret}
        case Certificate(certificate=certificate, key=key, authority=authority):
            return {"auth": "certificate", "cert": str(certificate), "key": str(key), "ca": [str(authority)]}
        case Eap(user=user, password=password, authority=authority):
            return {"auth": "eap", "eap_id": user, "password": password, "ca": [str(authority)]}
        case EapTls():
            raise AssertionError("edgevpn is no client of EAP-TLS")


def _ppk(ppk: Ppk | None) -> dict[str, object]:
    return {"ppk": ppk.secret, "ppk_id": ppk.name, "ppk_required": ppk.required} if ppk else {}


def _secrets(toml: str) -> dict[str, bytes]:
    """Those of a configuration; none of a bad one, as tests write it on purpose."""
    with suppress(TOMLKitError, OSError):
        return dict(secrets_of(toml))
    return {}


class EdgeVpn(Peer):
    """One `edgevpn run`, steered over its control socket without starting a program; `run` is the command line."""

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

    @property
    def tried(self) -> Path:
        """What it keeps of its trial of the kernel's ciphers."""
        return self.state / "state" / TRIAL_FILE

    def launch(self) -> None:
        if TRIED.exists() and not self.tried.exists():
            self.tried.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copy(TRIED, self.tried)
        super().launch()

    def stop(self) -> None:
        super().stop()
        if self.tried.exists() and not TRIED.exists():
            shutil.copy(self.tried, TRIED)

    def is_ready(self) -> bool:
        try:
            self.report()
        except DaemonUnreachable:
            return False
        return True

    def configure(self, toml: str) -> None:
        """Write the configuration file; a running daemon reads it at `reload`."""
        self.secrets |= _secrets(toml)
        self.config.write_text(toml)
        self.config.chmod(0o600)

    def reload(self) -> None:
        """Have the file read again, by the signal, and wait until the log says what came of it."""
        assert self.process is not None
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self._has_read(self.log()[before:]), within=10, what=f"{self} has read its file again")

    def run_to_end(self, *wrapper: str) -> tuple[int, str]:
        """Where it is to refuse: `edgevpn run` behind the words of a wrapper; returns its exit status and output."""
        return self.place.finish(*wrapper, "env", f"{SOCKET_VARIABLE}={self.socket}", *self.command)

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run the command line where the daemon runs: `run("status", "--json")`; returns its output."""
        return self.place.run("env", f"{SOCKET_VARIABLE}={self.socket}", str(PROGRAM), *arguments, check=check)

    def initiate(self, name: str = "site") -> None:
        try:
            with Client(self.socket) as client:
                client.site_up(name)
        except RpcError as error:
            raise AssertionError(f"{self}: {error.message}") from error

    def begin(self, name: str = "site") -> None:
        def ask() -> None:
            with suppress(RpcError, DaemonUnreachable), Client(self.socket) as client:
                client.site_up(name)

        threading.Thread(target=ask, daemon=True).start()

    def terminate(self, name: str = "site") -> None:
        with Client(self.socket) as client:
            client.site_down(name)

    def rekey_child(self, name: str = "site") -> None:
        self._rekey(name, "child")

    def rekey_ike(self, name: str = "site") -> None:
        self._rekey(name, "ike")

    def status(self) -> tuple[IkeSaStatus, ...]:
        return tuple(
            IkeSaStatus(site["name"], site["state"] == "up", len(ike["children"]), ike["spi_i"])
            for site in self.report()["sites"]
            for ike in site["ike"]
        )

    def report(self) -> Status:
        """All that `edgevpn status` shows."""
        with Client(self.socket) as client:
            return client.status()

    def site(self, name: str = "site") -> SiteStatus:
        """A site's part of the status."""
        return next(site for site in self.report()["sites"] if site["name"] == name)

    def device(self, name: str) -> DeviceStatus:
        """A device's part of the status."""
        return next(device for device in self.report()["devices"] if device["name"] == name)

    def ask(self, method: str, **params: object) -> Any:
        """Call a method of the control socket."""
        with Client(self.socket) as client:
            return client.call(method, UP_TIMEOUT, **params)

    def close(self) -> None:
        """Besides, nothing of what it was told in confidence may be known to who is not its owner.

        Its log is looked through with all that the test has written.
        """
        self.secrets |= secrets_made(self.state)
        found = self._telling() if self.process is not None and self.process.poll() is None else []
        try:
            super().close()
        finally:
            self.node.run("nft", "flush", "ruleset")
        found += leaked_by_files(self.state, self.secrets)
        assert not found, f"{self} tells {found}"

    def _telling(self) -> list[str]:
        """Which secrets its status tells, or the command line of any process."""
        found = leaked_by_processes(self.secrets)
        with suppress(DaemonUnreachable, RpcError):
            told = json.dumps(self.report(), ensure_ascii=False).encode()
            found += [f"status: {name}" for name in leaked(told, self.secrets)]
        return found

    @staticmethod
    def _has_read(lines: str) -> bool:
        return any(event in lines for event in ("INFO reloaded", "ERROR config_invalid", "ERROR not_reloaded"))

    def _rekey(self, name: str, what: str) -> None:
        with Client(self.socket) as client:
            client.call("site.rekey", UP_TIMEOUT, name=name, what=what)
