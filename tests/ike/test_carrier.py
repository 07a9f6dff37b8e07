"""edgevpn.ike.carrier: what a step has to say to others than the peer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from edgevpn.ike.contract import Initiate, Settings
from edgevpn.ike.iana import ExchangeType, IdType
from edgevpn.ike.peer import KeyRing, NetworkSettings, Unique
from edgevpn.ike.session import Holder
from edgevpn.ike.state import RekeyIke
from edgevpn.ike.wire.payloads import Identification
from tests.support.pair import DELAY, Pair, connected, in_order
from tests.support.peers import KEY, LEFT_ID, TO_LEFT, TO_RIGHT

# --- one peer, several IKE SAs ---------------------------------------------------------------------------------------


def test_peer_that_begins_anew() -> None:
    """INITIAL_CONTACT (RFC 7296 §2.4): what it has forgotten goes without a word, after the new one stands."""
    pair = connected()
    old = pair.right.child.spi_in
    pair.left.reboot()
    pair.left.initiate("right")
    pair.run(10)
    assert pair.agree()
    assert old not in pair.right.kernel.inbound
    assert [down.reason for down in pair.right.downs] == ["the peer began anew"]


def test_peer_that_does_not_say_so_may_have_two() -> None:
    """Several devices of one user, say."""
    pair = connected()
    pair.left.initiate("right")
    pair.run(10)
    assert pair.agree()
    assert len(pair.left.sas) == 2


def test_second_replaces_the_first() -> None:
    pair = connected(TO_RIGHT, replace(TO_LEFT, unique=Unique.REPLACE))
    first = pair.left.sa.spi
    pair.left.initiate("right")
    pair.run(10)
    assert pair.agree()
    assert pair.left.sa.spi != first


def test_second_is_refused() -> None:
    """The first stands, as long as its peer lives."""
    pair = connected(TO_RIGHT, replace(TO_LEFT, unique=Unique.REFUSE))
    first = pair.left.sa.spi
    pair.left.initiate("right")
    pair.run(10)
    assert pair.agree()
    assert pair.left.sa.spi == first
    assert len(pair.left.downs) == 1
    assert "<-- INFORMATIONAL request 0:" in pair.chart()


def test_second_is_refused_because_of_a_dead_one() -> None:
    """Which is therefore asked whether its peer still lives, and makes room before long."""
    pair = connected(TO_RIGHT, replace(TO_LEFT, unique=Unique.REFUSE))
    quiet = replace(TO_RIGHT, name="quiet")
    pair.left.peers = (quiet,)
    pair.left.reboot()
    pair.left.tell(Initiate("quiet", pair.left.path()))
    pair.run(10)
    assert pair.agree()
    assert len(pair.right.downs) == 1


SPELLINGS = (
    Identification(IdType.FQDN, b"phone.example"),
    Identification(IdType.FQDN, b"Phone.Example"),
    Identification(IdType.KEY_ID, b"phone.example"),
)


def spelled(holder: Holder | None, **changes: Any) -> Pair:
    """One after the other comes with its own spelling of a name, and the world says who that is."""
    ring = replace(TO_LEFT, remote_id=None, local_auth=KeyRing(), remote_auth=KeyRing(), **changes)
    left = tuple(replace(TO_RIGHT, name=f"by {name}", local_id=name) for name in SPELLINGS)
    pair = Pair(left, (ring,), Settings(sessions_of_one=2))
    pair.right.world.psks = {name.data: KEY.key for name in SPELLINGS}
    pair.right.world.holder = holder
    for peer in left:
        pair.left.initiate(peer.name)
        pair.run(10)
    return pair


UNIQUE = {
    "one is enough": (Unique.REFUSE, Holder("phone"), 1),
    "the last": (Unique.REPLACE, Holder("phone"), 1),
    "so many of one": (Unique.SHARE, Holder("phone"), 2),
    "whom the world does not know": (Unique.REFUSE, None, 3),
}


@pytest.mark.parametrize(("unique", "holder", "stand"), UNIQUE.values(), ids=UNIQUE)
def test_however_it_spells_its_name(unique: Unique, holder: Holder | None, stand: int) -> None:
    """A device is the same in capitals, and by another type of identity."""
    pair = spelled(holder, unique=unique, pool=NetworkSettings())
    assert len(pair.right.sas) == stand
    assert pair.agree()
    pair.right.ask_at(pair.right.sas[-1].spi, RekeyIke())
    pair.run(10)
    assert pair.right.sas[-1].session.holder == holder


def test_others_are_left_alone() -> None:
    """Another identity under the same entry is another peer."""
    anybody = replace(TO_LEFT, remote_id=None, unique=Unique.REPLACE)
    pair = Pair((TO_RIGHT, replace(TO_RIGHT, name="again", local_id=replace(LEFT_ID, data=b"x.example"))), (anybody,))
    pair.left.initiate("right")
    pair.run(1)
    pair.left.initiate("again")
    pair.run(10)
    assert pair.agree()
    assert len(pair.right.sas) == 2


@pytest.mark.parametrize("unique", list(Unique))
@pytest.mark.parametrize("skew", [0.0, 0.5, 1.0, 1.5, 2.5])
def test_both_call_each_other(unique: Unique, skew: float) -> None:
    """Two gateways start at the same time: one IKE SA comes of it, whatever the datagrams' order."""
    pair = Pair((replace(TO_RIGHT, unique=unique),), (replace(TO_LEFT, unique=unique),))
    pair.left.initiate("right")
    pair.run(skew * DELAY)
    pair.right.initiate("left")
    pair.run(120)
    assert pair.agree()
    assert len(pair.left.sas) == 1
    assert len(pair.left.sa.children) == 1
    assert not [down for end in pair.sides for down in end.downs if down.spi == end.sa.spi]


def test_replaced_without_a_gap() -> None:
    """A client that cannot move (Android 11) calls from its new address: at each moment right can send to it."""
    pair = connected(TO_RIGHT, replace(TO_LEFT, unique=Unique.REPLACE))
    pair.left.move_to(ip_address("192.0.2.99"))
    pair.left.initiate("right")
    for _ in range(1000):
        pair.run(DELAY / 10)
        assert pair.right.kernel.outbound
    pair.run(200)
    assert [sa.path.remote.host for sa in pair.right.sas] == [ip_address("192.0.2.99")]
    assert len(pair.right.kernel.inbound) == 1


# --- those that are leaving -------------------------------------------------------------------------------------------


def test_peer_that_rekeys_for_ever_and_deletes_nothing() -> None:
    """So many replaced IKE SAs are kept, and none of them takes the place of a newcomer."""
    pair = connected(settings=Settings(session_limit=3))
    pair.fate = lambda number, octets: () if octets[18] == ExchangeType.INFORMATIONAL else (DELAY,)
    for _ in range(10):
        pair.left.ask(RekeyIke())
        pair.run(0.1)
    assert len(pair.right.sas) == 1
    assert len(pair.right.others) == 3
    pair.left.initiate("right")
    pair.run(0.1)
    assert len(pair.right.sas) == 2
    pair.fate = in_order
    pair.run(200)
    assert pair.agree()
    assert len(pair.right.sas) == 2


def test_peer_that_comes_anew_for_ever_and_answers_no_delete() -> None:
    """Those that wait longest are waited for no longer; the world hears of each that it is gone."""
    pair = connected(TO_RIGHT, replace(TO_LEFT, unique=Unique.REPLACE), Settings(session_limit=3))
    pair.fate = lambda number, octets: () if octets[18] == ExchangeType.INFORMATIONAL else (DELAY,)
    for _ in range(10):
        pair.left.initiate("right")
        pair.run(0.1)
    assert len(pair.right.sas) == 1
    assert len(pair.right.others) == 3
    assert len(pair.right.downs) == 7
    assert len(pair.right.kernel.inbound) == 1
