"""Whether the kernel holds what it shall, and that it does so again."""

from __future__ import annotations

from collections.abc import Mapping

from edgevpn.api.records import Repair, RepairStep
from edgevpn.daemon.control.methods.table import Served
from edgevpn.daemon.dataplane.upholding import Upholding
from edgevpn.daemon.dataplane.wall import Wall


class RepairMethods:
    """`wall` None: the firewall is somebody else's."""

    def __init__(self, upholding: Upholding, wall: Wall | None) -> None:
        self._upholding = upholding
        self._wall = wall

    @property
    def methods(self) -> Mapping[str, Served]:
        """By their names in the API."""
        return {"repair": self.repair}

    async def repair(self, dry_run: bool = False) -> Repair:
        """Interfaces first: the firewall names them."""
        mended = self._upholding.would_mend() if dry_run else self._upholding.mend()
        steps = [RepairStep(command=step.command, fault=step.fault) for step in mended.steps]
        if self._wall:
            steps += [RepairStep(command=f"nft {each}", fault="") for each in await self._wall.lacks()]
            if not dry_run:
                await self._wall.settle()
        return Repair(steps=steps, renewed=[str(key) for key in mended.lost])
