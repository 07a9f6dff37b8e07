"""edgevpn.simulate.trial: a whole trial, and one that ends too early."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgevpn.simulate.clients import CLIENTS, Way
from edgevpn.simulate.trial import Plan, run
from edgevpn.simulate.user import Unable
from tests.support.gateways import until
from tests.support.ports import free_ports
from tests.support.simulated import HERE, Home, home

MACOS = CLIENTS["macos"]


def plan(at: Home, *, rekey: bool = False, stay: float = 0.0) -> Plan:
    return Plan(MACOS, at.typed(Way.PSK), HERE, (at.ports.ike, at.ports.nat), rekey, stay)


async def test_steps(tmp_path: Path) -> None:
    told: list[str] = []
    async with home(tmp_path, free_ports()) as at:
        await run(plan(at, rekey=True), told.append)
        await until(lambda: len(at.here.gateway.visitors.sessions) == 0)
    assert told == [
        "a Mac calls vpn.example.org at 127.0.0.1",
        "asks for an IKE SA, guessing that the key exchange will be ECP_256",
        "agreed on aes256gcm16-prfsha256-ecp256",
        "a NAT is in between, so ESP would go in UDP",
        "the IKE SA is up with vpn.example.org, which proved itself by pre-shared key",
        "has the addresses 10.9.0.2, fd09::2",
        "DNS servers: 10.9.0.1, fd09::1",
        "traffic is protected by aes256gcm16-noesn",
        "connected, with 10.9.0.2 and fd09::2",
        "begins to rekey the CHILD SA",
        "traffic is protected by aes256gcm16-ecp256-noesn",
        "begins to rekey the IKE SA",
        "the IKE SA has new keys",
        "disconnects",
    ]


async def test_shown_out_while_it_stays(tmp_path: Path) -> None:
    told: list[str] = []
    async with home(tmp_path, free_ports()) as at:
        trial = asyncio.create_task(run(plan(at, stay=3600.0), told.append))
        await until(lambda: any(step.startswith("connected") for step in told))
        at.here.gateway.visitors.show_out("tablet", "it was told to")
        with pytest.raises(Unable, match="the connection did not last: deleted by peer"):
            await trial


async def test_stays_as_long_as_it_was_told_to(tmp_path: Path) -> None:
    told: list[str] = []
    async with home(tmp_path, free_ports()) as at:
        await run(plan(at, stay=0.001), told.append)
    assert told[-1] == "disconnects"
