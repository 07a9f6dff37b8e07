"""The panel's password: hashed with scrypt (RFC 7914), checked at the same price whether there is one or not.

A hash is written $scrypt$ln=LOG2N,r=R,p=P$SALT$HASH, salt and hash in Base64 without padding.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import scrypt

from edgevpn.frozen import dataclass

SHORTEST, LONGEST = 8, 256
SALT_SIZE, HASH_SIZE = 16, 32
SHAPE = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,172})")

PATIENCE = 0.3
"""Seconds that one hash may take on this machine."""
CHEAPEST, DEAREST = 13, 15
"""log2 of N: 8 to 32 MiB of memory with r=8. A router has little of it."""
MOST_LOG2_N, MOST_R, MOST_P = 17, 16, 4
"""What a hash from the configuration may cost at most; others are taken for broken."""


class WrongPassword(Exception):  # noqa: N818 - named for what it is
    """It is not the password, or there is none."""


class UnfitPassword(Exception):  # noqa: N818 - named for what it is
    """Too short, too long, or nothing that can be typed. The text says which."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs; RFC 7914 §2."""

    log2_n: int = CHEAPEST
    r: int = 8
    p: int = 1


def chosen_cost(timed: Callable[[Cost], float]) -> Cost:
    """The dearest cost that this machine bears. `timed` tells how many seconds one hash takes."""
    seconds = timed(Cost(CHEAPEST))
    log2_n = CHEAPEST
    while log2_n < DEAREST and seconds * 2 <= PATIENCE:
        log2_n, seconds = log2_n + 1, seconds * 2
    return Cost(log2_n)


def fit(password: str) -> str:
    """The password, if it can be one. Raises UnfitPassword."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UnfitPassword(f"a password has {SHORTEST} to {LONGEST} characters")
    if not password.isprintable():
        raise UnfitPassword("a password has no control characters")
    return password


def hashed(password: str, salt: bytes, cost: Cost) -> str:
    """The hash as the configuration holds it."""
    digest = _digest(password, salt, cost, HASH_SIZE)
    return f"$scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}${_text(salt)}${_text(digest)}"


def check(password: str, stored: str) -> None:
    """Raises WrongPassword; after the same work where `stored` is empty or broken."""
    found = SHAPE.fullmatch(stored) or SHAPE.fullmatch(NOBODYS)
    assert found is not None
    cost, salt, digest = _parts(found)
    if cost.log2_n > MOST_LOG2_N or cost.r > MOST_R or cost.p > MOST_P:
        cost, stored = Cost(), ""
    same = hmac.compare_digest(_digest(password, salt, cost, len(digest)), digest)
    if not same or not SHAPE.fullmatch(stored):
        raise WrongPassword


def _parts(found: re.Match[str]) -> tuple[Cost, bytes, bytes]:
    log2_n, r, p, salt, digest = found.groups()
    return Cost(int(log2_n), int(r), int(p)), _octets(salt), _octets(digest)


def _digest(password: str, salt: bytes, cost: Cost, size: int) -> bytes:
    n = 1 << max(1, cost.log2_n)
    r, p = max(1, cost.r), max(1, cost.p)
    return scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=129 * r * (n + p + 2), dklen=size)


def _text(octets: bytes) -> str:
    return b64encode(octets).decode().rstrip("=")


def _octets(text: str) -> bytes:
    return b64decode(text[: len(text) - (len(text) % 4 == 1)] + "===")


NOBODYS = f"$scrypt$ln={CHEAPEST},r=8,p=1${_text(bytes(SALT_SIZE))}${_text(bytes(HASH_SIZE))}"
"""Stands where there is no hash; no password is known that has it."""
