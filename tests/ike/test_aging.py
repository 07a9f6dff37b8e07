"""edgevpn.ike.aging."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.aging import KEEPALIVE, followed, on_due, on_expired, on_traffic
from edgevpn.ike.contract import (
    IkeSaDown,
    InstallOutbound,
    QueryTraffic,
    RemoveChild,
    Send,
    Settings,
)
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Closing, CreateChild, DeleteChild, Established, Phase, Probe, RekeyChild, RekeyIke
from edgevpn.ike.steps import Call, Reauthenticate, Step
from tests.support.handshake import LEFT_PATH, an_env, kinds
from tests.support.pair import DELAY, connected
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.states import SPI_I, a_child, an_sa

NOW = an_env(now=10.0)
LIVE = replace(TO_RIGHT, liveness=30.0)


def test_nothing_is_due() -> None:
    sa = an_sa(a_child(due=10.1), wake=11.0, rekey_at=11.0, probe_at=11.0, keepalive_at=11.0, expire_at=11.0)
    assert on_due(sa, NOW) == Step(sa)


# --- children grow old -----------------------------------------------------------------------------------------------


def test_active_child_is_rekeyed() -> None:
    assert on_due(an_sa(a_child(due=10.0)), NOW) == Step(an_sa(a_child(), todo=(RekeyChild(b"in_1"),)))


def test_inbound_child_sends() -> None:
    """No Delete of the old pair has come."""
    child = a_child(phase=Phase.INBOUND, due=9.0, rekey_at=1800.0)
    step = on_due(an_sa(child), NOW)
    assert kinds(step) == [InstallOutbound]
    assert step.sa == an_sa(child.turned(Phase.ACTIVE, 1800.0))


def test_replaced_child_is_deleted() -> None:
    """The peer should have."""
    child = a_child(phase=Phase.REPLACED, due=9.0)
    assert on_due(an_sa(child), NOW) == Step(an_sa(child.turned(Phase.REPLACED), todo=(DeleteChild(b"in_1"),)))


def test_the_pair_that_stands_is_followed_before_its_rival_goes() -> None:
    """The peer may go by the one that it should have deleted (libreswan 5.2 does)."""
    stands, lost = a_child(2), a_child(3, phase=Phase.REPLACED, due=9.0, replaces=b"in_1")
    step = on_due(an_sa(stands, lost), NOW)
    assert step == Step(
        an_sa(stands, lost.turned(Phase.REPLACED), todo=(RekeyChild(b"in_2"), DeleteChild(b"in_3"))),
    )


def test_a_pair_that_was_followed_just_goes() -> None:
    old, new = a_child(1, phase=Phase.REPLACED, due=9.0), a_child(2, replaces=b"in_1")
    step = on_due(an_sa(old, new), NOW)
    assert step == Step(an_sa(old.turned(Phase.REPLACED), new, todo=(DeleteChild(b"in_1"),)))


def test_lingering_child_goes() -> None:
    child = a_child(phase=Phase.LINGERING, due=9.0)
    assert on_due(an_sa(child, a_child(2)), NOW) == Step(an_sa(a_child(2)), (RemoveChild(child),))


def test_everything_at_once() -> None:
    sa = an_sa(
        a_child(1, due=10.0),
        a_child(2, phase=Phase.LINGERING, due=10.0),
        rekey_at=10.0,
        wake=10.0,
        keepalive_at=10.0,
        probe_at=10.0,
    )
    step = on_due(sa, NOW)
    assert kinds(step) == [RemoveChild, Send, QueryTraffic]
    assert step.sa == an_sa(
        a_child(1), todo=(RekeyChild(b"in_1"), RekeyIke()), keepalive_at=10.0 + Settings().keepalive
    )


# --- the IKE SA grows old --------------------------------------------------------------------------------------------


def test_ike_sa_is_rekeyed() -> None:
    assert on_due(an_sa(rekey_at=10.0), NOW) == Step(an_sa(todo=(RekeyIke(),)))


def test_life_is_over() -> None:
    """Rekeying has not succeeded: nobody wants keys that old, so it is closed, and the owner may begin anew."""
    step = on_due(an_sa(a_child(due=9.0), expire_at=10.0), NOW)
    assert kinds(step) == [RemoveChild, Call]
    assert isinstance(step.sa, Closing)
    assert not step.sa.asked


def test_rekeyed_in_time_it_lives_for_ever() -> None:
    pair = connected(replace(TO_RIGHT, rekey_after=1000.0, life=1100.0))
    pair.run(20_000)
    assert pair.agree()
    assert pair.left.downs == []


def test_rekeying_that_never_succeeds_ends_it() -> None:
    pair = connected(replace(TO_RIGHT, rekey_after=1000.0, life=1100.0))
    pair.fate = lambda number, octets: () if pair.now > 500 else (0.01,)
    pair.run(1500)
    assert [isinstance(down, IkeSaDown) for down in pair.left.downs] == [True]
    assert pair.left.endpoint.sas == ()


def test_keepalive() -> None:
    """One octet, again and again (RFC 3948 §4)."""
    step = on_due(an_sa(keepalive_at=10.0), NOW)
    assert step == Step(an_sa(keepalive_at=30.0), (Send(LEFT_PATH, KEEPALIVE),))


def test_refused_request_may_be_tried_again() -> None:
    assert on_due(an_sa(wake=10.0), NOW) == Step(an_sa())


# --- liveness --------------------------------------------------------------------------------------------------------


def test_traffic_is_asked_for_first() -> None:
    """RFC 7296 §2.4: who receives ESP needs no answer to know that the peer lives."""
    step = on_due(an_sa(a_child(1), a_child(2), peer=LIVE, probe_at=10.0), NOW)
    assert step == Step(an_sa(a_child(1), a_child(2), peer=LIVE), (QueryTraffic(SPI_I, (b"in_1", b"in_2")),))


@pytest.mark.parametrize("seen", [0.5, 7.0])
def test_quiet_while_traffic_flows(seen: float) -> None:
    step = on_traffic(an_sa(peer=LIVE), seen, an_env(now=30.0))
    assert step == Step(an_sa(peer=LIVE, heard=seen, probe_at=seen + 30.0))


@pytest.mark.parametrize("seen", [None, 0.0], ids=["nothing ever came", "nothing came since"])
def test_probe_after_silence(seen: float | None) -> None:
    step = on_traffic(an_sa(peer=LIVE), seen, an_env(now=30.0))
    assert step == Step(an_sa(peer=LIVE, probe_at=60.0, todo=(Probe(),)))


def test_silent_peer_is_probed() -> None:
    pair = connected(LIVE)
    pair.run(31)
    assert pair.chart().count("INFORMATIONAL request") == 2  # both ask
    pair.run(60)
    assert pair.agree()


def test_dead_peer_is_found() -> None:
    pair = connected(LIVE)
    pair.fate = lambda number, octets: ()
    pair.run(200)
    assert pair.left.endpoint.sas == ()
    assert [down.asked for down in pair.left.downs] == [False]
    assert not pair.left.kernel.inbound


# --- nobody uses it --------------------------------------------------------------------------------------------------

IDLE = replace(TO_RIGHT, idle=300.0)


def test_traffic_is_asked_for_before_it_is_idle() -> None:
    step = on_due(an_sa(a_child(), peer=IDLE, idle_at=10.0, probe_at=50.0), NOW)
    assert step == Step(an_sa(a_child(), peer=IDLE, probe_at=50.0), (QueryTraffic(SPI_I, (b"in_1",)),))


def test_used_since() -> None:
    step = on_traffic(an_sa(peer=IDLE), 7.0, NOW)
    assert isinstance(step.sa, Established)
    assert step.sa.idle_at == 307.0


@pytest.mark.parametrize("seen", [None, 3.0], ids=["never used", "not used since"])
def test_idle(seen: float | None) -> None:
    """It is the owner's wish, so nobody is to bring it up again by himself."""
    step = on_traffic(an_sa(a_child(), peer=IDLE), seen, an_env(now=310.0))
    assert kinds(step) == [RemoveChild, Call]
    assert isinstance(step.sa, Closing)
    assert step.sa.asked


def test_idle_while_it_is_rekeyed() -> None:
    """Looked at again when it is known what the peer has made of it."""
    pair = connected(IDLE, TO_LEFT)
    pair.run(298.5)
    first = len(pair.sent) + 1
    pair.fate = lambda number, _: () if number >= first and pair.now < 302 else (DELAY,)  # the answer is late
    pair.left.ask(RekeyIke())
    pair.run(20)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.reason for down in pair.left.downs] == ["nothing has come through for long"]


def test_traffic_keeps_it_up() -> None:
    pair = connected(IDLE)
    for _ in range(10):
        pair.run(200)
        assert pair.ping()
    pair.run(310)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.reason for down in pair.left.downs] == ["nothing has come through for long"]


# --- another has followed --------------------------------------------------------------------------------------------


def test_followed() -> None:
    """It does nothing more, and goes after a moment without anybody's hearing of it."""
    sa = an_sa(a_child(), todo=(RekeyIke(),), rekey_at=11.0, reauth_at=12.0, auth_until=13.0, idle_at=14.0)
    old = followed(sa, NOW)
    assert old == an_sa(a_child(), followed=True, expire_at=10.0 + Settings().overlap)
    step = on_due(old, an_env(now=old.due))
    assert isinstance(step.sa, Closing)
    assert step.sa.silent
    assert followed(replace(sa, expire_at=11.0), NOW).expire_at == 11.0


def test_not_authenticated_anew() -> None:
    step = on_due(an_sa(auth_until=10.0), NOW)
    assert isinstance(step.sa, Closing)
    assert not step.sa.asked


def test_time_to_authenticate_anew() -> None:
    assert on_due(an_sa(reauth_at=10.0), NOW) == Step(an_sa(), (Reauthenticate(),))


# --- the kernel counts -----------------------------------------------------------------------------------------------


def test_soft_limit() -> None:
    assert on_expired(an_sa(a_child()), b"in_1", hard=False) == Step(an_sa(a_child(), todo=(RekeyChild(b"in_1"),)))


def test_hard_limit() -> None:
    """The kernel has removed it; who began the IKE SA makes another, so that not both do."""
    for began, tasks in ((True, (DeleteChild(b"in_1"), CreateChild("lan"))), (False, (DeleteChild(b"in_1"),))):
        sa = an_sa(a_child(), began=began)
        assert on_expired(sa, b"in_1", hard=True) == Step(replace(sa, todo=tasks))


def test_hard_limit_of_what_has_a_follower() -> None:
    sa = an_sa(a_child(phase=Phase.REPLACED))
    assert on_expired(sa, b"in_1", hard=True) == Step(replace(sa, todo=(DeleteChild(b"in_1"),)))


def test_limit_of_what_is_gone() -> None:
    assert on_expired(an_sa(), b"in_1", hard=True) == Step(an_sa())
    assert an_sa().due == NEVER
