"""edgevpn.ike.lifetime."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from edgevpn.ike.contract import Settings
from edgevpn.ike.crypto.keymat import IkeKeys
from edgevpn.ike.lifetime import established, renewed, soon
from edgevpn.ike.peer import NEVER
from edgevpn.ike.session import BY_KEYS
from edgevpn.ike.state import CreateChild, DeleteChild, Mobility, Nat, Probing, RekeyIke
from tests.support.handshake import LEFT_PATH, an_env
from tests.support.peers import RIGHT_ID, TO_RIGHT
from tests.support.states import a_child, an_sa, secured

TIMED = replace(TO_RIGHT, rekey_after=1000.0, life=1100.0, liveness=30.0)


def test_times_of_a_new_ike_sa() -> None:
    sa = established(secured(), TIMED, RIGHT_ID, LEFT_PATH, Nat(), BY_KEYS, an_env(now=50.0), began=False)
    assert (sa.since, sa.heard, sa.probe_at, sa.expire_at) == (50.0, 50.0, 80.0, 1150.0)
    assert 950.0 <= sa.rekey_at <= 1050.0
    assert (sa.keepalive_at, sa.began) == (NEVER, False)


def test_keys_that_have_done_their_work_are_not_kept() -> None:
    """New keys follow from SK_d; the seal has its own, and nobody will prove again who it is."""
    keys = established(secured(), TIMED, RIGHT_ID, LEFT_PATH, Nat(), BY_KEYS, an_env(), began=False).secured.keys
    assert keys == IkeKeys(secured().keys.sk_d, b"", b"", b"", b"", b"", b"")
    assert keys.sk_d


def test_nothing_by_time_unless_it_is_wanted() -> None:
    sa = established(secured(), TO_RIGHT, RIGHT_ID, LEFT_PATH, Nat(), BY_KEYS, an_env(now=50.0), began=True)
    assert sa.due == NEVER


def test_keepalives_from_behind_a_nat() -> None:
    """RFC 3948 §4: only from there."""
    behind, before = (
        established(secured(), TO_RIGHT, RIGHT_ID, LEFT_PATH, nat, BY_KEYS, an_env(now=50.0), began=True)
        for nat in (Nat(local=True), Nat(remote=True))
    )
    assert (behind.keepalive_at, before.keepalive_at) == (50.0 + Settings().keepalive, NEVER)


def test_renewed() -> None:
    """The follower has all that is not bound to the keys, and its own times; it need not be rekeyed at once."""
    other = secured(spi_i=b"anotheri", spi_r=b"anotherr")
    old = an_sa(
        a_child(),
        peer=TIMED,
        doing=Probing(),
        todo=(RekeyIke(), DeleteChild(b"in_1"), CreateChild("lan", refused_since=3.0)),
        wake=9.0,
        probe_at=77.0,
        began=False,
    )
    new = renewed(old, other, an_env(now=50.0))
    assert new == replace(
        old,
        secured=other.settled,
        since=50.0,
        heard=50.0,
        doing=None,
        todo=(DeleteChild(b"in_1"), CreateChild("lan")),
        wake=NEVER,
        rekey_at=new.rekey_at,
        expire_at=1150.0,
    )
    assert 950.0 <= new.rekey_at <= 1050.0
    assert [task.refused_since for task in new.todo if isinstance(task, CreateChild)] == [NEVER]


def test_how_we_are_seen_is_unknown_to_the_new_one() -> None:
    """The hash has SPIs in it (RFC 4555 §3.8); where else the peer is has nothing to do with keys."""
    addresses = (ip_address("203.0.113.5"),)
    old = an_sa(mobility=Mobility(addresses, seen_as=b"hash"))
    assert renewed(old, secured(), an_env()).mobility == Mobility(addresses)


def test_soon() -> None:
    assert soon(NEVER, an_env()) == NEVER
    assert 90.0 <= soon(100.0, an_env()) <= 100.0


def test_renewed_after_it_was_followed() -> None:
    """It was to end in a moment, and so is what the rekeying makes of it."""
    old = an_sa(a_child(), peer=TIMED, followed=True, expire_at=205.0)
    follower = renewed(old, secured(spi_i=b"anotheri", spi_r=b"anotherr"), an_env(now=200.0))
    assert (follower.followed, follower.expire_at, follower.rekey_at) == (True, 205.0, NEVER)
