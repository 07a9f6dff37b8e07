"""What systemd is told while we run: that we are ready, how we are, that we live (sd_notify(3)).

Where another supervises, or nobody, all of this comes to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

STATUS_EVERY = 10.0
"""Seconds between two looks at how we are, where no watchdog wants more."""


class Supervisor:
    """Tells it. `notify` takes one message."""

    def __init__(self, notify: Callable[[str], None], environ: Mapping[str, str], pid: int) -> None:
        self._notify = notify
        self._is_there = bool(environ.get("NOTIFY_SOCKET"))
        self._watchdog = _watchdog(environ, pid)

    @property
    def period(self) -> float:
        """Seconds between two signs of life: half of what the watchdog allows."""
        return min(STATUS_EVERY, self._watchdog / 2) if self._watchdog else STATUS_EVERY

    def ready(self, status: str) -> None:
        """All is up."""
        self._notify(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """We were told to stop."""
        self._notify("STOPPING=1\nSTATUS=saying goodbye to peers")

    async def run(self, status: Callable[[], str]) -> None:
        """Until cancelled: signs of life, given by the event loop that does the work, and a line on how we are."""
        told = ""
        while self._is_there:
            now = status()
            parts = [*(["WATCHDOG=1"] if self._watchdog else []), *([f"STATUS={now}"] if now != told else [])]
            if parts:
                self._notify("\n".join(parts))
            told = now
            await asyncio.sleep(self.period)


def _watchdog(environ: Mapping[str, str], pid: int) -> float:
    """Seconds within which the watchdog wants a sign of life; 0 without one (sd_watchdog_enabled(3))."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    try:
        return max(0, int(environ.get("WATCHDOG_USEC", "0"))) / 1e6
    except ValueError:
        return 0.0
