"""The check of sources (rp_filter, RFC 3704), where it would drop what peers send.

It asks for the way back without our mark. Where that leads into the tunnel, the strict check would drop what comes from
the peer by the WAN, the first answer to us included; the loose one only wants that there is a way.
"""

from __future__ import annotations

from contextlib import suppress

from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.errors import NotFound
from edgevpn.kernel.spec import IpAddress
from edgevpn.kernel.sysctl import Setting

STRICT, LOOSE = 1, 2


class ReversePath:
    """Makes it loose on the interfaces that peers are reached by, until it is closed. Calls may raise KernelError."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._before: dict[Setting, int] = {}

    def admit(self, peer: IpAddress) -> None:
        """Let in what comes from a peer; IPv6 knows no such check."""
        if peer.version == 6:
            return
        with suppress(NotFound):
            setting = Setting(4, self._kernel.path_to(peer).interface, "rp_filter")
            everywhere = Setting(4, "all", "rp_filter")
            if max(map(self._kernel.read_setting, (setting, everywhere))) == STRICT:  # the larger of the two holds
                self._before = self._kernel.change_settings({setting: LOOSE}) | self._before

    def close(self) -> None:
        """Leave the interfaces as they were."""
        before, self._before = self._before, {}
        for setting, value in before.items():
            with suppress(NotFound):  # the interface is gone
                self._kernel.change_settings({setting: value})
