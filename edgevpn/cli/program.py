"""One command from the words of the command line to its exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from edgevpn.api import ErrorCode, RpcError
from edgevpn.cli.arguments import DEFAULT_FILE, FILE_VERBS, UPKEEP_VERBS, parser
from edgevpn.cli.output import FAILED, bad_config, fail
from edgevpn.cli.patience import connect
from edgevpn.client import Client, DaemonAbsent, DaemonUnreachable

if TYPE_CHECKING:
    from edgevpn.cli.daemon import Run


def main(argv: Sequence[str] | None = None, run: Run | None = None) -> int:
    """Carry out one command and return its exit status. `run` stands in for the daemon."""
    _open_what_is_closed()
    options = parser().parse_args(argv)
    try:
        status = _carry_out(options, run)
        sys.stdout.flush()
        return status
    except DaemonUnreachable as error:
        return fail(str(error))
    except RpcError as error:
        return _refused(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _forget_output()
        return FAILED
    except OSError as error:
        if _output_passes():
            raise
        _forget_output()
        return fail(f"the answer cannot be written: {error.strerror}; what was asked for may be done all the same")


def _open_what_is_closed() -> None:
    """Whoever starts us with a stream closed neither reads it nor writes to it."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _output_passes() -> bool:
    """Whether standard output takes what waits for it."""
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _forget_output() -> None:
    """Nobody reads us, so nothing is left to flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _carry_out(options: argparse.Namespace, run: Run | None) -> int:
    """Only what the verb needs is loaded: a router takes its time over every module."""
    if options.verb in (*FILE_VERBS, *UPKEEP_VERBS):
        return _edit(options)
    if options.verb == "simulate":
        from edgevpn.cli.simulate import simulate

        return simulate(options)
    if options.verb == "replay":
        from edgevpn.cli.replay import replay

        return replay(options)
    if options.verb == "bench":
        from edgevpn.cli.bench import bench

        return bench(options)
    if options.verb == "completion":
        from edgevpn.cli.completion import completion

        return completion(options)
    from edgevpn.cli import daemon, diagnose, panel

    if options.verb in diagnose.VERBS:
        return diagnose.VERBS[options.verb](options)
    if options.verb in panel.VERBS:
        return panel.VERBS[options.verb](options)
    return daemon.run_daemon(options, run) if options.verb == "run" else daemon.VERBS[options.verb](options)


def _edit(options: argparse.Namespace) -> int:
    """What is refused is said in one line, what is wrong with the file in one for each fault."""
    from edgevpn.config.errors import ConfigError, Refused

    try:
        with ExitStack() as open_:
            daemon = _daemon(options)
            return _by_daemon(open_.enter_context(daemon), options) if daemon else _by_file(options)
    except ConfigError as error:
        return bad_config(error.problems)
    except Refused as refusal:
        return fail("; ".join(filter(None, (refusal.fault, refusal.cure))))


def _daemon(options: argparse.Namespace) -> Client | None:
    """The daemon, if it runs and nothing says that a file is meant. Raises DaemonUnreachable if it may not be asked."""
    asked = getattr(options, "config", None) is None and hasattr(options, "socket")
    if not asked:
        return None
    try:
        return connect(options)
    except DaemonAbsent:
        if not hasattr(options, "config") and options.verb in FILE_VERBS:
            raise  # only the daemon can do it
        return None


def _by_daemon(client: Client, options: argparse.Namespace) -> int:
    if options.verb in UPKEEP_VERBS:
        return _keep_up(client, options)
    from edgevpn.cli import live

    return live.VERBS[options.verb][options.action](client, options)


def _by_file(options: argparse.Namespace) -> int:
    options.config = getattr(options, "config", None) or DEFAULT_FILE
    if options.verb in UPKEEP_VERBS:
        return _keep_up(None, options)
    from edgevpn.cli import config, device, site

    if options.verb == "check":
        return config.check(options)
    return {"config": config.VERBS, "device": device.VERBS, "site": site.VERBS}[options.verb][options.action](options)


def _keep_up(client: Client | None, options: argparse.Namespace) -> int:
    from edgevpn.cli import upkeep

    with upkeep.said():
        return upkeep.verb_of(options)(client, options)


def _refused(error: RpcError) -> int:
    """As it would be without the daemon: what was typed is refused in one sentence, a bad file fault by fault."""
    if error.code == ErrorCode.CONFIG_INVALID and isinstance(error.data, list) and error.data != [error.message]:
        return bad_config(error.data)
    return fail(error.message)
