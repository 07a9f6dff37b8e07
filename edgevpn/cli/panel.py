"""The verbs of the panel: serve it, and let its owner in without a password."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable

from edgevpn.cli.output import GOOD, as_json, fail, warn
from edgevpn.cli.patience import connect
from edgevpn.client import socket_path

ANSWERING = 1.0
"""Seconds in which whoever listens on this machine takes a connection."""


def _web(options: argparse.Namespace) -> int:
    try:
        from edgevpn.web.serve import run
    except ModuleNotFoundError as error:
        return fail(f"the panel is not installed ({error.name} is missing); install the package edgevpn-web")
    return run(socket_path(options.socket, os.environ), options.port)


def _setup_token(options: argparse.Namespace) -> int:
    with connect(options) as client:
        settings = client.call("web.settings")
        made = client.call("web.ticket")
    hosts = [f"[{address}]" if ":" in address else address for address in settings["listen"]]
    scheme = "https" if settings["https"] else "http"
    links = [f"{scheme}://{host}:{made['port']}/#ticket={made['ticket']}" for host in hosts]
    served = any(_is_served(address, made["port"]) for address in settings["listen"])
    print(as_json({"links": links, "served": served}) if options.json else "\n".join(links))
    if not served:
        warn([f"nobody serves the panel at port {made['port']} now; start it with: edgevpn web"])
    return GOOD


def _is_served(address: str, port: int) -> bool:
    """Whether somebody listens at an address of this machine."""
    try:
        socket.create_connection((address, port), ANSWERING).close()
    except OSError:
        return False
    return True


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {"web": _web, "setup-token": _setup_token}
