"""Who is in: one record for each IKE SA of a visitor, which lasts while that is rekeyed and moves."""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.daemon.login.vouched import Shown
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import IkeSaUp
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.session import Session as IkeSession
from edgevpn.ike.state import Path
from edgevpn.ike.wire.payloads import Identification


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor with an IKE SA; `spi` is ours. `device` is None for one that is no longer configured.

    `since` in monotonic seconds: when it logged in, however often it has been rekeyed since.
    """

    spi: bytes
    peer: str
    remote_id: Identification
    path: Path
    since: float
    ike: IkeSession
    device: str | None = None

    @property
    def pool(self) -> str:
        """The pool that it has come in by."""
        return self.peer.partition("/")[0]


class Sessions:
    """All visits, by SPI and by device."""

    def __init__(self) -> None:
        self._visits: dict[bytes, Visit] = {}
        self._of_device: dict[str, dict[bytes, None]] = {}
        self._at: dict[IpAddress, bytes] = {}

    def __len__(self) -> int:
        return len(self._visits)

    def __iter__(self) -> Iterator[Visit]:
        return iter(self._visits.values())

    def get(self, spi: bytes) -> Visit | None:
        """The visit on this IKE SA."""
        return self._visits.get(spi)

    def at(self, address: IpAddress) -> Visit | None:
        """The visit that was lent this address."""
        spi = self._at.get(address)
        return self._visits.get(spi) if spi is not None else None

    def of(self, device: str) -> tuple[Visit, ...]:
        """The visits of a device, the longest first."""
        return tuple(self._visits[spi] for spi in self._of_device.get(device, ()))

    def up(self, up: IkeSaUp, shown: Shown, now: float) -> Visit:
        """A visitor has logged in, or its IKE SA has been followed by another."""
        before = self.down(up.replaces) if up.replaces is not None else None
        if before is not None:
            visit = replace(before, spi=up.spi, path=up.path, ike=up.session)
        else:
            visit = Visit(up.spi, up.peer, up.remote_id, up.path, now, up.session, shown.device)
        self._visits[visit.spi] = visit
        self._at |= dict.fromkeys(visit.ike.lent.addresses, visit.spi)
        if visit.device is not None:
            self._of_device.setdefault(visit.device, {})[visit.spi] = None
        return visit

    def moved(self, spi: bytes, path: Path) -> None:
        """A visitor is somewhere else now."""
        if visit := self._visits.get(spi):
            self._visits[spi] = replace(visit, path=path)

    def down(self, spi: bytes) -> Visit | None:
        """A visitor is gone; the visit that it was."""
        visit = self._visits.pop(spi, None)
        for address in visit.ike.lent.addresses if visit else ():
            if self._at.get(address) == spi:  # else another session of the device has taken it over
                del self._at[address]
        if visit is not None and visit.device is not None:
            spis = self._of_device[visit.device]
            del spis[spi]
            if not spis:
                del self._of_device[visit.device]
        return visit
