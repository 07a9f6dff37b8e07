"""The newest child's policy is in the kernel, else the trap that waits there; what does not change is not touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.daemon.dataplane.policies import Policies
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.spec import Direction, PolicySpec, Template
from tests.support.kernel import ELSEWHERE, HERE, POLICY, REQID, policy

THERE_OUT, FORWARD = POLICY, policy(direction=Direction.FWD)
ELSEWHERE_OUT = replace(POLICY, templates=(Template(HERE, ELSEWHERE, REQID),))
TRAP = replace(POLICY, priority=POLICY.priority + 1)


class World:
    """Policies over a kernel in memory."""

    def __init__(self) -> None:
        self.kernel = MemoryKernel()
        self.policies = Policies(self.kernel)

    @property
    def there(self) -> list[PolicySpec]:
        """What is in the kernel, which is what is to be there."""
        there = [state.spec for state in self.kernel.list_policies()]
        assert {spec.key: spec for spec in there} == {spec.key: spec for spec in self.policies}
        return there

    @property
    def indexes(self) -> list[int]:
        return [state.index for state in self.kernel.list_policies()]


@pytest.fixture
def world() -> World:
    return World()


def test_the_newest_has_it_and_the_others_fall_back(world: World) -> None:
    world.policies.have(b"in-1", (THERE_OUT,))
    world.policies.have(b"in-2", (ELSEWHERE_OUT,))
    assert world.there == [ELSEWHERE_OUT]
    world.policies.have_no_more(b"in-2", (ELSEWHERE_OUT,))
    assert world.there == [THERE_OUT]
    world.policies.have_no_more(b"in-1", (THERE_OUT,))
    assert world.there == []


def test_an_older_child_that_moves_stays_behind(world: World) -> None:
    world.policies.have(b"in-1", (THERE_OUT,))
    world.policies.have(b"in-2", (THERE_OUT,))
    world.policies.have(b"in-1", (ELSEWHERE_OUT,))
    assert world.there == [THERE_OUT]
    world.policies.have_no_more(b"in-2", (THERE_OUT,))
    assert world.there == [ELSEWHERE_OUT]


@pytest.mark.parametrize("same", [(THERE_OUT, FORWARD), (replace(THERE_OUT), replace(FORWARD))], ids=["one", "equal"])
def test_what_does_not_change_is_not_touched(world: World, same: tuple[PolicySpec, ...]) -> None:
    first = THERE_OUT, FORWARD
    world.policies.have(b"in-1", first)
    before = world.indexes
    world.policies.have(b"in-2", same)
    world.policies.have_no_more(b"in-1", first)
    assert world.indexes == before


def test_whether_one_has_them_alone(world: World) -> None:
    world.policies.have(b"in-1", (THERE_OUT,))
    assert world.policies.are_of_one([THERE_OUT])
    world.policies.have(b"in-2", (THERE_OUT,))
    assert not world.policies.are_of_one([THERE_OUT])


def test_a_trap_waits_until_the_child_is_gone(world: World) -> None:
    world.policies.trap([TRAP])
    world.policies.have(b"in-1", (THERE_OUT,))
    assert world.there == [THERE_OUT]
    world.policies.trap([TRAP])
    assert world.there == [THERE_OUT]
    world.policies.have_no_more(b"in-1", (THERE_OUT,))
    assert world.there == [TRAP]
    world.policies.untrap(lambda key: key.if_id == TRAP.key.if_id)
    assert world.there == []


def test_what_is_gone_already(world: World) -> None:
    world.policies.have(b"in-1", (THERE_OUT,))
    world.kernel.delete_policy(THERE_OUT.key)
    world.policies.have_no_more(b"in-1", (THERE_OUT,))
    assert world.there == []
