"""MD4, RFC 1320. Broken for every purpose but one: it is what a Windows password is kept as (RFC 2759 §8.3)."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack, unpack

BLOCK = 64
MASK = 0xFFFFFFFF

# From RFC 1320 §3.3 and §3.4: the initial state; for each round its function, constant, order of words and shifts.
INITIAL = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)


def _select(x: int, y: int, z: int) -> int:
    return x & y | ~x & z


def _majority(x: int, y: int, z: int) -> int:
    return x & y | x & z | y & z


def _parity(x: int, y: int, z: int) -> int:
    return x ^ y ^ z


ROUNDS: tuple[tuple[Callable[[int, int, int], int], int, tuple[int, ...], tuple[int, ...]], ...] = (
    (_select, 0, tuple(range(16)), (3, 7, 11, 19)),
    (_majority, 0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (_parity, 0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def md4(data: bytes) -> bytes:
    """The 16-octet digest."""
    padding = b"\x80" + bytes(-(len(data) + 9) % BLOCK)
    message = data + padding + pack("<Q", 8 * len(data))
    state = INITIAL
    for start in range(0, len(message), BLOCK):
        state = _compressed(state, unpack("<16I", message[start : start + BLOCK]))
    return pack("<4I", *state)


def _compressed(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for function, constant, order, shifts in ROUNDS:
        for step, index in enumerate(order):
            total = (a + function(b, c, d) + words[index] + constant) & MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> 32 - shift) & MASK, b, c
    return (state[0] + a) & MASK, (state[1] + b) & MASK, (state[2] + c) & MASK, (state[3] + d) & MASK
