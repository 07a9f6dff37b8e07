"""edgevpn.ike.exchange.asked: what a peer has asked for is all there, and without SPIs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Report, Request
from edgevpn.ike.errors import TsUnacceptable
from edgevpn.ike.evidence import Asked, PpkNamed
from edgevpn.ike.exchange.asked import asked_by_peer, asked_in_auth
from edgevpn.ike.iana import AuthMethod, ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.machine import refusal
from edgevpn.ike.negotiate import proposals, without_ke
from edgevpn.ike.peer import Ppk, PpkRing, Wants
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete, IdR, SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR
from tests.support.handshake import LEFT, RIGHT, RIGHT_PATH, open_sa, the
from tests.support.pair import Pair
from tests.support.peers import ECP256, ESP_OFFER, IKE_OFFER, LAN, LEFT_ID, RIGHT_ID, TO_LEFT, TO_RIGHT
from tests.support.provocations import OTHER_CIPHER
from tests.support.states import a_child, an_sa

IKE, ESP = ProtocolId.IKE, ProtocolId.ESP


def test_first_message() -> None:
    """An endpoint that refuses it tells what was asked."""
    pair = Pair((OTHER_CIPHER,), (TO_LEFT,))
    pair.left.initiate("right")
    pair.run(1)
    (told,) = pair.right.reports("ike_sa_init_refused")
    assert told.asked == Asked(RIGHT, LEFT, ike=proposals(OTHER_CIPHER.offers, IKE, b""))


def test_both_messages() -> None:
    left = replace(TO_RIGHT, wants=Wants(ipv4=True, ipv6=False))
    opened = open_sa(left, (TO_LEFT,))
    assert asked_in_auth(opened.half_open, opened.request(), opened.request(), "alice") == Asked(
        local=RIGHT,
        remote=LEFT,
        ike=proposals((IKE_OFFER,), IKE, b""),
        idi=LEFT_ID,
        idr=RIGHT_ID,
        method=AuthMethod.SHARED_KEY,
        user="alice",
        wants=left.wants,
        esp=proposals(without_ke((ESP_OFFER,)), ESP, b""),
        tsi=LAN.ts_local,
        tsr=LAN.ts_remote,
    )


def test_what_is_not_said_is_empty() -> None:
    opened = open_sa(TO_RIGHT, (TO_LEFT,))
    without = (IdR, SecurityAssociation, TrafficSelectorsI, TrafficSelectorsR)
    asked = asked_in_auth(opened.half_open, opened.request(without=without), opened.request())
    assert (asked.idr, asked.wants, asked.esp, asked.tsi, asked.tsr) == (None, None, (), (), ())


@pytest.mark.parametrize("required", [True, False])
def test_post_quantum_key(*, required: bool) -> None:
    """It is named in the request that has AUTH, and may be in any but the first."""
    opened = open_sa(replace(TO_RIGHT, ppk=Ppk(b"winter", b"a key", required)), (replace(TO_LEFT, ppk=PpkRing()),))
    named = opened.request()
    first = replace(named, payloads=tuple(each for each in named.payloads if not isinstance(each, Notify)))
    assert asked_in_auth(opened.half_open, first, named).ppk == PpkNamed(b"\2winter", without=not required)
    assert asked_in_auth(opened.half_open, first, first).ppk == PpkNamed()


def request(*payloads: Payload) -> Request:
    return Request(ExchangeType.CREATE_CHILD_SA, 2, payloads, RIGHT_PATH)


ANOTHER = (
    SecurityAssociation(proposals((replace(ESP_OFFER, transforms=(ECP256,)),), ESP, b"spi1")),
    TrafficSelectorsI(LAN.ts_remote),
    TrafficSelectorsR(LAN.ts_local),
)


def test_child_of_a_peer_that_is_in() -> None:
    old = a_child()
    sa = an_sa(old, peer=TO_LEFT)
    asked = asked_by_peer(sa, request(*ANOTHER))
    assert asked is not None
    assert (asked.peer, asked.idi, asked.child, asked.tsi) == ("left", sa.remote_id, "", LAN.ts_remote)
    assert asked.esp[0].spi == b""
    rekeys = Notify(NotifyType.REKEY_SA, protocol=ESP, spi=old.spi_out)
    anew = asked_by_peer(sa, request(rekeys, *ANOTHER))
    assert anew == replace(asked, child=old.name)
    told = the(Report, refusal(sa, request(rekeys, *ANOTHER), TsUnacceptable("no selector overlaps ours")))
    assert told.asked == anew


def test_what_is_about_no_child() -> None:
    assert asked_by_peer(an_sa(), request(Delete(IKE))) is None
