"""What all IKE daemons of the lab have in common: a process in a namespace, a log, and bounded waiting."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab.guest import CACHE
from tests.lab.namespace import Inhabited
from tests.lab.network import Node
from tests.support.memory import cpu, resident

START_LIMIT, STOP_LIMIT = 120.0, 30.0  # seconds; an emulated machine on a busy one is slow
POLL = 0.02


@dataclass(frozen=True, slots=True)
class IkeSaStatus:
    """An IKE SA as its daemon reports it."""

    name: str
    established: bool
    children: int
    """CHILD SAs that are installed."""
    spi: str = ""
    """The initiator's SPI, where the daemon tells it."""


def eventually(condition: Callable[[], bool], *, within: float, what: str) -> None:
    """Wait until a condition holds; raises AssertionError naming `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(POLL)


class Daemon(ABC):
    """A process in a place of the network, its output in a log file."""

    logs_secrets = False
    """Whether it writes what it was told in confidence into its log; then its log is not ours to be judged by."""

    def __init__(self, node: Node, place: Inhabited, state: Path, log: Path) -> None:
        self.node, self.place, self.state, self.log_file = node, place, state, log
        self.process: subprocess.Popen[bytes] | None = None
        self.secrets: dict[str, bytes] = {}
        """What it was told in confidence, by what that is called in a message."""

    @property
    @abstractmethod
    def command(self) -> tuple[str, ...]:
        """The daemon's command line."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the daemon beside our own."""
        return {}

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the daemon answers its control channel."""

    @property
    def memory(self) -> float:
        """What its process has in memory, in MiB."""
        assert self.process is not None
        return resident(self.process.pid)

    def cpu(self) -> float:
        """Seconds of CPU that its process has used."""
        assert self.process is not None
        return cpu(self.process.pid)

    def start(self) -> Self:
        """Start the daemon and wait until it answers."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start the daemon; `wait_ready` is still to follow."""
        with self.log_file.open("ab") as log:
            self.process = self.place.spawn(self.command, log, self.environment)

    def wait_ready(self) -> None:
        """Wait until the daemon answers."""
        eventually(self._ready_or_dead, within=START_LIMIT, what=f"{self} answers")

    def stop(self) -> None:
        """End the daemon as its supervisor would, and wait for it."""
        self._end(signal.SIGTERM)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the daemon with no chance to clean up."""
        self._end(how)

    def close(self) -> None:
        """Stop the daemon where it runs still, and remove what is left of it in the kernel."""
        try:
            self.stop()
        finally:
            self.node.restore()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def logged(self, text: str, *, within: float = 10.0) -> None:
        """Wait until the log has a text."""
        eventually(lambda: text in self.log(), within=within, what=f"{text!r} in the log of {self}")

    def __str__(self) -> str:
        return f"{type(self).__name__} at {self.node.name}"

    def _ready_or_dead(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self} ended with status {self.process.returncode}:\n{self.log()[-2000:]}"
        return self.is_ready()

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self} did not end within {STOP_LIMIT:g} s") from None
        finally:
            self.process = None


class Peer(Daemon):
    """An IKE daemon with one connection or several."""

    @abstractmethod
    def initiate(self, name: str = "site") -> None:
        """Bring a connection up; raises AssertionError when the daemon says that it failed."""

    @abstractmethod
    def begin(self, name: str = "site") -> None:
        """Start to bring a connection up; what comes of it is in `status` and the log."""

    @abstractmethod
    def terminate(self, name: str = "site") -> None:
        """Close the IKE SA of a connection."""

    @abstractmethod
    def rekey_child(self, name: str = "site") -> None:
        """Start a rekeying of the CHILD SA."""

    @abstractmethod
    def rekey_ike(self, name: str = "site") -> None:
        """Start a rekeying of the IKE SA."""

    @abstractmethod
    def status(self) -> tuple[IkeSaStatus, ...]:
        """All IKE SAs, those under way included."""

    def is_up(self, name: str = "site") -> bool:
        """Whether a connection has an established IKE SA with a CHILD SA."""
        return any(sa.name == name and sa.established and sa.children for sa in self.status())

    def spis(self) -> set[str]:
        """SPIs of all IKE SAs."""
        return {sa.spi for sa in self.status()}

    def wait_up(self, name: str = "site", *, within: float = 15.0) -> None:
        eventually(lambda: self.is_up(name), within=within, what=f"{name} up, says {self}")

    def wait_down(self, name: str = "site", *, within: float = 15.0) -> None:
        eventually(lambda: not self.is_up(name), within=within, what=f"{name} down, says {self}")


def tree(name: str) -> Path:
    """The unpacked packages of a daemon; see `install`."""
    return CACHE / "peers" / name
