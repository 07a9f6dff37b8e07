"""edgevpn.kernel.bpf: a socket of this machine, on loopback."""

from __future__ import annotations

import socket

import pytest

from edgevpn.kernel.bpf import EVERYTHING, NOTHING, Code, attach, detach

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


def test_a_program_that_makes_no_sense_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="Invalid"):
        attach(sock, ((Code.EQUAL, 9, 9, 0),))
