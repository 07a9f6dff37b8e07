"""Classic BPF: programs that say which packets a socket gets. Every Linux has it, whoever owns its firewall."""

from __future__ import annotations

import socket
import struct
from array import array
from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias

# <asm-generic/socket.h>
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27

# <linux/filter.h>: struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }, struct sock_fprog { len, filter }
INSTRUCTION, PROGRAM = struct.Struct("=HBBI"), struct.Struct("@HP")

NETWORK_HEADER, RANDOM = 0xFFF0_0000, 0xFFFF_F038
"""Added to an offset into the IP header, where a socket's packets begin behind it; the place of a random word."""

NOTHING, EVERYTHING = 0, 0xFFFF_FFFF
"""What a program returns: how many octets of the packet the socket gets."""


class Code(IntEnum):
    """BPF_* of <linux/bpf_common.h>, put together. `A` is what a program calculates with, `X` an offset or operand."""

    WORD = 0x20  # A = the word at k
    HALF = 0x28
    OCTET = 0x30
    WORD_BEHIND = 0x40  # A = the word at X + k
    HEADER_LENGTH = 0xB1  # X = 4 * (the octet at k & 15)
    NUMBER = 0x00  # A = k
    TO_X = 0x07  # X = A
    ADD = 0x04  # A += k
    MULTIPLY = 0x24  # A *= k
    SHIFT_RIGHT = 0x74  # A >>= k
    XOR_X = 0xAC  # A ^= X
    EQUAL = 0x15  # A == k
    EQUAL_X = 0x1D  # A == X
    GREATER = 0x25  # A > k
    ANY_BIT = 0x45  # A & k
    RETURN = 0x06


Instruction: TypeAlias = tuple[Code, int, int, int]
"""Code; how many instructions are left out if a comparison is true, and how many if not; k."""


def attach(sock: socket.socket, program: Sequence[Instruction]) -> None:
    """Have a socket get what a program lets through, in place of the one before. OSError."""
    instructions = array("B", b"".join(INSTRUCTION.pack(*instruction) for instruction in program))
    address, _ = instructions.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, PROGRAM.pack(len(program), address))


def detach(sock: socket.socket) -> None:
    """Have a socket get everything again. OSError where it has no program."""
    sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
