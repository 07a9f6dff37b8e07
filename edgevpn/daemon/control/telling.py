"""Events of the control socket: what changes is told to those who listen, and worked out only while somebody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from edgevpn.api import records
from edgevpn.api.records import LogLine, Reloaded
from edgevpn.daemon.attempts.book import attempt_record
from edgevpn.daemon.figures.usage import Amount
from edgevpn.daemon.gateway import Gateway
from edgevpn.daemon.visitors.device_status import amount
from edgevpn.diagnosis.attempts import Attempt
from edgevpn.kernel.errors import KernelError

SETTLE = 0.05
"""Seconds in which several changes become one event."""
EVERY = 1.0
"""Seconds between two events of traffic."""


class Channel(Protocol):
    """Where events go."""

    def publish(self, topic: str, data: object) -> None:
        """Tell those who listen."""

    def hears(self, topic: str) -> bool:
        """Whether anybody does."""


class Telling:
    """Tells. `epoch` gives the Unix time at which the monotonic clock was zero."""

    def __init__(self, gateway: Gateway, channel: Channel, epoch: Callable[[], float], every: float = EVERY) -> None:
        self._gateway = gateway
        self._channel = channel
        self._epoch = epoch
        self._every = every
        self._listening = asyncio.Event()
        self._news = asyncio.Event()
        gateway.news.ready = self._news.set
        gateway.attempts.told = self.attempt

    def subscribed(self) -> None:
        """Somebody may listen to something else now."""
        self._listening.set()

    def attempt(self, attempt: Attempt) -> None:
        """Somebody has tried to connect."""
        if self._channel.hears("attempt"):
            self._channel.publish("attempt", attempt_record(attempt, self._epoch()))

    def config(self, reloaded: Reloaded) -> None:
        """Another configuration is in force."""
        self._channel.publish("config", reloaded)

    def log(self, line: LogLine) -> None:
        """Something was logged."""
        if self._channel.hears("log"):
            self._channel.publish("log", line)

    async def tell_news(self) -> None:
        """Until cancelled: sites and devices that have changed."""
        while True:
            await self._news.wait()
            await asyncio.sleep(SETTLE)
            self._news.clear()
            self._tell_changed()

    async def tell_traffic(self) -> None:
        """Until cancelled: what has gone through, while somebody wants to know."""
        while True:
            self._listening.clear()
            if not self._channel.hears("traffic"):
                await self._listening.wait()
                continue
            self._measure()
            self._gateway.meter.take()  # what has gathered before anybody listened
            since = time.monotonic()
            while self._channel.hears("traffic"):
                await asyncio.sleep(self._every)
                since = self._tell_traffic(since)

    def _tell_changed(self) -> None:
        changed = self._gateway.news.take()
        try:
            if self._channel.hears("site"):
                known = set(self._gateway.census.site_names)
                for name in (each for each in changed.sites if each in known):
                    self._channel.publish("site", self._gateway.census.site_status(name))
            if self._channel.hears("device"):
                devices = {device.name: device for device in self._gateway.census.devices}
                for name in (each for each in changed.devices if each in devices):
                    self._channel.publish("device", self._gateway.census.device_status(devices[name]))
        except KernelError:
            return  # the next event will tell

    def _tell_traffic(self, since: float) -> float:
        self._measure()
        now = time.monotonic()
        sites, devices = self._gateway.meter.take()
        self._channel.publish(
            "traffic",
            records.Traffic(at=self._epoch() + now, seconds=now - since, sites=_told(sites), devices=_told(devices)),
        )
        return now

    def _measure(self) -> None:
        try:
            self._gateway.meter.look(self._gateway.census.survey())
        except KernelError:
            return  # nothing has moved, as far as can be told


def _told(amounts: Mapping[str, Amount]) -> dict[str, records.Amount]:
    return {name: amount(each) for name, each in amounts.items()}
