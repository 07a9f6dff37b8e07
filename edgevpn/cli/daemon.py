"""The verbs that run the daemon, or ask it something over its socket."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edgevpn import __version__
from edgevpn.api.records import LogLine, OffloadReport
from edgevpn.cli.output import GOOD, as_json, bad_config, fail, painted, warn
from edgevpn.cli.patience import connect
from edgevpn.cli.status import moment, status_text
from edgevpn.client import Client, socket_path

if TYPE_CHECKING:
    from edgevpn.daemon.base.options import RunOptions

Run = Callable[["RunOptions"], int]

WATCHED = ("site", "device", "config")
CLEAR = "\x1b[H\x1b[J"
MOST_LINES = 1000
"""Of the log, that the daemon keeps."""
GARBAGE = (5000, 10, 100)
"""New objects between two looks for garbage among them, such looks until one at what is older, and those until one at
everything. Sessions leave none that refers to itself, and a look at ten thousand of them takes most of a second."""
UNUSED = ("ssl", "_hashlib")
"""Python's ways to OpenSSL, a tenth of the daemon's memory beside the OpenSSL that cryptography has. asyncio and
hashlib do without: TLS is for the panel's process, and Python has hashes of its own."""


def run_daemon(options: argparse.Namespace, run: Run | None) -> int:
    """`run`: until the daemon is told to stop. Another `run` may stand in for the daemon."""
    run = run or _daemon()
    from edgevpn.config.errors import ConfigError
    from edgevpn.config.model import LogLevel
    from edgevpn.daemon.base.options import KernelKind, Ports, RunOptions, StartFailed

    try:
        return run(
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
    """The daemon. What it is made of stays, so the collector of garbage need not look through it again and again."""
    if find_spec("_sha1"):  # some distributions leave Python's own hashes out
        sys.modules |= dict.fromkeys(UNUSED)  # type: ignore[arg-type]  # None: it is not to be had
    from edgevpn.daemon.service import run

    gc.freeze()
    gc.set_threshold(*GARBAGE)
    return run


def _status(options: argparse.Namespace) -> int:
    if not options.watch:
        with connect(options) as client:
            _print_status(client, options)
        return GOOD
    with connect(options) as client, connect(options) as listener:
        listener.call("subscribe", topics=[*WATCHED])  # before the first look, so that no change is missed
        _print_status(client, options)
        for _ in listener.events(*WATCHED):
            if sys.stdout.isatty() and not options.json:
                print(CLEAR, end="")
            _print_status(client, options)
    return GOOD


def _print_status(client: Client, options: argparse.Namespace) -> None:
    status = client.status()
    print(as_json(status) if options.json else status_text(status, time.time()), flush=True)


def _log(options: argparse.Namespace) -> int:
    """With --follow, listening begins before the last lines are asked for: one may come twice, none is lost."""
    with connect(options) as client, connect(options) as listener:
        if options.follow:
            listener.call("subscribe", topics=["log"])
        for line in client.call("log.recent", limit=max(0, min(options.lines, MOST_LINES))):
            _print_line(line, options)
        if options.follow:
            for event in listener.events("log"):
                _print_line(event["data"], options)
    return GOOD


def _print_line(line: LogLine, options: argparse.Namespace) -> None:
    text = json.dumps(line) if options.json else f"{moment(line['at'])} {painted(line['level'].upper())} {line['text']}"
    print(text, flush=True)


def _offload(options: argparse.Namespace) -> int:
    with connect(options) as client:
        report: OffloadReport = client.call("offload")
    if options.json:
        print(as_json(report))
    else:
        from edgevpn.cli.offload import offload_text

        print(offload_text(report))
    return GOOD


def _metrics(options: argparse.Namespace) -> int:
    with connect(options) as client:
        text: str = client.call("metrics")
    if options.json:
        from edgevpn.cli.samples import samples

        print(as_json(list(samples(text))))
    else:
        print(text, end="")
    return GOOD


def _up(options: argparse.Namespace) -> int:
    with connect(options) as client:
        site = client.site_up(options.site)
    print(as_json(site) if options.json else f"{site['name']}: {site['state']}, peer {site['remote']}")
    return GOOD


def _down(options: argparse.Namespace) -> int:
    with connect(options) as client:
        client.site_down(options.site)
    print(as_json({}) if options.json else f"{options.site}: down")
    return GOOD


def _rekey(options: argparse.Namespace) -> int:
    with connect(options) as client:
        site = client.site_rekey(options.site, "ike" if options.ike else "child")
    print(as_json(site) if options.json else f"{options.site}: has new keys")
    return GOOD


def _reload(options: argparse.Namespace) -> int:
    with connect(options) as client:
        reloaded = client.reload()
    if options.json:
        print(as_json(reloaded))
        return GOOD
    warn(reloaded["warnings"])
    parts = (("added", reloaded["added"]), ("changed", reloaded["changed"]), ("removed", reloaded["removed"]))
    sites = [f"{what}: {', '.join(names)}" for what, names in parts if names]
    print("; ".join([*sites, *reloaded["others"]]) or "nothing has changed")
    return GOOD


def _version(_: argparse.Namespace) -> int:
    print(f"edgevpn {__version__}")
    return GOOD


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "status": _status,
    "log": _log,
    "metrics": _metrics,
    "offload": _offload,
    "up": _up,
    "down": _down,
    "rekey": _rekey,
    "reload": _reload,
    "version": _version,
}
