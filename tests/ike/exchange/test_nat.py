"""edgevpn.ike.exchange.nat: RFC 7296 §2.23."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from edgevpn.ike.contract import (
    Datagram,
    Endpoints,
    IkeSaMoved,
    MoveChild,
    Request,
    Settings,
)
from edgevpn.ike.exchange.child_sa import ends
from edgevpn.ike.exchange.nat import detected, detection, floated, followed, mapping_changed, moved, seen_as
from edgevpn.ike.iana import ExchangeType, NotifyType
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Address, Established, Mobility, Nat, Path, Phase, Probe, RekeyChild
from edgevpn.ike.steps import Step
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env, from_port, kinds, the
from tests.support.network import Nat as Box
from tests.support.pair import LEFT, Pair, connected
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.states import a_child, an_sa

SPIS = b"initiatr", b"respondr"
OUTSIDE = ip_address("203.0.113.1")
THERE = Address(ip_address("203.0.113.9"), 20777)
MOVED = Path(LEFT_PATH.local, THERE)


def told(path: Path, *payloads: Payload) -> Request:
    return Request(ExchangeType.IKE_SA_INIT, 0, payloads, path)


# --- finding one -----------------------------------------------------------------------------------------------------

SENT_OVER = {
    "no NAT": (RIGHT_PATH, Nat()),
    "before the sender": (from_port(RIGHT_PATH, 1024), Nat(remote=True)),
    "before us": (replace(RIGHT_PATH, local=THERE), Nat(local=True)),
    "before both": (Path(THERE, THERE), Nat(local=True, remote=True)),
}


@pytest.mark.parametrize(("path", "nat"), SENT_OVER.values(), ids=SENT_OVER)
def test_hashes_tell(path: Path, nat: Nat) -> None:
    """Left sends over its path; right compares them with what the packet looks like."""
    assert detected(told(path, *detection(SPIS, LEFT_PATH)), SPIS, path) == nat


def test_sender_that_does_not_know_its_address() -> None:
    """It may send several source hashes: one that fits is enough."""
    first, destination = detection(SPIS, Path(THERE, LEFT_PATH.remote))
    second, _ = detection(SPIS, LEFT_PATH)
    assert detected(told(RIGHT_PATH, first, second, destination), SPIS, RIGHT_PATH) == Nat()


@pytest.mark.parametrize("left_out", [0, 1], ids=["no source", "no destination"])
def test_peer_that_knows_nothing_of_it(left_out: int) -> None:
    hashes = [payload for number, payload in enumerate(detection(SPIS, LEFT_PATH)) if number != left_out]
    assert detected(told(RIGHT_PATH, *hashes), SPIS, RIGHT_PATH) == Nat(supported=False)


def test_udp_is_forced() -> None:
    """Both sides believe in a NAT, so ESP goes in UDP where nothing else passes."""
    hashes = detection(SPIS, LEFT_PATH, force=True)
    assert [Notify.decode(Reader(notify.encode())) for notify in hashes] == list(hashes)
    forced = told(RIGHT_PATH, *hashes)
    assert detected(forced, SPIS, RIGHT_PATH) == Nat(remote=True)
    assert detected(told(RIGHT_PATH, *detection(SPIS, LEFT_PATH)), SPIS, RIGHT_PATH, force=True) == Nat(local=True)


def test_how_the_peer_sees_us() -> None:
    (_, destination) = detection(SPIS, LEFT_PATH)
    assert isinstance(destination, Notify)
    assert seen_as(told(RIGHT_PATH, destination)) == destination.data
    assert seen_as(told(RIGHT_PATH, Notify(NotifyType.COOKIE, b"1"))) == b""


def test_ports() -> None:
    settings = Settings(ike_port=500, nat_port=4500)
    assert [end.port for end in (floated(LEFT_PATH, settings).local, floated(LEFT_PATH, settings).remote)] == [4500] * 2
    assert floated(from_port(LEFT_PATH, 1024), settings).remote.port == 1024


# --- what follows ----------------------------------------------------------------------------------------------------


def test_moved() -> None:
    """The IKE SA and every child of it, whatever its phase."""
    sa = an_sa(a_child(1), a_child(2, phase=Phase.LINGERING, due=9.0))
    after, effects = moved(sa, MOVED, Nat(remote=True), an_env())
    assert after == replace(sa, path=MOVED, nat=Nat(remote=True))
    ends = Endpoints("right", MOVED, nat=True)
    assert effects == (*(MoveChild(child, ends) for child in sa.children), IkeSaMoved(sa.spi, "right", MOVED))


def test_moved_to_where_it_is() -> None:
    assert moved(an_sa(a_child()), LEFT_PATH, Nat(), an_env()) == (an_sa(a_child()), ())


def test_keepalives_begin_and_end_with_the_nat() -> None:
    after, _ = moved(an_sa(), MOVED, Nat(local=True), an_env(now=5.0))
    assert after.keepalive_at == 5.0 + Settings().keepalive
    again, _ = moved(after, LEFT_PATH, Nat(local=True), an_env(now=9.0))
    assert again.keepalive_at == after.keepalive_at
    out, _ = moved(again, MOVED, Nat(), an_env())
    assert out.keepalive_at == NEVER


FOLLOWED: dict[str, tuple[Established, bool]] = {
    "a NAT hides the peer": (an_sa(nat=Nat(remote=True)), True),
    "a NAT hides both, and the peer called": (an_sa(nat=Nat(local=True, remote=True), began=False), True),
    "a NAT hides both, and we called": (an_sa(nat=Nat(local=True, remote=True)), False),
    "a NAT hides us": (an_sa(nat=Nat(local=True)), False),
    "no NAT": (an_sa(), False),
    "MOBIKE": (an_sa(nat=Nat(remote=True), mobility=Mobility()), False),
}


@pytest.mark.parametrize(("sa", "follows"), FOLLOWED.values(), ids=FOLLOWED)
def test_who_is_followed(sa: Established, follows: bool) -> None:
    """RFC 7296 §2.23, RFC 4555 §3.8."""
    after, effects = followed(sa, THERE, an_env())
    assert (after.path.remote == THERE) is bool(effects) is follows
    assert followed(sa, LEFT_PATH.remote, an_env()) == (sa, ())


def test_esp_shows_another_address() -> None:
    sa = an_sa(a_child(), nat=Nat(remote=True))
    assert mapping_changed(sa, THERE, an_env()) == Step(*moved(sa, MOVED, sa.nat, an_env()))
    assert mapping_changed(an_sa(a_child()), THERE, an_env()) == Step(an_sa(a_child()))


def test_with_mobike_only_esp_follows_esp() -> None:
    """RFC 4555 §3.8: IKE waits for UPDATE_SA_ADDRESSES."""
    sa = an_sa(a_child(), nat=Nat(remote=True), mobility=Mobility())
    step = mapping_changed(sa, THERE, an_env())
    assert kinds(step) == [MoveChild]
    assert the(MoveChild, step).ends == Endpoints("right", MOVED, nat=True)
    after = step.sa
    assert isinstance(after, Established)
    assert after.path == LEFT_PATH
    assert ends(after) == the(MoveChild, step).ends
    assert mapping_changed(after, THERE, an_env()) == Step(after)


def test_update_brings_both_together_again() -> None:
    sa = an_sa(a_child(), nat=Nat(remote=True), mobility=Mobility(esp_remote=THERE))
    there, effects = moved(sa, MOVED, sa.nat, an_env())
    assert there == replace(sa, path=MOVED, mobility=Mobility())
    assert len(effects) == 2
    back, effects = moved(sa, LEFT_PATH, sa.nat, an_env())
    assert back == replace(sa, mobility=Mobility())
    assert MoveChild(a_child(), Endpoints("right", LEFT_PATH, nat=True)) in effects


# --- between two -----------------------------------------------------------------------------------------------------


def behind_nat(**changes: object) -> tuple[Pair, Box]:
    """Left calls from behind a NAT."""
    box = Box(OUTSIDE, {LEFT})
    pair = Pair((replace(TO_RIGHT, **changes),), (replace(TO_LEFT, **changes),))  # type: ignore[arg-type]
    pair.network.nats.append(box)
    pair.left.initiate("right")
    pair.run(1)
    assert pair.agree()
    assert pair.ping()
    pair.chart()
    return pair, box


def test_through_a_nat() -> None:
    """IKE goes on from port 4500, ESP goes in UDP, and the mapping is kept alive from inside."""
    pair, _ = behind_nat()
    assert pair.right.sa.path.remote.host == OUTSIDE
    assert (pair.left.sa.path.local.port, pair.left.sa.path.remote.port) == (4500, 4500)
    assert (pair.left.sa.nat, pair.right.sa.nat) == (Nat(local=True), Nat(remote=True))
    assert pair.left.sa.keepalive_at < NEVER
    assert pair.right.sa.keepalive_at == NEVER


def test_nat_that_forgets_shows_in_esp() -> None:
    """Left's next packet goes out as from elsewhere: right's kernel notices, and all of it moves."""
    pair, box = behind_nat()
    box.rebind()
    assert pair.right.sa.path.remote != box.leaving(pair.left.sa.path.local)
    assert pair.ping()
    assert pair.right.sa.path.remote == box.leaving(pair.left.sa.path.local)
    assert pair.ping()


@pytest.mark.parametrize("task", [Probe(), None], ids=["probe", "rekeying"])
def test_nat_that_forgets_shows_in_ike(task: Probe | None) -> None:
    pair, box = behind_nat()
    box.rebind()
    pair.left.ask(task or RekeyChild(pair.left.child.spi_in))
    pair.run(20)
    assert pair.agree()
    assert pair.right.sa.path.remote == box.leaving(pair.left.sa.path.local)
    assert pair.ping()


def test_old_message_does_not_lead_back() -> None:
    """Only what is new counts: an attacker could send the last request again from anywhere."""
    pair, _ = behind_nat()
    pair.left.ask(Probe())
    pair.run(1)
    old = pair.sent[-2]
    before = pair.right.sa.path
    pair.right.tell(Datagram(Path(RIGHT_PATH.local, THERE), old))
    assert pair.right.sa.path == before


def test_without_a_nat_nobody_is_followed() -> None:
    """Whoever holds back a message and sends it on from elsewhere gets the answer, and nothing else."""
    pair = connected()
    pair.left.ask(Probe())
    before = pair.right.sa.path
    pair.right.tell(Datagram(Path(RIGHT_PATH.local, THERE), pair.sent[-1]))
    assert pair.right.sa.path == before
    pair.run(5)
    assert pair.agree()
