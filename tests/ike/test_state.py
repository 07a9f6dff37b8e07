"""edgevpn.ike.state."""

from __future__ import annotations

from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import (
    Close,
    Closed,
    Closing,
    Contending,
    CreateChild,
    DeleteChild,
    Phase,
    Probe,
    Rekeyed,
)
from tests.support.handshake import LEFT_PATH, initiated, open_sa
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.states import SPI_I, a_child, an_sa, secured


def test_states_without_a_time_of_their_own() -> None:
    """What the window repeats, or nothing at all, ends them."""
    opened = open_sa(TO_RIGHT, (TO_LEFT,))
    ends = (Closing(secured(), TO_RIGHT, LEFT_PATH), Closed("told to"))
    states = (initiated(TO_RIGHT), opened.authenticating, Contending(secured(), TO_RIGHT, LEFT_PATH, b"old"), *ends)
    assert {state.due for state in states} == {NEVER}


def test_every_state_that_stands_has_its_spi() -> None:
    opened = open_sa(TO_RIGHT, (TO_LEFT,))
    assert initiated(TO_RIGHT).spi == opened.authenticating.spi == opened.half_open.opening.request[:8]
    assert opened.half_open.spi == opened.half_open.secured.spi_r
    assert Contending(secured(), TO_RIGHT, LEFT_PATH, b"old").spi == SPI_I
    assert an_sa().spi == Rekeyed(secured(), TO_RIGHT, LEFT_PATH, 60.0).spi == SPI_I
    assert Closing(secured(), TO_RIGHT, LEFT_PATH).spi == SPI_I


def test_established_is_due_at_the_earliest_of_its_times() -> None:
    assert an_sa().due == NEVER
    assert an_sa(a_child(1, due=9.0), a_child(2, due=7.0)).due == 7.0
    assert an_sa(a_child(due=9.0), probe_at=6.0).due == 6.0
    assert an_sa(a_child(due=9.0), rekey_at=5.0).due == 5.0
    assert an_sa(a_child(due=9.0), wake=4.0).due == 4.0
    assert an_sa(a_child(due=9.0), keepalive_at=3.0).due == 3.0
    assert an_sa(a_child(due=9.0), expire_at=2.0).due == 2.0
    assert an_sa(a_child(due=9.0), reauth_at=1.5).due == 1.5
    assert an_sa(a_child(due=9.0), auth_until=1.0).due == 1.0
    assert an_sa(a_child(due=9.0), idle_at=0.5).due == 0.5


def test_child_by_either_spi() -> None:
    one, two = a_child(1), a_child(2)
    sa = an_sa(one, two)
    assert sa.child(b"in_2") is two
    assert sa.child(b"out2") is None
    assert sa.child_out(b"out2") is two
    assert sa.child_out(b"in_2") is None


def test_child_is_added_or_replaced_in_its_place() -> None:
    one, two = a_child(1), a_child(2)
    older = one.turned(Phase.LINGERING, 12.0)
    assert an_sa(one).with_child(two).children == (one, two)
    assert an_sa(one, two).with_child(older).children == (older, two)
    assert an_sa(one).with_child(two, older).children == (older, two)
    assert an_sa(one, two).without((one,)).children == (two,)


def test_tasks_wait_once() -> None:
    sa = an_sa(todo=(Probe(),)).then(DeleteChild(b"in_1"), Probe(), CreateChild("lan"))
    assert sa.todo == (Probe(), DeleteChild(b"in_1"), CreateChild("lan"))


def test_an_end_that_has_to_wait() -> None:
    assert an_sa(todo=(Probe(), Close("closed"))).is_ending
    assert not an_sa(todo=(Probe(),)).is_ending
