"""Two endpoints through anything, as in `test_life_cycle`, and everything besides that ends by itself, or is lent.

IKE SAs live for minutes only and are authenticated anew, left may be a visitor with an address out of a pool, and may
call again while it is in. In the end no address is lost, nobody was told of an IKE SA that is not there, and the table
holds nothing of those that are gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from edgevpn.ike.contract import IkeSaDown, IkeSaUp, InstallFailed, Settings, Terminate
from edgevpn.ike.peer import NEVER, NetworkSettings, Peer, Unique, Wants
from edgevpn.ike.table import Table
from tests.ike.test_life_cycle import ENDS, PAUSES, PEER, QUIET, SEVERAL, LifeCycle
from tests.support.pair import Pair, Side, in_order
from tests.support.peers import mirrored, selectors

EVERYTHING = selectors("0.0.0.0/0")
POOL = selectors("10.1.0.0/24")[0]
LENT = tuple(POOL.start_address + number for number in range(1, 200))


def short_lived(peer: Peer) -> Peer:
    return replace(peer, rekey_after=200.0, life=230.0, reauth_after=450.0)


def visiting(left: Peer, right: Peer) -> tuple[Peer, Peer]:
    """Left has no networks of its own, but what right lends it."""
    visitor = replace(
        left,
        wants=Wants(ipv4=True, ipv6=False),
        children=tuple(replace(child, ts_local=EVERYTHING) for child in left.children),
    )
    host = replace(
        right,
        pool=NetworkSettings(),
        children=tuple(replace(child, ts_remote=EVERYTHING) for child in right.children),
    )
    return visitor, host


class LifeTimes(LifeCycle):
    """The operations of `LifeCycle`, and these."""

    @initialize(
        seed=st.integers(0, 999),
        hidden=st.booleans(),
        peer=st.sampled_from([PEER, SEVERAL]),
        short=st.tuples(st.booleans(), st.booleans()),
        pool=st.booleans(),
        unique=st.sampled_from(list(Unique)),
    )
    def begin(self, seed: int, hidden: bool, peer: Peer, short: tuple[bool, bool], pool: bool, unique: Unique) -> None:
        """Left calls, perhaps as a visitor, perhaps from behind a NAT."""
        left, right = (
            short_lived(each) if it else each for each, it in zip((peer, mirrored(peer)), short, strict=True)
        )
        left, right = visiting(left, right) if pool else (left, right)
        self.pool = pool
        pair = Pair((left,), (replace(right, unique=unique),), Settings(), seed)
        pair.right.world.free = LENT
        self.connect(pair, hidden)

    # --- operations ---

    @rule(pause=PAUSES)
    def right_calls(self, pause: float) -> None:
        """Visitors are not called."""
        if not self.pool and not self.pair.right.endpoint.sas:
            self.pair.right.initiate("left")
            self.then(pause)

    @rule(pause=PAUSES)
    def left_calls_again(self, pause: float) -> None:
        self.pair.left.initiate("right")
        self.then(pause)

    @rule(name=ENDS, seldom=st.integers(0, 3), pause=PAUSES)
    def take_down(self, name: str, seldom: int, pause: float) -> None:
        """All that there is, whatever becomes of it just then."""
        end = self.side(name)
        for sa in tuple(end.endpoint.sas_of(end.peers[0].name)) if seldom == 0 else ():
            end.tell(Terminate(sa.spi))
        self.then(pause)

    @rule(pause=st.sampled_from([30.0, 100.0, 200.0]))
    def time(self, pause: float) -> None:
        self.then(pause)

    @rule()
    def until_left_is_to_show_again_who_it_is(self) -> None:
        """A moment less, for what the other operations make of it."""
        at = min((sa.reauth_at for sa in self.pair.left.sas), default=NEVER)
        if at < NEVER and (rest := at - 0.005 - self.pair.now) > 0:
            self.pair.run(rest)

    @rule(name=ENDS, number=st.integers(0, 9), pause=PAUSES)
    def not_installed(self, name: str, number: int, pause: float) -> None:
        """The kernel refuses a child."""
        if number < 2 and (child := self.some_child(self.side(name), number)) is not None:
            self.side(name).tell(InstallFailed(child.spi_in, "no room"))
            self.then(pause)

    @rule(name=ENDS, seldom=st.integers(0, 6), pause=PAUSES)
    def reboot(self, name: str, seldom: int, pause: float) -> None:
        if seldom == 0:
            self.side(name).reboot()
            self.side(name).told.clear()
            if name == "right":
                self.pair.right.world.free = LENT
            self.then(pause)

    # --- what holds in the end ---

    def teardown(self) -> None:
        pair = self.pair
        pair.fate = in_order
        pair.run(QUIET)
        for _ in range(200):  # until nothing has just begun
            if pair.agree() and not any(sa.followed for sa in pair.left.sas):
                break
            pair.run(0.7)
        assert pair.agree(), pair.disagreement()
        assert pair.ping()
        if self.pool:
            lent = [address for sa in pair.right.sas for address in sa.session.lent.addresses]
            assert Counter(pair.right.world.free) + Counter(lent) == Counter(LENT)
        for end in pair.sides:
            children = Counter((sa.spi, child.name) for sa in end.sas for child in sa.children)
            assert not children or max(children.values()) == 1
            assert end.timers.keys() <= {sa.spi for sa in end.sas}
            assert told_to_be_up(end) == {sa.spi for sa in end.sas}
            assert remembers_no_other(end.endpoint._table)


def told_to_be_up(end: Side) -> set[bytes]:
    """The IKE SAs that are there by what the daemon was told."""
    up: set[bytes] = set()
    for effect in end.told:
        match effect:
            case IkeSaUp(spi=spi, replaces=replaced):
                up = up - {replaced} | {spi}
            case IkeSaDown(spi=spi):
                up.discard(spi)
    return up


def remembers_no_other(table: Table) -> bool:
    """Whether all that it finds IKE SAs by leads to one that is there, and none is on its way in or out."""
    there, follows = table._slots.keys(), {slot.follows for slot in table}
    at_rest = table.leaving_count == table.half_open_count == 0
    return at_rest and table._followers.keys() <= follows and set(table._owners.values()) <= there


def run(examples: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LifeTimes, settings=chosen)


def test_for_a_while() -> None:
    run(examples=25)


@pytest.mark.soak
def test_for_long() -> None:
    run(examples=200)
