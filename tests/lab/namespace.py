"""Namespaces held by threads: what is called, opened or started by way of one happens inside it.

No name is taken on the machine, entering costs no process, and when the last thread and process in a namespace
end, the kernel removes it with its links, addresses, policies and SAs.
"""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# <linux/sched.h>, <linux/mount.h>
CLONE_NEWNS, CLONE_NEWNET = 0x0002_0000, 0x4000_0000
MS_REC, MS_PRIVATE = 0x4000, 0x4_0000
MNT_DETACH = 2

PROGRAM_LIMIT, CALL_LIMIT = 60.0, 70.0  # seconds

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2); raises OSError."""
    _checked(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()))


class Inhabited:
    """A namespace, or several, with one thread that lives there and does what it is told."""

    def __init__(self, name: str, enter: Callable[[], None]) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.call(enter)
        self.tid = self.call(threading.get_native_id)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function inside."""
        return self._thread.submit(function, *args, **kwargs).result(timeout=CALL_LIMIT)

    def run(self, *command: str, text: str = "", check: bool = True) -> str:
        """Run a program inside, `text` as its input; returns its output, raises AssertionError where it fails."""
        status, output = self.finish(*command, text=text)
        if check and status:
            raise AssertionError(f"{self.name}: {' '.join(command)}: status {status}\n{output}")
        return output

    def finish(self, *command: str, text: str = "") -> tuple[int, str]:
        """Run a program inside, `text` as its input; returns its exit status and output."""
        done = self.call(
            subprocess.run,
            command,
            input=text,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PROGRAM_LIMIT,
        )
        return done.returncode, str(done.stdout)

    def spawn(
        self, command: Sequence[str], output: IO[bytes], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside, its output and errors into an open file."""
        return self.call(
            subprocess.Popen,
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )

    def close(self) -> None:
        """Let go of the namespace."""
        self._thread.shutdown()

    def _join_network(self, other: "Inhabited") -> None:
        descriptor = os.open(f"/proc/{other.tid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(_libc.setns(descriptor, CLONE_NEWNET))
        finally:
            os.close(descriptor)


class Namespace(Inhabited):
    """A network namespace with its own loopback interface (up) and its own /sys."""

    def __init__(self, name: str) -> None:
        super().__init__(name, _new_network)
        self.ip("link set dev lo up")

    def ip(self, *commands: str) -> str:
        """Run commands of ip(8), in one process."""
        return self.run("ip", "-batch", "-", text="\n".join(commands) + "\n")

    def nft(self, ruleset: str) -> None:
        """Apply an nftables ruleset."""
        self.run("nft", "-f", "-", text=ruleset)

    def sysctl(self, **values: int | str) -> None:
        """Set variables of /proc/sys/net, `__` for the slash: `sysctl(ipv4__ip_forward=1)`."""
        for name, value in values.items():
            self.call(Path("/proc/sys/net", name.replace("__", "/")).write_text, str(value))

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this namespace, for use anywhere."""
        return self.call(socket.socket, family, kind, protocol)

    def interfaces(self) -> set[str]:
        """Names of all network interfaces."""
        return {name for _, name in self.call(socket.if_nameindex)}


class Sandbox(Inhabited):
    """A mount namespace in a network namespace: private /etc, /var/lib and /run, and a peer's packages over /usr.

    `tree` holds the unpacked packages, if there are any; `state` is an empty folder (tmpfs) for the private parts.
    """

    def __init__(self, network: Namespace, state: Path, tree: Path | None = None) -> None:
        def enter() -> None:
            self._join_network(network)
            _checked(_libc.unshare(CLONE_NEWNS))
            _private_mounts()
            mount("run", "/run", "tmpfs")
            if tree:
                mount("usr", "/usr", "overlay", options=f"lowerdir={tree / 'usr'}:/usr")
            for folder in ("/etc", "/var/lib"):
                _writable_overlay(folder, tree, state)

        super().__init__(f"{network.name}/{tree.name if tree else state.name}", enter)


def _writable_overlay(folder: str, tree: Path | None, state: Path) -> None:
    """Lay a private writable layer over a folder, the packages' files between the two."""
    private = state / folder.strip("/").replace("/", "-")
    for part in ("upper", "work"):
        (private / part).mkdir(parents=True)
    lower = [str(path) for path in (tree / folder.strip("/"),) if path.is_dir()] if tree else []
    layers = f"lowerdir={':'.join([*lower, folder])},upperdir={private / 'upper'},workdir={private / 'work'}"
    mount(private.name, folder, "overlay", options=layers)


def _new_network() -> None:
    _checked(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    _private_mounts()
    _checked(_libc.umount2(b"/sys", MNT_DETACH))
    mount("sys", "/sys", "sysfs")


def _private_mounts() -> None:
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
