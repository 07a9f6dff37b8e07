from __future__ import annotations

import asyncio

import pytest

from edgevpn.daemon.supervisor import STATUS_EVERY, Supervisor
from tests.support.gateways import until

PID = 42
WATCHDOG = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "20000"}


def supervisor(environ: dict[str, str]) -> tuple[Supervisor, list[str]]:
    told: list[str] = []
    return Supervisor(told.append, environ, PID), told


def test_ready_and_stopping() -> None:
    made, told = supervisor({})
    made.ready("1 of 2 sites up")
    made.stopping()
    assert told == ["READY=1\nSTATUS=1 of 2 sites up", "STOPPING=1\nSTATUS=saying goodbye to peers"]


PERIODS = {
    "without a watchdog": ({}, STATUS_EVERY),
    "half of what it allows": ({"WATCHDOG_USEC": "3000000"}, 1.5),
    "ours": ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "42"}, 1.5),
    "another's": ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "43"}, STATUS_EVERY),
    "a patient one": ({"WATCHDOG_USEC": "600000000"}, STATUS_EVERY),
    "nonsense": ({"WATCHDOG_USEC": "soon"}, STATUS_EVERY),
}


@pytest.mark.parametrize(("environ", "period"), PERIODS.values(), ids=PERIODS)
def test_how_often(environ: dict[str, str], period: float) -> None:
    assert supervisor(environ)[0].period == period


async def test_signs_of_life() -> None:
    """A line on how we are only when that has changed."""
    made, told = supervisor(WATCHDOG)
    states = iter(["0 of 1 sites up", "0 of 1 sites up", *["1 of 1 sites up"] * 100])
    task = asyncio.create_task(made.run(lambda: next(states)))
    await until(lambda: len(told) >= 4)
    task.cancel()
    assert told[:4] == [
        "WATCHDOG=1\nSTATUS=0 of 1 sites up",
        "WATCHDOG=1",
        "WATCHDOG=1\nSTATUS=1 of 1 sites up",
        "WATCHDOG=1",
    ]


async def test_nobody_supervises() -> None:
    made, told = supervisor({"WATCHDOG_USEC": "20000"})
    await made.run(lambda: "")
    assert told == []
