"""edgevpn.ike.exchange.extensions: RFC 7383, RFC 6023, and what else is agreed on along the way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edgevpn.ike.contract import Request, Response, Settings
from edgevpn.ike.errors import InvalidSyntax, NoAdditionalSas, NoProposalChosen
from edgevpn.ike.exchange import extensions
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.negotiate import Chosen
from edgevpn.ike.peer import Childless, Offer, Peer
from edgevpn.ike.state import CreateChild, Mobility, Phase, RekeyChild, RekeyIke
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from tests.support.chart import without_numbers
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env, open_sa
from tests.support.pair import Pair, connected, in_order
from tests.support.peers import (
    ADDKE1_ECP384,
    GCM,
    LAN,
    PRF_SHA256,
    TO_LEFT,
    TO_RIGHT,
    X25519,
    mirrored,
    selectors,
)
from tests.support.states import an_sa

FRAGMENTS = Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)
CHILDLESS = Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED)
INTERMEDIATE = Notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
PLAIN, ADDED = Chosen(1, (GCM, PRF_SHA256, X25519)), Chosen(1, (GCM, PRF_SHA256, X25519, ADDKE1_ECP384))
CUTS = replace(TO_RIGHT, fragmentation=True)
NEVER, ALLOW, PREFER, FORCE = (
    replace(TO_RIGHT, childless=how) for how in (Childless.NEVER, Childless.ALLOW, Childless.PREFER, Childless.FORCE)
)


def asks(*payloads: Payload) -> Request:
    return Request(ExchangeType.IKE_SA_INIT, 0, payloads, RIGHT_PATH)


def answers(*payloads: Payload) -> Response:
    return Response(ExchangeType.IKE_SA_INIT, payloads, LEFT_PATH)


# --- fragments (RFC 7383) --------------------------------------------------------------------------------------------


def test_fragments_if_both_can() -> None:
    """§2.3: the responder says so only to who has said so."""
    assert extensions.in_init_request(CUTS, None) == (FRAGMENTS,)
    assert extensions.in_init_request(TO_RIGHT, None) == ()
    assert FRAGMENTS in extensions.in_init_response([TO_LEFT, CUTS], asks(FRAGMENTS), PLAIN)
    assert FRAGMENTS not in extensions.in_init_response([TO_LEFT, CUTS], asks(), PLAIN)
    assert FRAGMENTS not in extensions.in_init_response([TO_LEFT], asks(FRAGMENTS), PLAIN)
    assert [extensions.fragments(peer, answers(FRAGMENTS)) for peer in (CUTS, TO_RIGHT)] == [True, False]
    assert not extensions.fragments(CUTS, answers())


def many_selectors(peer: Peer) -> Peer:
    """With so many networks that IKE_AUTH is some kilobytes long, as it is with certificates."""
    networks = tuple(f"10.1.{number}.0/24" for number in range(0, 60, 2))
    child = replace(LAN, ts_local=selectors(*networks), ts_remote=selectors("10.2.0.0/24", *networks_of_right()))
    return replace(peer, children=(child,))


def networks_of_right() -> tuple[str, ...]:
    return tuple(f"2001:db8:{number}::/48" for number in range(30))


SMALL = Settings(fragment_size_v4=576)


def test_long_messages_in_pieces() -> None:
    """A path that carries no larger packet, and where none is cut on the way."""
    pair = Pair((many_selectors(CUTS),), (mirrored(many_selectors(CUTS)),), SMALL)
    pair.fate = lambda number, octets: (0.01,) if len(octets) <= 576 - 32 else ()
    pair.left.initiate("right")
    pair.run(5)
    assert pair.agree()
    said = pair.chart()
    total = said.count("--> IKE_AUTH request 1: fragment")
    assert total > 2
    assert f"<-- IKE_AUTH response 1: fragment {total} of {total}" in said
    assert len(pair.left.child.ts_local) == 30


@pytest.mark.parametrize("fate", ["disorder", "each twice", "a third lost"])
def test_pieces_fare_badly(fate: str) -> None:
    pair = Pair((many_selectors(CUTS),), (mirrored(many_selectors(CUTS)),), SMALL)
    if fate == "disorder":
        pair.fate = lambda number, octets: ((7 - number % 7) / 100,)
    elif fate == "each twice":
        pair.fate = lambda number, octets: (0.01, 0.05)
    else:
        chance = random.Random(1)
        pair.fate = lambda number, octets: () if chance.random() < 0.3 else (0.01,)
    pair.left.initiate("right")
    pair.run(60)
    assert pair.agree()
    assert len(pair.left.sa.children) == 1


def test_pieces_whose_rest_does_not_come_are_forgotten() -> None:
    """Those of a request, and of an answer, for which the request goes on being repeated."""
    for asks in ("left", "right"):
        pair = connected(many_selectors(CUTS), None, SMALL)
        end = pair.left if asks == "left" else pair.right
        pair.lose(1, 5, 9, 13, 17, 21, 25)  # each time the second of four
        end.ask(RekeyChild(end.child.spi_in))
        pair.run(40)
        pair.fate = in_order
        pair.run(60)
        assert pair.agree()
        assert len(pair.left.sa.children) == 1


@pytest.mark.parametrize(("left", "right"), [(CUTS, TO_RIGHT), (TO_RIGHT, CUTS)], ids=["only left", "only right"])
def test_whole_unless_both_can(left: Peer, right: Peer) -> None:
    pair = Pair((many_selectors(left),), (mirrored(many_selectors(right)),), SMALL)
    pair.left.initiate("right")
    pair.run(5)
    assert pair.agree()
    assert "fragment" not in pair.chart()


def test_rekeyed_ike_sa_cuts_as_well() -> None:
    pair = Pair((many_selectors(CUTS),), (mirrored(many_selectors(CUTS)),), SMALL)
    pair.left.initiate("right")
    pair.run(5)
    pair.left.ask(RekeyIke())
    pair.run(5)
    pair.chart()
    pair.right.ask(RekeyChild(pair.right.child.spi_in))
    pair.run(20)
    assert "fragment" in pair.chart()
    assert pair.agree()


# --- further key exchanges (RFC 9242, RFC 9370) ----------------------------------------------------------------------


def test_ike_intermediate_where_there_is_a_use_for_it() -> None:
    wants = replace(TO_RIGHT, offers=(Offer(ADDED.transforms),))
    assert INTERMEDIATE in extensions.in_init_request(wants, None)
    assert INTERMEDIATE not in extensions.in_init_request(TO_RIGHT, None)
    assert INTERMEDIATE in extensions.in_init_response([TO_LEFT], asks(INTERMEDIATE), ADDED)
    assert INTERMEDIATE not in extensions.in_init_response([TO_LEFT], asks(INTERMEDIATE), PLAIN)
    extensions.check_intermediate(ADDED, answers(INTERMEDIATE))
    extensions.check_intermediate(PLAIN, answers())
    with pytest.raises(NoProposalChosen):
        extensions.check_intermediate(ADDED, answers())


# --- without a child (RFC 6023) --------------------------------------------------------------------------------------


def test_responder_says_that_it_can() -> None:
    assert CHILDLESS in extensions.in_init_response([NEVER, ALLOW], asks(), PLAIN)
    assert CHILDLESS not in extensions.in_init_response([NEVER], asks(), PLAIN)


@pytest.mark.parametrize(("peer", "begins"), [(NEVER, False), (ALLOW, False), (PREFER, True), (FORCE, True)])
def test_who_begins_without(peer: Peer, begins: bool) -> None:
    assert extensions.begins_childless(peer, answers(CHILDLESS)) is begins


def test_peer_that_cannot_do_without() -> None:
    assert not extensions.begins_childless(PREFER, answers())
    with pytest.raises(NoProposalChosen, match="without a child"):
        extensions.begins_childless(FORCE, answers())


def test_who_may_begin_without() -> None:
    with_child = open_sa(TO_RIGHT, (TO_LEFT,)).request()
    for peer in (NEVER, ALLOW, PREFER):
        extensions.check_childless(peer, with_child)
    for peer in (ALLOW, PREFER, FORCE):
        extensions.check_childless(peer, asks())
    with pytest.raises(InvalidSyntax):
        extensions.check_childless(NEVER, asks())
    with pytest.raises(NoAdditionalSas):
        extensions.check_childless(FORCE, with_child)


def test_ike_sa_first() -> None:
    """The child has a key exchange of its own, so that a method that does not fit shows at once."""
    pair = Pair((PREFER,), (TO_LEFT,))
    pair.left.initiate("right")
    pair.run(5)
    assert without_numbers(pair.chart()).splitlines()[2:] == [
        "--> IKE_AUTH request: IDi, IDr, AUTH, N(INITIAL_CONTACT)",
        "<-- IKE_AUTH response: IDr, AUTH",
        "--> CREATE_CHILD_SA request: SA, Ni, KEi, TSi, TSr",
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr, TSi, TSr",
    ]
    assert pair.agree()
    assert [child.phase for child in pair.left.sa.children] == [Phase.ACTIVE]


def test_responder_will_have_no_child_yet() -> None:
    """The IKE SA stands, and the initiator may ask again."""
    pair = Pair((ALLOW,), (mirrored(FORCE),))
    pair.left.initiate("right")
    pair.run(5)
    assert "<-- IKE_AUTH response 1: IDr, AUTH, N(NO_ADDITIONAL_SAS)" in pair.chart()
    assert pair.agree()
    pair.left.ask(CreateChild("lan"))
    pair.run(5)
    assert pair.agree()
    assert len(pair.left.sa.children) == 1


def test_forced_and_impossible() -> None:
    pair = Pair((FORCE,), (mirrored(NEVER),))
    pair.left.initiate("right")
    pair.run(200)
    assert pair.left.endpoint.sas == ()
    assert [down.reason for down in pair.left.downs] == ["the peer makes no IKE SA without a child"]


# --- the rest --------------------------------------------------------------------------------------------------------


def test_mobike_and_lifetime_in_ike_auth() -> None:
    """By the responder in one answer; what they mean is in tests of their own."""
    roaming, env = replace(TO_RIGHT, mobike=True), an_env()
    assert extensions.in_auth_request(roaming, LEFT_PATH, env) == (Notify(NotifyType.MOBIKE_SUPPORTED),)
    assert extensions.in_auth_request(TO_RIGHT, LEFT_PATH, env) == ()
    sa = an_sa(peer=replace(TO_RIGHT, reauth_after=60.0), mobility=Mobility(), began=False)
    assert extensions.in_auth_response(sa, env) == (
        Notify(NotifyType.MOBIKE_SUPPORTED),
        Notify(NotifyType.AUTH_LIFETIME, (60).to_bytes(4, "big")),
    )
    assert extensions.in_auth_response(an_sa(), env) == ()
    agreed = extensions.agreed(an_sa(peer=roaming), asks(Notify(NotifyType.MOBIKE_SUPPORTED)), env)
    assert agreed.mobility == Mobility()
    assert extensions.agreed(an_sa(), asks(Notify(NotifyType.MOBIKE_SUPPORTED)), env).mobility is None
