"""Effects are carried out in order, and the world's answers go back to the core."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from edgevpn.daemon.dataplane import Dataplane
from edgevpn.daemon.homes import site_home
from edgevpn.daemon.runner import Runner
from edgevpn.ike.contract import (
    ChildClosed,
    ChildFailed,
    Datagram,
    Endpoints,
    FindPath,
    IkeSaDown,
    IkeSaMoved,
    IkeSaUp,
    Initiate,
    KeysDerived,
    Redirected,
    Settings,
    Terminate,
)
from edgevpn.ike.endpoint import DEFAULTS, Endpoint
from edgevpn.ike.peer import ChildPolicy, Peer
from edgevpn.ike.questions import Configured, Question, Release
from edgevpn.ike.state import Address, ChildSa, Established, Path
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.spec import SaKey, SaState
from tests.support.configs import office
from tests.support.peers import LAN, TO_RIGHT, mirrored

LEFT, RIGHT = ip_address("192.0.2.1"), ip_address("198.51.100.1")
CHILD: ChildPolicy = replace(LAN, name="office")
TO_OFFICE: Peer = replace(TO_RIGHT, name="office", children=(CHILD,))
FROM_OFFICE: Peer = replace(mirrored(TO_RIGHT, "office"), children=mirrored(TO_OFFICE).children)


class Side:
    """A runner over a kernel in memory, joined to another; what it heard."""

    def __init__(
        self, peer: Peer, seed: int, settings: Settings = DEFAULTS, kernel: MemoryKernel | None = None
    ) -> None:
        self.kernel = kernel or MemoryKernel()
        dataplane = Dataplane(self.kernel, self.clock)
        dataplane.add(site_home(office()))
        self.endpoint = Endpoint((peer,), Random(seed).randbytes, settings)
        self.runner = Runner(self.endpoint, self, dataplane, self, self, self.clock)
        self.other: Side
        self.cut = False
        self.told: list[object] = []
        self.is_told = asyncio.Event()

    def clock(self) -> float:
        return asyncio.get_running_loop().time()

    def send(self, path: Path, octets: bytes) -> None:
        if self.cut:
            raise OSError(101, "Network is unreachable")
        self.other.runner.feed(Datagram(Path(path.remote, path.local), octets))

    def ike_up(self, up: IkeSaUp) -> None:
        self.told.append(up)
        self.is_told.set()

    def ike_down(self, down: IkeSaDown) -> None:
        self.told.append(down)

    def ike_moved(self, moved: IkeSaMoved) -> None:
        self.told.append(moved)

    def redirected(self, redirected: Redirected) -> None:
        self.told.append(redirected)

    def child_going(self, child: ChildSa) -> None:
        """Its last octets can be counted."""

    def released(self, released: Release) -> None:
        self.told.append(released)

    def configured(self, configured: Configured) -> None:
        self.told.append(configured)

    def ask(self, question: Question) -> None:
        self.told.append(question)

    def find_path(self, wanted: FindPath) -> None:
        self.told.append(wanted)

    def child_up(self, child: ChildSa, ends: Endpoints) -> None:
        self.told.append(child.name)

    def child_failed(self, failed: ChildFailed) -> None:
        self.told.append(failed)

    def child_closed(self, closed: ChildClosed) -> None:
        self.told.append(closed)

    def keys_derived(self, keys: KeysDerived) -> None:
        self.told.append(keys)

    @property
    def sa(self) -> Established:
        (sa,) = self.endpoint.sas
        assert isinstance(sa, Established)
        return sa


def pair(settings: Settings = DEFAULTS) -> tuple[Side, Side]:
    left, right = Side(TO_OFFICE, 1, settings), Side(FROM_OFFICE, 2, settings)
    left.other, right.other = right, left
    return left, right


def initiate(side: Side) -> None:
    side.runner.feed(Initiate("office", Path(Address(LEFT, 500), Address(RIGHT, 500))))


def kinds(told: list[object]) -> list[object]:
    return [each if isinstance(each, str) else type(each) for each in told]


async def test_a_tunnel_comes_and_goes() -> None:
    left, right = pair()
    initiate(left)

    assert kinds(left.told) == kinds(right.told) == [IkeSaUp, "office"]
    assert {state.spec.spi for state in left.kernel.list_sas()} == {state.spec.spi for state in right.kernel.list_sas()}
    left.runner.feed(Terminate(left.sa.spi))
    assert kinds(left.told[2:]) == kinds(right.told[2:]) == [IkeSaDown]
    assert left.kernel.list_sas() == right.kernel.list_sas() == ()
    left.runner.stop()
    right.runner.stop()


async def test_keys_are_told_when_wanted() -> None:
    left, _ = pair(Settings(export_keys=True))
    initiate(left)
    assert KeysDerived in kinds(left.told)


async def test_a_kernel_that_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """The child is given up on both sides; the IKE SA stands."""
    left, right = pair()
    left.kernel.fail_next("add_sa", KernelError("add SA", 12, "out of memory"))
    initiate(left)

    assert kinds(left.told) == [IkeSaUp, ChildFailed]
    assert "out of memory" in caplog.text
    assert left.kernel.list_sas() == ()
    assert [type(each) for each in right.told if not isinstance(each, str)] == [IkeSaUp, ChildClosed]


async def test_a_kernel_that_will_not_let_go(caplog: pytest.LogCaptureFixture) -> None:
    left, _ = pair()
    initiate(left)
    left.kernel.fail_next("delete_sa", KernelError("delete SA", 1, "no"))
    left.runner.feed(Terminate(left.sa.spi))
    assert "not_removed" in caplog.text


async def test_lost_by_our_own_machine(caplog: pytest.LogCaptureFixture) -> None:
    """A datagram that cannot leave is sent again when its timer fires."""
    caplog.set_level(logging.INFO)
    left, right = pair(Settings(retransmit_first=0.01))
    left.cut = True
    initiate(left)
    assert "not_sent" in caplog.text
    left.cut = False
    await asyncio.wait_for(right.is_told.wait(), 5)
    assert kinds(right.told) == [IkeSaUp, "office"]


class CountingKernel(MemoryKernel):
    """Tells when somebody asks what an SA has counted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def get_sa(self, key: SaKey) -> SaState:
        self.asked.set()
        return super().get_sa(key)


async def test_liveness_asks_the_kernel() -> None:
    """Traffic of the peer is proof enough: the kernel's counters answer before anything is sent."""
    kernel = CountingKernel()
    left, right = Side(replace(TO_OFFICE, liveness=0.01), 1, kernel=kernel), Side(FROM_OFFICE, 2)
    left.other, right.other = right, left
    initiate(left)
    await asyncio.wait_for(kernel.asked.wait(), 5)
    left.runner.stop()
    right.runner.stop()


async def test_input_from_within_waits_its_turn() -> None:
    """Who closes an IKE SA in the moment that it is up has seen its child come first."""
    left, right = pair()
    tell = left.ike_up

    def close(up: IkeSaUp) -> None:
        tell(up)
        left.runner.feed(Terminate(up.spi))

    left.ike_up = close  # type: ignore[method-assign]
    initiate(left)
    assert kinds(left.told) == [IkeSaUp, "office", IkeSaDown]
    left.runner.stop()
    right.runner.stop()
