"""What of a gateway, and of the machine that it runs on, a doctor can look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgevpn.config.values import Address
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.census import Census
from edgevpn.daemon.ciphers.speeds import Speeds
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.dataplane.upholding import Upholding
from edgevpn.daemon.dataplane.wall import Wall
from edgevpn.daemon.sites.surroundings import Surroundings
from edgevpn.daemon.sites.ways import Ways
from edgevpn.frozen import dataclass
from edgevpn.kernel.contract import Features, Kernel
from edgevpn.kernel.sysctl import Setting


@dataclass(frozen=True, slots=True)
class Patient:
    """Answers from the gateway's parts. Only looks.

    `ports` is where we listen, `uplinks` gives the interfaces to the Internet and raises KernelError.
    """

    kernel: Kernel
    dataplane: Dataplane
    upholding: Upholding
    wall: Wall | None
    ways: Ways
    ports: Ports
    census: Census
    surroundings: Surroundings
    speeds: Speeds
    uplinks: Callable[[], frozenset[str]]

    def unmet(self) -> Mapping[str, str]:
        """Who wants a network card to cipher where none does, and why none does."""
        return self.dataplane.unmet()

    def features(self) -> Features:
        """What this kernel can do."""
        return self.kernel.features()

    def served(self) -> tuple[Address, ...]:
        """Our addresses that can be spoken to. Raises KernelError."""
        return self.ways.served()

    def unforwarded(self) -> frozenset[int]:
        """The IP versions that this machine does not forward. Raises KernelError."""
        return frozenset(v for v in (4, 6) if not self.kernel.read_setting(Setting(v, "all", "forwarding")))

    def kernel_lacks(self) -> tuple[str, ...]:
        """What would put back what of ours the kernel has lost, and which SAs nothing can. Raises KernelError."""
        mended = self.upholding.would_mend()
        return (*(step.command for step in mended.steps), *map(str, mended.lost))

    async def firewall_lacks(self) -> tuple[str, ...]:
        """What our firewall's rules are short of; nothing where they are somebody else's. Raises KernelError."""
        return tuple(map(str, await self.wall.lacks())) if self.wall else ()
