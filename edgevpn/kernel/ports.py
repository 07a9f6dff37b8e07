"""Who holds a UDP port, so that another IKE daemon can be named: /proc of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edgevpn.frozen import dataclass

PROC = Path("/proc")
TABLES = ("thread-self/net/udp", "thread-self/net/udp6")


@dataclass(frozen=True, slots=True)
class PortOwner:
    """A process that holds a socket. `command` is what it calls itself, made printable."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})"


def udp_port_owners(port: int, proc: Path = PROC) -> tuple[PortOwner, ...]:
    """The processes with a socket on a UDP port, of any local address; without those that we may not look into."""
    wanted = {f"socket:[{inode}]" for inode in bound_inodes(port, proc)}
    return tuple(owner for owner in owners(wanted, proc)) if wanted else ()


def udp_port_strangers(port: int, ours: int, proc: Path = PROC) -> tuple[str, ...]:
    """Who else than the process `ours` has a socket on a UDP port; by name, as far as we may look."""
    own = set(links_of(proc / str(ours)))
    wanted = {f"socket:[{inode}]" for inode in bound_inodes(port, proc)} - own
    if not wanted:
        return ()
    return tuple(dict.fromkeys(map(str, owners(wanted, proc)))) or ("another program",)


def bound_inodes(port: int, proc: Path) -> Iterator[int]:
    """The inodes of the sockets on a port.

    A line is "sl local_address:port rem_address:port st tx:rx tr:when retrnsmt uid timeout inode ...", ports in hex.
    """
    for table in TABLES:
        with suppress(OSError):  # no IPv6
            for line in (proc / table).read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port:
                    yield int(fields[9])


def owners(links: set[str], proc: Path) -> Iterator[PortOwner]:
    for process in proc.iterdir():
        if process.name.isdecimal() and holds(process, links):
            with suppress(OSError):  # it has ended
                yield PortOwner(int(process.name), printable((process / "comm").read_bytes()))


def printable(name: bytes) -> str:
    text = name.removesuffix(b"\n").decode(errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def holds(process: Path, links: set[str]) -> bool:
    """Whether one of a process's descriptors is one of these links; False where we may not look."""
    return any(link in links for link in links_of(process))


def links_of(process: Path) -> Iterator[str]:
    """What a process's descriptors are; nothing where we may not look."""
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return iter(())
    return map(target, descriptors)


def target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # closed meanwhile
        return ""
