from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevpn.daemon.control.methods.repair import RepairMethods
from edgevpn.daemon.dataplane.wall import Wall
from edgevpn.kernel.firewall import FirewallSpec, table
from edgevpn.kernel.network_spec import RouteSpec
from edgevpn.kernel.nft import Nft
from edgevpn.kernel.nftables import Command, Present, fulfilled
from tests.support.services import Served, serving

ROUTE = "ip route add 10.2.0.0/24 dev evpn-office proto 101 metric 1024"


def to_office(served: Served) -> list[RouteSpec]:
    return [route for route in served.kernel.list_routes() if route.interface == "evpn-office"]


async def test_what_is_missing_is_said_and_put_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.ask("repair") == {"steps": [], "renewed": []}
        served.kernel.delete_route(to_office(served)[0])

        planned = await served.ask("repair", dry_run=True)
        assert planned == {"steps": [{"command": ROUTE, "fault": ""}], "renewed": []}
        assert to_office(served) == []

        assert await served.ask("repair") == planned
        assert len(to_office(served)) == 1


class Tables(Nft):
    """nft without a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Present | None = None

    def present(self) -> Present | None:
        return self.table

    def change(self, commands: Sequence[Command]) -> None:
        if commands:
            self.table = fulfilled(table(FirewallSpec()))


async def test_the_firewall_is_put_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        wall = Wall(Tables(), FirewallSpec)
        methods = RepairMethods(served.gateway.upholding, wall)
        planned = await methods.repair(dry_run=True)
        assert "nft add table" in [step["command"] for step in planned["steps"]]
        assert await methods.repair(dry_run=True) == planned
        assert await methods.repair() == planned
        assert await methods.repair() == {"steps": [], "renewed": []}
