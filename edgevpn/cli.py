"""The command line: parse, call the daemon over its socket, print. Exit status 1 for a failure, 2 for a bad file."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgevpn import __version__
from edgevpn.api import DEFAULT_SOCKET, SOCKET_VARIABLE, ChildStatus, ErrorCode, RpcError, SiteStatus, Status
from edgevpn.client import Client, DaemonUnreachable, socket_path

if TYPE_CHECKING:
    from edgevpn.daemon.options import RunOptions

DEFAULT_FILE = Path("/etc/edgevpn/edgevpn.toml")
GOOD, FAILED, BAD_CONFIG = 0, 1, 2

Run = Callable[["RunOptions"], int]


def main(argv: Sequence[str] | None = None, run: Run | None = None) -> int:
    """Carry out one command and return its exit status. `run` stands in for the daemon."""
    options = _parser().parse_args(argv)
    try:
        status = _run(options, run) if options.verb == "run" else VERBS[options.verb](options)
        sys.stdout.flush()
        return status
    except DaemonUnreachable as error:
        return _fail(str(error))
    except RpcError as error:
        return _refused(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads us, so nothing is left to flush
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edgevpn", description="IKEv2 gateway: native clients and sites.")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    daemon = argparse.ArgumentParser(add_help=False)
    daemon.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        help=f"control socket; else ${SOCKET_VARIABLE}, else {DEFAULT_SOCKET}",
    )

    run = verbs.add_parser("run", parents=[daemon], help="run the gateway in the foreground")
    run.add_argument("-c", "--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help=f"else {DEFAULT_FILE}")
    run.add_argument(
        "--kernel", choices=("netlink", "memory"), default="netlink", help="memory: speak IKE, carry no traffic"
    )
    run.add_argument(
        "--export-keys", type=Path, metavar="FOLDER", help="append session keys for Wireshark: for debugging alone"
    )
    run.add_argument(
        "--ports",
        type=_ports,
        metavar="IKE,NAT",
        default="500,4500",
        help="UDP ports: for trials, as clients know no others",
    )
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="instead of the file's")

    check = verbs.add_parser("check", help="say all that is wrong with a configuration file")
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, metavar="FILE", help=f"else {DEFAULT_FILE}")

    status = verbs.add_parser("status", parents=[daemon], help="show the sites and their tunnels")
    status.add_argument("--json", action="store_true", help="all of it, for programs")

    up = verbs.add_parser("up", parents=[daemon], help="bring a site up and wait for it")
    up.add_argument("site", metavar="SITE")
    down = verbs.add_parser("down", parents=[daemon], help="close a site")
    down.add_argument("site", metavar="SITE")
    rekey = verbs.add_parser(
        "rekey", parents=[daemon], help="give a site's children new keys, and wait until they are in use"
    )
    rekey.add_argument("site", metavar="SITE")
    rekey.add_argument("--ike", action="store_true", help="the IKE SA instead")
    verbs.add_parser("reload", parents=[daemon], help="have the daemon read its file again")
    web = verbs.add_parser("web", parents=[daemon], help="serve the panel, in the foreground")
    web.add_argument("--port", type=_port, metavar="PORT", help="TCP port, instead of the file's")
    verbs.add_parser("setup-token", parents=[daemon], help="print where to open the panel without its password, once")
    verbs.add_parser("version", help="print the version")
    return parser


def _ports(text: str) -> tuple[int, int]:
    """Two different ports, "500,4500"; ValueError for anything else."""
    ike, nat = (int(port) for port in text.split(","))
    if ike == nat or not {ike, nat} <= set(range(1, 0x10000)):
        raise ValueError(text)
    return ike, nat


def _port(text: str) -> int:
    """A port; ValueError for anything else."""
    if not 0 < (port := int(text)) < 0x10000:
        raise ValueError(text)
    return port


def _run(options: argparse.Namespace, run: Run | None) -> int:
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
        return _bad_config([str(problem) for problem in error.problems])
    except StartFailed as error:
        return _fail(str(error))


def _daemon() -> Run:
    from edgevpn.daemon.service import run

    return run


def _check(options: argparse.Namespace) -> int:
    from edgevpn.config.errors import ConfigError
    from edgevpn.config.reader import load

    try:
        config = load(options.file)
    except ConfigError as error:
        return _bad_config([str(problem) for problem in error.problems])
    _warn([str(problem) for problem in config.warnings])
    print(f"{options.file}: good, {_counted(len(config.sites), 'site')}")
    return GOOD


def _status(options: argparse.Namespace) -> int:
    with _client(options) as client:
        status = client.status()
    print(json.dumps(status, indent=2) if options.json else status_text(status, time.time()))
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
    _warn(reloaded["warnings"])
    parts = (("added", reloaded["added"]), ("changed", reloaded["changed"]), ("removed", reloaded["removed"]))
    print("; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names) or "nothing has changed")
    return GOOD


def _web(options: argparse.Namespace) -> int:
    try:
        from edgevpn.web.serve import run
    except ModuleNotFoundError as error:
        return _fail(f"the panel is not installed ({error.name} is missing); install the package edgevpn-web")
    return run(socket_path(options.socket, os.environ), options.port)


def _setup_token(options: argparse.Namespace) -> int:
    with _client(options) as client:
        settings = client.call("web.settings")
        ticket = client.call("web.ticket")["ticket"]
    scheme = "https" if settings["https"] else "http"
    for address in settings["listen"]:
        host = f"[{address}]" if ":" in address else address
        print(f"{scheme}://{host}:{settings['port']}/#ticket={ticket}")
    return GOOD


def _version(_: argparse.Namespace) -> int:
    print(f"edgevpn {__version__}")
    return GOOD


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "status": _status,
    "up": _up,
    "down": _down,
    "rekey": _rekey,
    "reload": _reload,
    "web": _web,
    "setup-token": _setup_token,
    "version": _version,
}


def status_text(status: Status, now: float) -> str:
    """The status as a table for people, one row for each CHILD SA; `now` is a Unix time in seconds."""
    from tabulate import tabulate

    head = f"edgevpn {status['version']}, running for {_age(now - status['started'])}"
    if status["kernel"] == "memory":
        head += ", without a kernel: NO TRAFFIC FLOWS"
    if not status["sites"]:
        return f"{head}; no site is configured"
    rows = [row for site in status["sites"] for row in _rows(site, now)]
    titles = ("SITE", "STATE", "PEER", "FOR", "CHILD", "HERE", "THERE", "IN", "OUT", "CIPHER")
    return f"{head}\n\n{tabulate(rows, titles, tablefmt='plain', disable_numparse=True)}"


def _rows(site: SiteStatus, now: float) -> Iterator[tuple[str, ...]]:
    if not site["ike"]:
        yield site["name"], site["state"], site["remote"]
    for ike in site["ike"]:
        head = (site["name"], site["state"], ike["remote"], _age(now - ike["established"]))
        yield from ((*head, *_child_cells(child)) for child in ike["children"])
        if not ike["children"]:
            yield head


def _child_cells(child: ChildStatus) -> tuple[str, ...]:
    return (
        child["name"],
        "\n".join(child["local_ts"]),
        "\n".join(child["remote_ts"]),
        _octets(child["bytes_in"]),
        _octets(child["bytes_out"]),
        child["suite"],
    )


def _age(seconds: float) -> str:
    """A time in its two largest units: "3d 4h"."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _octets(count: float) -> str:
    """A size with three digits or so: "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _client(options: argparse.Namespace) -> Client:
    return Client(socket_path(options.socket, os.environ))


def _refused(error: RpcError) -> int:
    if error.code == ErrorCode.CONFIG_INVALID and isinstance(error.data, list):
        return _bad_config([str(problem) for problem in error.data])
    return _fail(error.message)


def _bad_config(problems: list[str]) -> int:
    print(*problems, sep="\n", file=sys.stderr)
    return BAD_CONFIG


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _fail(sentence: str) -> int:
    print(f"edgevpn: {sentence}", file=sys.stderr)
    return FAILED
