"""The trial of the kernel's ciphers: made once for each kernel, CPU and `[crypto]`, in a process beside, and kept."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgevpn.config.model import Config
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.state_file import Content, StateFile
from edgevpn.daemon.ciphers.choice import UNTRIED, Ciphers
from edgevpn.kernel.trial_results import Result

FILE, VERSION = "ciphers.json", 1
TOO_LONG = 20.0
"""Seconds after which a trial is given up; it takes one or two."""
CPUINFO = Path("/proc/cpuinfo")
CPU_FIELDS = ("model name", "cpu model", "Processor", "CPU part", "system type")
"""What a CPU is called, on one architecture or another."""

log = logging.getLogger("edgevpn")

Trial = Callable[[], Awaitable[tuple[Result, ...]]]
"""Tries all ciphers. Raises Impossible."""


class Impossible(Exception):  # noqa: N818 - what is the case
    """No trial can be made here; the text says why."""


class Speeds:
    """What is known of the ciphers. `told` is called when there is more; `trial` None: nobody is to try them."""

    def __init__(self, folder: Path, trial: Trial | None, told: Callable[[], None]) -> None:
        self._trial = trial
        self._told = told
        self._place = ""
        self._wanted = asyncio.Event()
        self._file = StateFile(folder / FILE, VERSION, self._collect)
        self._known: dict[str, tuple[Result, ...]] | None = None
        self.ciphers = UNTRIED
        self.why_untried = "no trial was made yet"

    def apply(self, config: Config) -> None:
        """Under this configuration: what was found before holds at once, and what was not is tried soon."""
        self.ciphers = UNTRIED
        if self._trial is None:
            return
        if not config.crypto.self_test:
            self.why_untried = "crypto.self_test is off"
            return
        self._place = place(config)
        if self._known is None:
            self._known = read_known(self._file.load())
        if self._place in self._known:
            self._take(self._known[self._place])
        else:
            self._wanted.set()

    async def run(self) -> None:
        """Try what is to be tried, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._trial is None or self._known is None:
                continue
            where = self._place
            try:
                found = await self._trial()
            except Impossible as error:
                self.why_untried = str(error)
                note(log, logging.WARNING, "ciphers_untried", why=error, meaning="they are offered in built-in order")
                continue
            self._known = {where: found}  # what another kernel did is of no use once this one is in place
            self._file.write()
            if where == self._place:
                self._take(found)
                self._told()

    def _take(self, found: tuple[Result, ...]) -> None:
        self.ciphers = Ciphers({result.name: result for result in found})
        self.why_untried = ""
        if not self.ciphers.conclusive:
            note(log, logging.WARNING, "ciphers_untried", why=found[0].detail if found else "", meaning="none worked")
            return
        for result in self.ciphers.broken:
            fate = result.verdict.value
            note(log, logging.WARNING, "cipher_excluded", cipher=result.name, driver=result.driver, fate=fate)

    def _collect(self) -> Content:
        known = self._known or {}
        return {"found": {where: [each.to_json() for each in results] for where, results in known.items()}}


def read_known(content: Content) -> dict[str, tuple[Result, ...]]:
    """What was kept, by where it was found; nothing of what makes no sense."""
    with suppress(ValueError, TypeError, AttributeError):
        return {
            where: tuple(map(Result.from_json, results)) for where, results in dict(content.get("found", {})).items()
        }
    return {}


def place(config: Config) -> str:
    """What a finding holds for: this kernel, this CPU, these settings."""
    crypto = config.crypto
    return f"{os.uname().release} | {cpu()} | {crypto.offload.value} {' '.join(crypto.order)}"


def cpu(source: Path = CPUINFO) -> str:
    """How this machine's CPU is called, and how many there are."""
    text = ""
    with suppress(OSError):
        text = source.read_text(errors="replace")
    pairs = [tuple(map(str.strip, line.partition(":")[::2])) for line in text.splitlines()]
    names = dict.fromkeys(value for key, value in pairs if key in CPU_FIELDS)
    return f"{os.uname().machine} {' '.join(names)} x{os.cpu_count()}"


async def try_in_process() -> tuple[Result, ...]:
    """The trial, in a process of its own that ends with it. Raises Impossible."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = (sys.executable, "-m", "edgevpn.kernel.trial")
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=variables
        )
    except OSError as error:
        raise Impossible(f"{sys.executable} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(TOO_LONG):
            output, complaint = await process.communicate()
    except TimeoutError:
        raise Impossible(f"it took more than {TOO_LONG:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return read_output(process.returncode or 0, output, complaint)


def read_output(status: int, output: bytes, complaint: bytes) -> tuple[Result, ...]:
    """What the process printed. Raises Impossible."""
    if status:
        lines = complaint.decode(errors="replace").strip().splitlines()
        raise Impossible(f"no namespace can be made for it: {lines[-1] if lines else f'status {status}'}")
    try:
        found: Any = json.loads(output)
        return tuple(map(Result.from_json, found))
    except (ValueError, TypeError) as error:
        raise Impossible("its answer makes no sense") from error
