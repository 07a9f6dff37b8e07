"""edgevpn.ike.exchange.mobike: RFC 4555."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from edgevpn.ike.contract import (
    Ask,
    Endpoints,
    Env,
    FindPath,
    IkeSaMoved,
    LocalAddresses,
    MoveChild,
    MovePath,
    Report,
    Request,
    Response,
)
from edgevpn.ike.exchange import mobike
from edgevpn.ike.exchange.mobike import MAX_ADDRESSES, MAX_TRIES
from edgevpn.ike.exchange.nat import detection
from edgevpn.ike.iana import ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.machine import step
from edgevpn.ike.peer import IpAddress
from edgevpn.ike.state import (
    Address,
    Announcing,
    CheckingPath,
    Closing,
    Established,
    Mobility,
    Nat,
    Path,
    Phase,
    Probe,
    Probing,
    RekeyChild,
    RekeyIke,
    Update,
    Updating,
)
from edgevpn.ike.steps import Call, Respond, Step
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete
from tests.support.chart import without_numbers
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, all_of, an_env, kinds, the
from tests.support.network import Nat as Box
from tests.support.pair import DELAY, LEFT, RIGHT, Pair, connected
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.states import SPI_I, SPI_R, a_child, an_sa, the_other

SPIS = SPI_I, SPI_R
ELSEWHERE, THIRD = ip_address("192.0.2.77"), ip_address("203.0.113.5")
V6, V6_RIGHT = ip_address("2001:db8:1::1"), ip_address("2001:db8:2::1")
OUTSIDE = ip_address("203.0.113.1")
ROAMING, HOME = replace(TO_RIGHT, mobike=True), replace(TO_LEFT, mobike=True)
COOKIE2 = Notify(NotifyType.COOKIE2, bytes(16))
UPDATE = Notify(NotifyType.UPDATE_SA_ADDRESSES)
NO_NATS = Nat(supported=False)


def mobile(*addresses: IpAddress, **changes: object) -> Established:
    """Left's end of an IKE SA that may move."""
    sa = an_sa(a_child(), peer=ROAMING, mobility=Mobility(addresses))
    return replace(sa, **changes)  # type: ignore[arg-type]


def home(**changes: object) -> Established:
    """Right's end of the same."""
    return replace(the_other(mobile(), HOME), began=False, **changes)  # type: ignore[arg-type]


def from_host(host: IpAddress) -> Path:
    """How right sees a message that left sends from there."""
    return replace(RIGHT_PATH, remote=replace(RIGHT_PATH.remote, host=host))


def asks(*payloads: Payload, path: Path = RIGHT_PATH) -> Request:
    return Request(ExchangeType.INFORMATIONAL, 0, payloads, path)


def answers(*payloads: Payload, path: Path = LEFT_PATH) -> Response:
    return Response(ExchangeType.INFORMATIONAL, payloads, path)


def types(payloads: tuple[Payload, ...]) -> list[NotifyType]:
    return [payload.notify_type for payload in payloads if isinstance(payload, Notify)]


def established(done: Step) -> Established:
    assert isinstance(done.sa, Established)
    return done.sa


def with_hosts(*hosts: IpAddress) -> Env:
    return replace(an_env(), hosts=hosts)


# --- agreeing on it --------------------------------------------------------------------------------------------------


def test_said_in_ike_auth() -> None:
    """§3.2, §3.4: beside the offer of a child, with where else we are."""
    said = mobike.supported(LEFT, with_hosts(LEFT, ELSEWHERE, V6))
    assert said == (
        Notify(NotifyType.MOBIKE_SUPPORTED),
        Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, ELSEWHERE.packed),
        Notify(NotifyType.ADDITIONAL_IP6_ADDRESS, V6.packed),
    )
    assert mobike.mobility_of(asks(*said)) == Mobility((ELSEWHERE, V6))
    assert mobike.mobility_of(asks(*said[1:])) is None


def test_not_any_number_of_addresses() -> None:
    many = tuple(ip_address(f"192.0.2.{number}") for number in range(100, 120))
    assert len(mobike.supported(LEFT, with_hosts(*many))) == 1 + MAX_ADDRESSES
    shown = asks(Notify(NotifyType.MOBIKE_SUPPORTED), *mobike.supported(LEFT, with_hosts(*many)))
    mobility = mobike.mobility_of(replace(shown, payloads=shown.payloads * 2))
    assert mobility is not None
    assert len(mobility.addresses) == MAX_ADDRESSES


@pytest.mark.parametrize(("left", "right"), [(True, True), (True, False), (False, True)])
def test_only_if_both_can(left: bool, right: bool) -> None:
    pair = connected(replace(TO_RIGHT, mobike=left), replace(TO_LEFT, mobike=right))
    both = left and right
    assert [end.sa.mobility is not None for end in pair.sides] == [both, both]


def test_port_4500_even_without_a_nat() -> None:
    """§3.3: so that no port has to change when there is one later; ESP is bare as long as there is none."""
    pair = connected(ROAMING)
    assert (pair.left.sa.path.local.port, pair.right.sa.path.local.port) == (4500, 4500)
    assert not pair.left.sa.nat
    assert not pair.right.kernel.ends[pair.right.child.spi_in].nat


# --- who began moves -------------------------------------------------------------------------------------------------


def test_move() -> None:
    """First we, then the peer is told (§3.5)."""
    path = Path(replace(LEFT_PATH.local, host=ELSEWHERE), LEFT_PATH.remote)
    done = step(mobile(), MovePath(SPI_I, ELSEWHERE, RIGHT), an_env())
    assert kinds(done) == [MoveChild, IkeSaMoved, Call]
    assert the(MoveChild, done).ends == Endpoints("right", path, nat=False)
    call = the(Call, done)
    assert call.path == path
    assert types(call.payloads) == [
        NotifyType.UPDATE_SA_ADDRESSES,
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
        NotifyType.COOKIE2,
    ]
    doing = established(done).doing
    assert isinstance(doing, Updating)
    assert doing.path == path


def test_move_to_where_it_is() -> None:
    assert step(mobile(), MovePath(SPI_I, LEFT, RIGHT), an_env()) == Step(mobile())


@pytest.mark.parametrize(
    "sa", [replace(mobile(), mobility=None), replace(mobile(), began=False)], ids=["no MOBIKE", "the peer began"]
)
def test_who_may_not_move(sa: Established) -> None:
    done = step(sa, MovePath(SPI_I, ELSEWHERE, RIGHT), an_env())
    assert done.sa is sa
    assert kinds(done) == [Report]


def test_update_goes_before_what_waits() -> None:
    sa = mobile(doing=Probing(), todo=(RekeyChild(b"in_1"), Update(2)))
    done = step(sa, MovePath(SPI_I, ELSEWHERE, RIGHT), an_env())
    assert established(done).todo == (Update(), RekeyChild(b"in_1"))


def updating(nat: Nat = Nat(), tries: int = 0) -> Established:  # noqa: B008 - a value
    """Left has moved, and told right so."""
    return mobile(doing=Updating(Update(tries), LEFT_PATH, COOKIE2.data), nat=nat)


def test_update_is_answered() -> None:
    """How the peer sees us is remembered."""
    hashes = detection(SPIS, RIGHT_PATH)
    done = step(updating(), answers(*hashes, COOKIE2), an_env())
    assert isinstance(hashes[1], Notify)
    assert done == Step(mobile(mobility=Mobility(seen_as=hashes[1].data)))


def test_nat_on_the_new_path() -> None:
    """ESP goes in UDP from now on."""
    hashes = detection(SPIS, from_host(OUTSIDE))
    done = step(updating(), answers(*hashes, COOKIE2), an_env())
    assert kinds(done) == [MoveChild, IkeSaMoved]
    assert established(done).nat == Nat(local=True)
    assert the(MoveChild, done).ends.nat


def test_no_nat_on_the_new_path() -> None:
    done = step(updating(Nat(local=True)), answers(*detection(SPIS, RIGHT_PATH), COOKIE2), an_env())
    assert not the(MoveChild, done).ends.nat


def test_answer_without_hashes_changes_nothing() -> None:
    done = step(updating(Nat(local=True)), answers(COOKIE2), an_env())
    assert established(done).nat == Nat(local=True)


def test_moved_again_meanwhile() -> None:
    """That answer is about a path that we have left (§3.5); another update is waiting."""
    sa = replace(updating(), path=Path(LEFT_PATH.local, Address(THIRD, 500)))
    done = step(sa, answers(*detection(SPIS, from_host(OUTSIDE)), COOKIE2), an_env())
    assert done == Step(replace(sa, doing=None))


def test_answer_with_another_cookie2() -> None:
    """§3.7: it comes from somebody who did not see the request; the IKE SA must be closed."""
    for sa in (updating(), mobile(doing=CheckingPath(COOKIE2.data))):
        done = step(sa, answers(Notify(NotifyType.COOKIE2, b"x" * 16)), an_env())
        assert isinstance(done.sa, Closing)
        assert not done.sa.asked
        assert isinstance(the(Call, done).payloads[0], Delete)


def test_answer_without_cookie2() -> None:
    """The peer must send it back (§3.7); one that does not shows nothing, and is no liar."""
    for sa in (updating(), mobile(doing=CheckingPath(COOKIE2.data))):
        assert step(sa, answers(), an_env()) == Step(mobile())


def test_path_is_not_accepted() -> None:
    """Whoever knows of other addresses is asked (§3.5)."""
    done = step(replace(updating(), mobility=Mobility((THIRD,))), answers(refused()), an_env())
    assert the(FindPath, done) == FindPath(SPI_I, "right", LEFT_PATH, (THIRD,))


def refused(notify_type: NotifyType = NotifyType.UNACCEPTABLE_ADDRESSES) -> Notify:
    return Notify(notify_type)


def test_nat_where_none_may_be() -> None:
    """§3.9: tried several times, since anybody on the path could have changed one packet."""
    sa = updating(NO_NATS)
    for tries in range(1, MAX_TRIES + 1):
        done = step(sa, answers(refused(NotifyType.UNEXPECTED_NAT_DETECTED)), an_env())
        assert types(the(Call, done).payloads)[:2] == [NotifyType.UPDATE_SA_ADDRESSES, NotifyType.NO_NATS_ALLOWED]
        sa = established(done)
        assert isinstance(sa.doing, Updating)
        assert sa.doing.task.tries == tries
    done = step(sa, answers(refused(NotifyType.UNEXPECTED_NAT_DETECTED)), an_env())
    assert kinds(done) == [Report, FindPath]


# --- the other follows -----------------------------------------------------------------------------------------------


def test_peer_moves() -> None:
    """To where the message came from; then it must show that it is really there (§3.5, §3.7)."""
    path = from_host(ELSEWHERE)
    left = Path(path.remote, path.local)
    request = asks(UPDATE, *detection(SPIS, left), COOKIE2, path=path)
    done = step(home(), request, an_env())
    assert kinds(done) == [MoveChild, IkeSaMoved, Respond, Call]
    assert the(Respond, done).payloads == (*detection(SPIS, path), COOKIE2)
    assert the(MoveChild, done).ends == Endpoints("left", path, nat=False)
    assert types(the(Call, done).payloads) == [NotifyType.COOKIE2]
    assert established(done).path == path
    assert isinstance(established(done).doing, CheckingPath)


def test_peer_moves_behind_a_nat_and_out_of_it() -> None:
    path = from_host(OUTSIDE)
    into = step(home(), asks(UPDATE, *detection(SPIS, LEFT_PATH), COOKIE2, path=path), an_env())
    assert established(into).nat == Nat(remote=True)
    assert the(MoveChild, into).ends.nat
    back = replace(established(into), doing=None, todo=())
    out = step(back, asks(UPDATE, *detection(SPIS, LEFT_PATH), COOKIE2), an_env())
    assert established(out).nat == Nat()


def test_check_succeeds() -> None:
    sa = home(doing=CheckingPath(COOKIE2.data))
    assert step(sa, answers(COOKIE2, path=RIGHT_PATH), an_env()) == Step(home())


def test_path_that_the_peer_may_not_come_from() -> None:
    """§3.5: nothing changes."""
    strict = home(peer=replace(HOME, remote_networks=(ip_network("192.0.2.0/28"),)))
    request = asks(UPDATE, COOKIE2, path=from_host(ELSEWHERE))
    done = step(strict, request, an_env())
    assert done.sa is strict
    assert the(Respond, done).payloads == (Notify(NotifyType.UNACCEPTABLE_ADDRESSES), COOKIE2)


@pytest.mark.parametrize("path", [from_host(OUTSIDE), RIGHT_PATH], ids=["changed", "as it was sent"])
def test_nat_is_forbidden(path: Path) -> None:
    """§3.9: addresses and ports must be those that were written down."""
    call = the(Call, mobike.update(mobile(nat=NO_NATS), Update(), an_env()))
    done = step(home(nat=NO_NATS), asks(*call.payloads, path=path), an_env())
    spoiled = path != RIGHT_PATH
    assert (NotifyType.UNEXPECTED_NAT_DETECTED in types(the(Respond, done).payloads)) is spoiled
    assert bool(all_of(Report, done)) is spoiled


@pytest.mark.parametrize(
    ("path", "octets"),
    [
        (LEFT_PATH, "c0000201 c6336401 01f4 01f4"),
        (
            Path(Address(V6, 4500), Address(V6_RIGHT, 500)),
            "20010db8000100000000000000000001 20010db8000200000000000000000001 1194 01f4",
        ),
    ],
    ids=["IPv4", "IPv6"],
)
def test_octets_of_the_prohibition(path: Path, octets: str) -> None:
    """§4.2.6: source, destination, and their ports."""
    call = the(Call, mobike.announce(mobile(nat=NO_NATS, path=path), an_env()))
    (data,) = [p.data for p in call.payloads if isinstance(p, Notify) and p.notify_type == NotifyType.NO_NATS_ALLOWED]
    assert data == bytes.fromhex(octets)


def test_only_who_began_decides() -> None:
    """An update from the other side is answered, and nothing moves."""
    request = asks(UPDATE, *detection(SPIS, RIGHT_PATH), COOKIE2, path=replace(LEFT_PATH, remote=Address(THIRD, 500)))
    done = step(mobile(), request, an_env())
    assert done.sa == mobile()
    assert kinds(done) == [Respond]
    assert COOKIE2 in the(Respond, done).payloads


def test_other_news_in_the_same_message() -> None:
    request = asks(UPDATE, COOKIE2, Delete(ProtocolId.ESP, (b"in_1",)), path=from_host(ELSEWHERE))
    done = step(home(), request, an_env(now=5.0))
    assert the(Respond, done).payloads == (COOKIE2, Delete(ProtocolId.ESP, (b"out1",)))
    assert established(done).children[0].phase is Phase.LINGERING


def test_peer_closes() -> None:
    done = step(home(), asks(Delete(ProtocolId.IKE)), an_env())
    assert not isinstance(done.sa, Established)


# --- other addresses -------------------------------------------------------------------------------------------------


def test_our_addresses_change() -> None:
    """§3.6: the peer is told all that we have beside the one in use."""
    done = step(mobile(), LocalAddresses((LEFT, V6)), with_hosts(LEFT, V6))
    assert the(Call, done).payloads == (Notify(NotifyType.ADDITIONAL_IP6_ADDRESS, V6.packed),)
    assert established(done).doing == Announcing()
    none = step(mobile(), LocalAddresses((LEFT,)), with_hosts(LEFT))
    assert the(Call, none).payloads == (Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),)
    assert step(established(none), answers(), an_env()) == Step(mobile())


def test_announced_where_no_nat_may_be() -> None:
    call = the(Call, mobike.announce(mobile(nat=NO_NATS), with_hosts(LEFT)))
    assert types(call.payloads) == [NotifyType.NO_ADDITIONAL_ADDRESSES, NotifyType.NO_NATS_ALLOWED]


def test_our_address_is_gone() -> None:
    """Who began needs another path; who did not takes another address, and hopes to be heard (§3.5, §3.6)."""
    began = step(mobile(V6_RIGHT), LocalAddresses((ELSEWHERE,)), with_hosts(ELSEWHERE))
    assert kinds(began) == [FindPath]
    assert the(FindPath, began).others == (V6_RIGHT,)

    other = step(home(), LocalAddresses((V6, THIRD)), with_hosts(V6, THIRD))
    assert kinds(other) == [MoveChild, IkeSaMoved, Call]
    assert the(Call, other).path.local.host == THIRD
    assert types(the(Call, other).payloads) == [NotifyType.ADDITIONAL_IP6_ADDRESS]


def test_our_address_is_gone_and_there_is_no_other() -> None:
    assert step(home(), LocalAddresses((V6,)), with_hosts(V6)) == Step(home())


def test_our_address_is_gone_and_the_peer_cannot_follow() -> None:
    plain = replace(mobile(), mobility=None)
    assert kinds(step(plain, LocalAddresses((ELSEWHERE,)), with_hosts(ELSEWHERE))) == [FindPath]
    assert step(plain, LocalAddresses((LEFT, V6)), with_hosts(LEFT, V6)) == Step(plain)
    other = replace(home(), mobility=None)
    assert step(other, LocalAddresses((ELSEWHERE,)), with_hosts(ELSEWHERE)) == Step(other)


def test_peer_s_addresses_change() -> None:
    request = asks(Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, THIRD.packed), path=LEFT_PATH)
    done = step(mobile(V6_RIGHT), request, an_env())
    assert done == Step(mobile(THIRD), (Respond(request),))
    none = step(mobile(V6_RIGHT), asks(Notify(NotifyType.NO_ADDITIONAL_ADDRESSES), path=LEFT_PATH), an_env())
    assert none.sa == mobile()


def test_peer_is_no_longer_where_we_send_to() -> None:
    """§3.5: it says so from another address; who began looks for a path there."""
    path = replace(LEFT_PATH, remote=Address(THIRD, 500))
    request = asks(Notify(NotifyType.ADDITIONAL_IP6_ADDRESS, V6_RIGHT.packed), path=path)
    done = step(mobile(), request, an_env())
    assert the(FindPath, done).others == (THIRD, V6_RIGHT)


def test_doubt() -> None:
    """§3.5: nothing comes back."""
    assert mobike.on_doubt(mobile(THIRD)) == Step(mobile(THIRD), (FindPath(SPI_I, "right", LEFT_PATH, (THIRD,)),))
    assert mobike.on_doubt(home()) == Step(home())
    assert mobike.on_doubt(an_sa()) == Step(an_sa())


# --- mappings --------------------------------------------------------------------------------------------------------

BEHIND = mobile(nat=Nat(local=True))
PROBE = Ask(SPI_I, Probe())


def test_probe_asks_how_we_are_seen() -> None:
    """§3.8: from behind a NAT."""
    call = the(Call, step(BEHIND, PROBE, an_env()))
    assert types(call.payloads) == [NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP]
    assert the(Call, step(mobile(), PROBE, an_env())).payloads == ()
    assert the(Call, step(home(), PROBE, an_env())).payloads == ()


def seen(path: Path = RIGHT_PATH) -> Response:
    """What right answers to that probe, if left comes from there."""
    return answers(*detection(SPIS, path))


def test_seen_otherwise_than_before() -> None:
    """The mapping has changed, or we do not know it yet: an update tells the peer (§3.8)."""
    done = step(replace(BEHIND, doing=Probing()), seen(from_host(OUTSIDE)), an_env())
    assert NotifyType.UPDATE_SA_ADDRESSES in types(the(Call, done).payloads)


def test_seen_as_before() -> None:
    hashes = detection(SPIS, from_host(OUTSIDE))
    assert isinstance(hashes[1], Notify)
    known = replace(BEHIND, mobility=Mobility(seen_as=hashes[1].data))
    assert step(replace(known, doing=Probing()), seen(from_host(OUTSIDE)), an_env()) == Step(known)


def test_peer_that_does_not_tell() -> None:
    assert step(replace(BEHIND, doing=Probing()), answers(), an_env()) == Step(BEHIND)


def test_new_keys_make_new_hashes() -> None:
    """§3.8: the SPIs are in them, so what was known is forgotten when the IKE SA is rekeyed."""
    pair, _ = behind_nat()
    pair.run(40)
    assert pair.left.sa.mobility != Mobility()
    pair.left.ask(RekeyIke())
    pair.run(DELAY * 5)
    assert pair.left.sa.mobility == Mobility()


# --- between two -----------------------------------------------------------------------------------------------------


def behind_nat() -> tuple[Pair, Box]:
    """Left calls from behind a NAT, and asks now and then whether right is there."""
    box, peer = Box(OUTSIDE, {LEFT}), replace(ROAMING, liveness=30.0)
    pair = Pair((peer,), (HOME,))
    pair.network.nats.append(box)
    pair.left.initiate("right")
    pair.run(1)
    assert pair.agree()
    pair.chart()
    return pair, box


def assert_works(pair: Pair) -> None:
    """The same IKE SA and child as ever, packets pass both ways, both know the path."""
    assert pair.agree()
    assert pair.ping()
    assert pair.left.downs == pair.right.downs == []
    assert len(pair.left.ups) == 1


def test_left_moves() -> None:
    pair = connected(ROAMING)
    pair.left.move_to(ELSEWHERE)
    pair.run(1)
    assert pair.chart() == (
        "--> INFORMATIONAL request 2: N(UPDATE_SA_ADDRESSES), N(COOKIE2)\n"
        "<-- INFORMATIONAL response 2: N(COOKIE2)\n"
        "<-- INFORMATIONAL request 0: N(COOKIE2)\n"
        "--> INFORMATIONAL response 0: N(COOKIE2)"
    )
    assert_works(pair)
    assert pair.right.sa.path.remote.host == ELSEWHERE


def test_left_roams() -> None:
    """Ten times, IPv4 and IPv6, never a new handshake; and rekeying goes on."""
    pair = connected(ROAMING)
    pair.network.owners[V6_RIGHT] = pair.right
    pair.right.tell(LocalAddresses((RIGHT, V6_RIGHT)))
    pair.run(1)
    for number in range(10):
        host = ip_address(f"2001:db8:1::{number + 1}" if number % 3 == 2 else f"192.0.2.{100 + number}")
        pair.left.move_to(host)
        pair.run(1)
        assert_works(pair)
        assert pair.right.sa.path.remote.host == host
        if number == 5:
            pair.right.ask(RekeyChild(pair.right.child.spi_in))
            pair.run(10)
    assert "IKE_" not in pair.chart()


@pytest.mark.parametrize("lost", range(4))
def test_left_moves_and_one_datagram_is_lost(lost: int) -> None:
    pair = connected(ROAMING)
    pair.lose(lost)
    pair.left.move_to(ELSEWHERE)
    pair.run(10)
    assert_works(pair)


def test_left_moves_while_it_asks_something() -> None:
    """The request is repeated from the new address (§3.5), and the update follows it."""
    pair = connected(ROAMING)
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.left.move_to(ELSEWHERE)  # the answer goes to where left is no more
    pair.run(20)
    assert without_numbers(pair.chart()).startswith(
        "--> CREATE_CHILD_SA request: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr, TSi, TSr\n"
        "--> CREATE_CHILD_SA request: N(REKEY_SA), SA, Ni, KEi, TSi, TSr\n"
        "<-- CREATE_CHILD_SA response: SA, Nr, KEr, TSi, TSr\n"
        "--> INFORMATIONAL request: N(UPDATE_SA_ADDRESSES), N(COOKIE2)\n"
    )
    assert_works(pair)


def test_left_moves_again_before_it_is_answered() -> None:
    """The answer is about a path that left has left; another update is on its way."""
    pair = connected(ROAMING)
    pair.left.move_to(ELSEWHERE)
    pair.run(DELAY / 2)
    pair.left.move_to(THIRD)
    pair.run(20)
    assert_works(pair)
    assert pair.right.sa.path.remote.host == THIRD
    assert pair.chart().count("--> INFORMATIONAL request 3: N(UPDATE_SA_ADDRESSES)") == 1


def test_left_moves_behind_a_nat_and_out_of_it() -> None:
    pair = connected(ROAMING)
    pair.network.nats.append(Box(OUTSIDE, {ELSEWHERE}))
    pair.left.move_to(ELSEWHERE)
    pair.run(1)
    assert_works(pair)
    assert (pair.left.sa.nat, pair.right.sa.nat) == (Nat(local=True), Nat(remote=True))
    assert all(ends.nat for end in pair.sides for ends in end.kernel.ends.values())
    pair.left.move_to(LEFT)
    pair.run(1)
    assert_works(pair)
    assert (pair.left.sa.nat, pair.right.sa.nat) == (Nat(), Nat())
    assert not any(ends.nat for end in pair.sides for ends in end.kernel.ends.values())


def test_nat_that_forgets_is_noticed_by_a_probe() -> None:
    """§3.8, and without any ESP that would show it."""
    pair, box = behind_nat()
    pair.run(35)
    assert_works(pair)
    pair.chart()
    box.rebind()
    pair.run(35)
    said = without_numbers(pair.chart())
    assert said.endswith(
        "--> INFORMATIONAL request:\n"
        "<-- INFORMATIONAL response:\n"
        "--> INFORMATIONAL request: N(UPDATE_SA_ADDRESSES), N(COOKIE2)\n"
        "<-- INFORMATIONAL response: N(COOKIE2)\n"
        "<-- INFORMATIONAL request: N(COOKIE2)\n"
        "--> INFORMATIONAL response: N(COOKIE2)"
    )
    assert pair.right.sa.path.remote == box.leaving(pair.left.sa.path.local)
    assert_works(pair)


def test_right_gets_another_address() -> None:
    """Its provider has given it one: left hears of it, and moves there (§3.6)."""
    pair = connected(ROAMING)
    pair.right.move_to(THIRD)
    pair.run(20)
    assert_works(pair)
    assert pair.left.sa.path.remote.host == THIRD
    assert without_numbers(pair.chart()).startswith(
        "<-- INFORMATIONAL request: N(NO_ADDITIONAL_ADDRESSES)\n"
        "--> INFORMATIONAL response:\n"
        "--> INFORMATIONAL request: N(UPDATE_SA_ADDRESSES), N(COOKIE2)\n"
    )


def test_right_is_found_at_its_other_address() -> None:
    """The path to the first one is dead: after some repetitions left tries the one that it was told of (§3.5)."""
    pair = Pair((replace(ROAMING, liveness=30.0),), (HOME,))
    pair.network.owners[THIRD] = pair.right
    pair.right.tell(LocalAddresses((RIGHT, THIRD)))
    pair.left.initiate("right")
    pair.run(1)
    assert pair.left.sa.mobility == Mobility((THIRD,))
    del pair.network.owners[RIGHT]
    pair.run(60)
    assert pair.left.sa.path.remote.host == THIRD
    assert_works(pair)
