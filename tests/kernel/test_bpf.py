"""edgevpn.kernel.bpf: a socket of this machine, on loopback."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from edgevpn.kernel.bpf import EVERYTHING, NETWORK_HEADER, NOTHING, RANDOM, Code, attach, detach

UDP_HEADER = 8
ONLY_X = (
    (Code.OCTET, 0, 0, UDP_HEADER),
    (Code.EQUAL, 1, 0, ord("x")),
    (Code.RETURN, 0, 0, NOTHING),
    (Code.RETURN, 0, 0, EVERYTHING),
)


def test_a_socket_gets_what_the_program_lets_through() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, socket.socket(type=socket.SOCK_DGRAM) as theirs:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(5)
        attach(ours, ONLY_X)
        for text in (b"yes", b"xyz"):
            theirs.sendto(text, ours.getsockname())
        assert ours.recv(9) == b"xyz"
        detach(ours)
        theirs.sendto(b"yes", ours.getsockname())
        assert ours.recv(9) == b"yes"


def test_all_that_can_be_calculated() -> None:
    """On the first word of what comes, modulo 2^32; it is compared with the second."""
    program = (
        (Code.NUMBER, 0, 0, 5),
        (Code.TO_X, 0, 0, 0),
        (Code.WORD, 0, 0, UDP_HEADER),
        (Code.XOR_X, 0, 0, 0),
        (Code.ADD, 0, 0, 0xFFFF_FFFF),
        (Code.MULTIPLY, 0, 0, 0x8000_0001),
        (Code.SHIFT_RIGHT, 0, 0, 3),
        (Code.GREATER, 0, 3, 1000),
        (Code.TO_X, 0, 0, 0),
        (Code.WORD, 0, 0, UDP_HEADER + 4),
        (Code.EQUAL_X, 1, 0, 0),
        (Code.RETURN, 0, 0, NOTHING),
        (Code.RETURN, 0, 0, EVERYTHING),
    )
    first = 0x1234_5678
    found = ((first ^ 5) - 1) * 0x8000_0001 % (1 << 32) >> 3
    with socket.socket(type=socket.SOCK_DGRAM) as ours, socket.socket(type=socket.SOCK_DGRAM) as theirs:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(5)
        attach(ours, program)
        right = first.to_bytes(4) + found.to_bytes(4)
        for octets in (first.to_bytes(4) + (found + 1).to_bytes(4), (5).to_bytes(4) + bytes(4), right):
            theirs.sendto(octets, ours.getsockname())
        assert ours.recv(9) == right


@pytest.mark.parametrize(("family", "host", "at"), [(socket.AF_INET, "127.0.0.1", 12), (socket.AF_INET6, "::1", 20)])
def test_the_ip_header_and_chance(family: socket.AddressFamily, host: str, at: int) -> None:
    """The sender's address, and a number that is seldom the same."""
    last_word = int.from_bytes(socket.inet_pton(family, host)[-4:])
    program = (
        (Code.WORD, 0, 0, NETWORK_HEADER + at),
        (Code.EQUAL, 0, 2, last_word),
        (Code.WORD, 0, 0, RANDOM),
        (Code.GREATER, 1, 0, 0x7FFF_FFFF),
        (Code.RETURN, 0, 0, NOTHING),
        (Code.RETURN, 0, 0, EVERYTHING),
    )
    with socket.socket(family, socket.SOCK_DGRAM) as ours, socket.socket(family, socket.SOCK_DGRAM) as theirs:
        ours.bind((host, 0))
        ours.setblocking(False)
        attach(ours, program)
        for number in range(100):
            theirs.sendto(bytes([number]), ours.getsockname())
        heard = []
        with suppress(BlockingIOError):
            while True:
                heard.append(ours.recv(9))
        assert 0 < len(heard) < 100


def test_a_program_that_makes_no_sense_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="Invalid"):
        attach(sock, ((Code.EQUAL, 9, 9, 0),))
