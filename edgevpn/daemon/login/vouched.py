"""By what each peer has shown who it is: a device's name, a certificate; kept while its IKE SA stands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime

from edgevpn.daemon.login.keyring import Fetch, Keyring
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import IkeSaUp
from edgevpn.pki.errors import PkiError
from edgevpn.pki.validate import VerifiedKey

MOST_UNDER_WAY = 4096
"""IKE SAs that are not up yet; of those that came to nothing nobody tells."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a peer: the device that it is, the certificates that it showed.

    `welcome`: the device has not been changed or removed since it showed them.
    """

    device: str | None = None
    verified: VerifiedKey | None = None
    welcome: bool = True


NOTHING = Shown()


class Vouched:
    """What was shown on each IKE SA, by our SPI."""

    def __init__(self) -> None:
        self._under_way: OrderedDict[bytes, Shown] = OrderedDict()
        self._standing: dict[bytes, tuple[str, Shown]] = {}

    def note(self, spi: bytes, shown: Shown) -> None:
        """A peer has shown this, and is not in yet."""
        self._under_way[spi] = shown
        if len(self._under_way) > MOST_UNDER_WAY:
            self._under_way.popitem(last=False)

    def shown(self, spi: bytes) -> Shown:
        """What was shown on an IKE SA that is not up yet."""
        return self._under_way.get(spi, NOTHING)

    def reconsider(self, may_come: Callable[[str], bool]) -> None:
        """There is another configuration: some who have shown who they are, and are not in yet, may not come now."""
        for spi, shown in self._under_way.items():
            if shown.device is not None and not may_come(shown.device):
                self._under_way[spi] = replace(shown, welcome=False)

    def up(self, up: IkeSaUp) -> Shown:
        """An IKE SA is up: what was shown on it, or on the one that it follows."""
        _, before = self._standing.pop(up.replaces or b"", (up.peer, NOTHING))
        shown = self._under_way.pop(up.spi, before)
        self._standing[up.spi] = up.peer, shown
        return shown

    def down(self, spi: bytes) -> None:
        """An IKE SA is gone."""
        self._under_way.pop(spi, None)
        self._standing.pop(spi, None)

    @property
    def certified(self) -> Mapping[bytes, tuple[str, VerifiedKey]]:
        """The IKE SAs that stand on certificates, each with its peer."""
        return {spi: (peer, shown.verified) for spi, (peer, shown) in self._standing.items() if shown.verified}


def withdrawn(
    certified: Mapping[bytes, tuple[str, VerifiedKey]], keyring: Keyring, at: datetime, fetch: Fetch
) -> Mapping[bytes, PkiError]:
    """Which of these IKE SAs stand on a certificate that has been revoked since. Slow: for a thread."""
    found = {spi: keyring.revoked(peer, verified, at, fetch) for spi, (peer, verified) in certified.items()}
    return {spi: why for spi, why in found.items() if why is not None}
