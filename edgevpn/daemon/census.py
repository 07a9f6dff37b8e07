"""Who is there, and how they stand: sites, devices, tunnels. Only looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from edgevpn.api import SiteStatus
from edgevpn.api.records import DeviceStatus
from edgevpn.config.model import Config, Device
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.figures.meter import Ask
from edgevpn.daemon.figures.offload_report import Owned
from edgevpn.daemon.figures.status import UP, Seen, site_status
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.devices import Refusal
from edgevpn.daemon.sites.keeper import Keeper
from edgevpn.daemon.visitors.device_status import device_status, session_status
from edgevpn.daemon.visitors.visitors import Visitors
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.state import Established


class Census:
    """What is asked about a gateway. `config` gives what it runs by, `clock` what the core takes for time."""

    def __init__(
        self,
        config: Callable[[], Config | None],
        keepers: Mapping[str, Keeper],
        endpoint: Endpoint,
        dataplane: Dataplane,
        visitors: Visitors,
        answers: Answers,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._keepers = keepers
        self._endpoint = endpoint
        self._dataplane = dataplane
        self._visitors = visitors
        self._answers = answers
        self._clock = clock

    def survey(self) -> Ask:
        """What the kernel has counted by now for all children, for whoever asks about many. Raises KernelError."""
        return self._dataplane.survey()

    @property
    def site_names(self) -> tuple[str, ...]:
        """All sites, in the order of the file."""
        config = self._config()
        return tuple(site.name for site in config.sites) if config else ()

    def site_status(self, name: str, ask: Ask | None = None) -> SiteStatus:
        """The state of one site. KeyError if there is none. Raises KernelError."""
        keeper = self._keepers[name]
        seen = Seen(keeper.is_trying, keeper.why)
        return site_status(keeper.site, self.established(name), seen, ask or self._dataplane.traffic, self._epoch())

    def is_up(self, site: str) -> bool:
        """Whether a site has an IKE SA."""
        return bool(self.established(site))

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices, in the order of the file."""
        config = self._config()
        return config.devices if config else ()

    def device_status(self, device: Device, ask: Ask | None = None) -> DeviceStatus:
        """The state of one device. Raises KernelError."""
        sessions = [
            session_status(visit, sa, ask or self._dataplane.traffic, self._epoch())
            for visit in self._visitors.sessions.of(device.name)
            if isinstance(sa := self._endpoint.sa(visit.spi), Established)
        ]
        refusal = self._answers.devices.refusal(device)
        return device_status(device, refusal, sessions, self._visitors.usage.of(device.name), datetime.now(UTC).date())

    @property
    def leases(self) -> Leases:
        """Which addresses are lent."""
        return self._answers.leases

    @property
    def devices_refused(self) -> dict[str, int]:
        """How many logins failed for what is known of the device alone, by why."""
        return {why.name.lower().replace("_", "-"): self._answers.refused[why] for why in Refusal}

    @property
    def ike_sas(self) -> tuple[int, int]:
        """How many IKE SAs are up, and how many are coming up."""
        up = sum(isinstance(sa, Established) for sa in self._endpoint.sas)
        return up, len(self._endpoint.sas) - up

    def established(self, peer: str) -> list[Established]:
        """The IKE SAs with a peer that are up."""
        return [sa for sa in self._endpoint.sas_of(peer) if isinstance(sa, Established)]

    def children(self) -> list[Owned]:
        """All CHILD SAs that are up, and whose they are."""
        up = [sa for sa in self._endpoint.sas if isinstance(sa, Established)]
        return [Owned(self._owner(sa), child) for sa in up for child in sa.children if child.phase in UP]

    def _owner(self, sa: Established) -> str:
        visit = self._visitors.sessions.get(sa.spi)
        return (visit and visit.device) or sa.peer.name

    def _epoch(self) -> float:
        return time.time() - self._clock()
