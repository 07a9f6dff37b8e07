"""edgevpn.kernel.memory_base."""

from __future__ import annotations

import errno
import select
from collections.abc import Iterator

import pytest

from edgevpn.kernel import faults
from edgevpn.kernel.errors import KernelError, NotFound
from edgevpn.kernel.events import EventsLost, Expire
from edgevpn.kernel.memory_base import MAX_EVENTS, MemoryBase, can_fail, refuse
from tests.support.kernel import OUT, REQID

ERROR = KernelError("count", errno.ENOMEM)
EVENT = Expire(OUT.key, REQID, hard=True)


class Counter(MemoryBase):
    count = 0

    @can_fail
    def up(self, by: int = 1) -> int:
        self.count += by
        return self.count

    def down(self) -> None: ...


@pytest.fixture
def counter() -> Iterator[Counter]:
    counter = Counter()
    yield counter
    counter.close()


def test_calls_fail_as_told(counter: Counter) -> None:
    """Before they do anything, each time that was asked for, and no more."""
    counter.fail_next("up", ERROR)
    counter.fail_next("up", NotFound("count", errno.ESRCH))
    for kind in (KernelError, NotFound):
        with pytest.raises(kind):
            counter.up()
    assert counter.up(by=5) == 5


def test_calls_fail_after_some(counter: Counter) -> None:
    counter.fail_next("up", ERROR, after=1)
    assert counter.up() == 1
    with pytest.raises(KernelError):
        counter.up()
    assert counter.up() == 2


@pytest.mark.parametrize("name", ["down", "sideways", "count"])
def test_what_cannot_fail(counter: Counter, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot fail"):
        counter.fail_next(name, ERROR)


def test_events(counter: Counter) -> None:
    assert counter.read_events() == ()
    counter.emit(EVENT)
    counter.emit(EVENT)
    assert select.select([counter.fileno()], [], [], 0)[0]
    assert counter.read_events() == (EVENT, EVENT)
    assert not select.select([counter.fileno()], [], [], 0)[0]


def test_events_that_nobody_reads(counter: Counter) -> None:
    for _ in range(MAX_EVENTS):
        counter.emit(EVENT)
    counter.emit(EVENT)
    counter.emit(EVENT)
    assert counter.read_events() == (EventsLost(), EVENT)


def test_refusal() -> None:
    with pytest.raises(NotFound, match=r"cannot delete SA c0ffee01 to .*: there is none"):
        refuse("delete", OUT.key, errno.ESRCH, faults.SA_BY_KEY)
