"""edgevpn.kernel.ports: real sockets of this process, and a made-up /proc where that shows nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from edgevpn.kernel.ports import PortOwner, udp_port_owners, udp_port_strangers
from tests.support.rights import without_rights

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n"
LINE = "  {0}: 010000{0:02X}:{1:04X} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 {2} 2\n"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_we_hold_a_port(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        port = sock.getsockname()[1]
        (owner,) = udp_port_owners(port)
        assert owner.pid == os.getpid()
        assert str(owner) == f"{owner.command} (process {os.getpid()})"
        assert owner.command == Path("/proc/self/comm").read_text().rstrip("\n")
    assert udp_port_owners(port) == ()


def process(proc: Path, pid: int, command: bytes, **descriptors: str) -> None:
    (proc / f"{pid}" / "fd").mkdir(parents=True)
    (proc / f"{pid}" / "comm").write_bytes(command)
    for number, target in enumerate(descriptors.values()):
        (proc / f"{pid}" / "fd" / f"{number}").symlink_to(target)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Port 500 has inode 1700, 4500 has 1800; there is no IPv6."""
    net = tmp_path / "thread-self" / "net"
    net.mkdir(parents=True)
    lines = (LINE.format(*each) for each in ((1, 500, 1700), (2, 4500, 1800), (3, 68, 1900)))
    (net / "udp").write_text(HEADING + "".join(lines))
    process(tmp_path, 41, b"charon\n", log="/dev/null", ike="socket:[1700]", nat="socket:[1800]")
    process(tmp_path, 42, b"bad\x1b\xff\n", nat="socket:[1800]", other="socket:[1]")
    process(tmp_path, 43, b"dhcp\n", socket="socket:[1900]")
    return tmp_path


def test_others_hold_ports(proc: Path) -> None:
    assert udp_port_owners(500, proc) == (PortOwner(41, "charon"),)
    assert set(udp_port_owners(4500, proc)) == {PortOwner(41, "charon"), PortOwner(42, "bad?\ufffd")}
    assert udp_port_owners(501, proc) == ()


def test_others_than_we_hold_ports(proc: Path) -> None:
    assert udp_port_strangers(500, 41, proc) == ()
    assert udp_port_strangers(500, 42, proc) == ("charon (process 41)",)
    assert udp_port_strangers(501, 41, proc) == ()


def test_a_stranger_without_a_name(proc: Path) -> None:
    """Its descriptors are not for us to see."""
    for link in (proc / "43" / "fd").iterdir():
        link.unlink()
    assert udp_port_strangers(68, 41, proc) == ("another program",)


def test_processes_end_while_we_look(proc: Path) -> None:
    (proc / "41" / "comm").unlink()
    process(proc, 44, b"ended\n")
    (proc / "44" / "fd").rmdir()
    (proc / "42" / "fd" / "2").mkdir()  # no link any longer
    assert udp_port_owners(500, proc) == ()
    assert udp_port_owners(4500, proc) == (PortOwner(42, "bad?\ufffd"),)


def test_we_may_not_look() -> None:
    """Who has no rights sees the port of another user's process, and not whose it is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        mine = udp_port_owners(sock.getsockname()[1])
        assert set(without_rights(udp_port_owners, sock.getsockname()[1])) <= set(mine)
