"""Revocation lists from where certificates say that they are: fetched over HTTP within bounds, and kept for a while.

A list is signed, so nothing depends on who answers. Only certificates that a CA of ours answers for are asked about:
a stranger cannot make us fetch anything. A list counts on while no other is to be had: what it names stays revoked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from edgevpn.daemon.base.logs import note
from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import next_update
from edgevpn.pki.errors import PkiError
from edgevpn.pki.revocation import Crl, read_crl

PATIENCE = 5.0
"""Seconds for one list: for connecting, and for each piece that is waited for."""
LARGEST = 1 << 20
PIECE = 1 << 16
MOST = 16
"""Places that are remembered."""
KEPT, AGAIN = timedelta(hours=1), timedelta(minutes=10)
"""How long a list is used, unless the owner says otherwise, and how long a place is left alone, unless that is less."""

log = logging.getLogger("edgevpn.pki")


class NotFetched(Exception):  # noqa: N818 - what is the case
    """There is no list to be had from there now. The text says why."""


@dataclass(frozen=True, slots=True)
class _Known:
    crl: Crl | None
    until: datetime
    turn: int


class Fetcher:
    """Remembers what was fetched. Called from several threads; that a list is fetched twice does no harm.

    `kept`: how long a list is used at most, from the next one on.
    """

    def __init__(self, fetch: Callable[[str], bytes] | None = None) -> None:
        self._fetch = fetch or fetched
        self._known: dict[str, _Known] = {}
        self._turn = 0
        self.kept = KEPT

    @property
    def again(self) -> timedelta:
        """How long a place is left alone, whatever it has answered."""
        return min(AGAIN, self.kept)

    @property
    def has_asked(self) -> bool:
        """Whether there was anything to fetch yet."""
        return bool(self._known)

    def expire(self) -> None:
        """All places are asked again, when somebody wants to know."""
        self._turn += 1

    def crls(self, uris: Iterable[str], at: datetime) -> tuple[Crl, ...]:
        """The lists from these places, as far as they can be had. Slow: for a thread."""
        found = (self._one(uri, at) for uri in dict.fromkeys(uris))
        return tuple(crl for crl in found if crl is not None)

    def _one(self, uri: str, at: datetime) -> Crl | None:
        known = self._known.get(uri)
        if known is None or known.until <= at or known.turn != self._turn:
            known = self._ask(uri, at, known.crl if known else None)
            self._known.pop(uri, None)
            while len(self._known) >= MOST:
                with suppress(KeyError, StopIteration):
                    del self._known[next(iter(self._known))]
            self._known[uri] = known
        return known.crl

    def _ask(self, uri: str, at: datetime, before: Crl | None) -> _Known:
        turn = self._turn
        try:
            crl = read_crl(self._fetch(uri))
        except (NotFetched, PkiError) as why:
            note(log, logging.WARNING, "crl_not_fetched", uri=uri, why=why)
            return _Known(before, at + self.again, turn)
        due = next_update(crl.value)
        note(log, logging.INFO, "crl_fetched", uri=uri, entries=len(crl.value))
        until = at + self.kept
        return _Known(crl, max(at + self.again, min(until, due)) if due else until, turn)


def fetched(uri: str) -> bytes:
    """What is at an http URI. Raises NotFetched for anything but a whole answer within bounds, a redirect too."""
    from http.client import HTTPConnection, HTTPException

    try:
        where = urlsplit(uri)
        connection = HTTPConnection(where.hostname or "", where.port or 80, timeout=PATIENCE)
        try:
            connection.request("GET", where.path or "/" if not where.query else f"{where.path}?{where.query}")
            response = connection.getresponse()
            if response.status != 200:
                raise NotFetched(f"the server answers {response.status}")
            until = datetime.now(UTC) + timedelta(seconds=PATIENCE)
            octets = b""
            while piece := response.read1(PIECE):
                octets += piece
                if len(octets) > LARGEST:
                    raise NotFetched(f"it is longer than {LARGEST} octets")
                if datetime.now(UTC) > until:
                    raise NotFetched(f"it has not come within {PATIENCE:.0f} seconds")
            return octets
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as error:
        raise NotFetched(str(error) or type(error).__name__) from error
