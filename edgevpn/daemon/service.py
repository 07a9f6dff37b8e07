"""The daemon: it puts the parts together, and is the only one that knows them all."""

from __future__ import annotations

import asyncio
import grp
import logging
import signal
import time
from collections.abc import Mapping
from functools import partial

import sdnotify

from edgevpn import __version__
from edgevpn.api import API_VERSION, ErrorCode, Reloaded, RpcError, SiteStatus, Status
from edgevpn.config.errors import ConfigError
from edgevpn.config.model import Config, LogLevel, Site
from edgevpn.config.reader import load
from edgevpn.daemon.control import ControlError, ControlServer, Method, Params, listen, may_control
from edgevpn.daemon.options import RunOptions, StartFailed

LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
STOPPING = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("edgevpn")


def run(options: RunOptions) -> int:
    """Run the gateway until it is told to stop. Raises ConfigError and StartFailed."""
    config = load(options.config)
    logging.basicConfig(format="%(levelname)s %(message)s", level=LEVELS[options.log_level or config.gateway.log_level])
    asyncio.run(Service(options, config).serve())
    return 0


class Service:
    """One gateway: its configuration and the control socket."""

    def __init__(self, options: RunOptions, config: Config) -> None:
        self._options = options
        self._config = config
        self._started = time.monotonic()
        self._stopping = asyncio.Event()

    @property
    def methods(self) -> Mapping[str, Method]:
        """What the control socket offers; edgevpn/api.py says what each takes and answers."""
        return {"version": self.version, "status": self.status, "reload": self.reload}

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT. SIGHUP reads the configuration again."""
        gid = _group_id(self._config.gateway.control_group)
        try:
            listener = listen(self._options.socket, gid)
        except ControlError as error:
            raise StartFailed(str(error)) from error
        control = ControlServer(self.methods, frozenset(), partial(may_control, gid=gid), _report_fault)
        loop = asyncio.get_running_loop()
        for stop in STOPPING:
            loop.add_signal_handler(stop, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_and_log)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(control.serve(listener))
            sdnotify.SystemdNotifier().notify("READY=1")
            log.info("started version=%s sites=%d", __version__, len(self._config.sites))
            await self._stopping.wait()
            serving.cancel()
        log.info("stopped")

    async def version(self, params: Params) -> object:
        """The `version` method."""
        return {"version": __version__, "api": API_VERSION}

    async def status(self, params: Params) -> object:
        """The `status` method."""
        return Status(
            version=__version__,
            started=time.time() - (time.monotonic() - self._started),
            kernel=self._options.kernel.value,
            sites=[_site_status(site) for site in self._config.sites],
        )

    async def reload(self, params: Params) -> object:
        """The `reload` method: a bad file changes nothing."""
        try:
            return self._reload()
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            raise RpcError(
                ErrorCode.CONFIG_INVALID, "the configuration is bad; nothing was changed", problems
            ) from error

    def _reload(self) -> Reloaded:
        old, self._config = self._config, load(self._options.config)
        before = {site.name: site for site in old.sites}
        after = {site.name: site for site in self._config.sites}
        both = before.keys() & after.keys()
        return Reloaded(
            added=sorted(after.keys() - both),
            changed=sorted(name for name in both if before[name] != after[name]),
            removed=sorted(before.keys() - both),
            unchanged=sorted(name for name in both if before[name] == after[name]),
            warnings=[str(warning) for warning in self._config.warnings],
        )

    def _reload_and_log(self) -> None:
        try:
            reloaded = self._reload()
        except ConfigError as error:
            for problem in error.problems:
                log.error("config_invalid problem=%s", problem)
        else:
            log.info("reloaded %s", " ".join(f"{key}={value}" for key, value in reloaded.items()))


def _site_status(site: Site) -> SiteStatus:
    return SiteStatus(name=site.name, state="down", remote=", ".join(map(str, site.remote)), ike=[])


def _group_id(name: str | None) -> int | None:
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise StartFailed(f"there is no group {name}: create it, or change control_group") from error


def _report_fault(method: str, fault: BaseException) -> None:
    log.error("control_fault method=%s", method, exc_info=fault)
