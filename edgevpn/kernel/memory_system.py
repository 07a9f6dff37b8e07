"""What else the kernel in memory keeps: settings, counters of drops, tracked connections."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping

from edgevpn.kernel import faults
from edgevpn.kernel.contract import Features
from edgevpn.kernel.firewall import FirewallSpec, table
from edgevpn.kernel.memory_base import can_fail, refuse
from edgevpn.kernel.memory_network import MemoryNetwork
from edgevpn.kernel.nftables import difference, fulfilled
from edgevpn.kernel.spec import IpAddress, IpNetwork
from edgevpn.kernel.sysctl import Setting

# As a kernel has them when it starts.
SETTINGS: Mapping[tuple[int, str], int] = {
    (4, "accept_redirects"): 1,
    (4, "disable_policy"): 0,
    (4, "disable_xfrm"): 0,
    (4, "forwarding"): 0,
    (4, "proxy_arp"): 0,
    (4, "rp_filter"): 0,
    (4, "send_redirects"): 1,
    (6, "accept_ra"): 1,
    (6, "accept_redirects"): 1,
    (6, "disable_ipv6"): 0,
    (6, "disable_policy"): 0,
    (6, "forwarding"): 0,
    (6, "proxy_ndp"): 0,
}
EVERY_INTERFACE = ("all", "default")


class MemorySystem(MemoryNetwork):
    """What `contract.Kernel` offers beside IPsec and the network.

    `drops` are the counters to be read, None for a kernel that does not count; `connections` holds the ends
    of those that are translated; `firewall` is what was asked for last.
    """

    def __init__(self, have: Features) -> None:
        super().__init__(have)
        self._settings: dict[Setting, int] = {}
        self.drops: dict[str, int] | None = {"XfrmInNoStates": 0, "XfrmInNoPols": 0, "XfrmOutNoStates": 0}
        self.connections: list[tuple[IpAddress, IpAddress]] = []
        self.firewall: FirewallSpec | None = None

    @can_fail
    def read_setting(self, setting: Setting) -> int:
        initial = SETTINGS.get((setting.version, setting.name))
        if initial is None or setting.interface not in (*EVERY_INTERFACE, *self._links):
            refuse("read", setting, errno.ENOENT, faults.SETTING)
        return self._settings.get(setting, initial)

    @can_fail
    def change_settings(self, values: Mapping[Setting, int]) -> dict[Setting, int]:
        before = {setting: self.read_setting(setting) for setting in values}
        self._settings.update(values)
        return {setting: was for setting, was in before.items() if was != values[setting]}

    @can_fail
    def statistics(self) -> Mapping[str, int]:
        if self.drops is None:
            refuse("read", "XFRM statistics", errno.ENOENT, faults.STATISTICS)
        return dict(self.drops)

    @can_fail
    def forget_connections(self, pairs: Collection[tuple[IpNetwork, IpNetwork]]) -> int:
        kept = [
            (source, destination)
            for source, destination in self.connections
            if not any(source in ours and destination in theirs for ours, theirs in pairs)
        ]
        forgotten = len(self.connections) - len(kept)
        self.connections = kept
        return forgotten

    @can_fail
    def firewall_changes(self, wanted: FirewallSpec | None) -> tuple[str, ...]:
        present = None if self.firewall is None else fulfilled(table(self.firewall))
        return tuple(map(str, difference(None if wanted is None else table(wanted), present)))

    @can_fail
    def set_firewall(self, wanted: FirewallSpec | None) -> tuple[str, ...]:
        changes = self.firewall_changes(wanted)
        self.firewall = wanted
        return changes
