"""Devices: who may come in, who is in, which addresses they have and how much they move."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path as FilePath

from edgevpn.config.model import Config, Device, Unique
from edgevpn.daemon.addresses import leases as leasing
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.base.logs import note
from edgevpn.daemon.base.news import News
from edgevpn.daemon.base.state_file import StateFile
from edgevpn.daemon.figures import usage as using
from edgevpn.daemon.figures.usage import Amount, Usage
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.devices import Devices
from edgevpn.daemon.login.vouched import Shown
from edgevpn.daemon.visitors.sessions import Sessions, Visit
from edgevpn.ike.contract import IkeSaDown, IkeSaMoved, IkeSaUp, Input, Terminate
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.questions import Release
from edgevpn.ike.state import Address, ChildSa

CHANGED = "the device was changed, disabled or removed"

log = logging.getLogger("edgevpn.devices")


def is_visitor(peer: str) -> bool:
    """Whether a peer of that name is a device and no site; see `peers.pool_peer_names`."""
    return "/" in peer


class Visitors:
    """All devices of the running configuration. Everything happens in the event loop's thread."""

    def __init__(
        self,
        state: FilePath,
        answers: Answers,
        feed: Callable[[Input], None],
        changed: Callable[[], None] = lambda: None,
        news: News | None = None,
    ) -> None:
        """`changed` is called whenever somebody comes or goes."""
        self._answers = answers
        self._feed = feed
        self._changed = changed
        self._news = news or News()
        self._clock = time.monotonic
        self.sessions = Sessions()
        answers.place_of = self._place_of
        self._leases_file = StateFile(state / "leases.json", leasing.VERSION, lambda: answers.leases.content())
        self._usage_file = StateFile(state / "usage.json", using.VERSION, lambda: self.usage.content())
        self.usage = Usage(self._usage_file.load())
        self._config: Config | None = None
        self._leaving: set[bytes] = set()  # SPIs of those that are shown out
        self._kept: set[tuple[str | None, tuple[IpAddress, ...]]] = set()  # addresses, with who has had them

    # --- configuration and time ---

    def apply(self, config: Config) -> None:
        """From now on these devices may come in. Who no longer may is shown out at once."""
        old, self._config = self._config, config
        devices = Devices(config, lambda: datetime.now(UTC))
        leases = Leases(config, self._leases_file.load() if old is None else self._answers.leases.content(), time.time)
        if old is not None:
            leases.carry_over(self._answers.leases)
        self._answers.use(config, devices, leases)
        before = {device.name: device for device in old.devices} if old else {}
        self._answers.vouched.reconsider(lambda name: self._may_stay(name, before, devices))
        for visit in tuple(self.sessions):
            if visit.device is not None and not self._may_stay(visit.device, before, devices):
                self._show_out(visit, CHANGED)
            elif not leases.are_lent(visit.ike.lent.addresses):
                self._show_out(visit, "its address is not its own any more")

    def tick(self) -> None:
        """Once in a while: show out whose time is over."""
        for visit in tuple(self.sessions):
            device = self._answers.devices.get(visit.device) if visit.device else None
            if device is not None and (why := self._answers.devices.refusal(device)):
                self._show_out(visit, why.value)

    def show_out(self, device: str, why: str) -> int:
        """Show a device out, wherever it is in; how often that was."""
        visits = self.sessions.of(device)
        for visit in visits:
            self._show_out(visit, why)
        return len(visits)

    def leaving(self, config: Config) -> tuple[str, ...]:
        """The devices that would be shown out if this were the configuration."""
        devices = Devices(config, lambda: datetime.now(UTC))
        before = {device.name: device for device in self._config.devices} if self._config else {}
        leases = Leases(config, {}, time.time)
        leases.carry_over(self._answers.leases)
        named = ((visit.device, visit.ike.lent.addresses) for visit in self.sessions if visit.device is not None)
        going = (n for n, lent in named if not (self._may_stay(n, before, devices) and leases.are_lent(lent)))
        return tuple(dict.fromkeys(going))

    def reload(self) -> None:
        """What is kept has been replaced: leases and usage are read again; who is in keeps what it has."""
        if self._config is None:
            return
        self.usage = Usage(self._usage_file.load())
        leases = Leases(self._config, self._leases_file.load(), time.time)
        leases.carry_over(self._answers.leases)
        self._answers.leases = leases

    def forget(self, device: str) -> None:
        """A device is no more."""
        self.usage.forget(device)
        self._usage_file.touch()

    def withdraw(self, spi: bytes) -> None:
        """Show out who came in by a certificate that has been revoked since."""
        if visit := self.sessions.get(spi):
            self._show_out(visit, "its certificate was revoked")

    def close(self) -> None:
        """Keep what is worth keeping."""
        if self._config is not None and (self._config.pools or self._config.devices):
            self._leases_file.write()
            self._usage_file.write()

    # --- what the core tells ---

    def up(self, up: IkeSaUp, shown: Shown) -> None:
        """Somebody has logged in, or goes on with new keys."""
        visit = self.sessions.up(up, shown, self._clock())
        if visit.device is not None:
            self.usage.saw(visit.device, time.time(), str(visit.path.remote))
            self._usage_file.touch()
        self._make_room(visit)
        self._keep_addresses(visit)
        self._tell(visit)
        if up.replaces is None:
            if visit.device is not None:
                self._answers.came_in(visit.device, visit.path.remote)
            note(
                log,
                logging.INFO,
                "device_in",
                device=visit.device or visit.remote_id,
                pool=visit.pool,
                remote=visit.path.remote,
                by=visit.ike.theirs,
                client=visit.ike.client.name,
                addresses=visit.ike.lent.addresses or "none",
            )
        if not shown.welcome:
            self._show_out(visit, CHANGED)

    def moved(self, moved: IkeSaMoved) -> None:
        """Somebody is somewhere else now."""
        self.sessions.moved(moved.spi, moved.path)
        if visit := self.sessions.get(moved.spi):
            self._tell(visit)

    def down(self, down: IkeSaDown) -> None:
        """Somebody has gone, or was not let in."""
        self._leaving.discard(down.spi)
        if visit := self.sessions.down(down.spi):
            self._tell(visit)
            note(log, logging.INFO, "device_out", device=visit.device or visit.remote_id, why=down.reason)

    def child_up(self, child: ChildSa) -> str | None:
        """The device that has a new CHILD SA, which carries packets of its address alone."""
        visit = self.sessions.at(child.ts_remote[0].start_address)
        if visit is None:
            return None
        self._tell(visit)
        return visit.device

    def count(self, device: str, amount: Amount) -> None:
        """A device has moved so much."""
        self.usage.add(device, amount, datetime.now(UTC).date())
        self._usage_file.touch()

    def released(self, released: Release) -> None:
        """Addresses are free again."""
        self._answers.release(released)
        self._leases_file.touch()

    # --- below ---

    def _place_of(self, address: IpAddress) -> Address | None:
        visit = self.sessions.at(address)
        return visit.path.remote if visit else None

    def _keep_addresses(self, visit: Visit) -> None:
        """What a device is lent for the first time is written soon: after a power cut it is still its own."""
        lent = visit.device, visit.ike.lent.addresses
        if lent not in self._kept:
            self._kept.add(lent)
            self._leases_file.touch(soon=True)

    def _make_room(self, visit: Visit) -> None:
        """A device that may be in once only is in anew."""
        device = self._answers.devices.get(visit.device) if visit.device else None
        if device is not None and device.unique is Unique.REPLACE:
            for other in self.sessions.of(device.name):
                if other.spi != visit.spi:
                    self._show_out(other, "it has come in anew")

    def _may_stay(self, name: str, before: dict[str, Device], devices: Devices) -> bool:
        """A device stays if it may come in, and would come in by the same way."""
        now, then = devices.get(name), before.get(name)
        if now is None or then is None or devices.refusal(now) is not None:
            return False
        return (now.pool, now.login, now.id, now.credential, now.v4, now.v6, now.mode, now.networks) == (
            then.pool,
            then.login,
            then.id,
            then.credential,
            then.v4,
            then.v6,
            then.mode,
            then.networks,
        )

    def _show_out(self, visit: Visit, why: str) -> None:
        """Once; its IKE SA stands until it has answered, or does not."""
        if visit.spi in self._leaving:
            return
        self._leaving.add(visit.spi)
        note(log, logging.INFO, "device_shown_out", device=visit.device or visit.remote_id, why=why)
        self._feed(Terminate(visit.spi))

    def _tell(self, visit: Visit) -> None:
        self._changed()
        if visit.device is not None:
            self._news.device(visit.device)
