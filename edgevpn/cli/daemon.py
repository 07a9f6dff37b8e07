"""The verbs that run the daemon, or ask it something over its socket."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgevpn import __version__
from edgevpn.cli.output import GOOD, as_json, bad_config, fail, warn
from edgevpn.cli.status import status_text
from edgevpn.client import Client, socket_path

if TYPE_CHECKING:
    from edgevpn.daemon.options import RunOptions

Run = Callable[["RunOptions"], int]


def run_daemon(options: argparse.Namespace, run: Run | None) -> int:
    """`run`: until the daemon is told to stop. Another `run` may stand in for the daemon."""
    from edgevpn.config.errors import ConfigError
    from edgevpn.config.model import LogLevel
    from edgevpn.daemon.options import KernelKind, Ports, RunOptions, StartFailed

    try:
        return (run or _daemon())(
            RunOptions(
                config=options.config,
                socket=socket_path(options.socket, os.environ),
                kernel=KernelKind(options.kernel),
                export_keys=options.export_keys,
                log_level=options.log_level and LogLevel(options.log_level),
                ports=Ports(*options.ports),
            )
        )
    except ConfigError as error:
        return bad_config(error.problems)
    except StartFailed as error:
        return fail(str(error))


def _daemon() -> Run:
    from edgevpn.daemon.service import run

    return run


def _status(options: argparse.Namespace) -> int:
    with _client(options) as client:
        status = client.status()
    print(as_json(status) if options.json else status_text(status, time.time()))
    return GOOD


def _up(options: argparse.Namespace) -> int:
    with _client(options) as client:
        site = client.site_up(options.site)
    print(f"{site['name']}: {site['state']}, peer {site['remote']}")
    return GOOD


def _down(options: argparse.Namespace) -> int:
    with _client(options) as client:
        client.site_down(options.site)
    print(f"{options.site}: down")
    return GOOD


def _rekey(options: argparse.Namespace) -> int:
    with _client(options) as client:
        client.site_rekey(options.site, "ike" if options.ike else "child")
    print(f"{options.site}: has new keys")
    return GOOD


def _reload(options: argparse.Namespace) -> int:
    with _client(options) as client:
        reloaded = client.reload()
    warn(reloaded["warnings"])
    parts = (("added", reloaded["added"]), ("changed", reloaded["changed"]), ("removed", reloaded["removed"]))
    print("; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names) or "nothing has changed")
    return GOOD


def _version(_: argparse.Namespace) -> int:
    print(f"edgevpn {__version__}")
    return GOOD


def _client(options: argparse.Namespace) -> Client:
    return Client(socket_path(options.socket, os.environ))


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "status": _status,
    "up": _up,
    "down": _down,
    "rekey": _rekey,
    "reload": _reload,
    "version": _version,
}
