"""edgevpn.simulate.trial: whole trials, with and without traffic, and those that end too early."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from edgevpn.ike.iana import ConfigAttribute
from edgevpn.ike.peer import IpAddress
from edgevpn.simulate.clients import CLIENTS, Way
from edgevpn.simulate.pinging import Echoes
from edgevpn.simulate.trial import Plan, Unanswered, run
from edgevpn.simulate.user import Unable
from tests.support.data_plane import carrying
from tests.support.gateways import until
from tests.support.ports import free_ports
from tests.support.simulated import HERE, RSA, Home, home

MACOS = CLIENTS["macos"]
HOST = ip_address("10.1.0.2")


def plan(at: Home, *, rekey: bool = False, stay: float = 0.0, pings: tuple[IpAddress, ...] | None = ()) -> Plan:
    return Plan(MACOS, at.typed(Way.PSK), HERE, (at.ports.ike, at.ports.nat), rekey, stay, pings)


async def test_steps(tmp_path: Path) -> None:
    told: list[str] = []
    async with home(tmp_path, free_ports()) as at:
        await run(plan(at, rekey=True), told.append)
        await until(lambda: len(at.here.gateway.visitors.sessions) == 0)
    assert told == [
        "a Mac calls vpn.example.org at 127.0.0.1",
        "asks for an IKE SA, guessing that the key exchange will be ECP_256",
        "agreed on aes256gcm16-prfsha256-ecp256",
        "a NAT is in between, so ESP goes in UDP",
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


def without_times(told: list[str]) -> list[str]:
    return [re.sub(r"[\d.]+ ms", "N ms", step) for step in told]


PING_4, PING_6 = (f"pings {each} through the tunnel: 3 sent, 3 answered, N ms" for each in ("10.9.0.1", "fd09::1"))


async def test_traffic(tmp_path: Path) -> None:
    """Pings after every change, and what became of each is noted."""
    told: list[str] = []
    noted: list[Echoes] = []
    async with home(tmp_path, free_ports()) as at:
        with carrying(at) as (there, _):
            await run(replace(plan(there, rekey=True, stay=0.001, pings=None), roam=True), told.append, noted.append)
    assert without_times(told)[8:] == [
        "connected, with 10.9.0.2 and fd09::2",
        PING_4,
        PING_6,
        "begins to rekey the CHILD SA",
        "traffic is protected by aes256gcm16-ecp256-noesn",
        PING_4,
        PING_6,
        "begins to rekey the IKE SA",
        "the IKE SA has new keys",
        PING_4,
        PING_6,
        "moves to other ports",
        PING_4,
        PING_6,
        PING_4,
        PING_6,
        "disconnects",
    ]
    assert [(each.sent, each.answered) for each in noted] == [(3, 3)] * 10


@pytest.mark.parametrize(("unique", "same"), [("replace", "the same addresses as"), ("keep", "other addresses than")])
async def test_connects_anew_where_it_cannot_move(tmp_path: Path, unique: str, same: str) -> None:
    told: list[str] = []
    async with home(tmp_path, free_ports(), None, {"unique": unique}, {**RSA}) as at:
        with carrying(at) as (there, _):
            android = replace(plan(there, rekey=False, pings=None), client=CLIENTS["android11"], roam=True)
            await run(android, told.append)
    told = without_times(told)
    again = told.index(f"has connected anew, and has {same} before")
    assert told[again + 1 :] == [PING_4, PING_6, "disconnects"]
    assert told.count(PING_4) == 2


async def test_who_does_not_answer_is_named_at_the_end(tmp_path: Path) -> None:
    """The rest of the plan is carried out, and nobody is asked again."""
    told: list[str] = []
    async with home(tmp_path, free_ports()) as at:
        with carrying(at) as (there, plane):
            plane.router = "10.1.0.1"
            with pytest.raises(Unanswered, match=r"no ping to 10\.1\.0\.2 was answered.*edgevpn doctor"):
                await run(plan(there, rekey=True, pings=(HOST,)), told.append)
            await until(lambda: len(at.here.gateway.visitors.sessions) == 0)
    refused = "pings 10.1.0.2 through the tunnel: 3 sent, 0 answered; 10.1.0.1 says that it cannot be reached"
    assert [step for step in told if step.startswith("pings")] == [refused]
    assert told[-2:] == ["the IKE SA has new keys", "disconnects"]


async def test_who_answers_no_longer(tmp_path: Path) -> None:
    async with home(tmp_path, free_ports()) as at:
        with carrying(at) as (there, plane):

            def told(step: str) -> None:
                if step.startswith("begins to rekey"):
                    plane.router = "10.1.0.1"

            with pytest.raises(Unanswered, match=r"10\.1\.0\.2"):
                await run(plan(there, rekey=True, pings=(HOST,)), told)


async def test_not_behind_the_tunnel(tmp_path: Path) -> None:
    """Asked for, it is a failure; where DNS servers are is for the gateway to say."""
    told: list[str] = []
    async with home(tmp_path, free_ports(), None, {"v4": None, "dns": ["10.1.0.2"]}) as at:
        await run(plan(at, pings=None), told.append)
        assert "10.1.0.2 is not behind the tunnel: the gateway has given no address of IPv4" in told
        with pytest.raises(Unanswered, match=r"10\.1\.0\.2"):
            await run(plan(at, pings=(HOST,)), told.append)


async def test_nothing_to_ping(tmp_path: Path) -> None:
    told: list[str] = []
    asks_no_dns = replace(MACOS, manners=replace(MACOS.manners, asks=(ConfigAttribute.INTERNAL_IP4_ADDRESS,)))
    async with home(tmp_path, free_ports()) as at:
        await run(replace(plan(at, pings=None), client=asks_no_dns), told.append)
    assert "pings nothing, as it was given no DNS server: give --ping" in told


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
