"""Who is logged in. A browser holds a random token of 256 bits; here only its hash is kept."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import field
from hashlib import sha256

from edgevpn.frozen import dataclass, replace

TOKEN_SIZE = 32
MOST_SESSIONS = 32

Entropy = Callable[[int], bytes]


class NoSession(Exception):  # noqa: N818 - named for what it is
    """Nobody is logged in with this token, or not any more."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is logged in. `csrf` goes with every request that changes something."""

    digest: bytes = field(repr=False)
    csrf: str = field(repr=False)
    address: str
    since: float
    last: float


class Sessions:
    """All sessions; the oldest goes when there are too many. Times are monotonic, in seconds."""

    def __init__(self, entropy: Entropy, idle: float, life: float) -> None:
        self._entropy = entropy
        self._idle = idle
        self._life = life
        self._sessions: dict[bytes, Session] = {}

    def begin(self, address: str, now: float) -> tuple[str, Session]:
        """A new session, and the token that the browser is to keep."""
        self._sweep(now)
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda digest: self._sessions[digest].last)]
        token = self._token()
        session = Session(_digest(token), self._token(), address, now, now)
        self._sessions[session.digest] = session
        return token, session

    def find(self, token: str, now: float) -> Session:
        """The session of a token. Raises NoSession."""
        session = self._sessions.get(_digest(token))
        if session is None or not self._lives(session, now):
            raise NoSession
        return session

    def touch(self, session: Session, now: float) -> None:
        """Somebody is there: the idle time begins anew."""
        if session.digest in self._sessions:
            self._sessions[session.digest] = replace(session, last=now)

    def lives(self, session: Session, now: float) -> bool:
        """Whether a session that was found still holds."""
        current = self._sessions.get(session.digest)
        return current is not None and self._lives(current, now)

    def end(self, session: Session) -> None:
        """Log out."""
        self._sessions.pop(session.digest, None)

    def end_all(self) -> None:
        """The password has changed: log everybody out."""
        self._sessions.clear()

    def _lives(self, session: Session, now: float) -> bool:
        return now - session.last < self._idle and now - session.since < self._life

    def _sweep(self, now: float) -> None:
        for session in [each for each in self._sessions.values() if not self._lives(each, now)]:
            self.end(session)

    def _token(self) -> str:
        return urlsafe_b64encode(self._entropy(TOKEN_SIZE)).decode().rstrip("=")


def same(one: str, other: str) -> bool:
    """Compare secrets, in a time that tells nothing of them."""
    return hmac.compare_digest(one.encode(), other.encode())


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
