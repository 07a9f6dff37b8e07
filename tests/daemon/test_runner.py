"""Effects are carried out in order, and the world's answers go back to the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from edgevpn.daemon.base.guard import UNGUARDED, Guard
from edgevpn.daemon.base.sparing import AT_ONCE
from edgevpn.daemon.dataplane.homes import site_home
from edgevpn.daemon.dataplane.tunnels import Dataplane
from edgevpn.daemon.runner import Runner
from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    ChildExpired,
    ChildFailed,
    Datagram,
    Effect,
    Endpoints,
    FindPath,
    IkeSaDown,
    IkeSaMoved,
    IkeSaUp,
    Initiate,
    InstallInbound,
    InstallOutbound,
    KeysDerived,
    Limit,
    Redirected,
    Report,
    Settings,
    Shed,
    Terminate,
)
from edgevpn.ike.endpoint import DEFAULTS, Endpoint
from edgevpn.ike.iana import ExchangeType, Flag
from edgevpn.ike.peer import ChildPolicy, Peer
from edgevpn.ike.questions import Configured, Question, Release
from edgevpn.ike.state import Address, ChildSa, Established, Path, RekeyChild
from edgevpn.ike.wire.message import Header, encode_message
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
        self,
        peer: Peer,
        seed: int,
        settings: Settings = DEFAULTS,
        kernel: MemoryKernel | None = None,
        guard: Guard = UNGUARDED,
        observe: Callable[[Effect], None] = lambda effect: None,
    ) -> None:
        self.kernel = kernel or MemoryKernel()
        dataplane = Dataplane(self.kernel, self.clock)
        dataplane.add(site_home(office()))
        self.endpoint = Endpoint((peer,), Random(seed).randbytes, settings)
        self.runner = Runner(self.endpoint, self, dataplane, self, self, self.clock, observe, guard)
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


def pair(settings: Settings = DEFAULTS, observe: Callable[[Effect], None] = lambda effect: None) -> tuple[Side, Side]:
    left, right = Side(TO_OFFICE, 1, settings, observe=observe), Side(FROM_OFFICE, 2, settings)
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


async def test_what_the_peer_sends_with_its_answer_is_kept() -> None:
    """Only where we have asked for the child: whoever is asked has the keys before it answers."""
    left, right = pair()
    initiate(left)
    old = left.sa.children[0].spi_in
    left.runner.feed(Ask(left.sa.spi, RekeyChild(old)))
    new = left.sa.children[-1].spi_in
    assert new != old
    (key,), (kept,) = left.kernel.early.keys(), left.kernel.early.values()
    assert (key.spi.to_bytes(4), kept.closed) == (new, True)
    assert right.kernel.early == {}


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
    """A datagram that cannot leave is sent again when its timer fires; whoever observes hears of it."""
    caplog.set_level(logging.INFO)
    seen: list[Effect] = []
    left, right = pair(Settings(retransmit_first=0.01), seen.append)
    left.cut = True
    initiate(left)
    assert "not_sent" in caplog.text
    assert [dict(each.fields)["remote"] for each in seen if isinstance(each, Report) and each.event == "not_sent"]
    left.cut = False
    await asyncio.wait_for(right.is_told.wait(), 5)
    assert kinds(right.told) == [IkeSaUp, "office"]


@pytest.mark.parametrize("limit", Limit)
async def test_a_flood_leaves_a_few_lines(caplog: pytest.LogCaptureFixture, limit: Limit) -> None:
    """What strangers can bring about at will: all of it is counted, little of it is logged."""
    seen: list[Effect] = []
    side, other = Side(FROM_OFFICE, 1, observe=seen.append), Side(TO_OFFICE, 2)
    side.other, other.other = other, side
    for _ in range(100):
        side.runner.shed(Shed(limit))
    nonsense = encode_message(Header(b"initiatr", bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0), ())
    for _ in range(100):
        side.runner.feed(Datagram(Path(Address(LEFT, 500), Address(RIGHT, 500)), nonsense))
    assert len([effect for effect in seen if isinstance(effect, Shed)]) == 100
    assert len([effect for effect in seen if isinstance(effect, Report)]) == 100
    lines = [record.getMessage().split()[0] for record in caplog.records]
    assert lines == ["shed"] * AT_ONCE + ["ike_sa_init_refused"] * AT_ONCE


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


class Faults:
    """A guard that writes down what was about what, and goes on."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes, Exception]] = []

    def call(self, work: Callable[[], None], what: str, spi: Callable[[], bytes] = lambda: b"") -> bool:
        try:
            work()
        except Exception as fault:  # noqa: BLE001 - as the service does
            self.seen.append((what, spi(), fault))
            return False
        return True

    async def wait(self, work: Awaitable[None], what: str) -> bool:
        raise NotImplementedError

    async def keep(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        raise NotImplementedError


async def test_a_fault_of_ours_closes_the_ike_sa_that_it_was_about() -> None:
    """The peer is told; and the next IKE SA is made as if nothing had been."""
    faults = Faults()
    left, right = Side(TO_OFFICE, 1, guard=faults), Side(FROM_OFFICE, 2)
    left.other, right.other = right, left
    tell = left.child_up

    def broken(child: ChildSa, ends: Endpoints) -> None:
        raise RuntimeError("a fault of ours")

    left.child_up = broken  # type: ignore[method-assign]
    initiate(left)
    ((what, spi, fault),) = faults.seen
    assert (what, str(fault)) == ("Datagram", "a fault of ours")
    assert left.endpoint.sa(spi) is None
    assert kinds(right.told) == [IkeSaUp, "office", IkeSaDown]
    assert left.kernel.list_sas() == right.kernel.list_sas() == ()

    left.child_up = tell  # type: ignore[method-assign]
    initiate(left)
    assert kinds(left.told)[-2:] == [IkeSaUp, "office"]


async def test_a_fault_about_a_child_closes_its_ike_sa() -> None:
    faults = Faults()
    left, right = Side(TO_OFFICE, 1, guard=faults), Side(FROM_OFFICE, 2)
    left.other, right.other = right, left
    initiate(left)
    spi, child = left.sa.spi, left.sa.children[0]

    def broken(path: Path, octets: bytes) -> None:
        left.send = send  # type: ignore[method-assign]
        raise RuntimeError("a fault of ours")

    send, left.send = left.send, broken  # type: ignore[method-assign]
    left.runner.feed(ChildExpired(child.spi_in, hard=False))
    assert [(what, about) for what, about, _ in faults.seen] == [("ChildExpired", spi)]
    assert not any(isinstance(sa, Established) for sa in left.endpoint.sas)
    assert left.kernel.list_sas() == ()
    left.runner.stop()
    right.runner.stop()


async def test_a_fault_about_nobody_closes_nothing() -> None:
    faults = Faults()
    left, right = Side(TO_OFFICE, 1, guard=faults), Side(FROM_OFFICE, 2)
    left.other, right.other = right, left
    initiate(left)

    def broken(path: Path, octets: bytes) -> None:
        raise RuntimeError("a fault of ours")

    send, left.send = left.send, broken  # type: ignore[method-assign]
    initiate(left)
    left.send = send  # type: ignore[method-assign]
    assert [(what, about) for what, about, _ in faults.seen] == [("Initiate", b"")]
    assert len([sa for sa in left.endpoint.sas if isinstance(sa, Established)]) == 1
    left.runner.stop()
    right.runner.stop()


async def test_every_effect_is_told_once_it_is_done() -> None:
    seen: list[Effect] = []
    left, right = Side(TO_OFFICE, 1, observe=seen.append), Side(FROM_OFFICE, 2)
    left.other, right.other = right, left
    initiate(left)
    assert [type(effect) for effect in seen if isinstance(effect, IkeSaUp | InstallInbound | InstallOutbound)] == [
        IkeSaUp,
        InstallInbound,
        InstallOutbound,
    ]


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
