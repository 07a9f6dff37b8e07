"""One trial from beginning to end: connect, ping, perhaps rekey, roam and stay for a while, disconnect; how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from edgevpn.frozen import dataclass
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.session import Given
from edgevpn.simulate import story
from edgevpn.simulate.clients import SimulatedClient
from edgevpn.simulate.conversation import Conversation, Outside, Tell
from edgevpn.simulate.pinging import Echoes
from edgevpn.simulate.user import Typed, Unable

SETTLING = 0.1
"""Our own choice: seconds that a client needs for an interface, before it sends the first packet."""

Note = Callable[[Echoes], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried, and where. `stay`: seconds between connecting and disconnecting.

    `pings` are pinged through the tunnel, after connecting and after every change; None: the DNS servers that it is
    given. `roam`: it goes on from other ports, or connects anew where it cannot.
    """

    client: SimulatedClient
    typed: Typed
    gateway: IpAddress
    ports: tuple[int, int] = (500, 4500)
    rekey: bool = False
    stay: float = 0.0
    pings: tuple[IpAddress, ...] | None = None
    roam: bool = False

    def conversation(self, tell: Tell) -> Conversation:
        """A client that is still to connect."""
        return Conversation(self.client, self.typed, self.gateway, self.ports, tell)


class Unanswered(Unable):
    """It came in and stayed in, but packets through the tunnel got no answer."""


async def run(plan: Plan, tell: Tell, note: Note = lambda echoes: None) -> None:
    """Carry a plan out, telling each step, and noting what became of pings.

    Raises Unable if the client does not come in, or does not stay in; Unanswered if that is all that is wrong.
    """
    traffic = _Traffic(plan.pings, tell, note)
    anew = plan.roam and not plan.client.mobike
    async with plan.conversation(tell) as conversation:
        given = await _connected(conversation, tell)
        await traffic.begin(conversation, given)
        if plan.rekey:
            await conversation.rekey()
            await traffic.goes_on(conversation)
            await conversation.rekey(ike=True)
            await traffic.goes_on(conversation)
        if plan.roam and not anew:
            await conversation.move()
            await traffic.goes_on(conversation)
        if not anew:
            await _to_the_end(plan, conversation, traffic)
    if anew:  # without a word, as who has lost its network
        await _connect_anew(plan, given, traffic, tell)


async def _connect_anew(plan: Plan, before: Given, traffic: _Traffic, tell: Tell) -> None:
    async with plan.conversation(tell) as conversation:
        given = await _connected(conversation, tell)
        same = "the same addresses as" if given.addresses == before.addresses else "other addresses than"
        tell(f"has connected anew, and has {same} before")
        await traffic.goes_on(conversation)
        await _to_the_end(plan, conversation, traffic)


async def _connected(conversation: Conversation, tell: Tell) -> Given:
    given = await conversation.connect()
    await asyncio.sleep(SETTLING)
    tell(f"connected, with {' and '.join(map(str, given.addresses))}")
    return given


async def _to_the_end(plan: Plan, conversation: Conversation, traffic: _Traffic) -> None:
    if plan.stay:
        if why := await _lost_within(conversation, plan.stay):
            raise Unable(f"the connection did not last: {why}")
        await traffic.goes_on(conversation)
    await conversation.disconnect()
    traffic.end(conversation)


async def _lost_within(conversation: Conversation, seconds: float) -> str:
    """Why the connection was lost meanwhile; empty if it was not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await conversation.lost()
    return ""


class _Traffic:
    """Pings again and again, and what has become of them."""

    def __init__(self, pings: tuple[IpAddress, ...] | None, tell: Tell, note: Note) -> None:
        self._pings = pings
        self._tell = tell
        self._note = note
        self._answering: list[IpAddress] = []
        self._silent: list[IpAddress] = []

    async def begin(self, conversation: Conversation, given: Given) -> None:
        """Ping what is to be pinged."""
        self._answering = [*(given.settings.dns if self._pings is None else self._pings)]
        if not self._answering and self._pings is None:
            self._tell("pings nothing, as it was given no DNS server: give --ping")
        await self.goes_on(conversation)

    async def goes_on(self, conversation: Conversation) -> None:
        """Ping once more all that have always answered."""
        for target in tuple(self._answering):
            if not await self._answers(conversation, target):
                self._answering.remove(target)

    async def _answers(self, conversation: Conversation, target: IpAddress) -> bool:
        try:
            echoes = await conversation.ping(target)
        except Outside as why:
            self._tell(str(why))
            if self._pings is not None:  # a DNS server may be elsewhere
                self._silent.append(target)
            return False
        self._tell(story.of_echoes(echoes))
        self._note(echoes)
        if not echoes.answered:
            self._silent.append(target)
        return echoes.answered > 0

    def end(self, conversation: Conversation) -> None:
        """Raises Unanswered if somebody did not answer."""
        if conversation.dropped:
            self._tell(f"{conversation.dropped} packets that came through the tunnel were dropped")
        if self._silent:
            who = " and ".join(map(str, self._silent))
            cure = "name a host that answers pings with --ping, and see edgevpn doctor and status at the gateway"
            raise Unanswered(f"it connected, but no ping to {who} was answered through the tunnel: {cure}")
