"""The running configuration and its files: planned, applied, confirmed or undone, gone back to. One change at a time.

A change is judged first, then put in force, and only then written; where one of these fails, nothing has changed. What
waits to be confirmed is undone when its time is over, and by the next start: whoever has locked themselves out may as
well pull the plug.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from edgevpn.api.records import Applied, Plan, Reloaded, SavedVersion
from edgevpn.config.changes import Documents
from edgevpn.config.diff import difference
from edgevpn.config.errors import ConfigError
from edgevpn.config.model import Config
from edgevpn.config.reader import load
from edgevpn.config.source import toml
from edgevpn.config.store import Change, Prepared, Store
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.options import StartFailed
from edgevpn.daemon.keeping import plans
from edgevpn.daemon.keeping.holdings import Files, Holdings
from edgevpn.frozen import dataclass

LONGEST_WAIT = 3600
"""Seconds that a change may wait to be confirmed."""

log = logging.getLogger("edgevpn.config")


class NotNow(Exception):  # noqa: N818 - what is the case
    """It cannot be done as things are; the text is one sentence for the user, with the cure."""


class Gateway(Protocol):
    """Whatever puts configurations in force."""

    def apply(self, config: Config) -> None:
        """From now on this one. Raises StartFailed."""

    def would_drop(self, config: Config) -> tuple[str, ...]:
        """The sites and devices whose tunnels would go."""

    def reopen(self) -> None:
        """Keys, certificates and what is kept have been replaced: read them again."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that is not confirmed. `ends` in seconds of the event loop; `whole`: a backup was restored."""

    ends: float
    whole: bool


class Configuration:
    """What is in force. `told` hears of each change. Raises ConfigError, Refused, StartFailed and NotNow."""

    def __init__(self, store: Store, holdings: Holdings, gateway: Gateway, config: Config) -> None:
        self._store = store
        self._holdings = holdings
        self._gateway = gateway
        self._documents = store.read()
        self._pending: Pending | None = None
        self._gave_up = False  # the last change that waited was undone, as nobody had confirmed it
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self.running = config
        self.told: Callable[[Reloaded], None] = lambda _: None

    async def run(self) -> None:
        """Until cancelled: undo what nobody confirms."""
        while True:
            self._changed.clear()
            pending = self._pending
            if pending is None:
                await self._changed.wait()
                continue
            try:
                async with asyncio.timeout_at(pending.ends):
                    await self._changed.wait()
            except TimeoutError:
                async with self._turn:
                    if self._pending is pending:
                        self._give_up()

    # --- reading ---

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def waits(self) -> bool:
        """Whether a change waits to be confirmed."""
        return self._pending is not None

    def tables(self) -> dict[str, Any]:
        """The tables of what is in force, as they are written."""
        return toml(self._documents.config, "")

    def text(self) -> str:
        """The file as it is written. Raises ConfigError."""
        return self._store.read().config

    def versions(self) -> list[SavedVersion]:
        """What can be gone back to, the last one first."""
        return [SavedVersion(number=each.number, saved=each.until.timestamp()) for each in self._store.versions()]

    async def plan(self, change: Change, *, anew: bool = False, name: str = "") -> Plan:
        """What a change would do. Faults of a whole new text name it by `name`, if it has one."""
        async with self._turn:
            return self._planned(await self._prepared(change, anew=anew, name=name))

    # --- changing ---

    async def reload(self) -> Reloaded:
        """Read the files again. What waits to be confirmed goes on waiting."""
        async with self._turn:
            documents = self._store.read()
            config = await asyncio.to_thread(load, self._store.path, now=_now())
            return self._put_in_force(config, documents)

    async def change(self, change: Change, confirm: float = 0, *, anew: bool = False, name: str = "") -> Applied:
        """Carry out a change of the files; with `confirm` it is undone after so many seconds unless it is confirmed."""
        async with self._turn:
            self._refuse_while_pending()
            return await self._changed_to(await self._prepared(change, anew=anew, name=name), confirm)

    async def restore(self, files: Files, confirm: float = 0) -> Applied:
        """Let these files, which have been judged, take the place of all there are."""
        async with self._turn:
            self._refuse_while_pending()
            before = self._holdings.read()
            self._holdings.keep_for_undo(before, whole=True)
            try:
                applied = self._put_back(files, whole=True)
            except (ConfigError, StartFailed, OSError):
                self._holdings.take_back(before)
                self._gateway.reopen()
                raise
            if not confirm:
                self._holdings.forget_undo()
            return self._waiting(applied, confirm, whole=True)

    async def rollback(self, number: int) -> Applied:
        """Go back to a version; while a change waits to be confirmed, the last version is what was before it."""
        async with self._turn:
            if self._pending is None:
                documents = self._store.version(number)
                return await self._changed_to(await self._prepared(lambda _: documents, anew=True), 0)
            if number != 1:
                raise NotNow("a change waits to be confirmed: confirm it first, or go back to version 1, before it")
            return self._undo()

    async def confirm(self) -> None:
        """What waits stands."""
        async with self._turn:
            if self._pending is None:
                what = ": the last change was not confirmed in time, and was undone" if self._gave_up else ""
                raise NotNow(f"nothing waits to be confirmed{what}")
            self._holdings.forget_undo()
            self._set_pending(None)
            note(log, logging.INFO, "confirmed")

    # --- below ---

    async def _prepared(self, change: Change, *, anew: bool, name: str = "") -> Prepared:
        """A change whose result is good."""
        prepared = await asyncio.to_thread(self._store.prepare, change, _now(), anew=anew, name=name)
        if prepared.saved.config is None:
            raise self._store.refusal(prepared.saved.problems, prepared.old)
        return prepared

    def _planned(self, prepared: Prepared) -> Plan:
        """Beside what is in force, which the files need not be."""
        config = prepared.saved.config
        assert config is not None
        found = difference(self.running, config)
        return plans.plan(found, self._documents, prepared.new, self._gateway.would_drop(config), config)

    async def _changed_to(self, prepared: Prepared, confirm: float) -> Applied:
        plan, before, documents = self._planned(prepared), self.running, self._documents
        assert prepared.saved.config is not None
        if confirm:
            self._holdings.keep_for_undo(self._holdings.read_config(), whole=False)
        try:
            told = self._put_in_force(prepared.saved.config, prepared.new, tell=False)
            await asyncio.to_thread(self._store.commit, prepared)
        except (ConfigError, StartFailed):
            self._put_in_force(before, documents, tell=False)
            self._holdings.forget_undo()
            raise
        self.told(told)
        return self._waiting(Applied(plan=plan, confirm_before=None), confirm, whole=False)

    def _waiting(self, applied: Applied, confirm: float, *, whole: bool) -> Applied:
        if not confirm:
            return applied
        self._set_pending(Pending(asyncio.get_running_loop().time() + confirm, whole))
        note(log, logging.INFO, "waits_for_confirmation", seconds=confirm)
        return Applied(plan=applied["plan"], confirm_before=time.time() + confirm)

    def _give_up(self) -> None:
        """Nobody has confirmed it."""
        note(log, logging.WARNING, "not_confirmed", meaning="the change is undone")
        try:
            self._undo()
            self._gave_up = True
        except (ConfigError, StartFailed, OSError) as error:
            note(log, logging.ERROR, "not_undone", why=error)

    def _undo(self) -> Applied:
        """Put back what was before the change that waits."""
        assert self._pending is not None
        whole = self._pending.whole
        self._set_pending(None)
        self._holdings.undo()
        return self._reread(reopen=whole)

    def _put_back(self, files: Files, *, whole: bool) -> Applied:
        self._holdings.put(files, whole=whole)
        return self._reread(reopen=True)

    def _reread(self, *, reopen: bool) -> Applied:
        """Put in force what the files say now."""
        documents = self._store.read()
        config = load(self._store.path, now=_now())
        drops = self._gateway.would_drop(config)
        plan = plans.plan(difference(self.running, config), self._documents, documents, drops, config)
        if reopen:
            self._gateway.reopen()
        self._put_in_force(config, documents)
        return Applied(plan=plan, confirm_before=None)

    def _put_in_force(self, config: Config, documents: Documents, *, tell: bool = True) -> Reloaded:
        """From now on this one; where that cannot be, what was before. Raises StartFailed."""
        told = plans.reloaded(difference(self.running, config), config)
        try:
            self._gateway.apply(config)
        except StartFailed:
            self._gateway.apply(self.running)
            raise
        self.running, self._documents = config, documents
        if tell:
            self.told(told)
        return told

    def _set_pending(self, pending: Pending | None) -> None:
        self._pending, self._gave_up = pending, False
        self._changed.set()

    def _refuse_while_pending(self) -> None:
        if self._pending is not None:
            raise NotNow("another change waits to be confirmed: confirm it first, or go back to version 1, before it")


def recover(holdings: Holdings) -> bool:
    """At a start, before the configuration is read: finish what was begun, undo what was not confirmed. Whether it was.

    Raises OSError.
    """
    holdings.recover()
    if not holdings.undo_waits:
        return False
    holdings.undo()
    return True


def _now() -> datetime:
    return datetime.now(UTC)
