"""`completion`: what a shell completes our words by."""

from __future__ import annotations

import argparse

from edgevpn.cli.arguments import parser
from edgevpn.cli.output import GOOD, fail


def completion(options: argparse.Namespace) -> int:
    """Print it. A router may have too little of Python's own library for that."""
    try:
        print(script(options.shell), end="")
    except ModuleNotFoundError as error:
        return fail(f"{error.name} is missing for that; install the package that has it (OpenWrt: python3-email)")
    return GOOD


def script(shell: str) -> str:
    """The script for one of `SHELLS`."""
    import shtab

    text: str = shtab.complete(parser(), shell)
    return text.rstrip("\n") + "\n"
