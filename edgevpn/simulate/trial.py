"""One trial from beginning to end: connect, perhaps rekey and stay for a while, disconnect; and how it went."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from edgevpn.frozen import dataclass
from edgevpn.simulate.clients import SimulatedClient
from edgevpn.simulate.conversation import Conversation, Tell
from edgevpn.simulate.user import Typed, Unable


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried, and where. `stay`: seconds between connecting and disconnecting."""

    client: SimulatedClient
    typed: Typed
    gateway: IPv4Address | IPv6Address
    ports: tuple[int, int] = (500, 4500)
    rekey: bool = False
    stay: float = 0.0


async def run(plan: Plan, tell: Tell) -> None:
    """Carry a plan out, telling each step. Raises Unable if the client does not come in, or does not stay in."""
    async with Conversation(plan.client, plan.typed, plan.gateway, plan.ports, tell) as conversation:
        given = await conversation.connect()
        tell(f"connected, with {' and '.join(map(str, given.addresses))}")
        if plan.rekey:
            await conversation.rekey()
            await conversation.rekey(ike=True)
        if plan.stay and (why := await _lost_within(conversation, plan.stay)):
            raise Unable(f"the connection did not last: {why}")
        await conversation.disconnect()


async def _lost_within(conversation: Conversation, seconds: float) -> str:
    """Why the connection was lost meanwhile; empty if it was not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await conversation.lost()
    return ""
