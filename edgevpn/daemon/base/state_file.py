"""What is worth keeping over a restart: JSON with a version, replaced whole, and written seldom to spare the flash."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgevpn.daemon.base.logs import note
from edgevpn.files import remove_unfinished, replace_file

QUIET = 60.0
"""Seconds between two writes, as a rule."""
SOON = 1.0
"""Seconds until what must not be forgotten is written, together with what comes meanwhile."""
PAUSE = 20
"""How much longer than the last write the pause after it is: everything waits for a write."""

log = logging.getLogger("edgevpn.state")

Content = dict[str, Any]


class StateFile:
    """One file. `collect` gives what is to be written when the time has come, `clock` gives seconds."""

    def __init__(
        self,
        path: Path,
        version: int,
        collect: Callable[[], Content],
        quiet: float = QUIET,
        soon: float = SOON,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._version = version
        self._collect = collect
        self._quiet = quiet
        self._soon = soon
        self._clock = clock
        self._took = 0.0  # the last write
        self._timer: asyncio.TimerHandle | None = None
        self._failing = False

    def load(self) -> Content:
        """What was written last; nothing if there is no file, or none that can be read: that one is put aside.

        What a power cut has left half written is removed.
        """
        with suppress(OSError):
            remove_unfinished(self._path)
        try:
            content = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            return self._put_aside(str(error))
        if not isinstance(content, dict) or content.get("version") != self._version:
            return self._put_aside(f"it is not of version {self._version}")
        return content

    def touch(self, *, soon: bool = False) -> None:
        """Something has changed: it will be written before long; `soon` is for what a power cut must not undo."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(self._soon if soon else self._quiet, PAUSE * self._took)
        if self._timer is not None and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self.write)

    def write(self) -> None:
        """Write now. A full disk is said once, and the service goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        begun = self._clock()
        content = {"version": self._version, **self._collect()}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # without indent: only then is it written by the encoder in C, in a tenth of the time
            replace_file(self._path, json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n")
        except OSError as error:
            if not self._failing:
                note(log, logging.ERROR, "state_not_written", file=self._path, why=error.strerror or error)
            self._failing = True
            self.touch()
        else:
            self._failing = False
        self._took = self._clock() - begun

    def _put_aside(self, why: str) -> Content:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        with suppress(OSError):
            self._path.replace(aside)
        note(log, logging.ERROR, "state_not_read", file=self._path, why=why, kept=aside)
        return {}
