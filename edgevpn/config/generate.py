"""Keys and passwords that nobody can guess and anybody can type."""

from __future__ import annotations

from collections.abc import Callable

Entropy = Callable[[int], bytes]

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 characters that are not taken for one another, on one page of a phone's keyboard or two."""

PSK_LENGTH, PASSWORD_LENGTH = 32, 20
GROUP = 4


def new_psk(entropy: Entropy) -> str:
    """A pre-shared key of 160 bits."""
    return _characters(PSK_LENGTH, entropy)


def new_password(entropy: Entropy) -> str:
    """A password of 100 bits, in groups of four: 24 characters with the hyphens."""
    characters = _characters(PASSWORD_LENGTH, entropy)
    return "-".join(characters[start : start + GROUP] for start in range(0, PASSWORD_LENGTH, GROUP))


def _characters(count: int, entropy: Entropy) -> str:
    return "".join(ALPHABET[octet % len(ALPHABET)] for octet in entropy(count))
