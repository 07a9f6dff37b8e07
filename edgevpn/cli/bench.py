"""`bench`: what this machine can do, measured now; no daemon is needed, and none is disturbed but by the load."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

from edgevpn.cli.output import GOOD, as_json, table, warn
from edgevpn.cli.patience import telling

if TYPE_CHECKING:
    from edgevpn.daemon.ciphers.bench import Findings

CIPHERS = ("CIPHER", "SELF-TEST", "MBIT/S", "PACKETS/S", "DRIVER")
RATES = ("WHAT", "OF", "A SECOND")


def bench(options: argparse.Namespace) -> int:
    """Ciphers in the kernel, key exchanges and signatures, as tables or as JSON."""
    from edgevpn.daemon.ciphers.bench import measure

    with telling("measuring ciphers, key exchanges and signatures"):
        found = asyncio.run(measure())
    if options.json:
        ciphers = [each.to_json() for each in found.ciphers]
        rates = [asdict(each) for each in found.rates]
        lacks = list(found.lacks)
        print(as_json({"ciphers": ciphers, "why_untried": found.why_untried, "rates": rates, "lacks": lacks}))
        return GOOD
    if found.why_untried:
        warn([f"no cipher was tried: {found.why_untried}"])
    if found.lacks:
        warn([f"the installed cryptography library has no {', '.join(found.lacks)}: no peer gets them"])
    print(bench_text(found))
    return GOOD


def bench_text(found: Findings) -> str:
    """For people."""
    ciphers = [
        (
            each.name,
            each.verdict.value,
            f"{each.bits_per_second / 1e6:.0f}",
            str(each.packets_per_second),
            each.driver,
        )
        for each in found.ciphers
    ]
    rates = [(each.kind, each.of_what, f"{each.per_second:.0f}") for each in found.rates]
    return "\n\n".join([*([table(ciphers, CIPHERS)] if ciphers else []), table(rates, RATES)])
