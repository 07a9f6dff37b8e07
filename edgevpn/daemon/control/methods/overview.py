"""The whole at a glance: status, health, attempts, log, counters."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from edgevpn import __version__
from edgevpn.api import API_VERSION
from edgevpn.api.records import Attempt, CertificateStatus, Health, LogLine, OffloadReport, Status, Version
from edgevpn.daemon.addresses.pool_status import pool_status
from edgevpn.daemon.attempts.book import attempt_records
from edgevpn.daemon.base.options import KernelKind
from edgevpn.daemon.base.recent import KEPT, Recent
from edgevpn.daemon.control.methods.certificates import standing
from edgevpn.daemon.control.methods.names import at_most
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.control.server import LIMITS
from edgevpn.daemon.figures import metrics
from edgevpn.daemon.figures.offload_report import offload_report
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.health.doctor import Doctor
from edgevpn.daemon.keeping.configuration import Configuration
from edgevpn.diagnosis.entry import Language
from edgevpn.frozen import dataclass
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.nft import Nft
from edgevpn.pki.errors import PkiError

LINES = 200
"""Of the log, where nobody says how many."""


@dataclass(frozen=True, slots=True)
class Instance:
    """This daemon: how it was started, when (monotonic seconds), where it keeps state, how many faults it survived.

    `refused` tells how many clients of the control socket have had to go.
    """

    kernel: KernelKind
    started: float
    state: Path
    faults: Callable[[], int]
    refused: Callable[[], int] = lambda: 0

    @property
    def carries_traffic(self) -> bool:
        """Whether there is a kernel behind it."""
        return self.kernel is not KernelKind.MEMORY


class OverviewMethods:
    """All about the whole."""

    def __init__(self, gateway: Gateway, configuration: Configuration, recent: Recent, instance: Instance) -> None:
        self._gateway = gateway
        self._configuration = configuration
        self._recent = recent
        self._instance = instance

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {
            "version": self.version,
            "status": self.status,
            "health": self.health,
            "firewall.show": self.firewall,
            "offload": self.offload,
            "attempts": self.attempts,
            "log.recent": self.log,
            "metrics": self.metrics,
        }

    async def version(self) -> Version:
        return Version(version=__version__, api=API_VERSION)

    async def status(self) -> Status:
        """The kernel is asked once, however many tunnels there are."""
        census = self._gateway.census
        ask = census.survey()
        return Status(
            version=__version__,
            started=epoch() + self._instance.started,
            kernel=self._instance.kernel.value,
            sites=[census.site_status(name, ask) for name in census.site_names],
            devices=[census.device_status(device, ask) for device in census.devices],
        )

    async def health(self, language: str = Language.ENGLISH.value) -> list[Health]:
        carries_traffic = self._instance.carries_traffic
        nft = Nft() if carries_traffic else None
        doctor = Doctor(self._gateway.patient, self._gateway.standing, self._instance.state, carries_traffic, nft)
        return await doctor.examine(self._configuration.running, Language(language))

    async def firewall(self) -> str:
        if self._instance.kernel is KernelKind.MEMORY:
            return ""
        return await asyncio.to_thread(Nft().shown)

    async def offload(self) -> OffloadReport:
        """The kernel is asked once about all SAs, and once about each card."""
        gateway = self._gateway
        speeds, ask = gateway.speeds, gateway.census.survey()
        return offload_report(
            gateway.kernel, speeds.ciphers, speeds.why_untried, gateway.uplinks(), gateway.census.children(), ask
        )

    async def attempts(self, peer: str = "", language: str = Language.ENGLISH.value) -> list[Attempt]:
        return attempt_records(self._gateway.attempts, peer, epoch(), Language(language))

    async def log(self, limit: int = LINES) -> list[LogLine]:
        return self._recent.last(at_most("limit", limit, KEPT))

    async def metrics(self) -> str:
        """All counters; what cannot be read now is left out."""
        gateway, census, config = self._gateway, self._gateway.census, self._configuration.running
        ask = census.survey()
        gateway.meter.look(ask)
        families = [
            *metrics.of_process(__version__, epoch() + self._instance.started, self._instance.faults()),
            *metrics.of_sites([census.site_status(name, ask) for name in census.site_names], gateway.meter),
            *metrics.of_pools(
                [pool_status(pool, census.leases) for pool in config.pools],
                Counter(visit.pool for visit in gateway.visitors.sessions),
                gateway.meter,
            ),
            *metrics.of_protocol(gateway.tally, *census.ike_sas),
            *metrics.of_transport(gateway.repeated),
            *metrics.of_limits(gateway.limits.memory, gateway.settings, LIMITS.clients),
            *metrics.of_devices(census.devices_refused),
            *metrics.of_control(self._instance.refused()),
        ]
        with suppress(KernelError):
            families += metrics.of_kernel(gateway.kernel.statistics())
        with suppress(PkiError, OSError):
            families += metrics.of_certificates(await self._certificates())
        return metrics.exposition(families)

    async def _certificates(self) -> list[CertificateStatus]:
        if not await self._gateway.standing():
            return []
        config = self._configuration.running
        return await self._gateway.certificates.ask(lambda office, at: standing(office, config, at))


def epoch() -> float:
    """The Unix time at which the monotonic clock was zero, by the clock as it is set now."""
    return time.time() - time.monotonic()
