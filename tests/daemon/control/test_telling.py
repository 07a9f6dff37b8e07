"""What changes is told to those who listen, and to nobody else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edgevpn.api import TOPICS
from edgevpn.daemon.control.methods.overview import epoch
from edgevpn.daemon.control.telling import Telling
from tests.support.configs import config as configured
from tests.support.gateways import Running, running, until
from tests.support.services import HOME, PSK, Served, serving
from tests.support.shapes import misfits

MIRROR = {
    "remote": "any",
    "local_id": "office.example.org",
    "remote_id": "home.example.org",
    "psk": PSK,
    "local_networks": "10.2.0.0/24",
    "remote_networks": "10.1.0.0/24",
}


class Channel:
    """Holds what is told, if it fits the contract. `topics` are those that somebody listens to."""

    def __init__(self, *topics: str) -> None:
        self.topics = set(topics)
        self.told: list[tuple[str, Any]] = []

    def hears(self, topic: str) -> bool:
        return topic in self.topics

    def publish(self, topic: str, data: object) -> None:
        assert not (faults := misfits(data, TOPICS[topic])), faults
        self.told.append((topic, data))

    def of(self, topic: str) -> list[Any]:
        return [data for each, data in self.told if each == topic]


@asynccontextmanager
async def telling(
    folder: Path, channel: Channel, every: float = 0.01
) -> AsyncIterator[tuple[Served, Telling, Running]]:
    """A gateway with a site, the site's gateway, and who tells of the first."""
    async with (
        serving(folder, HOME.replace('"any"', '"127.0.0.2"')) as served,
        running(configured({"listen": "127.0.0.2"}, home=MIRROR), served.ports) as there,
    ):
        teller = Telling(served.gateway, channel, epoch, every)
        tasks = [asyncio.create_task(each()) for each in (teller.tell_news, teller.tell_traffic)]
        try:
            yield served, teller, there
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def test_a_site_comes_and_goes(tmp_path: Path) -> None:
    channel = Channel("site")
    async with telling(tmp_path, channel) as (served, _, _there):
        await served.ask("site.up", name="office")
        await until(lambda: any(site["state"] == "up" for site in channel.of("site")))
        assert {site["name"] for site in channel.of("site")} == {"office"}
        await served.ask("site.down", name="office")
        await until(lambda: channel.of("site")[-1]["state"] == "down")


async def test_nobody_listens(tmp_path: Path) -> None:
    channel = Channel()
    async with telling(tmp_path, channel) as (served, teller, _):
        await served.ask("site.up", name="office")
        teller.log({"at": 0.0, "level": "info", "text": "x"})
        teller.subscribed()
        channel.topics.add("site")
        await served.ask("site.down", name="office")
        await until(lambda: bool(channel.told))
    assert {topic for topic, _ in channel.told} == {"site"}


async def test_traffic_while_somebody_wants_to_know(tmp_path: Path) -> None:
    """What was there before is not told; what comes after is told once."""
    channel = Channel()
    async with telling(tmp_path, channel) as (served, teller, _):
        await served.ask("site.up", name="office")
        inbound = next(each.spec.key for each in served.kernel.list_sas() if str(each.spec.destination) == "127.0.0.1")
        served.kernel.set_sa(inbound, octets=500)
        channel.topics.add("traffic")
        teller.subscribed()
        await until(lambda: bool(channel.told))
        served.kernel.set_sa(inbound, octets=1200)
        await until(lambda: any(event["sites"] for event in channel.of("traffic")))
        await until(lambda: channel.of("traffic")[-1]["sites"] == {})
        assert [event["sites"] for event in channel.of("traffic") if event["sites"]] == [
            {"office": {"received": 700, "sent": 0}}
        ]
        event = channel.of("traffic")[0]
        assert 0 < event["seconds"] < 60
        assert abs(event["at"] - time.time()) < 60


async def test_attempts_lines_and_configurations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    channel = Channel("attempt", "log", "config")
    async with telling(tmp_path, channel) as (served, teller, there):
        served.configuration.told = teller.config
        served.recent.told = teller.log
        await served.ask("config.set", values={"site.office.mtu": 1400})
        assert channel.of("config")[0]["changed"] == ["office"]
        await served.ask("site.up", name="office")
        await until(lambda: bool(channel.of("attempt")))
        assert any(line["text"].startswith("ike_up") for line in channel.of("log"))
        await there.stop()


async def test_a_device_comes_in(tmp_path: Path) -> None:
    visitor = {
        "remote": "127.0.0.1",
        "local": "127.0.0.3",
        "remote_id": "localhost",
        "psk": PSK,
        "local_id": "tablet",
        "virtual_ips": ["0.0.0.0"],  # noqa: S104 - asked for
        "local_networks": ["0.0.0.0/0"],
        "remote_networks": ["0.0.0.0/0"],
        "routes": False,
        "start": "wait",
    }
    channel = Channel("device")
    async with telling(tmp_path, channel) as (served, _, _there):
        await served.certified()
        async with running(configured({"listen": "127.0.0.3"}, home=visitor), served.ports) as tablet:
            keeper = tablet.gateway.keeper("home")
            assert keeper is not None
            await keeper.up()
            await until(lambda: any(device["sessions"] for device in channel.of("device")))
        await until(lambda: channel.of("device")[-1]["sessions"] == [])
        assert {device["name"] for device in channel.of("device")} == {"tablet"}
