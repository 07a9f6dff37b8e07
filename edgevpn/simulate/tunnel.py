"""The client's data plane: the SAs that the core has installed, and packets through them, without any kernel's help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from edgevpn.ike.contract import Effect, InstallInbound, InstallOutbound, RemoveChild, RemoveOutbound
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.state import ChildSa
from edgevpn.ike.wire.selector import TrafficSelector
from edgevpn.simulate.echo import ends_of
from edgevpn.simulate.esp import EspError, Inbound, Inside, Outbound, seal_of
from edgevpn.simulate.user import Unable

IPV4, IPV6, NOTHING = 4, 41, 59
"""Next headers: a packet of either family, or a dummy (RFC 4303 §2.6)."""
NEXT_HEADERS = {4: IPV4, 6: IPV6}
SPI_LENGTH = 4


class Tunnel:
    """Packets go out by `send` as ESP, and come in by `take`; `tell` is told why one is dropped, of each reason once.

    What is sent goes by the pair that was installed last.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        take: Callable[[bytes], None],
        entropy: Callable[[int], bytes],
        tell: Callable[[str], None],
    ) -> None:
        self._send = send
        self._take = take
        self._entropy = entropy
        self._tell = tell
        self._inbound: dict[bytes, tuple[ChildSa, Inbound]] = {}
        self._outbound: dict[bytes, tuple[ChildSa, Outbound]] = {}
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> int:
        """Packets that came and were not let pass."""
        return self._dropped.total()

    def follow(self, effect: Effect) -> None:
        """Install or remove what the core says; other effects are not for us."""
        match effect:
            case InstallInbound(child=child) if child.spi_in not in self._inbound:
                self._inbound[child.spi_in] = child, _inbound(child)
            case InstallOutbound(child=child) if child.spi_in not in self._outbound:
                self._outbound[child.spi_in] = child, _outbound(child, self._entropy)
            case RemoveOutbound(child=child):
                self._outbound.pop(child.spi_in, None)
            case RemoveChild(child=child):
                self._inbound.pop(child.spi_in, None)
                self._outbound.pop(child.spi_in, None)

    def leads_to(self, host: IpAddress) -> bool:
        """Whether packets to a host may go by the pair that there is; True if there is none."""
        return not self._outbound or _holds(self._newest[0].ts_remote, host)

    def carry(self, packet: bytes) -> None:
        """Send a packet of IP. Raises Unable without an SA that takes it."""
        if not self._outbound:
            raise Unable("there is no CHILD SA to send on")
        try:
            sealed = self._newest[1].seal(Inside(NEXT_HEADERS[packet[0] >> 4], packet))
        except EspError as fault:
            raise Unable(str(fault)) from fault
        self._send(sealed)

    def arrived(self, octets: bytes) -> None:
        """A packet of ESP has come; one that may not pass is counted, and told of."""
        try:
            inside = self._opened(octets)
        except EspError as fault:
            reason = str(fault)
            self._dropped[reason] += 1
            if self._dropped[reason] == 1:
                self._tell(f"drops a packet that came through the tunnel: {reason}")
            return
        if inside.next_header != NOTHING:
            self._take(inside.packet)

    @property
    def _newest(self) -> tuple[ChildSa, Outbound]:
        return next(reversed(self._outbound.values()))

    def _opened(self, octets: bytes) -> Inside:
        spi = octets[:SPI_LENGTH]
        if spi not in self._inbound:
            raise EspError(f"no SA has the SPI {spi.hex()}")
        child, sa = self._inbound[spi]
        inside = sa.open(octets)
        if inside.next_header == NOTHING:
            return inside
        ends = ends_of(inside.packet)
        if ends is None or NEXT_HEADERS[ends[0].version] != inside.next_header:
            raise EspError("there is no packet of IP in it")
        if not _holds(child.ts_remote, ends[0]) or not _holds(child.ts_local, ends[1]):
            raise EspError(f"it is from {ends[0]} to {ends[1]}, which the selectors of its SA do not hold")
        return inside


def _inbound(child: ChildSa) -> Inbound:
    return Inbound(seal_of(child.suite, *child.keys_in), child.suite.esn)


def _outbound(child: ChildSa, entropy: Callable[[int], bytes]) -> Outbound:
    return Outbound(child.spi_out, seal_of(child.suite, *child.keys_out), child.suite.esn, entropy)


def _holds(selectors: Iterable[TrafficSelector], host: IpAddress) -> bool:
    """Whether a host is in one of these ranges, whatever the protocol."""
    alike = (ts for ts in selectors if ts.start_address.version == host.version)
    return any(int(ts.start_address) <= int(host) <= int(ts.end_address) for ts in alike)
