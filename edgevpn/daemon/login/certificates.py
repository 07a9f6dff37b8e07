"""Our certificates over time: made, renewed and read again in a thread, while the gateway works on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from edgevpn.config.model import Auth, Config, Pki
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.login.keyring import Keyring, open_keyring, prepare
from edgevpn.pki.errors import PkiError
from edgevpn.pki.office import Lifetimes, Office
from edgevpn.pki.store import Store

T = TypeVar("T")

EVERY = 3600.0
"""Seconds between two looks at files and at what is due."""

LOOK = 0.3
"""Seconds between two looks at whether files of the owner's have changed, if there are any."""

NONE = Keyring({}, {}, {})

log = logging.getLogger("edgevpn.pki")


def needs_certificates(config: Config) -> bool:
    """Whether anybody proves anything by a certificate."""
    return bool(config.pki.public_name or config.pools) or any(site.auth is not Auth.PSK for site in config.sites)


def lifetimes(pki: Pki) -> Lifetimes:
    """How long what we issue is good for."""
    ca, server, device = pki.ca_validity, pki.server_validity, pki.device_validity
    return Lifetimes(timedelta(seconds=ca), timedelta(seconds=server), timedelta(seconds=device))


def _files(pki: Pki) -> tuple[Path, ...]:
    """What its owner may change at any time."""
    own = (pki.certificate, pki.certificate_key)
    return (*pki.crl_files, *pki.trust, *(path for path in own if path is not None))


def _stamps(files: Sequence[Path]) -> tuple[object, ...]:
    """By what it is seen that a file has changed, or is another."""
    return tuple(map(_stamp, files))


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns


class Certificates:
    """Keeps a keyring for the running configuration; `changed` is called with each new one."""

    def __init__(self, folder: Path, changed: Callable[[Keyring], None]) -> None:
        self._folder = folder
        self._changed = changed
        self._config: Config | None = None
        self._wanted = asyncio.Event()
        self.settled = asyncio.Event()
        """Set while all that the configuration names has been read, or has been found to be of no use."""
        self._turn = asyncio.Lock()
        self._told: set[str] = set()
        self._announced: Set[str] = frozenset()
        self._replaced = False
        self.office: Office | None = None

    def apply(self, config: Config) -> None:
        """From now on for this configuration."""
        self._config = config
        self.settled.clear()
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._wanted.clear()
            files = _files(self._config.pki) if self._config is not None else ()
            seen = _stamps(files)
            if self._config is not None and needs_certificates(self._config):
                await self.renew()
            if not self._wanted.is_set():
                self.settled.set()
            await self._pause(files, seen)

    async def _pause(self, files: Sequence[Path], seen: Sequence[object]) -> None:
        """Until somebody asks, a file has changed, or it is time to look at everything again."""
        clock = asyncio.get_running_loop().time
        until = clock() + EVERY
        while not self._wanted.is_set() and clock() < until and _stamps(files) == seen:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK if files else EVERY):
                    await self._wanted.wait()

    async def renew(self) -> None:
        """Do what is due now, and read everything again."""
        config = self._config
        assert config is not None
        async with self._turn:
            try:
                keyring = await asyncio.to_thread(self._work, config)
            except PkiError as error:
                self._tell(error)
                return
        for fault in keyring.faults:
            self._tell(fault)
        if config is self._config:
            self._changed(keyring)
            self._announce(keyring)

    async def ask(self, question: Callable[[Office, datetime], T]) -> T:
        """Have the CA look something up, in a thread. Raises PkiError."""
        config = self._config
        assert config is not None
        async with self._turn:
            return await asyncio.to_thread(lambda: question(self._open(config.pki), datetime.now(UTC)))

    async def have(self, done: Callable[[Office, datetime], T]) -> T:
        """Have the CA do something, in a thread; what that changes holds when this returns. Raises PkiError."""
        result = await self.ask(done)
        await self.renew()
        return result

    def reopen(self) -> None:
        """The files have been replaced: read them again."""
        self._replaced = True
        self._wanted.set()

    def _work(self, config: Config) -> Keyring:
        """In a thread."""
        now = datetime.now(UTC)
        office = self._open(config.pki)
        prepare(office, config.pki, now)
        return open_keyring(config, office, now)

    def _open(self, pki: Pki) -> Office:
        """In a thread, with the turn."""
        if self.office is None or self._replaced:
            self._replaced = False
            self.office = Office(Store(self._folder), lifetimes(pki))
        return self.office

    def _announce(self, keyring: Keyring) -> None:
        """Once for each change: making keys takes a slow router its time, and nobody comes in by them before."""
        if keyring.keys.keys() != self._announced:
            self._announced = keyring.keys.keys()
            note(log, logging.INFO, "certificates_ready", ours=", ".join(sorted(self._announced)))

    def _tell(self, fault: PkiError) -> None:
        """Once: it will be tried again every hour."""
        if str(fault) not in self._told:
            self._told.add(str(fault))
            note(log, logging.ERROR, "certificate_fault", reason=fault.reason.name, why=fault)
