"""The last attempts to connect: what was seen of each, how far it came, and why it came no further.

Strangers can make attempts at will, so memory is bounded: what got no further than IKE_SA_INIT, whose sender may be
forged, has a book of its own, and no address has more than a few pages in either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import field
from enum import Enum

from edgevpn.diagnosis.entry import Finding
from edgevpn.frozen import dataclass, replace

KEPT = 200
KEPT_OF_STRANGERS = 50
KEPT_OF_ADDRESS = 20
SAME_WITHIN = 60.0
"""Seconds: who fails in the same way again sooner than this is still trying the same thing."""


class Stage(Enum):
    """How far an attempt came; UNSENT: not even a first message left."""

    UNSENT = "unsent"
    IKE_SA_INIT = "ike_sa_init"
    IKE_AUTH = "ike_auth"
    CHILD = "child"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody's attempt to connect, or what became of a connection. `at` is the caller's time, in seconds.

    `peer` is our name for who it is, "" if that is not known, and so is `device`; `tries` counts attempts that came to
    the same. An attempt without a finding has succeeded. `asked` is, as JSON, what the finding can be found from once
    more. `called`: we have begun, so that no stranger can have made it.
    """

    at: float
    remote: str
    peer: str = ""
    identity: str = ""
    client: str = ""
    stage: Stage = Stage.IKE_SA_INIT
    finding: Finding | None = None
    tries: int = 1
    device: str = ""
    asked: str = field(default="", compare=False)
    called: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """By what it can be asked for; a peer of a pool is called by the pool and by how it logs in."""
        return self.device, self.peer, self.peer.partition("/")[0], self.identity, self.remote

    def repeats(self, other: Attempt) -> bool:
        """Whether this is the same once more."""
        return self.at - other.at <= SAME_WITHIN and replace(other, at=self.at, tries=self.tries) == self


class Attempts:
    """The book of attempts. `told` hears of each as it is written down, or written down again."""

    def __init__(self, told: Callable[[Attempt], None] = lambda _: None) -> None:
        self.told = told
        self._known: deque[Attempt] = deque()
        self._strangers: deque[Attempt] = deque()

    def __iter__(self) -> Iterator[Attempt]:
        """The newest first."""
        return iter(sorted((*self._known, *self._strangers), key=lambda each: each.at, reverse=True))

    def of(self, peer: str) -> Iterator[Attempt]:
        """Those of one site, device or pool, of an identity or an address."""
        return (each for each in self if peer in each.names)

    def note(self, attempt: Attempt) -> None:
        """Write an attempt down; one that repeats the last of its address only counts."""
        book, limit = self._book(attempt)
        of_address = [each for each in book if each.remote == attempt.remote]
        if of_address and attempt.repeats(of_address[-1]):
            last = of_address.pop()
            book.remove(last)
            attempt = replace(attempt, tries=last.tries + 1)
        book.append(attempt)
        if len(of_address) >= KEPT_OF_ADDRESS:
            book.remove(of_address[0])
        elif len(book) > limit:
            book.popleft()
        self.told(attempt)

    def _book(self, attempt: Attempt) -> tuple[deque[Attempt], int]:
        is_stranger = attempt.stage is Stage.IKE_SA_INIT and attempt.finding is not None and not attempt.called
        return (self._strangers, KEPT_OF_STRANGERS) if is_stranger else (self._known, KEPT)
