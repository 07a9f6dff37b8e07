"""The kernel's part in tests of the core: which children receive and which send."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgevpn.ike.contract import (
    Effect,
    Endpoints,
    ExpectInbound,
    InstallInbound,
    InstallOutbound,
    MoveChild,
    RemoveChild,
    RemoveOutbound,
)
from edgevpn.ike.state import ChildSa


@dataclass
class Ledger:
    """Children in the order of their installation; `ends` is what the core said of each, `heard` when it received."""

    inbound: dict[bytes, ChildSa] = field(default_factory=dict)
    outbound: dict[bytes, ChildSa] = field(default_factory=dict)
    ends: dict[bytes, Endpoints] = field(default_factory=dict)
    heard: dict[bytes, float] = field(default_factory=dict)

    def carry_out(self, effect: Effect) -> None:
        match effect:
            case ExpectInbound(spi_in, _ends):
                assert spi_in not in self.inbound, "expected too late"
            case InstallInbound(child, ends):
                assert child.spi_in not in self.inbound, "installed twice"
                self.inbound[child.spi_in] = child
                self.ends[child.spi_in] = ends
            case InstallOutbound(child, ends):
                assert child.spi_in in self.inbound, "sends before it receives"
                assert child.spi_out not in self.outbound, "installed twice"
                assert ends == self.ends[child.spi_in], "sends from elsewhere than it receives"
                self.outbound[child.spi_out] = child
            case MoveChild(child, ends):
                assert child.spi_in in self.inbound, "moves what is not there"
                self.ends[child.spi_in] = ends
            case RemoveOutbound(child):
                self.outbound.pop(child.spi_out, None)
            case RemoveChild(child):
                self.inbound.pop(child.spi_in)
                self.outbound.pop(child.spi_out, None)
                self.ends.pop(child.spi_in)
                self.heard.pop(child.spi_in, None)
            case _:
                raise AssertionError(f"no kernel could do {effect}")

    def seen(self, spis_in: tuple[bytes, ...]) -> float | None:
        """When a packet last came in on one of these."""
        return max((self.heard[spi] for spi in spis_in if spi in self.heard), default=None)
