"""The verbs of the panel: serve it, and let its owner in without a password."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from edgevpn.cli.output import GOOD, fail
from edgevpn.client import Client, socket_path


def _web(options: argparse.Namespace) -> int:
    try:
        from edgevpn.web.serve import run
    except ModuleNotFoundError as error:
        return fail(f"the panel is not installed ({error.name} is missing); install the package edgevpn-web")
    return run(socket_path(options.socket, os.environ), options.port)


def _setup_token(options: argparse.Namespace) -> int:
    with Client(socket_path(options.socket, os.environ)) as client:
        settings = client.call("web.settings")
        made = client.call("web.ticket")
    scheme = "https" if settings["https"] else "http"
    for address in settings["listen"]:
        host = f"[{address}]" if ":" in address else address
        print(f"{scheme}://{host}:{made['port']}/#ticket={made['ticket']}")
    return GOOD


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {"web": _web, "setup-token": _setup_token}
