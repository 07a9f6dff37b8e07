"""edgevpn.ike.exchange.reauthentication: RFC 7296 §2.8.3, RFC 4478."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from edgevpn.ike.contract import Ask, Reconfigure, Request, Settings, Terminate
from edgevpn.ike.exchange.reauthentication import SHORTEST, announced, timed, told_again
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.peer import NEVER, NetworkSettings, Unique, Wants
from edgevpn.ike.questions import Lease
from edgevpn.ike.state import Probe, RekeyIke
from edgevpn.ike.wire.notify import Notify
from tests.support.handshake import LEFT_PATH, an_env
from tests.support.pair import DELAY, Pair, connected, in_order
from tests.support.peers import LAN, TO_LEFT, TO_RIGHT, mirrored, selectors
from tests.support.states import an_sa, the_other

HOUR = 3600.0
DMZ = replace(LAN, name="dmz", ts_local=selectors("10.1.9.0/24"), ts_remote=selectors("10.2.9.0/24"))
STRICT = replace(TO_LEFT, reauth_after=HOUR)


def lifetime(seconds: int) -> Notify:
    return Notify(NotifyType.AUTH_LIFETIME, seconds.to_bytes(4, "big"))


def told(*payloads: Notify) -> Request:
    return Request(ExchangeType.INFORMATIONAL, 0, payloads, LEFT_PATH)


# --- when ------------------------------------------------------------------------------------------------------------


def test_told_by_who_did_not_begin() -> None:
    """RFC 4478 §3: in the last answer of IKE_AUTH."""
    right = the_other(an_sa(), STRICT)
    assert announced(replace(right, began=False)) == (lifetime(3600),)
    assert announced(right) == ()
    assert announced(replace(right, began=False, peer=TO_LEFT)) == ()


TIMES = {
    "neither says anything": (NEVER, None, NEVER),
    "only we": (HOUR, None, HOUR),
    "only the peer": (NEVER, 3600, HOUR),
    "the peer sooner": (HOUR * 2, 3600, HOUR),
    "we sooner": (HOUR, 7200, HOUR),
}


@pytest.mark.parametrize(("ours", "theirs", "until"), TIMES.values(), ids=TIMES)
def test_whichever_comes_first(ours: float, theirs: int | None, until: float) -> None:
    """Some minutes before it is over, and a little earlier by chance."""
    sa = an_sa(peer=replace(TO_RIGHT, reauth_after=ours))
    message = told(lifetime(theirs)) if theirs is not None else told()
    after = timed(sa, message, an_env())
    assert after.auth_until == NEVER
    if until == NEVER:
        assert after == sa
    else:
        assert (until - 300) * 0.9 <= after.reauth_at <= until - 300


@pytest.mark.parametrize(("seconds", "at"), [(600, 540.0), (36000, 35700.0)])
def test_some_time_is_left_for_it(seconds: int, at: float) -> None:
    """A tenth of the lifetime, five minutes at most."""
    env = replace(an_env(), entropy=bytes)
    assert timed(an_sa(), told(lifetime(seconds)), env).reauth_at == at


def test_not_as_often_as_any_peer_would_like() -> None:
    assert SHORTEST * 0.9 <= timed(an_sa(), told(lifetime(1)), an_env()).reauth_at <= SHORTEST


def test_who_did_not_begin_waits() -> None:
    right = replace(the_other(an_sa(), STRICT), began=False)
    after = timed(right, told(lifetime(60)), an_env(now=100.0))
    assert (after.reauth_at, after.auth_until) == (NEVER, 100.0 + HOUR + Settings().reauth_grace)


def test_told_again() -> None:
    """RFC 4478 §3: at any time, as when an account is about to end."""
    sa = an_sa(reauth_at=HOUR)
    assert told_again(sa, told(lifetime(600)), an_env()).reauth_at < 600
    assert told_again(sa, told(lifetime(36000)), an_env()) == sa
    assert told_again(sa, told(), an_env()) == sa
    other = replace(sa, began=False)
    assert told_again(other, told(lifetime(600)), an_env()) == other


def test_rekeying_does_not_put_it_off() -> None:
    """RFC 7296 §2.8.3: new keys are no proof of who has them."""
    pair = connected(TO_RIGHT, STRICT)
    reauth_at, auth_until = pair.left.sa.reauth_at, pair.right.sa.auth_until
    assert reauth_at < HOUR < auth_until
    pair.run(100)
    pair.left.ask(RekeyIke())
    pair.run(1)
    assert (pair.left.sa.reauth_at, pair.right.sa.auth_until) == (reauth_at, auth_until)


# --- how -------------------------------------------------------------------------------------------------------------


def through(pair: Pair) -> int:
    """To the next reauthentication and past it; the smallest number of children that either side sent on meanwhile."""
    pair.run(pair.left.sa.reauth_at - pair.now - DELAY)
    thinnest = len(pair.left.kernel.outbound)
    for _ in range(3000):
        pair.run(DELAY / 4)
        thinnest = min(thinnest, *(len(end.kernel.outbound) for end in pair.sides))
    pair.run(60)
    return thinnest


def test_new_ike_sa_before_the_old_one_goes() -> None:
    """At each moment both children receive and send on either side; for the world one IKE SA follows the other."""
    left = replace(TO_RIGHT, children=(LAN, DMZ))
    pair = connected(left, replace(mirrored(left), reauth_after=HOUR))
    first = pair.left.sa.spi
    assert through(pair) == 2
    assert pair.agree()
    assert pair.left.sa.spi != first
    assert sorted(child.name for child in pair.left.sa.children) == ["dmz", "lan"]
    assert [up.replaces for up in pair.left.ups] == [None, first]
    assert pair.left.downs == []
    assert [down.reason for down in pair.right.downs] == ["deleted by peer"]
    said = pair.chart()
    assert said.index("[2] IKE_AUTH") < said.index("D(IKE)")
    assert "N(INITIAL_CONTACT)" not in said


def test_again_and_again() -> None:
    pair = connected(replace(TO_RIGHT, rekey_after=HOUR / 2, liveness=300.0), STRICT)
    pair.run(10 * HOUR)
    assert pair.agree()
    assert pair.left.downs == []
    assert len(pair.left.sa.children) == 1


@pytest.mark.parametrize("unique", [Unique.KEEP, Unique.REPLACE, Unique.SHARE])
def test_whatever_a_second_session_means(unique: Unique) -> None:
    pair = connected(TO_RIGHT, replace(STRICT, unique=unique))
    through(pair)
    assert pair.agree()
    assert pair.left.downs == []
    assert len(pair.left.ups) == 2


def test_client_keeps_its_address() -> None:
    """It asks for the one that it has, and at each moment packets to it find their way."""
    client = replace(TO_RIGHT, wants=Wants(ipv4=True, ipv6=False))
    gateway = replace(STRICT, pool=NetworkSettings(), unique=Unique.SHARE)
    pair = Pair((client,), (gateway,))
    pair.right.world.free = (ip_address("10.1.0.7"),) * 2  # the same, as long as it asks for it
    pair.left.initiate("right")
    pair.run(1)
    before = pair.left.sa.session.got.addresses
    assert before
    assert through(pair) == 1
    assert pair.left.sa.session.got.addresses == before
    assert [asked.wants.before for asked in pair.right.world.asked if isinstance(asked, Lease)] == [(), before]


def test_second_session_is_refused() -> None:
    """Then there is no overlap to be had: the old IKE SA ends with its time, and the owner may begin anew."""
    pair = connected(TO_RIGHT, replace(STRICT, unique=Unique.REFUSE))
    pair.run(HOUR - 100)
    assert pair.left.reports("reauthentication_failed")
    assert pair.left.downs == []
    pair.run(300)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()


def test_peer_that_does_not_come() -> None:
    """Right closes what has not been authenticated anew."""
    pair = connected(TO_RIGHT, STRICT)
    pair.left.tell(Reconfigure(()))  # left does not know the peer any more, so it cannot
    pair.run(2 * HOUR)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.reason for down in pair.right.downs] == ["the peer has not shown again who it is"]


def test_failed_once() -> None:
    """It is tried again, long before the time is over; the old IKE SA does not notice."""
    pair = connected(TO_RIGHT, STRICT)
    pair.run(pair.left.sa.reauth_at - pair.now - 1)
    pair.fate = lambda number, octets: () if octets[18] in (34, 35) else (DELAY,)  # IKE_SA_INIT and IKE_AUTH
    pair.run(120)
    assert pair.left.reports("reauthentication_failed")
    assert len(pair.left.sas) == 1
    pair.fate = in_order
    pair.run(120)
    assert pair.agree()
    assert len(pair.left.ups) == 2
    assert pair.left.downs == []


def test_closed_meanwhile() -> None:
    """Whoever wants the old one closed wants no new one."""
    pair = connected(TO_RIGHT, STRICT)
    pair.run(pair.left.sa.reauth_at - pair.now + DELAY / 2)
    pair.left.terminate()
    pair.run(60)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
    assert [down.asked for down in pair.left.downs] == [True]


def test_old_one_is_gone_before_the_new_one_is_there() -> None:
    """The peer has closed it: the new one follows nobody."""
    pair = connected(TO_RIGHT, STRICT)
    pair.run(pair.left.sa.reauth_at - pair.now + DELAY / 2)
    pair.right.terminate()
    pair.run(60)
    assert pair.agree()
    assert [up.replaces for up in pair.left.ups] == [None, None]
    assert [down.reason for down in pair.left.downs] == ["deleted by peer"]


@pytest.mark.parametrize("goes", ["closed by the peer", "forgotten by the peer"])
def test_end_of_the_old_one_is_no_news(goes: str) -> None:
    """Whoever ends it, and however, while the new one stands."""
    pair = connected(TO_RIGHT, replace(STRICT, unique=Unique.SHARE))
    first = pair.left.sa.spi
    pair.run(pair.left.sa.reauth_at - pair.now + 6 * DELAY)
    assert len(pair.left.sas) == 2
    if goes == "closed by the peer":
        pair.right.tell(Terminate(pair.right.sas[0].spi))
    else:
        pair.left.tell(Ask(first, Probe()))
        pair.fate = lambda number, octets: () if first in octets[:16] else (DELAY,)
    pair.run(200)
    assert pair.left.downs == []
    assert len(pair.left.sas) == 1


# --- while the old one is rekeyed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
@pytest.mark.parametrize("who", ["left", "right", "both"])
def test_crosses_a_rekeying(who: str, moment: float) -> None:
    """Whichever of the two is through first: what the rekeying has made goes, as the old one would have gone."""
    pair = connected(replace(TO_RIGHT, life=2 * HOUR, rekey_after=1.5 * HOUR), STRICT)
    pair.run(pair.left.sa.reauth_at - pair.now + moment * DELAY)
    for end in pair.sides:
        if who in ("both", "left" if end is pair.left else "right"):
            end.ask_at(end.sas[0].spi, RekeyIke())
    pair.run(60)
    assert len(pair.left.sas) == 1
    assert pair.agree()
    assert pair.left.downs == []
    assert (pair.left.ups[-1].spi, pair.left.sa.followed) == (pair.left.sa.spi, False)
    assert pair.left.sa.reauth_at < pair.now + HOUR


def test_fails_while_the_old_one_is_rekeyed() -> None:
    """What the rekeying has made hears of it, and tries again."""
    pair = connected(TO_RIGHT, STRICT)
    pair.run(pair.left.sa.reauth_at - pair.now + DELAY / 2)
    pair.fate = lambda number, octets: () if octets[18] in (34, 35) else (DELAY,)  # IKE_SA_INIT and IKE_AUTH
    pair.left.ask(RekeyIke())
    pair.run(120)
    assert pair.left.reports("reauthentication_failed")
    pair.fate = in_order
    pair.run(120)
    assert pair.agree()
    assert len(pair.left.ups) == 3
    assert [up.replaces for up in pair.left.ups[1:]] == [up.spi for up in pair.left.ups[:-1]]
    assert pair.left.downs == []


def test_closed_meanwhile_and_rekeyed_before() -> None:
    """The owner closes what the rekeying has made: what was to follow is not wanted either."""
    pair = connected(TO_RIGHT, STRICT)
    pair.run(pair.left.sa.reauth_at - pair.now + DELAY / 2)
    pair.fate = lambda number, octets: () if octets[18] in (34, 35) else (DELAY,)
    pair.left.ask(RekeyIke())
    pair.run(1)
    pair.left.terminate()
    pair.fate = in_order
    pair.run(60)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()
