"""The command line: parse, read or change the configuration, call the daemon over its socket, print."""

from __future__ import annotations

from edgevpn.cli.program import main

__all__ = ("main",)
