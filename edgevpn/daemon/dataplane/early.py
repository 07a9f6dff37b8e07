"""Packets that a peer sends on a child before we have worked out its keys: they are kept until we have.

Who answers a request for a child may send on it at once (RFC 7296 §2.8), and some do: without this, new keys that we
ask for cost packets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from edgevpn.daemon.base.logs import note
from edgevpn.daemon.dataplane.esp import encap_in
from edgevpn.frozen import dataclass
from edgevpn.ike.contract import Endpoints
from edgevpn.kernel.contract import Early, Kernel
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.spec import SaKey

log = logging.getLogger("edgevpn.kernel")

# Our own choices.
AT_ONCE = 16
"""Children that may be awaited: each has the kernel look at every packet that comes."""
PATIENCE = 10.0
"""Seconds after which whoever has not answered is not going to send either."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """Where the packets of a child are kept, and until when."""

    packets: Early
    until: float


class EarlyPackets:
    """Those of all children that we have asked for. What cannot be kept is lost, as it is without us."""

    def __init__(self, kernel: Kernel, clock: Callable[[], float]) -> None:
        self._kernel = kernel
        self._clock = clock
        self._awaited: dict[bytes, Awaited] = {}
        self._told = False

    def expect(self, spi_in: bytes, ends: Endpoints) -> None:
        """Keep what comes on this SPI from now on."""
        self.tidy()
        if len(self._awaited) == AT_ONCE or spi_in in self._awaited:
            return
        key = SaKey(ends.path.local.host, int.from_bytes(spi_in))
        try:
            kept = self._kernel.keep_early(key, in_udp=encap_in(ends) is not None)
        except KernelError as error:
            if not self._told:
                note(log, logging.WARNING, "early_packets_not_kept", why=error)
            self._told = True
            return
        self._awaited[spi_in] = Awaited(kept, self._clock() + PATIENCE)

    def deliver(self, spi_in: bytes) -> None:
        """Have the kernel receive what has come on this SPI, now that there is an SA for it."""
        awaited = self._awaited.pop(spi_in, None)
        if awaited is None:
            return
        try:
            if count := awaited.packets.deliver():
                note(log, logging.DEBUG, "early_packets", spi_in=spi_in.hex(), count=count)
        except KernelError as error:
            note(log, logging.WARNING, "early_packets_lost", spi_in=spi_in.hex(), why=error)

    def tidy(self) -> None:
        """Keep nothing any longer for whoever did not answer."""
        now = self._clock()
        self._drop(spi_in for spi_in, awaited in tuple(self._awaited.items()) if awaited.until <= now)

    def close(self) -> None:
        """Keep nothing for anybody."""
        self._drop(tuple(self._awaited))

    def _drop(self, spis_in: Iterable[bytes]) -> None:
        for spi_in in spis_in:
            self._awaited.pop(spi_in).packets.close()
