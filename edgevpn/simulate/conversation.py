"""A client at work: the protocol core as initiator, on sockets of its own, and a data plane that needs no kernel.

What the core asks is answered as the client would.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from edgevpn.ike.contract import (
    Ask,
    Datagram,
    Effect,
    IkeSaDown,
    IkeSaUp,
    Initiate,
    Input,
    InstallOutbound,
    MovePath,
    QueryTraffic,
    Redirected,
    RemoveChild,
    Send,
    SetTimer,
    Settings,
    StopTimer,
    Terminate,
    TimerFired,
    Traffic,
)
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.questions import Configured, FindPassword, FindPsk, Lease, Sign, VerifyCertificates
from edgevpn.ike.session import Given
from edgevpn.ike.state import ChildSa, Established, Initiating, RekeyChild, RekeyIke, Update
from edgevpn.simulate import story
from edgevpn.simulate.clients import SimulatedClient
from edgevpn.simulate.judge import answer
from edgevpn.simulate.pinging import COUNT, Echoes, Pinger
from edgevpn.simulate.tunnel import Tunnel
from edgevpn.simulate.user import GATEWAY, Typed, Unable, peer_of
from edgevpn.simulate.wire import Wire

# Our own choices: somebody watches, and wants to know soon.
RETRANSMIT_FIRST, RETRANSMIT_TRIES = 1.0, 4
PATIENCE = 60.0
PATIENCE_AT_THE_END = 5.0

Tell = Callable[[str], None]


class Outside(Unable):
    """A host is not behind the tunnel."""


class Conversation:
    """One client and one gateway, for the length of an `async with`. `tell` is told every step.

    Raises Unable when a step cannot be done.
    """

    def __init__(
        self,
        client: SimulatedClient,
        typed: Typed,
        gateway: IpAddress,
        ports: tuple[int, int],
        tell: Tell = lambda step: None,
    ) -> None:
        self._client = client
        self._typed = typed
        self._tell = tell
        settings = Settings(
            ike_port=ports[0],
            nat_port=ports[1],
            retransmit_first=RETRANSMIT_FIRST,
            retransmit_tries=RETRANSMIT_TRIES,
        )
        self._endpoint = Endpoint((peer_of(client, typed),), os.urandom, settings)
        self._place = gateway, ports
        self._wire: Wire
        self._tunnel = Tunnel(self._send_esp, lambda packet: self._pinger.take(packet), os.urandom, tell)
        self._pinger = Pinger(self._carry, int.from_bytes(os.urandom(2)))
        self._spi = b""
        self._inputs: deque[Input] = deque()
        self._busy = False
        self._timers: dict[bytes, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._why: str | None = None
        self._given: Given | None = None
        self._ike_keys = 0
        self._child_keys = 0
        self.children: dict[bytes, ChildSa] = {}

    async def __aenter__(self) -> Self:
        self._wire = self._open(None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._wire.close()

    # --- what a user does ---

    async def connect(self) -> Given:
        """Log in, and return what the gateway gives."""
        self._tell(f"{self._client.words} calls {self._typed.server} at {self._place[0]}")
        self._feed(Initiate(GATEWAY, self._wire.path))
        await self._until(lambda: self._given is not None and bool(self.children))
        assert self._given is not None
        return self._given

    async def rekey(self, *, ike: bool = False) -> None:
        """Give the CHILD SA new keys, or the IKE SA, as the client does when it is time."""
        self._tell(f"begins to rekey the {'IKE' if ike else 'CHILD'} SA")
        before = self._keys(ike)
        self._feed(Ask(self._spi, RekeyIke() if ike else RekeyChild(list(self.children)[-1])))
        await self._until(lambda: self._keys(ike) > before)

    async def renewed(self, *, ike: bool = False) -> None:
        """Wait until there are new keys, whoever began."""
        before = self._keys(ike)
        await self._until(lambda: self._keys(ike) > before)

    async def move(self, local: IpAddress | None = None) -> None:
        """Go on from another address of this machine, or from other ports: as a phone that leaves its Wi-Fi."""
        if not self._client.mobike:
            raise Unable(f"{self._client.words} cannot move (RFC 4555): it connects anew")
        self._tell(f"moves to {local or 'other ports'}")
        before, self._wire = self._wire, self._open(local)
        here = self._wire.path.local.host
        moved = here != before.path.local.host
        before.close()
        self._feed(MovePath(self._spi, here, self._place[0]) if moved else Ask(self._spi, Update()))
        await self._until(self._is_idle)

    async def ping(self, target: IpAddress, count: int = COUNT) -> Echoes:
        """Send echo requests through the tunnel, from the address inside it; Outside for a host not behind it."""
        sources = self._given.addresses if self._given else ()
        source = next((each for each in sources if each.version == target.version), None)
        if source is None:
            raise Outside(f"{target} is not behind the tunnel: the gateway has given no address of IPv{target.version}")
        if not self._tunnel.leads_to(target):
            raise Outside(f"{target} is not behind the tunnel: the gateway has agreed on other networks")
        return await self._pinger.ping(source, target, count)

    @property
    def dropped(self) -> int:
        """Packets that came through the tunnel and could not be let pass."""
        return self._tunnel.dropped

    async def lost(self) -> str:
        """Wait until the gateway closes, or is gone; why."""
        with suppress(Unable):
            await self._until(lambda: False, within=None)
        return self._why or ""

    async def disconnect(self) -> None:
        """Close, and wait for the gateway's answer, but not for long."""
        self._tell("disconnects")
        self._feed(Terminate(self._spi))
        with suppress(Unable):
            await self._until(lambda: not self._endpoint.sas, within=PATIENCE_AT_THE_END)

    # --- below ---

    def _open(self, local: IpAddress | None) -> Wire:
        gateway, ports = self._place
        try:
            return Wire(
                gateway, ports, lambda path, octets: self._feed(Datagram(path, octets)), self._tunnel.arrived, local
            )
        except OSError as error:
            raise Unable(f"{gateway} cannot be reached from here: {error.strerror or error}") from error

    def _carry(self, packet: bytes) -> None:
        if self._why is not None:
            raise Unable(self._why)
        self._tunnel.carry(packet)

    def _send_esp(self, octets: bytes) -> None:
        with suppress(OSError):  # as a lost datagram
            self._wire.send_esp(octets)

    def _is_idle(self) -> bool:
        """Whether the gateway has answered all that was asked of it."""
        sa = self._endpoint.sa(self._spi)
        return isinstance(sa, Established) and sa.doing is None and not sa.todo

    def _keys(self, ike: bool) -> int:
        return self._ike_keys if ike else self._child_keys

    async def _until(self, holds: Callable[[], bool], within: float | None = PATIENCE) -> None:
        try:
            async with asyncio.timeout(within):
                while not holds():
                    if self._why is not None:
                        raise Unable(self._why)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Unable(f"nothing more has happened for {within:.0f} seconds") from None

    def _feed(self, event: Input) -> None:
        self._inputs.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inputs:
                self._handle(self._inputs.popleft())
        finally:
            self._busy = False
        self._changed.set()

    def _handle(self, event: Input) -> None:
        before = self._endpoint.sa(self._spi)
        effects = self._endpoint.handle(event, asyncio.get_running_loop().time())
        if isinstance(event, Initiate):
            begun = self._endpoint.sas[-1]
            assert isinstance(begun, Initiating)
            self._spi = begun.spi
        for step in story.of_state(before, self._endpoint.sa(self._spi)):
            self._tell(step)
        for effect in effects:
            for step in story.of_effect(effect):
                self._tell(step)
            self._why = self._why or story.refusal(effect, self._client, self._typed)
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        self._tunnel.follow(effect)
        match effect:
            case Send(path, octets):
                with suppress(OSError):  # as a lost datagram: it will be sent again
                    self._wire.send(path, octets)
            case SetTimer(spi, at):
                self._set_timer(spi, at)
            case StopTimer(spi):
                self._stop_timer(spi)
            case QueryTraffic(spi=spi):
                self._inputs.append(Traffic(spi, None))
            case Sign() | VerifyCertificates() | FindPsk() | FindPassword() | Lease():
                self._inputs.append(answer(effect, self._client, self._typed, datetime.now(UTC)))
            case Configured(given=given):
                self._given = given
            case InstallOutbound(child=child):
                self.children[child.spi_in] = child
                self._child_keys += 1
            case RemoveChild(child=child):
                self.children.pop(child.spi_in, None)
            case IkeSaUp(spi=spi, replaces=replaces):
                self._spi = spi
                self._ike_keys += replaces is not None
            case Redirected(gateway=gateway):
                self._why = f"the gateway sends its clients to {gateway}"
            case IkeSaDown(spi=spi, reason=reason) if spi == self._spi:
                self._why = self._why or reason
            case _:
                pass

    def _set_timer(self, spi: bytes, at: float) -> None:
        self._stop_timer(spi)
        self._timers[spi] = asyncio.get_running_loop().call_at(at, self._fire, spi)

    def _stop_timer(self, spi: bytes) -> None:
        if timer := self._timers.pop(spi, None):
            timer.cancel()

    def _fire(self, spi: bytes) -> None:
        del self._timers[spi]
        self._feed(TimerFired(spi))
