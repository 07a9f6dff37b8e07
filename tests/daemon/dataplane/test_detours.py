"""edgevpn.daemon.dataplane.detours; tests/lab/test_detours.py sees a flow turn into its tunnel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import pytest

from edgevpn.daemon.dataplane.detours import Detours
from edgevpn.kernel.errors import NotSupported
from edgevpn.kernel.memory import MemoryKernel
from tests.daemon.dataplane.test_tunnels import child
from tests.support.gateways import until

LAN, OFFICE, ELSEWHERE = map(ip_address, ("10.1.0.7", "10.2.0.7", "198.51.100.7"))


@pytest.fixture
def kernel() -> Iterator[MemoryKernel]:
    kernel = MemoryKernel()
    kernel.connections = [(LAN, OFFICE), (LAN, ELSEWHERE)]
    yield kernel
    kernel.close()


@asynccontextmanager
async def at_work(detours: Detours) -> AsyncIterator[None]:
    task = asyncio.create_task(detours.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_a_child_carries_goes_no_other_way(kernel: MemoryKernel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    detours = Detours(kernel)
    async with at_work(detours):
        detours.close(child(1))
        await until(lambda: "connections_forgotten" in caplog.text)
    assert kernel.connections == [(LAN, ELSEWHERE)]
    assert "count=1" in caplog.text


async def test_many_tunnels_are_one_question(kernel: MemoryKernel) -> None:
    """A second question would fail, and would be logged."""
    detours = Detours(kernel)
    for number in range(9):
        detours.close(child(number))
    async with at_work(detours):
        await until(lambda: kernel.connections == [(LAN, ELSEWHERE)])
        kernel.fail_next("forget_connections", NotSupported("list connections", 22, "asked again"))
        await asyncio.sleep(0.01)
        assert kernel._failures["forget_connections"]


async def test_a_kernel_that_cannot_say(kernel: MemoryKernel, caplog: pytest.LogCaptureFixture) -> None:
    """Once; the tunnel stands all the same."""
    caplog.set_level(logging.INFO)
    detours = Detours(kernel)
    async with at_work(detours):
        for _ in range(2):
            kernel.fail_next("forget_connections", NotSupported("list connections", 22, "a module is missing"))
            detours.close(child(1))
            await until(lambda: not kernel._failures["forget_connections"])
        detours.close(child(1))
        await until(lambda: kernel.connections == [(LAN, ELSEWHERE)])
    assert caplog.text.count("connections_not_forgotten") == 1
