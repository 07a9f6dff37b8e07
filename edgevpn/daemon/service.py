"""The daemon: logging, signals, the control socket and the gateway, put together in one place."""

from __future__ import annotations

import asyncio
import grp
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import sdnotify

from edgevpn import __version__
from edgevpn.api import API_VERSION, METHODS, ErrorCode, Reloaded, RpcError, Status
from edgevpn.config.errors import ConfigError
from edgevpn.config.model import Config, LogLevel
from edgevpn.config.reader import load
from edgevpn.daemon.book import attempt_record, attempt_records
from edgevpn.daemon.control import ControlError, ControlServer, Method, Params, listen, may_control
from edgevpn.daemon.doctor import Doctor
from edgevpn.daemon.gateway import Folders, Gateway
from edgevpn.daemon.keeper import Keeper, NotUp
from edgevpn.daemon.logs import note
from edgevpn.daemon.options import KernelKind, RunOptions, StartFailed
from edgevpn.daemon.parameters import checked
from edgevpn.diagnosis.attempts import Attempt
from edgevpn.diagnosis.entry import Language
from edgevpn.ike.contract import KeysDerived
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.nft import Nft

LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
OPENWRT = Path("/etc/openwrt_release")
TOPICS = frozenset({"attempt"})
STOPPING = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("edgevpn")


def run(options: RunOptions) -> int:
    """Run the gateway until it is told to stop. Raises ConfigError and StartFailed."""
    config = load(options.config)
    logging.basicConfig(format="%(levelname)s %(message)s", level=LEVELS[options.log_level or config.gateway.log_level])
    asyncio.run(Service(options, config).serve())
    return 0


class Service:
    """One daemon: its configuration, its gateway, and who may talk to it."""

    def __init__(self, options: RunOptions, config: Config) -> None:
        self._options = options
        self._config = config
        self._started = time.monotonic()
        self._stopping = asyncio.Event()
        self._gateway: Gateway
        self._control: ControlServer

    @property
    def methods(self) -> Mapping[str, Method]:
        """What the control socket offers; edgevpn/api.py says what each takes and answers."""
        return {
            "version": self.version,
            "status": self.status,
            "attempts": self.attempts,
            "health": self.health,
            "site.up": self.site_up,
            "site.down": self.site_down,
            "site.rekey": self.site_rekey,
            "reload": self.reload,
        }

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT. SIGHUP reads the configuration again. Raises StartFailed."""
        gid = _group_id(self._config.gateway.control_group)
        try:
            listener = listen(self._options.socket, gid)
        except ControlError as error:
            raise StartFailed(str(error)) from error
        self._control = ControlServer(self.methods, TOPICS, partial(may_control, gid=gid), _report_fault)
        loop = asyncio.get_running_loop()
        for stop in STOPPING:
            loop.add_signal_handler(stop, self._stopping.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._control.serve(listener))
                working = tasks.create_task(self._work())
                await self._stopping.wait()
                working.cancel()
                await asyncio.wait([working])
                serving.cancel()
        except BaseExceptionGroup as group:
            known, others = group.split((StartFailed, KernelError))
            if known is None or others is not None:
                raise
            raise StartFailed(str(_leaf(known))) from None
        log.info("stopped")

    async def _work(self) -> None:
        """The gateway, until cancelled."""
        started = asyncio.Event()
        beside = self._options.config.parent
        folders = Folders(pki=beside / "pki", state=self._options.state or beside / "state")
        self._gateway = Gateway(
            self._kernel(), self._options.ports, folders, self._config.gateway, self._key_log(), self._nft()
        )
        self._gateway.attempts.told = self._tell_attempt
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._gateway.run(self._config, started))
            await started.wait()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload_and_log)
            sdnotify.SystemdNotifier().notify("READY=1")
            note(log, logging.INFO, "started", version=__version__, sites=len(self._config.sites))

    def _kernel(self) -> Kernel:
        """Raises StartFailed."""
        if self._options.kernel is KernelKind.MEMORY:
            from edgevpn.kernel.memory import MemoryKernel

            log.warning("memory_kernel: IKE is spoken, but NO TRAFFIC FLOWS")
            return MemoryKernel(clock=time.time)
        from edgevpn.kernel.netlink_kernel import NetlinkKernel

        try:
            return NetlinkKernel()
        except KernelError as error:
            raise StartFailed(str(error)) from error

    def _nft(self) -> Nft | None:
        """None where the firewall is somebody else's: OpenWrt's fw4 has a zone for us."""
        if self._options.kernel is KernelKind.MEMORY or OPENWRT.exists():
            return None
        return Nft()

    def _key_log(self) -> Callable[[KeysDerived], None] | None:
        if self._options.export_keys is None:
            return None
        note(
            log,
            logging.WARNING,
            "keys_exported",
            to=self._options.export_keys,
            meaning="who reads them reads all traffic",
        )
        from edgevpn.daemon.key_log import KeyLog

        return KeyLog(self._options.export_keys).note

    # --- methods of the control socket ---

    async def version(self, params: Params) -> object:
        """The `version` method."""
        return {"version": __version__, "api": API_VERSION}

    async def status(self, params: Params) -> object:
        """The `status` method."""
        return Status(
            version=__version__,
            started=time.time() - (time.monotonic() - self._started),
            kernel=self._options.kernel.value,
            sites=[self._gateway.site_status(name) for name in self._gateway.site_names],
            devices=[self._gateway.device_status(device) for device in self._gateway.devices],
        )

    async def attempts(self, params: Params) -> object:
        """The `attempts` method."""
        given: dict[str, Any] = checked("attempts", METHODS["attempts"], params)
        language = Language(given.get("language", "en"))
        return attempt_records(self._gateway.attempts, given.get("peer", ""), _epoch(), language)

    async def health(self, params: Params) -> object:
        """The `health` method."""
        checked("health", METHODS["health"], params)
        state = self._options.state or self._options.config.parent / "state"
        carries_traffic = self._options.kernel is not KernelKind.MEMORY
        return await Doctor(self._gateway, self._gateway.standing, state, carries_traffic).examine(self._config)

    def _tell_attempt(self, attempt: Attempt) -> None:
        """The `attempt` topic."""
        self._control.publish("attempt", attempt_record(attempt, _epoch()))

    async def site_up(self, params: Params) -> object:
        """The `site.up` method."""
        keeper = self._keeper(params)
        return await self._done(keeper, keeper.up())

    async def site_rekey(self, params: Params) -> object:
        """The `site.rekey` method."""
        match params:
            case {"what": "ike" | "child" as what, **rest}:
                keeper = self._keeper(rest)
                return await self._done(keeper, keeper.rekey(what == "ike"))
        raise RpcError(ErrorCode.INVALID_PARAMS, 'this method takes name, and what: "ike" or "child"')

    async def _done(self, keeper: Keeper, work: Awaitable[None]) -> object:
        """The site after some work on it. Raises RpcError if that failed."""
        try:
            await work
        except NotUp as reason:
            raise RpcError(ErrorCode.FAILED, f"{keeper.site.name}: {reason}") from reason
        return self._gateway.site_status(keeper.site.name)

    async def site_down(self, params: Params) -> object:
        """The `site.down` method."""
        self._keeper(params).down()
        return None

    async def reload(self, params: Params) -> object:
        """The `reload` method: a bad file changes nothing."""
        try:
            return self._reload()
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            raise RpcError(
                ErrorCode.CONFIG_INVALID, "the configuration is bad; nothing was changed", problems
            ) from error
        except StartFailed as error:
            raise RpcError(ErrorCode.FAILED, str(error)) from error

    def _keeper(self, params: Params) -> Keeper:
        match params:
            case {"name": str(name), **rest} if not rest:
                if keeper := self._gateway.keeper(name):
                    return keeper
                known = ", ".join(self._gateway.site_names) or "none"
                raise RpcError(ErrorCode.NOT_FOUND, f"there is no site {name[:40]!r}; configured: {known}")
        raise RpcError(ErrorCode.INVALID_PARAMS, "this method takes name, the name of a site")

    def _reload(self) -> Reloaded:
        old, new = self._config, load(self._options.config)
        self._gateway.apply(new)
        self._config = new
        before = {site.name: site for site in old.sites}
        after = {site.name: site for site in new.sites}
        both = before.keys() & after.keys()
        return Reloaded(
            added=sorted(after.keys() - both),
            changed=sorted(name for name in both if before[name] != after[name]),
            removed=sorted(before.keys() - both),
            unchanged=sorted(name for name in both if before[name] == after[name]),
            warnings=[str(warning) for warning in new.warnings],
        )

    def _reload_and_log(self) -> None:
        try:
            reloaded = self._reload()
        except ConfigError as error:
            for problem in error.problems:
                note(log, logging.ERROR, "config_invalid", problem=problem)
        except StartFailed as error:
            note(log, logging.ERROR, "not_reloaded", why=error)
        else:
            note(log, logging.INFO, "reloaded", **reloaded)


def _epoch() -> float:
    """The Unix time at which the monotonic clock was zero, by the clock as it is set now."""
    return time.time() - time.monotonic()


def _leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception of a group that is none itself."""
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first


def _group_id(name: str | None) -> int | None:
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise StartFailed(f"there is no group {name}: create it, or change control_group") from error


def _report_fault(method: str, fault: BaseException) -> None:
    log.error("control_fault method=%s", method, exc_info=fault)
