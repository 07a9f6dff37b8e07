"""The daemon: logging, signals, the control socket and the gateway, put together in one place."""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import sdnotify

from edgevpn import __version__
from edgevpn.api import TOPICS
from edgevpn.api.records import LogLine
from edgevpn.config.errors import ConfigError
from edgevpn.config.model import Config
from edgevpn.config.reader import load
from edgevpn.config.store import Store
from edgevpn.daemon.base.limits import limits_of, memory_size
from edgevpn.daemon.base.logbook import Logbook
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.options import KernelKind, RunOptions, StartFailed
from edgevpn.daemon.ciphers.speeds import try_in_process
from edgevpn.daemon.control.methods.all import Methods
from edgevpn.daemon.control.methods.overview import Instance, epoch
from edgevpn.daemon.control.server import ControlError, ControlServer, listen, may_control
from edgevpn.daemon.control.telling import Telling
from edgevpn.daemon.gateway import Folders, Gateway
from edgevpn.daemon.keeping.configuration import Configuration, recover
from edgevpn.daemon.keeping.holdings import Holdings, Places
from edgevpn.daemon.supervisor import Supervisor
from edgevpn.ike.contract import KeysDerived
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.nft import Nft
from edgevpn.secrecy import keep_memory_private

OPENWRT = Path("/etc/openwrt_release")
STOPPING = (signal.SIGTERM, signal.SIGINT)
RESTART = 5.0
"""Seconds until work that has failed is begun again."""
MOST_TRACES = 32
"""Faults whose whole trace is logged, each once; of all others there is a line."""

log = logging.getLogger("edgevpn")


def run(options: RunOptions) -> int:
    """Run the gateway until it is told to stop. Raises ConfigError and StartFailed."""
    keep_memory_private()
    try:
        undone = recover(_holdings(options))
    except OSError as error:
        raise StartFailed(f"{error.filename}: {error.strerror}; make room, and start again") from error
    config = load(options.config)
    logbook = Logbook(logging.getLogger(), options.log_level)
    logbook.apply(config.gateway)
    if undone:
        note(log, logging.WARNING, "not_confirmed", meaning="what was in force before the last change is so again")
    try:
        asyncio.run(Service(options, config, logbook).serve())
    finally:
        logbook.close()
    return 0


class Faults:
    """Our own faults: caught here and nowhere else, logged with what they were about, and counted."""

    def __init__(self) -> None:
        self.count = 0
        self._traced: set[tuple[object, ...]] = set()

    def call(self, work: Callable[[], None], what: str, spi: Callable[[], bytes] = lambda: b"") -> bool:
        """Do the work; whether that went well."""
        try:
            work()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other conversations go on
            self.report(what, fault, spi())
            return False
        return True

    async def wait(self, work: Awaitable[None], what: str) -> bool:
        """Wait for the work; whether that went well."""
        try:
            await work
        except Exception as fault:  # noqa: BLE001 - the same
            self.report(what, fault)
            return False
        return True

    async def keep(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        """Work that goes on for ever: after a fault it is begun again."""
        while True:
            if await self.wait(work(), what):
                return
            await asyncio.sleep(RESTART)

    def report(self, what: str, fault: BaseException, spi: bytes = b"") -> None:
        """Log a fault; where it was raised, the first time that it was raised there."""
        self.count += 1
        place = (type(fault), *_where(fault))
        is_new = place not in self._traced and len(self._traced) < MOST_TRACES
        self._traced |= {place} if is_new else set()
        about = {"spi": spi} if spi else {}
        note(log, logging.ERROR, "fault", doing=what, kind=type(fault).__name__, **about)
        if is_new:
            log.error("fault_trace doing=%s", what, exc_info=fault)

    def of_loop(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback has raised that nobody was asked to guard."""
        fault = context.get("exception")
        if fault is not None:
            self.report("callback", fault)
        else:
            note(log, logging.ERROR, "fault", doing=context.get("message", "callback"))


class Service:
    """One daemon: its configuration, its gateway, and who may talk to it."""

    def __init__(self, options: RunOptions, config: Config, logbook: Logbook) -> None:
        self._options = options
        self._config = config
        self._logbook = logbook
        self._faults = Faults()
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._supervisor = Supervisor(_notifier(), os.environ, os.getpid())

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT. SIGHUP reads the configuration again. Raises StartFailed."""
        gid = _group_id(self._config.gateway.control_group)
        self._put_together(partial(may_control, gid=gid))
        try:
            listener = listen(self._options.socket, gid)
        except ControlError as error:
            raise StartFailed(str(error)) from error
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._faults.of_loop)
        for stop in STOPPING:
            loop.add_signal_handler(stop, self._stopping.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._control.serve(listener))
                working = tasks.create_task(self._work())
                await self._stopping.wait()
                self._supervisor.stopping()
                working.cancel()
                await asyncio.wait([working])
                serving.cancel()
        except BaseExceptionGroup as group:
            known, others = group.split((StartFailed, KernelError))
            if known is None or others is not None:
                raise
            raise StartFailed(str(_leaf(known))) from None
        log.info("stopped")

    def _put_together(self, admits: Callable[..., bool]) -> None:
        """All parts, each told of those that it needs. Raises StartFailed."""
        options, holdings, recent = self._options, _holdings(self._options), self._logbook.recent
        places = holdings.places
        self._gateway = Gateway(
            self._kernel(),
            options.ports,
            Folders(pki=places.pki, state=places.state),
            self._config.gateway,
            self._key_log(),
            self._nft(),
            self._faults,
            try_in_process if options.kernel is KernelKind.NETLINK else None,
            limits_of(memory_size()),
        )
        self._configuration = Configuration(Store(places.config), holdings, self._gateway, self._config)
        instance = Instance(
            options.kernel,
            time.monotonic(),
            places.state,
            lambda: self._faults.count,
            lambda: self._control.refused,
        )
        methods = Methods(self._gateway, self._configuration, holdings, recent, instance)
        self._control = ControlServer(
            methods.table(self._ready),
            frozenset(TOPICS),
            admits,
            lambda method, fault: self._faults.report(f"method {method}", fault),
            guards=methods.guards,
            subscribed=lambda: self._telling.subscribed(),
        )
        self._telling = Telling(self._gateway, self._control, epoch)
        self._configuration.told = self._on_configuration
        loop = asyncio.get_running_loop()
        recent.told = partial(_in_loop, loop, self._telling.log)

    async def _work(self) -> None:
        """The gateway and all that goes on beside it, until cancelled."""
        loop, keep = asyncio.get_running_loop(), self._faults.keep
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._gateway.run(self._config, self._ready))
            await self._ready.wait()
            loop.add_signal_handler(signal.SIGHUP, lambda: tasks.create_task(self._reload()))
            tasks.create_task(keep(self._configuration.run, "confirmation"))
            tasks.create_task(keep(self._telling.tell_news, "news"))
            tasks.create_task(keep(self._telling.tell_traffic, "traffic"))
            self._supervisor.ready(self._status())
            tasks.create_task(keep(lambda: self._supervisor.run(self._status), "supervisor"))
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
        """Raises StartFailed."""
        folder = self._options.export_keys
        if folder is None:
            return None
        from edgevpn.daemon.base.key_log import KeyLog

        try:
            exported = KeyLog(folder)
        except OSError as error:
            raise StartFailed(
                f"keys cannot be exported to {folder}: {error.strerror}; choose another with --export-keys"
            ) from error
        note(log, logging.WARNING, "keys_exported", to=folder, meaning="who reads them reads all traffic")
        return exported.note

    def _status(self) -> str:
        """A line for whoever supervises."""
        names = self._gateway.census.site_names
        up = sum(self._gateway.census.is_up(name) for name in names)
        return f"{up} of {len(names)} sites up, {len(self._gateway.visitors.sessions)} devices in"

    def _on_configuration(self, reloaded: Any) -> None:
        """Another configuration is in force."""
        self._logbook.apply(self._configuration.running.gateway)
        note(log, logging.INFO, "reloaded", **{what: names for what, names in reloaded.items() if names})
        self._telling.config(reloaded)

    async def _reload(self) -> None:
        """What SIGHUP asks for: a bad file changes nothing."""
        try:
            await self._configuration.reload()
        except ConfigError as error:
            for problem in error.problems:
                note(log, logging.ERROR, "config_invalid", problem=problem)
        except StartFailed as error:
            note(log, logging.ERROR, "not_reloaded", why=error)


def _holdings(options: RunOptions) -> Holdings:
    """Everything is beside the configuration file, unless the options say otherwise."""
    config = options.config.resolve()
    return Holdings(Places(config, config.parent / "pki", options.state or config.parent / "state"))


def _notifier() -> Callable[[str], None]:
    """Takes messages to systemd, where that supervises."""
    return sdnotify.SystemdNotifier().notify if os.environ.get("NOTIFY_SOCKET") else lambda message: None


def _in_loop(loop: asyncio.AbstractEventLoop, tell: Callable[[LogLine], None], line: LogLine) -> None:
    """Lines are logged in threads too, events are told in one."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(tell, line)


def _where(fault: BaseException) -> tuple[object, ...]:
    """The file and line that raised it."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ()


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
