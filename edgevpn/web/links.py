"""One-time links to what was made for a device: 128 random bits, a quarter of an hour, one fetch.

Browsers fetch a link twice now and then, so a second fetch is good within ten seconds of the first. Only the hash of
the link is kept, and what it leads to only in memory.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import field
from hashlib import sha256
from typing import Any

from edgevpn.frozen import dataclass, replace

TOKEN_SIZE = 16
LIFE = 900.0
GRACE = 10.0
MOST_LINKS = 32

Entropy = Callable[[int], bytes]


class NoLink(Exception):  # noqa: N818 - named for what it is
    """There is no such link, or it has been used, or its time is over."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link leads to. `fetched` is when that was first asked for."""

    device: str
    artifact: Any = field(repr=False)
    ends: float
    fetched: float | None = None

    def good(self, now: float) -> bool:
        """Whether the link leads there still."""
        return now < self.ends and (self.fetched is None or now - self.fetched < GRACE)


class Links:
    """All links; the oldest goes when there are too many. Times are monotonic, in seconds."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._links: dict[bytes, Link] = {}

    def make(self, device: str, artifact: Any, now: float) -> str:
        """A link to an artifact: the secret part of its address."""
        self._links = {digest: link for digest, link in self._links.items() if link.good(now)}
        while len(self._links) >= MOST_LINKS:
            del self._links[next(iter(self._links))]
        token = urlsafe_b64encode(self._entropy(TOKEN_SIZE)).decode().rstrip("=")
        self._links[_digest(token)] = Link(device, artifact, now + LIFE)
        return token

    def fetch(self, token: str, now: float) -> tuple[Link, bool]:
        """What the link leads to, and whether that is the first fetch. Raises NoLink."""
        digest = _digest(token)
        link = self._links.get(digest)
        if link is None or not link.good(now):
            self._links.pop(digest, None)
            raise NoLink
        if link.fetched is not None:
            del self._links[digest]
            return link, False
        self._links[digest] = replace(link, fetched=now)
        return link, True

    def drop(self, device: str) -> None:
        """No link leads to this device any more."""
        self._links = {digest: link for digest, link in self._links.items() if link.device != device}


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
