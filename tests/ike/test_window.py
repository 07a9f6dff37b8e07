"""edgevpn.ike.window."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevpn.ike.contract import Env, Send, Settings
from edgevpn.ike.crypto.suite import IkeSuite
from edgevpn.ike.errors import Discard
from edgevpn.ike.iana import CertEncoding, ExchangeType, Flag
from edgevpn.ike.peer import NEVER
from edgevpn.ike.window import Message, Seal, Window
from edgevpn.ike.wire.message import Header, Payload, decode_payloads
from edgevpn.ike.wire.payloads import Certificate, VendorId
from tests.support.handshake import LEFT_PATH, RIGHT_PATH, an_env, from_port
from tests.support.states import CBC_SUITE, IKE_SUITE, secured

INFORMATIONAL, IKE_AUTH = ExchangeType.INFORMATIONAL, ExchangeType.IKE_AUTH
HELLO: tuple[Payload, ...] = (VendorId(b"hello"),)
LONG: tuple[Payload, ...] = (Certificate(CertEncoding.X509_SIGNATURE, bytes(3000)), VendorId(b"end"))


def windows(suite: IkeSuite = IKE_SUITE, fragments: bool = False) -> tuple[Window, Window]:
    """The two ends of one conversation."""
    ends = (secured(initiator, suite, fragments=fragments) for initiator in (True, False))
    left, right = (Window(Seal.of(end)) for end in ends)
    return left, right


def ask(window: Window, payloads: tuple[Payload, ...] = HELLO, env: Env | None = None) -> tuple[Window, list[bytes]]:
    """Left asks; the datagrams that it sends."""
    window, sends = window.call(INFORMATIONAL, payloads, LEFT_PATH, env or an_env())
    return window, octets_of(sends)


def octets_of(sends: tuple[Send, ...]) -> list[bytes]:
    return [send.octets for send in sends]


def hear(window: Window, datagram: bytes, env: Env | None = None) -> tuple[Window, Message | None]:
    """Right gets a request."""
    return window.accept(Header.decode(datagram), datagram, env or an_env())


def answer(window: Window, payloads: tuple[Payload, ...] = ()) -> tuple[Window, list[bytes]]:
    """Right answers it."""
    window, sends = window.respond(INFORMATIONAL, payloads, RIGHT_PATH, an_env())
    return window, octets_of(sends)


def get_answer(window: Window, datagram: bytes) -> tuple[Window, Message | None]:
    return window.take_response(Header.decode(datagram), datagram, an_env())


def read(message: Message | None) -> tuple[Payload, ...]:
    assert message is not None
    return decode_payloads(*message)


# --- one exchange ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [IKE_SUITE, CBC_SUITE], ids=["counted IV", "IV by chance"])
def test_exchange(suite: IkeSuite) -> None:
    """Asked and answered twice: the message IDs are 0 and 1, and the flags tell who is who."""
    left, right = windows(suite)
    for message_id in range(2):
        left, (request,) = ask(left)
        header = Header.decode(request)
        assert (header.exchange, header.message_id, header.flags) == (INFORMATIONAL, message_id, Flag.INITIATOR)
        right, message = hear(right, request)
        assert read(message) == HELLO
        right, (response,) = answer(right, (VendorId(b"hi"),))
        header = Header.decode(response)
        assert (header.message_id, header.flags) == (message_id, Flag.RESPONSE)
        left, message = get_answer(left, response)
        assert read(message) == (VendorId(b"hi"),)
        assert left.due == NEVER


def test_each_direction_counts_for_itself() -> None:
    """RFC 7296 §2.2: the responder's own requests begin at 0 as well."""
    left, right = windows()
    left, (first,) = ask(left)
    right, _ = hear(right, first)
    right, (request,) = ask(right)
    header = Header.decode(request)
    assert (header.message_id, header.flags) == (0, Flag(0))
    left, message = hear(left, request)
    assert read(message) == HELLO


@pytest.mark.parametrize("suite", [IKE_SUITE, CBC_SUITE], ids=["counted IV", "IV by chance"])
@pytest.mark.parametrize("fragments", [False, True], ids=["whole", "in pieces"])
def test_no_iv_comes_twice(suite: IkeSuite, fragments: bool) -> None:
    left, _ = windows(suite, fragments)
    env, ivs = an_env(), []
    size, skip = left.seal.outgoing.iv_length if left.seal else 0, 28 + 4 + (4 if fragments else 0)
    for _ in range(3):
        left, datagrams = ask(left, LONG, env)
        ivs += [datagram[skip : skip + size] for datagram in datagrams]
        left = left.answered()
    assert len(ivs) == len(set(ivs)) == (9 if fragments else 3)


# --- the peer's requests ---------------------------------------------------------------------------------------------


def test_repeated_request_gets_the_same_answer() -> None:
    """Sent to where the repetition came from (RFC 7296 §2.1)."""
    left, right = windows()
    left, (request,) = ask(left)
    header = Header.decode(request)
    assert not right.is_repeat(header)
    right, _ = hear(right, request)
    assert not right.is_repeat(header)
    right, (response,) = answer(right)

    assert right.is_repeat(header)
    right.check_repeat(header, request)
    elsewhere = from_port(RIGHT_PATH, 1024)
    assert right.answer_again(elsewhere) == (Send(elsewhere, response),)


def test_other_numbers_are_no_repetition() -> None:
    left, right = windows()
    left, (request,) = ask(left)
    header = Header.decode(request)
    right, _ = hear(right, request)
    right, _ = answer(right)
    assert [right.is_repeat(replace(header, message_id=number)) for number in range(3)] == [True, False, False]


def test_forged_repetition_gets_nothing() -> None:
    left, right = windows()
    left, (request,) = ask(left)
    right, _ = hear(right, request)
    right, _ = answer(right)
    forged = request[:-1] + bytes([request[-1] ^ 1])
    with pytest.raises(Discard, match="ICV"):
        right.check_repeat(Header.decode(forged), forged)


NUMBERS = {"the one before the last": 0, "the last": 1, "the one after the next": 3}


@pytest.mark.parametrize("message_id", NUMBERS.values(), ids=NUMBERS)
def test_only_the_next_number_is_a_new_request(message_id: int) -> None:
    left, right = windows()
    right = replace(right, expected_id=2)
    _, (request,) = ask(replace(left, next_id=message_id))
    with pytest.raises(Discard, match="expected is 2"):
        hear(right, request)


def test_forged_request_changes_nothing() -> None:
    left, right = windows()
    left, (request,) = ask(left)
    with pytest.raises(Discard, match="ICV"):
        hear(right, request[:-1] + bytes([request[-1] ^ 1]))


def test_our_own_request_comes_back() -> None:
    """Reflected by somebody: the initiator flag says that it is ours."""
    left, _ = windows()
    left, (request,) = ask(left)
    with pytest.raises(Discard, match="the initiator flag is ours"):
        hear(left, request)


def test_sealed_before_there_are_keys() -> None:
    left, _ = windows()
    _, (request,) = ask(left)
    with pytest.raises(Discard, match="before there are keys"):
        hear(Window(), request)


# --- our requests ----------------------------------------------------------------------------------------------------


def test_request_is_repeated_further_and_further_apart() -> None:
    """With the settings' factor, a little early by chance; then it is given up (RFC 7296 §2.1, §2.4)."""
    settings = Settings(retransmit_first=2.0, retransmit_factor=2.0, retransmit_tries=3, jitter=0.1)
    env = replace(an_env(), settings=settings)
    left, (request,) = ask(windows()[0], env=env)
    for wait in (2.0, 4.0, 8.0):
        assert 0.9 * wait <= left.due - env.now <= wait
        env = replace(env, now=left.due)
        resent = left.resend(env)
        assert resent is not None
        left, sends = resent
        assert sends == (Send(LEFT_PATH, request),)
    assert 0.9 * 16.0 <= left.due - env.now <= 16.0
    assert left.resend(replace(env, now=left.due)) is None


def test_request_follows_an_ike_sa_that_moves() -> None:
    """RFC 4555 §3.5: it is repeated over the new path."""
    left, (request,) = ask(windows()[0])
    elsewhere = from_port(LEFT_PATH, 1024)
    resent = left.on_path(elsewhere).resend(an_env(now=2.0))
    assert resent is not None
    assert resent[1] == (Send(elsewhere, request),)
    assert left.on_path(LEFT_PATH) is left
    assert windows()[0].on_path(elsewhere) == windows()[0]


def test_tries_are_counted() -> None:
    left, _ = ask(windows()[0])
    assert (windows()[0].tries, left.tries) == (0, 0)
    resent = left.resend(an_env(now=2.0))
    assert resent is not None
    assert resent[0].tries == 1
    assert resent[0].answered().tries == 0


def test_datagrams_are_not_shown() -> None:
    """They could be anything, and they are long."""
    left, _ = Window().call_open(b"octets", LEFT_PATH, an_env())
    assert "octets" not in repr(replace(left, answer=(b"octets",)))


def test_jitter_differs() -> None:
    """Two gateways that lose each other at the same time do not come back in step."""
    assert len({ask(windows()[0], env=an_env(seed=seed))[0].due for seed in range(10)}) > 5


@pytest.mark.parametrize(("exchange", "message_id"), [(INFORMATIONAL, 1), (IKE_AUTH, 0)], ids=["number", "exchange"])
def test_response_to_another_request(exchange: ExchangeType, message_id: int) -> None:
    left, right = windows()
    left, _ = ask(left)
    right = replace(right, expected_id=message_id, answering=True)
    _, sends = right.respond(exchange, (), RIGHT_PATH, an_env())
    with pytest.raises(Discard, match="nothing that we asked"):
        get_answer(left, sends[0].octets)


def test_response_comes_twice() -> None:
    left, right = windows()
    left, (request,) = ask(left)
    right, _ = hear(right, request)
    right, (response,) = answer(right)
    left, _ = get_answer(left, response)
    with pytest.raises(Discard, match="nothing that we asked"):
        get_answer(left, response)


def test_ike_sa_init_is_open_and_may_be_turned_back() -> None:
    """The second question has the same number (RFC 7296 §2.6)."""
    window, sends = Window().call_open(b"first", LEFT_PATH, an_env())
    assert sends == (Send(LEFT_PATH, b"first"),)
    window.check_response(Header(b"initiatr", b"respondr", ExchangeType.IKE_SA_INIT, Flag.RESPONSE, 0))
    window, sends = window.turned_back().call_open(b"second", LEFT_PATH, an_env())
    assert sends == (Send(LEFT_PATH, b"second"),)
    assert window.next_id == 0
    assert window.answered().next_id == 1


# --- fragments (RFC 7383) --------------------------------------------------------------------------------------------


def test_long_message_in_pieces() -> None:
    """HDR, SKF {CERT...} three times, none larger than fits; then the answer the same way."""
    left, right = windows(fragments=True)
    left, request = ask(left, LONG)
    assert [len(datagram) <= 1248 for datagram in request] == [True] * 3
    assert right.pieces == (0, 0)
    for number, datagram in enumerate(request[:-1], 1):
        right, message = hear(right, datagram)
        assert message is None
        assert right.pieces == (number, 3)
    right, message = hear(right, request[-1])
    assert read(message) == LONG
    right, response = answer(right, LONG)
    for datagram in reversed(response):
        left, message = get_answer(left, datagram)
    assert read(message) == LONG
    assert (right.asked, left.told) == (None, None)


def test_short_message_stays_whole() -> None:
    left, right = windows(fragments=True)
    left, (request,) = ask(left)
    right, message = hear(right, request)
    assert read(message) == HELLO


def test_all_pieces_are_sent_again() -> None:
    left, _ = windows(fragments=True)
    left, request = ask(left, LONG)
    resent = left.resend(an_env(now=2.0))
    assert resent is not None
    assert octets_of(resent[1]) == request


def test_only_the_first_piece_brings_the_answer_again() -> None:
    """RFC 7383 §2.6.1: else each repetition would bring as many answers as it has pieces."""
    left, right = windows(fragments=True)
    left, request = ask(left, LONG)
    for datagram in request:
        right, _ = hear(right, datagram)
    right, response = answer(right, LONG)

    right.check_repeat(Header.decode(request[0]), request[0])
    assert octets_of(right.answer_again(RIGHT_PATH)) == response
    with pytest.raises(Discard, match="later fragment"):
        right.check_repeat(Header.decode(request[1]), request[1])


def test_lost_piece_comes_with_the_repetition() -> None:
    left, right = windows(fragments=True)
    left, request = ask(left, LONG)
    right, _ = hear(right, request[0])
    right, _ = hear(right, request[2])
    with pytest.raises(Discard, match="once more"):
        hear(right, request[0])
    right, message = hear(right, request[1])
    assert read(message) == LONG


def test_whole_request_after_a_piece_of_it() -> None:
    """A peer may cut a message only when it repeats it, or the other way round."""
    left, right = windows(fragments=True)
    _, pieces = ask(left, LONG)
    right, _ = hear(right, pieces[0])
    assert right.asked is not None
    _, (whole,) = ask(windows()[0], LONG)
    right, message = hear(right, whole)
    assert read(message) == LONG
    assert right.asked is None


def test_pieces_whose_rest_does_not_come() -> None:
    left, right = windows(fragments=True)
    left, request = ask(left, LONG)
    right, _ = hear(right, request[0], an_env(now=10.0))
    assert right.due == 10.0 + Settings().reassembly_timeout
    assert right.swept(right.due - 1) is right
    assert right.swept(right.due).due == NEVER
    # and of an answer
    whole = windows(fragments=True)[1]
    for datagram in request:
        whole, _ = hear(whole, datagram)
    _, response = answer(whole, LONG)
    assert left.outstanding is not None
    left = replace(left, outstanding=replace(left.outstanding, resend_at=NEVER))
    left, message = get_answer(left, response[0])
    assert message is None
    assert left.due == Settings().reassembly_timeout
    assert left.swept(left.due).due == NEVER


def test_fragment_without_agreement() -> None:
    """RFC 7383 §2.3: both must have said that they know how."""
    left, right = windows(fragments=True)
    _, request = ask(left, LONG)
    right = replace(right, seal=Seal.of(secured(initiator=False)))
    with pytest.raises(Discard, match="not agreed on"):
        hear(right, request[0])
    with pytest.raises(Discard, match="later fragment"):
        replace(right, answer=(b"answer",), expected_id=1).check_repeat(Header.decode(request[0]), request[0])


def test_answer_is_wanted_again_after_the_keys_have_changed() -> None:
    """RFC 9370 §2.2.2: the answer to IKE_INTERMEDIATE is the last under its keys, and may be lost."""
    left, right = windows()
    left, [asked] = ask(left)
    right, _ = hear(right, asked)
    right, [answered] = answer(right)
    newer = secured(False, keys=replace(secured().keys, sk_ei=b"n" * 36, sk_er=b"m" * 36))
    right = right.sealed_by(newer)

    right.check_repeat(Header.decode(asked), asked)
    assert octets_of(right.answer_again(RIGHT_PATH)) == [answered]
    with pytest.raises(Discard):
        right.check_repeat(Header.decode(asked), asked[:-1] + b"?")

    left, _ = get_answer(left, answered)
    left, [asked] = ask(left.sealed_by(replace(newer, initiator=True)))
    assert left.before is None
    right, message = hear(right, asked)
    assert read(message) == HELLO
    right, _ = answer(right)
    assert right.before is None
