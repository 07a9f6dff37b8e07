from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import tomli

from edgevpn.api import ErrorCode, RpcError
from tests.support.configs import config as configured
from tests.support.gateways import running
from tests.support.services import OFFICE, PSK, Served, serving

SHOP: dict[str, Any] = {
    "remote": "any",
    "remote_id": "shop.example.org",
    "local_networks": "10.1.0.0/24",
    "remote_networks": ["10.3.0.0/24"],
}
GATEWAY = '[gateway]\nlisten = "127.0.0.1"\nretransmit_time = "1s"\nretransmit_tries = 1\n'


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, GATEWAY + OFFICE) as made:
        yield made


def written(served: Served) -> Any:
    return tomli.loads(served.path.read_text())["site"]


def secrets(served: Served) -> Any:
    return tomli.loads(served.path.with_name("secrets.toml").read_text())["site"]


async def test_add_and_remove(served: Served) -> None:
    """The key that is made for it is kept apart, and no answer tells it."""
    applied = await served.ask("site.add", name="shop", settings=SHOP)
    assert written(served)["shop"] == SHOP
    psk = secrets(served)["shop"]["psk"]
    assert len(psk) == 32
    assert psk not in str(applied)
    assert served.gateway.keeper("shop") is not None
    assert [site["name"] for site in (await served.ask("status"))["sites"]] == ["office", "shop"]

    await served.ask("site.remove", name="shop")
    assert served.gateway.keeper("shop") is None
    assert served.path.read_text() == GATEWAY + OFFICE
    assert "shop" not in served.path.with_name("secrets.toml").read_text()


async def test_add_with_a_key_that_both_know(served: Served) -> None:
    await served.ask("site.add", name="shop", settings=SHOP | {"psk": "the one that both ends have"})
    assert secrets(served)["shop"] == {"psk": "the one that both ends have"}
    assert "psk" not in written(served)["shop"]


async def test_add_what_cannot_be_added(served: Served) -> None:
    before = served.path.read_text()
    with pytest.raises(RpcError, match="there is a site 'office' already"):
        await served.ask("site.add", name="office", settings=SHOP)
    for name, settings in (("shop", SHOP | {"pond": 1}), ("shop", {}), ("a b", SHOP), ("shop", SHOP | {"mtu": 1})):
        with pytest.raises(RpcError) as refusal:
            await served.ask("site.add", name=name, settings=settings)
        assert refusal.value.code == ErrorCode.CONFIG_INVALID
        assert isinstance(refusal.value.data, list)
    assert served.path.read_text() == before
    assert served.gateway.census.site_names == ("office",)


async def test_reach_what_is_not_there(served: Served) -> None:
    """Nothing leaves but through the tunnel that it is for."""
    for address, why in (
        ("10.2.0.1", "site office is not up"),
        ("10.1.0.1", "10.1.0.1 is not in the networks of office: 10.2.0.0/24"),
        ("printer\n", r"printer\\n is no address"),
    ):
        with pytest.raises(RpcError, match=why) as refusal:
            await served.ask("site.reach", name="office", address=address)
        assert refusal.value.code == ErrorCode.FAILED


async def test_set(served: Served) -> None:
    """Comments stay; a key is taken out by None; a new secret takes the place of the one in the file."""
    applied = await served.ask("site.set", name="office", settings={"mtu": 1400, "local_id": None})
    assert {change["path"]: change["effect"] for change in applied["plan"]["changes"]} == {
        "site.office.mtu": "live",
        "site.office.local_id": "reconnect",
    }
    assert "# the first" in served.path.read_text()
    await served.ask("site.set", name="office", settings={"psk": "another key that both ends have"})
    assert "psk" not in written(served)["office"]
    assert secrets(served)["office"] == {"psk": "another key that both ends have"}
    with pytest.raises(RpcError) as refusal:
        await served.ask("site.set", name="shop", settings={"mtu": 1400})
    assert refusal.value.code == ErrorCode.NOT_FOUND


async def test_up_down_and_new_keys(tmp_path: Path) -> None:
    text = GATEWAY + OFFICE.replace('"any"', '"127.0.0.2"')
    mirror = {
        "remote": "any",
        "local_id": "office.example.org",
        "remote_id": "home.example.org",
        "psk": PSK,
        "local_networks": "10.2.0.0/24",
        "remote_networks": "10.1.0.0/24",
    }
    async with (
        serving(tmp_path, text) as served,
        running(configured({"listen": "127.0.0.2"}, home=mirror), served.ports) as peer,
    ):
        up = await served.ask("site.up", name="office")
        assert (up["state"], len(up["ike"][0]["children"])) == ("up", 1)
        with pytest.raises(RpcError, match="without a kernel no traffic flows"):
            await served.ask("site.reach", name="office", address="10.2.0.1")
        rekeyed = await served.ask("site.rekey", name="office", what="ike")
        assert rekeyed["ike"][0]["spi_i"] != up["ike"][0]["spi_i"]
        plan = await served.ask("config.plan", text=GATEWAY)
        assert plan["drops"] == ["office"]
        assert await served.ask("site.down", name="office") is None
        await peer.until("home", "down")
        with pytest.raises(RpcError, match="office: the site is down") as refusal:
            await served.ask("site.rekey", name="office", what="child")
        assert refusal.value.code == ErrorCode.FAILED


async def test_why_it_does_not_come_up(served: Served) -> None:
    with pytest.raises(RpcError, match="office: nobody is to be called"):
        await served.ask("site.up", name="office")
    with pytest.raises(RpcError, match="there is no site 'shop'; configured: office"):
        await served.ask("site.up", name="shop")
