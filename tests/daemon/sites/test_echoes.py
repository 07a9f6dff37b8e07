"""What the network does with the questions is in the lab: tests/lab/test_reached.py."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from edgevpn.daemon.sites.echoes import Host, answers, by_tcp

HERE = ip_address("127.0.0.1")


async def yes(host: Host) -> bool:
    return True


async def no(host: Host) -> bool:
    return False


async def never(host: Host) -> bool:
    await asyncio.Event().wait()
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_refusal_is_an_answer(host: str) -> None:
    assert await by_tcp(ip_address(host))
    assert await answers(ip_address(host))


async def test_what_cannot_even_be_asked() -> None:
    assert not await by_tcp(ip_address("255.255.255.255"))


async def test_one_answer_is_enough() -> None:
    assert await answers(HERE, (no, never, yes))


async def test_silence() -> None:
    assert not await answers(HERE, (no, no))
    assert not await answers(HERE, (no, never), patience=0.01)
