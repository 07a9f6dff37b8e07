"""`edgevpn diagnose --bundle`: all that helps to help, as one text that its owner can read before sending it.

It holds addresses and identities, as the status does; it holds no key, no password and no pre-shared key.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Any

from edgevpn.cli.editing import tables_of
from edgevpn.cli.output import GOOD, as_json
from edgevpn.cli.patience import connect
from edgevpn.client import Client
from edgevpn.config.show import masked_tables

LOOKING = 60.0
"""Seconds for all checks of the doctor's."""


def print_bundle(options: argparse.Namespace) -> int:
    """The bundle, on stdout. Raises ConfigError if a file was named that is not TOML."""
    with connect(options) as client:
        print(as_json(bundle(client, options.config)))
    return GOOD


def bundle(client: Client, file: Path | None) -> dict[str, Any]:
    """Versions, configuration without its secrets, what is up, how we are, the attempts and the log.

    The configuration is the daemon's, wherever its file is, or that of another file.
    """
    machine = platform.uname()
    return {
        "edgevpn": client.version(),
        "machine": {
            "system": machine.system,
            "kernel": machine.release,
            "architecture": machine.machine,
            "python": platform.python_version(),
        },
        "configuration": masked_tables(tables_of(file)) if file else client.call("config.show"),
        "status": client.status(),
        "health": client.call("health", LOOKING),
        "attempts": client.call("attempts"),
        "log": client.call("log.recent"),
    }
