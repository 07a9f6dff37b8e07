"""Two endpoints of ours, a wire between them that can be told to misbehave, and a clock that only the test moves.

    pair = Pair(left, right)          # two tuples of peers
    pair.left.initiate("right")
    pair.run(10)                      # ten seconds pass, in no time
    assert pair.agree()
    assert pair.chart() == "..."      # what was said, message by message

What the endpoints want of the kernel is carried out on a `Ledger`, which refuses what a kernel would refuse.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from itertools import count

from edgevpn.ike.contract import (
    Ask,
    ChildClosed,
    ChildFailed,
    Datagram,
    Effect,
    FindPath,
    IkeSaDown,
    IkeSaMoved,
    IkeSaUp,
    Initiate,
    Input,
    KeysDerived,
    LocalAddresses,
    MappingChanged,
    MovePath,
    QueryTraffic,
    Report,
    Send,
    SetTimer,
    Settings,
    Shed,
    StopTimer,
    Terminate,
    TimerFired,
    Traffic,
)
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.peer import IpAddress, Peer
from edgevpn.ike.questions import (
    Configured,
    FindPassword,
    FindPsk,
    Lease,
    Question,
    Release,
    Sign,
    TalkTls,
    VerifyCertificates,
)
from edgevpn.ike.state import Address, ChildSa, Established, Path, Phase, Secured, Task
from edgevpn.ike.steps import IkeSa
from tests.support.chance import Chance
from tests.support.chart import Chart
from tests.support.ledger import Ledger
from tests.support.network import Network
from tests.support.peers import TO_RIGHT, mirrored
from tests.support.world import World

LEFT, RIGHT = IPv4Address("192.0.2.1"), IPv4Address("198.51.100.1")
KEEPALIVE = b"\xff"
DELAY = 0.01  # seconds that a datagram travels


@dataclass
class Side:
    """One gateway: its endpoint, what its kernel holds, and all that it has reported.

    `world` answers what the endpoint asks, at once, or when the test says so: then it waits in `open`. `saw` and `did`
    are told of every input and every effect.
    """

    host: IpAddress
    other: IpAddress
    peers: tuple[Peer, ...]
    chance: Chance
    pair: Pair
    kernel: Ledger = field(default_factory=Ledger)
    timers: dict[bytes, float] = field(default_factory=dict)
    told: list[Effect] = field(default_factory=list)
    world: World = field(default_factory=World)
    holds: bool = False
    open: list[Question] = field(default_factory=list)
    inputs: deque[Input] = field(default_factory=deque)
    saw: Callable[[Input], None] = lambda _: None
    did: Callable[[Effect], None] = lambda _: None

    def __post_init__(self) -> None:
        self.endpoint = Endpoint(self.peers, self.chance, self.pair.settings)

    def reboot(self) -> None:
        """Everything is forgotten, and nobody is told."""
        self.endpoint = Endpoint(self.peers, self.chance, self.pair.settings)
        self.kernel, self.timers = Ledger(), {}

    def path(self) -> Path:
        return Path(Address(self.host, 500), Address(self.other, 500))

    def tell(self, event: Input) -> None:
        """Give the endpoint an input, and carry out what it wants; one input after the other, as the daemon does."""
        self.inputs.append(event)
        if len(self.inputs) > 1:
            return  # an effect has brought this one; it has its turn after that effect's fellows
        while self.inputs:
            self.saw(self.inputs[0])
            for effect in self.endpoint.handle(self.inputs[0], self.pair.now):
                self.carry_out(effect)
                self.did(effect)
            self.inputs.popleft()
        if not self.holds:
            self.answer()

    def answer(self) -> None:
        """Let the world answer all that is open."""
        questions, self.open = self.open, []
        for question in questions:
            self.tell(self.world.answer(question))

    def carry_out(self, effect: Effect) -> None:
        match effect:
            case Send(path, octets):
                self.pair.send(self, path, octets)
            case SetTimer(spi, at):
                self.timers[spi] = at
            case StopTimer(spi):
                self.timers.pop(spi, None)
            case QueryTraffic(spi, spis_in):
                self.tell(Traffic(spi, self.kernel.seen(spis_in)))
            case KeysDerived(secured, child):
                if child is None:
                    self.pair.secrets[secured.spi_i, secured.spi_r] = secured
                    self.pair.all_secrets.setdefault((secured.spi_i, secured.spi_r), []).append(secured)
            case Sign() | VerifyCertificates() | FindPsk() | FindPassword() | TalkTls() | Lease():
                self.open.append(effect)
            case Release():
                self.world.take_back(effect)
            case FindPath():
                self.told.append(effect)
                self.find_path(effect)
            case (
                IkeSaUp()
                | IkeSaDown()
                | IkeSaMoved()
                | ChildFailed()
                | ChildClosed()
                | Configured()
                | Report()
                | Shed()
            ):
                self.told.append(effect)
            case _:
                self.kernel.carry_out(effect)

    # --- addresses ---

    def move_to(self, *hosts: IpAddress) -> None:
        """We have these addresses from now on, the first of which is for new conversations."""
        network = self.pair.network
        for host in network.hosts(self):
            del network.owners[host]
        network.owners.update(dict.fromkeys(hosts, self))
        self.host = hosts[0]
        self.tell(LocalAddresses(hosts))

    def find_path(self, wanted: FindPath) -> None:
        """Like a routing table: from an address that we have, to the first of the peer's that is not known to fail."""
        hosts, there = self.pair.network.hosts(self), wanted.path.remote.host
        fails = wanted.path.local.host in hosts
        for remote in (*wanted.others, there) if fails else (there, *wanted.others):
            local = next((host for host in hosts if host.version == remote.version), None)
            if local is not None:
                self.tell(MovePath(wanted.spi, local, remote))
                return

    # --- what a test asks ---

    def initiate(self, peer: str, *children: str) -> None:
        self.tell(Initiate(peer, self.path(), children))

    def ask(self, task: Task) -> None:
        """Put a task on the list of the one IKE SA."""
        self.ask_at(self.sa.spi, task)

    def ask_at(self, spi: bytes, task: Task) -> None:
        """Put a task on the list of one of several."""
        self.tell(Ask(spi, task))

    def terminate(self) -> None:
        self.tell(Terminate(self.sa.spi))

    @property
    def sas(self) -> list[Established]:
        return [sa for sa in self.endpoint.sas if isinstance(sa, Established)]

    @property
    def sa(self) -> Established:
        (sa,) = self.sas
        return sa

    @property
    def others(self) -> list[IkeSa]:
        """IKE SAs that are not up yet, or no more."""
        return [sa for sa in self.endpoint.sas if not isinstance(sa, Established)]

    @property
    def child(self) -> ChildSa:
        """The one child that carries traffic."""
        (child,) = (child for child in self.sa.children if child.phase is Phase.ACTIVE)
        return child

    def reports(self, event: str) -> list[Report]:
        return [effect for effect in self.told if isinstance(effect, Report) and effect.event == event]

    @property
    def ups(self) -> list[IkeSaUp]:
        return [effect for effect in self.told if isinstance(effect, IkeSaUp)]

    @property
    def downs(self) -> list[IkeSaDown]:
        return [effect for effect in self.told if isinstance(effect, IkeSaDown)]


Fate = Callable[[int, bytes], tuple[float, ...]]
"""For the n-th datagram: after how many seconds each copy of it arrives; none for a loss."""


def in_order(number: int, octets: bytes) -> tuple[float, ...]:
    """Every datagram arrives once, after ten milliseconds."""
    return (DELAY,)


class Pair:
    """Left and right, and the wire between them."""

    def __init__(
        self, left: tuple[Peer, ...], right: tuple[Peer, ...], settings: Settings | None = None, seed: int = 1
    ) -> None:
        self.settings = replace(settings or Settings(), export_keys=True)
        self.now = 0.0
        self.fate: Fate = in_order
        self.sent: list[bytes] = []
        self.secrets: dict[tuple[bytes, bytes], Secured] = {}
        self.all_secrets: dict[tuple[bytes, bytes], list[Secured]] = {}  # with those before IKE_INTERMEDIATE
        self.network: Network[Side] = Network()
        self._chart = Chart()
        self._wire: list[tuple[float, int, Address, Address, bytes]] = []
        self._order = count()
        self.left = Side(LEFT, RIGHT, left, Chance(seed), self)
        self.right = Side(RIGHT, LEFT, right, Chance(seed + 1), self)
        self.network.owners |= {LEFT: self.left, RIGHT: self.right}

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.left, self.right

    # --- the wire ---

    def send(self, sender: Side, path: Path, octets: bytes) -> None:
        source = self.network.leave(path.local, sender)
        if octets == KEEPALIVE:
            return
        delays = self.fate(len(self.sent), octets) if source else ()
        self._chart.add(sender is self.left, octets, lost=not delays)
        for delay in delays:
            assert source is not None
            heapq.heappush(self._wire, (self.now + delay, next(self._order), source, path.remote, octets))
        self.sent.append(octets)

    def lose(self, *numbers: int) -> None:
        """From now on: the first datagram is 0. Those with these numbers do not arrive, the others do, in order."""
        lost = {len(self.sent) + number for number in numbers}
        self.fate = lambda number, _: () if number in lost else (DELAY,)

    def run(self, seconds: float) -> None:
        """Let time pass: datagrams arrive and timers fire, each at its time."""
        end = self.now + seconds
        for _ in range(100_000):
            at = self._next()
            if at > end:
                break
            self.now = max(self.now, at)
            self._happen()
        else:
            raise AssertionError("the two never come to rest")
        self.now = end

    def _next(self) -> float:
        timers = [at for side in self.sides for at in side.timers.values()]
        return min([*timers, *(item[0] for item in self._wire[:1])], default=float("inf"))

    def _happen(self) -> None:
        if self._wire and self._wire[0][0] <= self.now:
            _, _, source, target, octets = heapq.heappop(self._wire)
            if (arrives := self.network.arrive(target)) is not None:
                to, here = arrives
                to.tell(Datagram(Path(here, source), octets))
            return
        for side in self.sides:
            for spi, at in list(side.timers.items()):
                if at <= self.now:
                    del side.timers[spi]
                    side.tell(TimerFired(spi))
                    return

    def ping(self) -> bool:
        """One packet on each child in each direction; whether all arrive. The kernels tell what they notice."""
        arrived = [self._esp(side, child) for side in self.sides for child in tuple(side.kernel.outbound.values())]
        return all(arrived)

    def _esp(self, sender: Side, child: ChildSa) -> bool:
        """A packet on that child."""
        ends = sender.kernel.ends[child.spi_in]
        source, target = ends.path.local, ends.path.remote
        if not ends.nat and not self.network.passes(source, target):
            return False
        source, arrives = self.network.leave(source, sender) or source, self.network.arrive(target)
        if arrives is None or self.network.owners.get(ends.path.local.host) is not sender:
            return False
        receiver, _ = arrives
        if child.spi_out not in receiver.kernel.inbound:
            return False
        receiver.kernel.heard[child.spi_out] = self.now
        known = receiver.kernel.ends[child.spi_out].path.remote
        if ends.nat and source != known:
            receiver.tell(MappingChanged(child.spi_out, source))
        return True

    def forget(self) -> None:
        """Keep nothing of what was said and told so far, for a test that counts what else is kept."""
        self.sent.clear()
        self.secrets.clear()
        self.all_secrets.clear()
        self._chart = Chart()
        for side in self.sides:
            side.told.clear()

    def chart(self) -> str:
        """Every message since the last call, a line each; left's go `-->`."""
        return self._chart.text(self.all_secrets)

    # --- what holds ---

    def agree(self) -> bool:
        """Both sides hold the same IKE SAs with the same children, each kernel just those, and each packet arrives."""
        left, right = ({_shape(sa) for sa in side.sas} for side in self.sides)
        mirrored = {(spis, frozenset((b, a) for a, b in children)) for spis, children in right}
        at_rest = not any(side.others for side in self.sides)
        return left == mirrored and at_rest and all(_kernel_fits(side) for side in self.sides) and self._carries()

    def disagreement(self) -> str:
        """What each side holds, for a person who wants to know why they do not agree."""
        lines = []
        for name, side in zip(("left", "right"), self.sides, strict=True):
            for sa in side.endpoint.sas:
                children = [
                    (child.name, child.spi_in.hex(), child.spi_out.hex(), child.phase.name)
                    for child in (sa.children if isinstance(sa, Established) else ())
                ]
                lines.append(f"{name}: {type(sa).__name__} {children}")
            kernel = [spi.hex() for spi in side.kernel.inbound], [spi.hex() for spi in side.kernel.outbound]
            lines.append(f"{name}: receives {kernel[0]}, sends {kernel[1]}")
        return "\n".join(lines)

    def _carries(self) -> bool:
        """What one side sends on, the other receives on."""
        left, right = self.left.kernel, self.right.kernel
        return left.outbound.keys() <= right.inbound.keys() and right.outbound.keys() <= left.inbound.keys()


def _shape(sa: Established) -> tuple[tuple[bytes, bytes], frozenset[tuple[bytes, bytes]]]:
    children = frozenset((child.spi_in, child.spi_out) for child in sa.children)
    return (sa.secured.spi_i, sa.secured.spi_r), children


def _kernel_fits(side: Side) -> bool:
    spis_in = {child.spi_in for sa in side.sas for child in sa.children}
    spis_out = {child.spi_out for sa in side.sas for child in sa.children}
    return side.kernel.inbound.keys() == spis_in and side.kernel.outbound.keys() == spis_out


def connected(
    left: Peer = TO_RIGHT, right: Peer | None = None, settings: Settings | None = None, *children: str, seed: int = 1
) -> Pair:
    """A pair whose left side has brought everything up; its chart is empty again."""
    pair = Pair((left,), (right or mirrored(left),), settings, seed)
    pair.left.initiate(left.name, *children)
    pair.run(1)
    assert pair.agree()
    pair.chart()
    return pair
