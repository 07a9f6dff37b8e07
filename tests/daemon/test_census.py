"""Two gateways on loopback: what one of them says of itself. Statuses as such are tested where they are made."""

from __future__ import annotations

import pytest

from tests.support.configs import Table, config
from tests.support.gateways import running
from tests.support.ports import free_ports

HERE, THERE = "127.0.0.1", "127.0.0.2"
SITE: Table = {"psk": "a long and random text, as all should be"}
OURS: Table = SITE | {"remote": THERE, "local_networks": "10.1.0.0/24", "remote_networks": "10.2.0.0/24"}
THEIRS: Table = SITE | {"remote": HERE, "local_networks": "10.2.0.0/24", "remote_networks": "10.1.0.0/24"}
ASLEEP: Table = OURS | {"remote": "127.0.0.9", "remote_networks": "10.9.0.0/24", "start": "wait"}


async def test_who_is_there() -> None:
    """One site is up with a child of its own, the other asleep; both are known by their names, in the file's order."""
    ports = free_ports()
    sites = {"shop": OURS, "barn": ASLEEP}
    async with (
        running(config({"listen": THERE}, office=THEIRS | {"start": "wait"}), ports),
        running(config({"listen": HERE}, **sites), ports) as here,
    ):
        await here.until("shop", "up")
        census = here.gateway.census

        assert census.site_names == ("shop", "barn")
        assert (census.is_up("shop"), census.is_up("barn")) == (True, False)
        assert census.ike_sas == (1, 0)
        assert [owned.owner for owned in census.children()] == ["shop"]
        assert census.site_status("barn", census.survey())["state"] == "down"
        assert census.devices == ()
        with pytest.raises(KeyError):
            census.site_status("nobody")
