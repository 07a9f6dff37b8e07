"""Coverage-guided fuzzing:  python -m tests.fuzz [NAME...] --time SECONDS. One process for each harness, in turn.

A finding ends the run: its octets are in build/fuzz/NAME/, and become a test before the fault is mended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

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

    for name in options.names or HARNESSES:
        print(f"{name}: {options.time} seconds", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "--inside", name, "--time", str(options.time)], check=False
        )
        if done.returncode:
            print(f"{name}: a finding; see {PLACE / name}")
            return 1
    return 0


def fuzz(name: str, seconds: int) -> int:
    """Never returns: libFuzzer ends the process."""
    import atheris  # type: ignore[import-untyped]  # in a group of its own: it has no wheel for every machine

    with atheris.instrument_imports(include=["edgevpn"], enable_loader_override=False):
        from tests.fuzz.targets import HARNESSES

    target, seeds = HARNESSES[name]()
    folder = PLACE / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}"]
    atheris.Setup([name, *limits, "-print_final_stats=1", f"-artifact_prefix={folder}/", str(corpus)], target)
    atheris.Fuzz()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Coverage-guided fuzzing.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as stranger; else all")
    parser.add_argument("--time", type=int, default=60, metavar="SECONDS", help="for each harness; else 60")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
