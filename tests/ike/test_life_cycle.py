"""Two endpoints through anything that can happen to them: in the end they hold the same SAs, and nothing is left over.

The short run is part of every check. The long one (`-m soak`) makes ten thousand operations.
"""

from __future__ import annotations

import gc
import random
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from edgevpn.ike.contract import ChildExpired, Settings, Terminate
from edgevpn.ike.peer import NEVER, Offer, Peer
from edgevpn.ike.state import ChildSa, CreateChild, DeleteChild, Probe, RekeyChild, RekeyIke, Task
from tests.support.network import Nat
from tests.support.pair import DELAY, LEFT, Pair, Side, connected, in_order
from tests.support.peers import (
    ADDKE1_ECP384,
    GCM,
    IKE_OFFER,
    LAN,
    NO_ESN,
    TO_RIGHT,
    X25519,
    mirrored,
    selectors,
)

DMZ = replace(LAN, name="dmz", ts_local=selectors("10.1.9.0/24"), ts_remote=selectors("10.2.9.0/24"))
PEER = replace(TO_RIGHT, children=(LAN, DMZ), mobike=True, liveness=30.0, rekey_after=900.0)
# With further key exchanges, so that whatever is made or rekeyed takes two exchanges (RFC 9370).
SEVERAL = replace(
    PEER,
    offers=(Offer((*IKE_OFFER.transforms, ADDKE1_ECP384)),),
    children=tuple(replace(c, offers=(Offer((GCM, X25519, ADDKE1_ECP384, NO_ESN)),)) for c in PEER.children),
)
OUTSIDE = ip_address("203.0.113.1")

ENDS = st.sampled_from(["left", "right"])
PAUSES = st.sampled_from([0.0, DELAY / 2, DELAY, 3 * DELAY, 1.0, 7.0, 40.0])
QUIET = 500.0  # seconds after which whatever is dead has been found dead, and whatever is superfluous is gone


class LifeCycle(RuleBasedStateMachine):
    """Operations in any order, on a wire that is good or bad; at the end of each run the wire is good for a while."""

    operations = count()

    @initialize(seed=st.integers(0, 999), hidden=st.booleans(), peer=st.sampled_from([PEER, SEVERAL]))
    def begin(self, seed: int, hidden: bool, peer: Peer) -> None:
        """Left calls, perhaps from behind a NAT."""
        self.connect(Pair((peer,), (mirrored(peer),), Settings(), seed), hidden)

    def connect(self, pair: Pair, hidden: bool) -> None:
        self.pair = pair
        self.nat = Nat(OUTSIDE, {LEFT})
        if hidden:
            pair.network.nats.append(self.nat)
        self.hosts = count(100)
        pair.left.initiate("right")
        pair.run(1)

    def side(self, name: str) -> Side:
        return self.pair.left if name == "left" else self.pair.right

    def some_child(self, end: Side, number: int) -> ChildSa | None:
        children = [child for sa in end.sas for child in sa.children]
        return children[number % len(children)] if children else None

    def ask(self, end: Side, task: Task | None) -> None:
        """On the newest IKE SA."""
        if task is not None:
            end.ask_at(end.sas[-1].spi, task)

    def then(self, pause: float) -> None:
        """An operation is done; so much time passes. Left's owner wants the tunnel up."""
        next(self.operations)
        if not self.pair.left.endpoint.sas:
            self.pair.left.initiate("right")
        self.pair.run(pause)

    # --- operations ---

    @rule(name=ENDS, number=st.integers(0, 9), pause=PAUSES)
    def rekey_child(self, name: str, number: int, pause: float) -> None:
        if (child := self.some_child(self.side(name), number)) is not None:
            self.ask(self.side(name), RekeyChild(child.spi_in))
            self.then(pause)

    @rule(name=ENDS, number=st.integers(0, 9), pause=PAUSES)
    def delete_child(self, name: str, number: int, pause: float) -> None:
        if (child := self.some_child(self.side(name), number)) is not None:
            self.ask(self.side(name), DeleteChild(child.spi_in))
            self.then(pause)

    @rule(name=ENDS, child=st.sampled_from(["lan", "dmz"]), pause=PAUSES)
    def new_child(self, name: str, child: str, pause: float) -> None:
        if self.side(name).sas:
            self.ask(self.side(name), CreateChild(child))
            self.then(pause)

    @rule(name=ENDS, pause=PAUSES)
    def rekey_ike(self, name: str, pause: float) -> None:
        if self.side(name).sas:
            self.ask(self.side(name), RekeyIke())
            self.then(pause)

    @rule(number=st.integers(0, 9), pause=PAUSES)
    def both_rekey(self, number: int, pause: float) -> None:
        """The IKE SA or a child, both at the same time."""
        for end in self.pair.sides:
            child = self.some_child(end, number)
            if number < 3 and end.sas:
                self.ask(end, RekeyIke())
            elif child is not None:
                self.ask(end, RekeyChild(child.spi_in))
        self.then(pause)

    @rule(child=st.sampled_from(["lan", "dmz"]), pause=PAUSES)
    def both_want_a_child(self, child: str, pause: float) -> None:
        for end in self.pair.sides:
            if end.sas:
                self.ask(end, CreateChild(child))
        self.then(pause)

    @rule(name=ENDS, pause=PAUSES)
    def probe(self, name: str, pause: float) -> None:
        if self.side(name).sas:
            self.ask(self.side(name), Probe())
            self.then(pause)

    @rule(name=ENDS, number=st.integers(0, 9), hard=st.booleans(), pause=PAUSES)
    def expire(self, name: str, number: int, hard: bool, pause: float) -> None:
        if (child := self.some_child(self.side(name), number)) is not None:
            self.side(name).tell(ChildExpired(child.spi_in, hard))
            self.then(pause)

    @rule(pause=PAUSES)
    def right_calls(self, pause: float) -> None:
        """While left may be calling too."""
        if not self.pair.right.endpoint.sas:
            self.pair.right.initiate("left")
            self.then(pause)

    @rule(name=ENDS, seldom=st.integers(0, 4), pause=PAUSES)
    def terminate(self, name: str, seldom: int, pause: float) -> None:
        for sa in self.side(name).sas[:1] if seldom == 0 else ():
            self.side(name).tell(Terminate(sa.spi))
            self.then(pause)

    @rule(name=ENDS, seldom=st.integers(0, 4), pause=PAUSES)
    def reboot(self, name: str, seldom: int, pause: float) -> None:
        if seldom == 0:
            self.side(name).reboot()
            self.then(pause)

    @rule(pause=PAUSES)
    def move(self, pause: float) -> None:
        """Left gets another address, on the same side of the NAT."""
        host = ip_address(f"192.0.2.{next(self.hosts) % 256}")
        self.nat.inside.add(host)
        self.pair.left.move_to(host)
        self.then(pause)

    @precondition(lambda self: self.pair.network.nats)
    @rule(pause=PAUSES)
    def rebind(self, pause: float) -> None:
        self.nat.rebind()
        self.then(pause)

    @rule(pause=PAUSES)
    def traffic(self, pause: float) -> None:
        self.pair.ping()
        self.then(pause)

    # --- the wire ---

    @rule(seed=st.integers(0, 999), loss=st.sampled_from([0.1, 0.5, 1.0]), pause=PAUSES)
    def lose(self, seed: int, loss: float, pause: float) -> None:
        chance = random.Random(seed)
        self.pair.fate = lambda number, octets: () if chance.random() < loss else (DELAY,)
        self.then(pause)

    @rule(seed=st.integers(0, 999), pause=PAUSES)
    def disorder(self, seed: int, pause: float) -> None:
        """Each datagram comes once, twice or not at all, after a while of its own."""
        chance = random.Random(seed)
        self.pair.fate = lambda number, octets: tuple(
            chance.choice((DELAY, 2 * DELAY, 0.3, 3.0)) for _ in range(chance.choice((0, 1, 1, 1, 2)))
        )
        self.then(pause)

    @rule(pause=PAUSES)
    def heal(self, pause: float) -> None:
        self.pair.fate = in_order
        self.then(pause)

    # --- what holds in the end ---

    def teardown(self) -> None:
        pair = self.pair
        pair.fate = in_order
        pair.run(QUIET)
        assert pair.agree(), pair.disagreement()
        assert pair.ping()
        for end in pair.sides:
            assert len(end.sas) <= 1
            names = Counter(child.name for sa in end.sas for child in sa.children)
            assert not names or max(names.values()) == 1
            assert end.timers.keys() <= {sa.spi for sa in end.sas}


def run(examples: int, steps: int) -> int:
    """So many runs of at most so many operations, always the same ones; how many operations that made."""
    before = next(LifeCycle.operations)
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LifeCycle, settings=chosen)
    return next(LifeCycle.operations) - before


def test_anything_for_a_while() -> None:
    assert run(examples=40, steps=40) > 1_000


@pytest.mark.soak
def test_anything_ten_thousand_times() -> None:
    assert run(examples=400, steps=50) > 10_000


# --- memory ----------------------------------------------------------------------------------------------------------


def census() -> Counter[str]:
    """How many objects of ours there are, by type."""
    gc.collect()
    kinds = Counter(type(each) for each in gc.get_objects())
    return Counter({str(kind): number for kind, number in kinds.items() if str(kind).startswith("<class 'edgevpn.")})


def rekey_times(pair: Pair, times: int) -> None:
    """Child and IKE SA in turn, from either side in turn."""
    for number in range(times):
        end = pair.sides[number % 2]
        end.ask(RekeyIke() if number % 10 == 9 else RekeyChild(end.child.spi_in))
        pair.run(Settings().switch_after + Settings().linger)
        pair.forget()


def test_no_growth_over_a_thousand_rekeyings() -> None:
    """As many objects of each kind as after the first ten."""
    pair = connected(replace(PEER, children=(LAN,), rekey_after=NEVER))
    rekey_times(pair, 10)
    before = census()
    rekey_times(pair, 1000)
    assert pair.agree()
    assert census() == before
