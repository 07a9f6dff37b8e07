"""How fast, and how heavy:  python -m tests.bench [--smoke]. Writes build/bench.json and bench.svg, prints a table.

With --markdown FILE nothing is measured: the table of the last time is put into the file, at its place there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.row import Row
from tests.bench.rows import FULL, SMOKE, rows
from tests.bench.showing import markdown, picture, table, update

RESULT = Path("build/bench.json")


def main(words: list[str] | None = None) -> None:
    options = _parser().parse_args(words)
    if options.markdown:
        last = json.loads(options.output.read_text())
        found = [Row(**row) for row in last["rows"]]
        update(options.markdown, markdown(found, last["machine"], last["date"]))
    else:
        measure(options.smoke, options.output)


def measure(smoke: bool, output: Path) -> None:
    """Take all figures, keep them, and show them."""
    found, where = [], machine()
    for row in rows(SMOKE if smoke else FULL):
        found.append(row)
        print(f"{row.name}: {row.value:.3g} {row.unit}", flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": where, "date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": list(map(asdict, found))}
    output.write_text(json.dumps(result, indent=2) + "\n")
    picture(found, output.with_suffix(".svg"))
    print(table(found))


def machine() -> str:
    """Where the figures come from, and what else was going on there."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = model[1] if model else platform.machine()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name} ({os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start), {python}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="How fast, and how heavy.")
    parser.add_argument("--smoke", action="store_true", help="so little that the figures mean nothing")
    parser.add_argument("--output", type=Path, default=RESULT, metavar="FILE", help=f"else {RESULT}")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the last results into this file's table")
    return parser


if __name__ == "__main__":
    main()
