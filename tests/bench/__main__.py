"""How fast, and how heavy:  python -m tests.bench [--smoke]. Writes build/bench.json and prints a table."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tabulate import tabulate

from tests.bench.rows import FULL, SMOKE, Row, rows

RESULT = Path("build/bench.json")


def main(words: list[str] | None = None) -> None:
    options = _parser().parse_args(words)
    found = []
    for row in rows(SMOKE if options.smoke else FULL):
        found.append(row)
        print(f"{row.name}: {row.value:.3g} {row.unit}", flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
    result = {"machine": machine, "date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": list(map(asdict, found))}
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(found))


def table(found: list[Row]) -> str:
    """For people."""
    cells = [
        (row.name, f"{row.value:.3g}", row.unit, f"{row.spread:.2g}", row.goal and f"<= {row.goal:g}", row.anchor)
        for row in found
    ]
    return str(tabulate(cells, ("figure", "median", "", "quartiles", "goal", "compared with")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="How fast, and how heavy.")
    parser.add_argument("--smoke", action="store_true", help="so little that the figures mean nothing")
    parser.add_argument("--output", type=Path, default=RESULT, metavar="FILE", help=f"else {RESULT}")
    return parser


if __name__ == "__main__":
    main()
