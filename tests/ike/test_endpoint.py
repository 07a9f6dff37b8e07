"""edgevpn.ike.endpoint: datagrams and inputs in, effects out."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.contract import (
    Ask,
    ChildExpired,
    Datagram,
    Initiate,
    InstallFailed,
    Limit,
    LocalAddresses,
    Reconfigure,
    Report,
    Send,
    SetTimer,
    Settings,
    Shed,
    StopTimer,
    Terminate,
    TimerFired,
    Traffic,
)
from edgevpn.ike.cookies import bears_tag
from edgevpn.ike.endpoint import Endpoint
from edgevpn.ike.exchange.ike_sa_init import REFUSED_LATELY
from edgevpn.ike.iana import ExchangeType, Flag, IdType, NotifyType, PayloadType
from edgevpn.ike.peer import KeyRing
from edgevpn.ike.proving import Answering
from edgevpn.ike.state import (
    Address,
    Authenticating,
    CreateChild,
    HalfOpen,
    Initiating,
    Path,
    Phase,
    Probe,
)
from edgevpn.ike.window import Seal
from edgevpn.ike.wire.message import Header, Payload, decode_message, decode_payloads, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Identification, IdI, Nonce, SecurityAssociation, UnknownPayload
from edgevpn.ike.wire.protected import open_message
from tests.support.handshake import LEFT_PATH, RIGHT, RIGHT_PATH, an_env, initiated
from tests.support.pair import DELAY, Pair, connected
from tests.support.peers import TO_LEFT, TO_RIGHT
from tests.support.strategies import damaged

INIT, INFORMATIONAL = ExchangeType.IKE_SA_INIT, ExchangeType.INFORMATIONAL
REQUEST = initiated(TO_RIGHT).request


def endpoint(settings: Settings | None = None) -> Endpoint:
    """The right side, which knows the left one."""
    return Endpoint((TO_LEFT,), random.Random(7).randbytes, settings or Settings())


def get(core: Endpoint, octets: bytes, path: Path = RIGHT_PATH, now: float = 0.0) -> list[object]:
    """What comes of a datagram."""
    return list(core.handle(Datagram(path, octets), now))


def the_send(effects: list[object]) -> bytes:
    (send,) = (effect for effect in effects if isinstance(effect, Send))
    return send.octets


def notify_of(octets: bytes) -> NotifyType:
    """What the one Notify of an open message says."""
    (notify,) = decode_message(Header.decode(octets), octets)
    assert isinstance(notify, Notify)
    return notify.notify_type


def from_host(number: int, port: int = 500) -> Path:
    return Path(Address(RIGHT, 500), Address(ip_address(f"192.0.2.{number}"), port))


def init_request(number: int, *more: Notify) -> bytes:
    """An IKE_SA_INIT request with an SPI of its own."""
    header = Header.decode(REQUEST)
    payloads = (*more, *decode_message(header, REQUEST))
    return encode_message(replace(header, spi_i=number.to_bytes(8, "big")), payloads)


# --- what is no message of ours to answer ----------------------------------------------------------------------------


def sealed(**changes: object) -> bytes:
    """A message for an IKE SA that is not there."""
    header = Header(b"initiatr", b"respondr", INFORMATIONAL, Flag.INITIATOR, 0)
    return encode_message(replace(header, **changes), (Nonce(bytes(16)),))  # type: ignore[arg-type]


DISCARDED = {
    "nothing": b"",
    "too short": b"x" * 27,
    "random": bytes(range(64)),
    "an earlier version": sealed(major=1),
    "no such IKE SA": sealed(),
    "an answer for no such IKE SA": sealed(flags=Flag.RESPONSE),
    "an answer to no IKE_SA_INIT of ours": sealed(exchange=INIT, flags=Flag.RESPONSE),
    "IKE_SA_INIT with another number": sealed(exchange=INIT, message_id=1, spi_r=bytes(8)),
    "IKE_SA_INIT for an IKE SA": sealed(exchange=INIT),
    "IKE_SA_INIT of a responder": sealed(exchange=INIT, flags=Flag(0), spi_r=bytes(8)),
    "a later version, in an answer": sealed(major=3, flags=Flag.RESPONSE),
}


@pytest.mark.parametrize("octets", DISCARDED.values(), ids=DISCARDED)
def test_discarded(octets: bytes) -> None:
    """No answer, no state; at most a line in the log."""
    core = endpoint()
    assert not [effect for effect in get(core, octets) if not isinstance(effect, Report)]
    assert core.sas == ()


def test_later_version_is_refused() -> None:
    """RFC 7296 §2.5: INVALID_MAJOR_VERSION, unprotected."""
    answer = the_send(get(endpoint(), sealed(major=3)))
    assert notify_of(answer) is NotifyType.INVALID_MAJOR_VERSION


@given(st.data())
def test_damaged_first_message(data: st.DataObject) -> None:
    """Whatever comes, it is answered in the few ways that IKE_SA_INIT has, and one half-open IKE SA at most is made."""
    core = endpoint()
    octets = data.draw(damaged(REQUEST))
    effects = get(core, octets)
    assert len([effect for effect in effects if isinstance(effect, Send)]) <= 1
    assert all(isinstance(sa, HalfOpen) for sa in core.sas)
    assert len(core.sas) <= 1


def test_damaged_sealed_message() -> None:
    """Not one octet can be changed without its being dropped unseen."""
    pair = connected()
    pair.left.ask(Probe())
    request, right = pair.sent[-1], pair.right.endpoint
    before = right.sas
    for at in range(len(request)):
        spoiled = request[:at] + bytes([request[at] ^ 0x01]) + request[at + 1 :]
        effects = right.handle(Datagram(RIGHT_PATH, spoiled), pair.now)
        assert not [effect for effect in effects if not isinstance(effect, Report | Send)]
        assert right.sas == before
    pair.run(1)
    assert pair.agree()


# --- IKE_SA_INIT -----------------------------------------------------------------------------------------------------


def test_half_open_is_given_up() -> None:
    core = endpoint()
    effects = get(core, REQUEST)
    (sa,) = core.sas
    assert isinstance(sa, HalfOpen)
    assert SetTimer(sa.spi, 30.0) in effects
    assert StopTimer(sa.spi) in core.handle(TimerFired(sa.spi), 30.0)
    assert core.sas == ()


def test_same_request_gets_the_same_answer() -> None:
    """RFC 7296 §2.1, §2.4: octet for octet, and nothing is made of it."""
    core = endpoint()
    answer = the_send(get(core, REQUEST))
    assert get(core, REQUEST) == [Send(RIGHT_PATH, answer)]
    assert len(core.sas) == 1


def test_other_request_with_the_same_spi() -> None:
    core = endpoint()
    get(core, init_request(1))
    assert get(core, init_request(1, Notify(NotifyType.REDIRECT_SUPPORTED))) == []


def test_refusal_is_told_without_keeping_anything() -> None:
    core = Endpoint((replace(TO_LEFT, offers=()),), random.Random(7).randbytes)
    effects = get(core, REQUEST)
    assert notify_of(the_send(effects)) is NotifyType.NO_PROPOSAL_CHOSEN
    assert core.sas == ()


def test_from_one_address_a_few_come_in() -> None:
    """Then whoever asks must show a cookie (RFC 7296 §2.6); others need not."""
    core = endpoint(Settings(half_open_per_address=2))
    for number in (1, 2):
        get(core, init_request(number), from_host(1, port=number))
    challenge = the_send(get(core, init_request(3), from_host(1, port=3)))
    assert notify_of(challenge) is NotifyType.COOKIE
    assert len(core.sas) == 2
    get(core, init_request(4), from_host(2))
    assert len(core.sas) == 3

    (cookie,) = decode_message(Header.decode(challenge), challenge)
    assert isinstance(cookie, Notify)
    get(core, init_request(3, cookie), from_host(1, port=3))
    assert len(core.sas) == 4


def test_cookie_is_good_for_one_address() -> None:
    core = endpoint(Settings(cookie_threshold=0))
    challenge = the_send(get(core, init_request(3), from_host(1)))
    (cookie,) = decode_message(Header.decode(challenge), challenge)
    assert isinstance(cookie, Notify)
    again = the_send(get(core, init_request(3, cookie), from_host(2)))
    assert notify_of(again) is NotifyType.COOKIE
    assert core.sas == ()


def test_offers_are_not_read_before_there_is_a_cookie() -> None:
    """They are most of the work that a first message makes."""
    core = endpoint(Settings(cookie_threshold=0))
    header, payloads = Header.decode(REQUEST), decode_message(Header.decode(REQUEST), REQUEST)
    nonsense = UnknownPayload(PayloadType.SA, False, b"no offer")
    octets = encode_message(header, (nonsense, *payloads[1:]))
    challenge = the_send(get(core, octets))
    assert notify_of(challenge) is NotifyType.COOKIE
    effects = get(core, encode_message(header, (notify_in(challenge), nonsense, *payloads[1:])))
    assert [type(effect) for effect in effects] == [Report]


def test_cookie_is_good_for_a_while() -> None:
    """RFC 7296 §2.6: the secret changes, and the one before it still counts."""
    core = endpoint(Settings(cookie_threshold=0, cookie_lifetime=60.0))
    first = the_send(get(core, init_request(3), from_host(1)))
    (cookie,) = decode_message(Header.decode(first), first)
    assert isinstance(cookie, Notify)
    second = the_send(get(core, init_request(3), from_host(1), now=61.0))
    assert second != first
    assert the_send(get(core, init_request(3), from_host(1), now=100.0)) == second
    last = the_send(get(core, init_request(3, cookie), from_host(1), now=122.0))
    assert notify_of(last) is NotifyType.COOKIE
    assert core.sas == ()
    get(core, init_request(3, notify_in(last)), from_host(1), now=183.0)
    assert len(core.sas) == 1


def notify_in(octets: bytes) -> Notify:
    (notify,) = decode_message(Header.decode(octets), octets)
    assert isinstance(notify, Notify)
    return notify


def test_when_many_are_half_open_all_must_show_a_cookie() -> None:
    core = endpoint(Settings(cookie_threshold=3))
    for number in range(3):
        get(core, init_request(number + 1), from_host(number + 1))
    assert notify_of(the_send(get(core, init_request(9), from_host(9)))) is NotifyType.COOKIE


def test_when_many_are_refused_all_must_show_a_cookie() -> None:
    """For a while: to refuse is more work than to ask for a cookie, and whoever forges its address is not told."""
    core = Endpoint((replace(TO_LEFT, offers=()),), random.Random(7).randbytes, Settings(cookie_threshold=3))

    def answer(octets: bytes, now: float) -> NotifyType:
        return notify_of(the_send(get(core, octets, now=now)))

    assert [answer(init_request(number), now=5.0) for number in (1, 2, 3)] == [NotifyType.NO_PROPOSAL_CHOSEN] * 3
    challenge = the_send(get(core, init_request(4), now=6.0))
    assert notify_of(challenge) is NotifyType.COOKIE
    assert answer(init_request(4, notify_in(challenge)), now=6.0) is NotifyType.NO_PROPOSAL_CHOSEN
    assert answer(init_request(5), now=5.0 + REFUSED_LATELY) is NotifyType.NO_PROPOSAL_CHOSEN


# --- cookies where there are very many first messages ---------------------------------------------------------------


def challenged(core: Endpoint, octets: bytes, path: Path, now: float = 0.0) -> bytes | None:
    return core.challenge(octets, path.remote.host.packed, path.remote.port, now)


def test_challenge_is_what_would_be_sent() -> None:
    """Until the cookie is shown."""
    core = endpoint(Settings(cookie_threshold=0))
    here = from_host(1)
    answer = challenged(core, init_request(3), here)
    assert answer is not None
    assert answer == the_send(get(core, init_request(3), here))
    cookie = notify_in(answer)
    assert challenged(core, init_request(3, cookie), here) is None
    assert challenged(core, init_request(3, cookie), from_host(2)) == the_send(
        get(core, init_request(3, cookie), from_host(2))
    )
    assert core.sas == ()


def test_challenge_is_for_when_all_must_show_a_cookie() -> None:
    """That so many are half-open near by, or so few besides, is for the core to see."""
    core = endpoint(Settings(half_open_per_address=1, cookie_threshold=2))
    get(core, init_request(1), from_host(1))
    assert challenged(core, init_request(3), from_host(1)) is None
    get(core, init_request(2), from_host(2))
    assert challenged(core, init_request(3), from_host(1)) is not None


def test_who_is_half_open_is_not_challenged() -> None:
    """Its answer was lost, and it shall have it again."""
    core = endpoint(Settings(cookie_threshold=1))
    answer = the_send(get(core, init_request(1), from_host(1)))
    assert challenged(core, init_request(1), from_host(1)) is None
    assert the_send(get(core, init_request(1), from_host(1))) == answer
    assert challenged(core, init_request(1), from_host(1, port=9)) is not None


def test_where_there_is_no_room_nobody_is_challenged() -> None:
    core = endpoint(Settings(cookie_threshold=0, session_limit=0))
    assert challenged(core, init_request(1), from_host(1)) is None
    assert [type(effect) for effect in get(core, init_request(1), from_host(1))] == [Shed]


NOT_CHALLENGED = {
    "a later version": REQUEST[:17] + b"\x30" + REQUEST[18:],
    "cut off": REQUEST[:-1],
    "cut off, and its length set right": REQUEST[:24] + (50).to_bytes(4) + REQUEST[28:50],
    "without a nonce": encode_message(Header.decode(REQUEST), ()),
}


@pytest.mark.parametrize("octets", NOT_CHALLENGED.values(), ids=NOT_CHALLENGED)
def test_what_is_odd_is_not_challenged(octets: bytes) -> None:
    """The core is to say what is odd about it."""
    core = endpoint(Settings(cookie_threshold=0))
    assert challenged(core, octets, from_host(1)) is None


def test_sieves_change_with_the_secret() -> None:
    """So that the cookie before the last falls through none of them."""
    core = endpoint(Settings(cookie_threshold=0, cookie_lifetime=60.0))
    here = from_host(1)
    host = here.remote.host.packed

    def cookie_at(now: float) -> bytes:
        answer = challenged(core, init_request(3), here, now)
        assert answer is not None
        return init_request(3, notify_in(answer))

    first = cookie_at(1.0)
    assert bears_tag(first, host, core.sieves)
    second = cookie_at(62.0)
    assert bears_tag(first, host, core.sieves)
    assert bears_tag(second, host, core.sieves)
    cookie_at(123.0)
    assert not bears_tag(first, host, core.sieves)
    assert bears_tag(second, host, core.sieves)


def test_half_open_ones_are_limited() -> None:
    """Even those that have shown a cookie: memory is not for strangers."""
    core = endpoint(Settings(half_open_limit=2, cookie_threshold=9))
    for number in (1, 2):
        get(core, init_request(number), from_host(number))
    oldest, later = core.sas
    assert isinstance(oldest, HalfOpen)
    effects = get(core, init_request(3), from_host(3))
    assert effects[:2] == [Shed(Limit.HALF_OPEN, from_host(1).remote.host), StopTimer(oldest.spi)]
    assert core.sas[0] is later
    assert len(core.sas) == 2


def test_who_authenticates_makes_no_room() -> None:
    """It is nearly in: strangers cannot push it out, they stay out themselves."""
    by_ring = replace(TO_LEFT, local_auth=KeyRing(), remote_auth=KeyRing())
    pair = Pair((TO_RIGHT,), (by_ring,), Settings(half_open_limit=1))
    pair.right.holds = True
    pair.left.initiate("right")
    pair.run(1)
    (answering,) = pair.right.endpoint.sas
    effects = get(pair.right.endpoint, init_request(9), from_host(9), pair.now)
    assert effects == [Shed(Limit.HALF_OPEN, from_host(9).remote.host)]
    assert pair.right.endpoint.sas == (answering,)


def test_one_address_has_only_so_many() -> None:
    """With cookies, too: an address that is really there could else take all the room. One /64 is one address."""
    core = endpoint(Settings(half_open_near=2, half_open_per_address=9))
    for number in (1, 2, 3):
        effects = get(core, init_request(number), from_host(1, port=number))
    assert effects == [Shed(Limit.HALF_OPEN_NEAR, from_host(1).remote.host)]
    get(core, init_request(4), from_host(2))
    assert len(core.sas) == 3

    for number in (5, 6, 7):
        remote = Address(ip_address(f"2001:db8::{number}"), 500)
        effects = get(core, init_request(number), Path(Address(ip_address("2001:db8:1::1"), 500), remote))
    assert effects == [Shed(Limit.HALF_OPEN_NEAR, ip_address("2001:db8::7"))]


def test_who_is_in_leaves_so_much_room() -> None:
    """A first message that would be one too many gets no answer: whoever sends it again may find room."""
    pair = connected(settings=Settings(session_limit=1))
    effects = get(pair.right.endpoint, init_request(9), from_host(9), pair.now)
    assert effects == [Shed(Limit.SESSIONS, from_host(9).remote.host)]
    pair.left.terminate()
    pair.run(1)
    get(pair.right.endpoint, init_request(9), from_host(9), pair.now)
    assert len(pair.right.endpoint.sas) == 1


BY_RING = replace(TO_LEFT, remote_id=None, local_auth=KeyRing(), remote_auth=KeyRing())
NAMES = (b"left.example", b"left.example" * 20)
TALKATIVE = replace(TO_RIGHT, name="talkative", local_id=Identification(IdType.FQDN, NAMES[1]))


def who_waits(pair: Pair) -> list[bytes]:
    """The names of those who say who they are."""
    asked = [sa.claim.asked for sa in pair.right.endpoint.sas if isinstance(sa, Answering)]
    return [each.need(IdI).identification.data for each in asked]


def test_strangers_have_so_much_kept() -> None:
    """What is too much is dropped, and with it the IKE SA on which it came."""
    pair = Pair((TO_RIGHT,), (BY_RING,), Settings(held_limit=100))
    pair.left.initiate("right")
    pair.run(1)
    assert pair.right.endpoint.sas == ()
    assert Shed(Limit.HELD, LEFT_PATH.local.host) in pair.right.told


def test_whoever_sends_most_goes_first() -> None:
    """Of all that say who they are, and need not have come to an end of it."""
    pair = Pair((TO_RIGHT, TALKATIVE), (BY_RING,), Settings(held_limit=550))
    pair.right.holds = True
    pair.left.initiate("talkative")
    pair.run(1)
    assert who_waits(pair) == [NAMES[1]]
    pair.left.initiate("right")
    pair.run(1)
    assert who_waits(pair) == [NAMES[0]]
    assert pair.right.told.count(Shed(Limit.HELD, LEFT_PATH.local.host)) == 1


def test_pieces_from_strangers_count() -> None:
    """Each that comes, though the whole message never does: its first one is lost."""
    pair = Pair((TALKATIVE,), (BY_RING,), Settings(fragment_size_v4=200, held_limit=300))
    pair.lose(3)
    pair.left.initiate("talkative")
    pair.run(1)
    assert pair.right.endpoint.sas == ()
    assert Shed(Limit.HELD, LEFT_PATH.local.host) in pair.right.told


def test_cookie_between_two() -> None:
    pair = Pair((TO_RIGHT,), (TO_LEFT,), Settings(cookie_threshold=0))
    pair.left.initiate("right")
    pair.run(1)
    first, challenge, second, answer = pair.chart().splitlines()[:4]
    assert first.startswith("--> IKE_SA_INIT request 0: SA, KEi, Ni")
    assert challenge == "<-- IKE_SA_INIT response 0: N(COOKIE)"
    assert second == first.replace("SA, KEi", "N(COOKIE), SA, KEi")
    assert answer.startswith("<-- IKE_SA_INIT response 0: SA, KEr, Nr")
    assert pair.agree()


def test_forged_refusal_of_ike_sa_init() -> None:
    """Anybody can send one: the true answer still counts (RFC 7296 §2.21.1)."""
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.left.initiate("right")
    (sa,) = pair.left.endpoint.sas
    assert isinstance(sa, Initiating)
    header = Header(sa.spi_i, bytes(8), INIT, Flag.RESPONSE, 0)
    pair.left.tell(Datagram(LEFT_PATH, encode_message(header, (Notify(NotifyType.NO_PROPOSAL_CHOSEN),))))
    pair.run(1)
    assert pair.agree()


# --- requests and answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", range(4))
def test_each_message_of_the_beginning_may_be_lost(lost: int) -> None:
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.lose(lost)
    pair.left.initiate("right")
    pair.run(10)
    assert pair.agree()
    assert len(pair.left.sa.children) == 1


def test_everything_twice_and_in_disorder() -> None:
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.fate = lambda number, octets: (DELAY, 3 * DELAY, 50 * DELAY)
    pair.left.initiate("right")
    pair.run(60)
    assert pair.agree()
    for end in pair.sides:
        end.terminate()
    pair.run(60)
    assert pair.left.endpoint.sas == pair.right.endpoint.sas == ()


def test_request_that_overtakes_the_answer_to_ike_auth() -> None:
    """It comes too early, is not answered, and comes again."""
    pair = Pair((TO_RIGHT,), (TO_LEFT,))
    pair.left.initiate("right")
    pair.run(2.5 * DELAY)
    pair.fate = lambda number, octets: (5 * DELAY,) if number == 3 else (DELAY,)
    pair.run(DELAY)
    assert isinstance(pair.left.endpoint.sas[0], Authenticating)
    pair.right.ask(Probe())
    pair.run(2 * DELAY)
    assert [dict(report.fields)["why"] for report in pair.left.reports("discarded")] == [
        "the peer asks before we have its answer to IKE_AUTH"
    ]
    pair.run(10)
    assert pair.agree()
    assert pair.chart().count("<-- INFORMATIONAL request 0:") == 2


def asked_by_left(pair: Pair, *payloads: Payload) -> tuple[Payload, ...]:
    """What right answers to an INFORMATIONAL request that left, with keys and all, would not have sent."""
    (secured,) = pair.secrets.values()
    seal, path = Seal.of(replace(secured, initiator=True)), pair.left.sa.path
    _, (request,) = seal.close(INFORMATIONAL, 2, Flag(0), payloads, path, an_env())
    effects = pair.right.endpoint.handle(Datagram(Path(path.remote, path.local), request), pair.now)
    octets = the_send(list(effects))
    return decode_payloads(*open_message(octets, Header.decode(octets), seal.incoming))


def test_critical_payload_that_nobody_knows() -> None:
    """RFC 7296 §2.5: its type is told; the IKE SA stands."""
    pair = connected()
    answer = asked_by_left(pair, UnknownPayload(PayloadType(200), True, b""))
    assert answer == (Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([200])),)
    assert len(pair.right.sas) == 1


def test_critical_payload_in_a_first_message() -> None:
    """RFC 7296 §2.5: told there too; nothing is kept, and it counts as what asks for cookies."""
    core = endpoint(Settings(cookie_threshold=1))
    header, unknown = Header.decode(REQUEST), UnknownPayload(PayloadType(200), True, b"")
    request = encode_message(header, (*decode_message(header, REQUEST), unknown))
    answer = the_send(get(core, request))
    assert decode_message(Header.decode(answer), answer) == (
        Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([200])),
    )
    assert core.sas == ()
    assert notify_of(the_send(get(core, request))) is NotifyType.COOKIE


def test_first_message_that_lacks_something() -> None:
    """RFC 7296 §3.10.1: INVALID_SYNTAX is told only within an IKE SA; the owner hears why."""
    header = Header.decode(REQUEST)
    short = tuple(each for each in decode_message(header, REQUEST) if not isinstance(each, SecurityAssociation))
    effects = get(endpoint(), encode_message(header, short))
    assert [type(effect) for effect in effects] == [Report]


def test_payload_that_nobody_knows() -> None:
    """It is passed over (RFC 7296 §2.5)."""
    assert asked_by_left(connected(), UnknownPayload(PayloadType(200), False, b"news")) == ()


def test_request_that_cannot_be_read() -> None:
    """RFC 7296 §2.21.3: the one who sent it is authenticated, so the IKE SA is at its end."""
    pair = connected()
    answer = asked_by_left(pair, UnknownPayload(PayloadType.DELETE, False, b"?"))
    assert answer == (Notify(NotifyType.INVALID_SYNTAX),)
    assert pair.right.endpoint.sas == ()


def test_unanswered_requests_end_the_ike_sa() -> None:
    pair = connected()
    pair.fate = lambda number, octets: ()
    pair.left.ask(Probe())
    pair.run(200)
    assert pair.left.endpoint.sas == ()
    assert pair.chart().count("INFORMATIONAL request 2:") == 1 + Settings().retransmit_tries
    assert [down.reason for down in pair.left.downs] == ["the peer does not answer"]
    assert pair.left.timers == {}


# --- inputs of the owner and the kernel ------------------------------------------------------------------------------


def test_peer_that_nobody_knows() -> None:
    core = endpoint()
    (told,) = core.handle(Initiate("stranger", RIGHT_PATH), 0.0)
    assert isinstance(told, Report)
    assert core.sas == ()


def test_reconfigured_peers_count_from_now_on() -> None:
    core = endpoint()
    core.handle(Reconfigure(()), 0.0)
    assert notify_of(the_send(get(core, REQUEST))) is NotifyType.NO_PROPOSAL_CHOSEN


@pytest.mark.parametrize(
    "event",
    [
        Ask(b"no such", Probe()),
        Terminate(b"no such"),
        Traffic(b"no such", None),
        ChildExpired(b"none", hard=True),
        InstallFailed(b"none", "too late"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_input_for_what_is_gone(event: Ask | Terminate | Traffic | ChildExpired | InstallFailed) -> None:
    core = endpoint()
    (told,) = core.handle(event, 0.0)
    assert isinstance(told, Report)
    assert told.event == "too_late"


def test_addresses_concern_only_what_stands() -> None:
    core = endpoint()
    get(core, REQUEST)
    assert core.handle(LocalAddresses((RIGHT,)), 0.0) == ()


def test_timer_of_what_is_gone() -> None:
    assert endpoint().handle(TimerFired(b"no such"), 0.0) == ()


def test_kernel_speaks_of_a_child_by_its_spi() -> None:
    pair = connected()
    old = pair.right.child.spi_in
    pair.right.tell(ChildExpired(old, hard=False))
    pair.run(1)
    assert pair.right.child.spi_in != old
    pair.right.tell(InstallFailed(pair.right.child.spi_in, "no memory"))
    pair.run(30)
    assert pair.agree()
    assert pair.right.sa.children == ()


def test_hard_limit_on_both_sides_makes_one_new_child() -> None:
    pair = connected()
    for end in pair.sides:
        end.tell(ChildExpired(end.child.spi_in, hard=True))
    pair.run(30)
    assert pair.agree()
    assert [child.phase for child in pair.left.sa.children] == [Phase.ACTIVE]


def test_sas_by_spi_and_by_peer() -> None:
    pair = connected()
    assert pair.left.endpoint.sa(pair.left.sa.spi) is pair.left.sa
    assert pair.left.endpoint.sa(b"no such") is None
    assert pair.left.endpoint.sas_of("right") == (pair.left.sa,)
    assert pair.left.endpoint.sas_of("left") == ()


def test_timer_that_fires_too_early_is_set_again() -> None:
    """Clocks differ a little; a state that is not looked at any more would stay for ever."""
    core = endpoint()
    get(core, REQUEST)
    (sa,) = core.sas
    assert isinstance(sa, HalfOpen)
    assert core.handle(TimerFired(sa.spi), 29.9) == (SetTimer(sa.spi, 30.0),)


def test_no_timer_is_set_twice_for_the_same_time() -> None:
    pair = connected(replace(TO_RIGHT, liveness=30.0))
    first = pair.left.endpoint.handle(Ask(pair.left.sa.spi, CreateChild("none")), pair.now)
    assert not [effect for effect in first if isinstance(effect, SetTimer)]
