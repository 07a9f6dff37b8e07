"""edgevpn from its Debian packages, in a Debian of its own with systemd as its first process."""

import json
import signal
from pathlib import Path
from typing import Self

from edgevpn.daemon.ciphers.speeds import FILE as TRIAL_FILE
from edgevpn.kernel.trial_results import Result
from openwrt.builder import deb
from openwrt.builder.__main__ import FALLBACK_EPOCH, STORE
from tests.lab.guest import CACHE, HERE
from tests.lab.network import Node
from tests.lab.peers.edgevpn import EdgeVpn
from tests.lab.peers.peer import eventually

TREE = CACHE / "trixie"
"""See the part "debian" of `install`."""

UNITS = ("edgevpn", "edgevpn-web")
STRICT = "SystemCallErrorNumber=kill\n"
"""A system call that the unit's filter lacks ends the process, and is not merely refused."""


class Debian(EdgeVpn):
    """A machine at a node. It starts without our packages; `install` brings them, and starts what is in them."""

    def __init__(self, node: Node, state: Path, log: Path) -> None:
        super().__init__(node, state, log, "")
        self.machine = state / "machine"

    @property
    def command(self) -> tuple[str, ...]:
        assert TREE.exists(), f"{TREE} is missing; `{HERE / 'install'} debian` makes it"
        return ("sh", str(HERE / "boot"), str(TREE), str(self.machine))

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def is_ready(self) -> bool:
        """Whether systemd has done all that is done at a start."""
        return bool(self._first) and self.do("systemctl", "is-system-running", check=False).strip() == "running"

    def start(self) -> Self:
        super().start()
        self.config, self.socket = self.file("/etc/edgevpn/edgevpn.toml"), self.file("/run/edgevpn/control.sock")
        return self

    def install(self) -> None:
        """The packages of this checkout, both processes confined as strictly as their units say."""
        for unit in UNITS:
            self.extend(unit, "strict", STRICT)
        names = []
        for package in (deb.edgevpn(STORE), deb.edgevpn_web(STORE)):
            names.append(f"/root/{package.file_name}")
            self.file(names[-1]).write_bytes(deb.build(package, FALLBACK_EPOCH))
        self.do("dpkg", "--install", *names)

    def extend(self, unit: str, name: str, settings: str) -> None:
        """Add settings to the `[Service]` of a unit, in a file of that name; they hold once it is started anew."""
        drop_in = self.file(f"/etc/systemd/system/{unit}.service.d/{name}.conf")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text(f"[Service]\n{settings}")

    def reload(self) -> None:
        self.do("systemctl", "reload", "edgevpn")

    def restart(self) -> None:
        self.do("systemctl", "daemon-reload")
        self.do("systemctl", "restart", "edgevpn")

    def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal, as nobody but an accident would."""
        self.do("kill", f"-{number.value}", self.shown("MainPID"))

    def shown(self, name: str, unit: str = "edgevpn") -> str:
        """A property of a unit, as systemd has it now."""
        return self.do("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def wait_active(self, unit: str = "edgevpn", *, after: str = "") -> None:
        """Wait until a unit is up; `after`: with another process than that one."""

        def is_up() -> bool:
            found = self.do("systemctl", "show", "--property=ActiveState,MainPID", unit).splitlines()
            return "ActiveState=active" in found and f"MainPID={after}" not in found

        eventually(is_up, within=60, what=f"{unit} is active")

    def run(self, *arguments: str, check: bool = True) -> str:
        return self.do("edgevpn", *arguments, check=check)

    def do(self, *command: str, check: bool = True) -> str:
        """Run a command in the machine; returns its output."""
        return self.place.run(
            "nsenter", "--target", self._first, "--all", "--root", "--wd", "--", *command, check=check
        )

    def file(self, path: str) -> Path:
        """A file of the machine, as it is found from here."""
        return Path(f"/proc/{self._first}/root{path}")

    @property
    def _first(self) -> str:
        """The number of its first process; "" while there is none."""
        file = self.machine / "pid"
        return file.read_text().strip() if file.exists() else ""

    def log(self) -> str:
        """Its journal, all of it."""
        if self.process is not None and self.process.poll() is None and self._first:
            self.log_file.write_text(self.do("journalctl", "--boot", "--output=short-monotonic", "--no-pager"))
        return super().log()

    def stop(self) -> None:
        """Cut the power."""
        self.log()
        self._end(signal.SIGKILL)

    def kept(self) -> tuple[Result, ...]:
        """What it found in its trial of the kernel's ciphers; nothing while there is no result."""
        file = self.file("/etc/edgevpn/state") / TRIAL_FILE
        if not file.exists():
            return ()
        (found,) = json.loads(file.read_text())["found"].values()
        return tuple(map(Result.from_json, found))
