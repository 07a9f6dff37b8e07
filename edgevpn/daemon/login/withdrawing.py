"""Who has come in by a certificate goes when it is revoked: looked at whenever a list may have become another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from edgevpn.daemon.login.answers import Begin
from edgevpn.daemon.login.fetching import Fetcher
from edgevpn.daemon.login.keyring import Keyring, nothing_fetched
from edgevpn.daemon.login.vouched import Vouched, withdrawn

TICK = 60.0
"""Seconds between two looks at whether it is time, at most: the owner may have changed it."""


class Withdrawing:
    """Ends what stands on revoked certificates, by `end` with our SPI.

    `keyring` gives what we judge by now; `clock` is monotonic, `now` the time of day.
    """

    def __init__(
        self,
        vouched: Vouched,
        fetcher: Fetcher,
        keyring: Callable[[], Keyring],
        begin: Begin,
        end: Callable[[bytes], None],
        clock: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._vouched = vouched
        self._fetcher = fetcher
        self._keyring = keyring
        self._begin = begin
        self._end = end
        self._clock = clock
        self._now = now
        self._looked = float("-inf")

    async def run(self) -> None:
        """Look once in a while, until cancelled."""
        while True:
            await asyncio.sleep(min(TICK, self._fetcher.again.total_seconds()))
            self.tick()

    def look(self) -> None:
        """Our block list or the owner's lists may have become others."""
        self._looked = self._clock()
        if self._vouched.certified:
            self._begin(self._look(self._keyring()))

    def tick(self) -> None:
        """Once in a while: lists that were fetched may have become old."""
        if self._fetcher.has_asked and self._clock() >= self._looked + self._fetcher.again.total_seconds():
            self.look()

    async def _look(self, keyring: Keyring) -> None:
        """What we know ourselves counts at once; a server that has a list may take its time."""
        now = self._now()
        for fetch in (nothing_fetched, lambda uris: self._fetcher.crls(uris, now)):
            for spi in await asyncio.to_thread(withdrawn, self._vouched.certified, keyring, now, fetch):
                self._end(spi)
