"""Coverage-guided fuzzing:  python -m tests.fuzz [NAME...] --time SECONDS. One process for each harness, in turn.

A finding ends the run: its octets are in build/fuzz/NAME/, and become a test before the fault is mended.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.fuzz.figures import Figures, figures, table

PLACE = Path("build/fuzz")
LONGEST = 4096
"""Octets of an input."""
SLOW = 5
"""Seconds after which an input hangs."""
MEMORY = 1024
"""MiB that a harness may take."""


def main(words: list[str] | None = None) -> int:
    options = _parser().parse_args(words)
    if options.inside:
        return fuzz(options.inside, options.time)
    from tests.fuzz.targets import HARNESSES  # here, and not above: inside they are imported for the fuzzer to watch

    done: list[Figures] = []
    status = 0
    for name in options.names or HARNESSES:
        print(f"{name}: {options.time} seconds", flush=True)
        status, found = run(name, options.time)
        done.append(found)
        if status:
            print(f"{name}: a finding; see {PLACE / name}")
            break
    print(table(done))
    return min(status, 1)


def run(name: str, seconds: int) -> tuple[int, Figures]:
    """Fuzz in a process of its own; its status, and what it did."""
    command = [sys.executable, "-m", "tests.fuzz", "--inside", name, "--time", str(seconds)]
    before = _cpu_of_children()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stderr is not None
        lines = list(_shown(process.stderr))
    return process.returncode, figures(name, _cpu_of_children() - before, lines)


def fuzz(name: str, seconds: int) -> int:
    """Never returns: libFuzzer ends the process, after so many seconds of CPU, as the machine may be busy."""
    import atheris  # type: ignore[import-untyped]  # in a group of its own: it has no wheel for every machine

    with atheris.instrument_imports(include=["edgevpn"], enable_loader_override=False):
        from tests.fuzz.targets import HARNESSES

    target, seeds = HARNESSES[name]()
    folder = PLACE / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}"]
    atheris.Setup([name, *limits, "-print_final_stats=1", f"-artifact_prefix={folder}/", str(corpus)], target)
    signal.signal(signal.SIGPROF, lambda *_: _end_after(seconds))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    atheris.Fuzz()
    return 0


def _end_after(seconds: float) -> None:
    """The timer goes by ticks, a tenth too fast where others want the CPU: what is left then is left."""
    left = seconds - time.process_time()
    if left > 0:
        signal.setitimer(signal.ITIMER_PROF, left)
    else:
        os.kill(os.getpid(), signal.SIGUSR1)  # at which libFuzzer ends in order


def _shown(stream: IO[str]) -> Iterator[str]:
    for line in stream:
        print(line, end="", file=sys.stderr, flush=True)
        yield line


def _cpu_of_children() -> float:
    """Seconds, of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Coverage-guided fuzzing.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as stranger; else all")
    parser.add_argument("--time", type=int, default=60, metavar="SECONDS", help="of CPU for each harness; else 60")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
