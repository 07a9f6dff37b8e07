"""Whatever arrives that is not a peer's genuine message changes nothing, costs little, and never raises."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from struct import pack
from types import FrameType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgevpn.ike.contract import Datagram, Effect, Level, Report, Send
from edgevpn.ike.iana import ExchangeType, Flag, NotifyType, PayloadType, ProtocolId
from edgevpn.ike.proving import AddingKeys
from edgevpn.ike.state import Authenticating, HalfOpen, Initiating
from edgevpn.ike.window import Seal
from edgevpn.ike.wire.message import (
    HEADER,
    MAX_UNPROTECTED,
    PAYLOAD_HEAD,
    Header,
    decode_message,
    decode_payloads,
    encode_payloads,
)
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete
from edgevpn.ike.wire.protected import open_message, seal_message
from tests.support.moments import KEY, MOMENTS, SEALED, Life, keys_of, reached, receiver, resealed
from tests.support.pair import Side
from tests.support.strategies import chains, damaged, members

# What may be answered without knowing who asks; RFC 7296 §2.5, §2.6, §2.21.1.
PERMITTED = {
    NotifyType.COOKIE,
    NotifyType.INVALID_KE_PAYLOAD,
    NotifyType.INVALID_MAJOR_VERSION,
    NotifyType.INVALID_SYNTAX,
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
}

EVERY_MOMENT = pytest.mark.parametrize(("life", "at"), MOMENTS, ids=str)


def hit(side: Side, octets: bytes) -> tuple[tuple[object, ...], tuple[Effect, ...]]:
    """What the endpoint holds after a datagram, and what it wants; nothing of that is carried out."""
    effects = side.endpoint.handle(Datagram(side.path(), octets), side.pair.now)
    return side.endpoint.sas, effects


def check_untouched(side: Side, octets: bytes) -> bool:
    """Nothing has happened; False if the datagram is a message to begin an IKE SA, and was taken for that."""
    before = side.endpoint.sas
    after, effects = hit(side, octets)
    if after == before:
        assert all(harmless(effect) for effect in effects), effects
        return True
    assert is_opening(octets), "a sealed message was taken for genuine"
    lost, new = [sa for sa in before if sa not in after], [sa for sa in after if sa not in before]
    if Header.decode(octets).is_response:
        assert [type(sa) for sa in lost] == [Initiating]
        assert all(isinstance(sa, Initiating | AddingKeys | Authenticating) for sa in new)
    else:
        assert not lost
        assert [type(sa) for sa in new] == [HalfOpen]
    return False


def is_opening(octets: bytes) -> bool:
    """Whether this is IKE_SA_INIT without a fault in it, which anybody may say."""
    header = Header.decode(octets)
    decode_message(header, octets)
    return header.exchange == ExchangeType.IKE_SA_INIT


def harmless(effect: Effect) -> bool:
    """A word for the log, or one of the few answers that strangers get."""
    match effect:
        case Report(level=level):
            return level in (Level.DEBUG, Level.WARNING)
        case Send(octets=octets):
            (payload,) = decode_message(Header.decode(octets), octets)
            return isinstance(payload, Notify) and payload.notify_type in PERMITTED
        case _:
            return False


# --- without the keys ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.data())
def test_damaged_message(data: st.DataObject) -> None:
    """Before any message of any exchange comes a damaged one. The conversation goes on as if it had not."""

    def damage(side: Side, octets: bytes) -> None:
        hostile = data.draw(damaged(octets))
        assume(hostile != octets)
        assume(check_untouched(side, hostile))

    life, at = data.draw(st.sampled_from(MOMENTS))
    assert life.lived(damage, at).chart() == life.chart


@settings(deadline=None)
@given(st.data())
def test_octets_behind_a_true_header(data: st.DataObject) -> None:
    """The SPIs, number and flags are right; what follows is anything, as long as it says it is."""

    def forge(side: Side, octets: bytes) -> None:
        body = data.draw(st.binary(max_size=200))
        header = replace(Header.decode(octets), length=HEADER.size + len(body))
        first = data.draw(st.just(header.next_payload) | members(PayloadType))
        assume(check_untouched(side, replace(header, next_payload=first).encode() + body))

    life, at = data.draw(st.sampled_from(MOMENTS))
    assert life.lived(forge, at).chart() == life.chart


@settings(deadline=None)
@given(st.data())
def test_sealed_with_other_keys(data: st.DataObject) -> None:
    """A message as it should be, of somebody who does not know the keys."""

    def seal(side: Side, octets: bytes) -> None:
        header = Header.decode(octets)
        assume(header.exchange != ExchangeType.IKE_SA_INIT)
        secured = keys_of(side, octets)
        guessed = replace(secured, keys=replace(secured.keys, sk_ei=secured.keys.sk_er, sk_er=secured.keys.sk_ei))
        cipher = Seal.of(replace(guessed, initiator=header.from_initiator)).outgoing
        assert check_untouched(side, seal_message(header, (Delete(ProtocolId.IKE),), cipher, bytes(8)))

    life, at = data.draw(st.sampled_from(MOMENTS))
    assert life.lived(seal, at).chart() == life.chart


@EVERY_MOMENT
def test_every_cut(life: Life, at: int) -> None:
    """Any number of octets may be missing at the end, whether the header's length tells or not."""

    def cut(side: Side, octets: bytes) -> None:
        for length in range(len(octets)):
            assert check_untouched(side, octets[:length])
            if length >= HEADER.size:
                shorter = replace(Header.decode(octets), length=length).encode() + octets[HEADER.size : length]
                assert check_untouched(side, shorter)

    assert life.lived(cut, at).chart() == life.chart


@EVERY_MOMENT
def test_every_bit(life: Life, at: int) -> None:
    """Any bit of a sealed message may be wrong."""

    def flip(side: Side, octets: bytes) -> None:
        if Header.decode(octets).exchange == ExchangeType.IKE_SA_INIT:
            return
        for position in range(len(octets)):
            for bit in range(8) if position < HEADER.size + PAYLOAD_HEAD.size else (position % 8,):
                wrong = bytearray(octets)
                wrong[position] ^= 1 << bit
                check_untouched(side, bytes(wrong))

    assert life.lived(flip, at).chart() == life.chart


@EVERY_MOMENT
def test_reflected(life: Life, at: int) -> None:
    """Our own messages come back to us; but the first, which anybody may say."""

    def reflect(side: Side, octets: bytes) -> None:
        if at == 0:
            return
        sender = side.pair.left if side is side.pair.right else side.pair.right
        assert check_untouched(sender, octets)

    assert life.lived(reflect, at).chart() == life.chart


@EVERY_MOMENT
def test_replayed(life: Life, at: int) -> None:
    """All that was said so far is said again: the answer to the last request comes once more, and nothing else."""

    def replay(side: Side, octets: bytes) -> None:
        before = side.endpoint.sas
        heard = [old for old in side.pair.sent[1:] if receiver(side.pair, old) is side]
        answers = [effect for old in heard for effect in hit(side, old)[1] if isinstance(effect, Send)]
        assert side.endpoint.sas == before
        assert all(answer.octets in side.pair.sent for answer in answers)
        assert len(answers) <= len(before)

    assert life.lived(replay, at).chart() == life.chart


def test_first_message_replayed() -> None:
    """It is answered once more while the first is unauthenticated, and later as if it were of somebody else."""

    def replay(side: Side, octets: bytes) -> None:
        before = side.endpoint.sas
        after, effects = hit(side, side.pair.sent[0])
        assert (after, effects) == (before, (Send(side.path(), side.pair.sent[1]),))

    assert KEY.lived(replay, at=2).chart() == KEY.chart


# --- from the peer itself --------------------------------------------------------------------------------------------


@st.composite
def nonsense(draw: st.DrawFn) -> tuple[PayloadType, bytes]:
    """Payloads that nobody would send together, perhaps damaged too."""
    first, chain = encode_payloads(draw(chains()))
    return first, draw(st.just(chain) | damaged(chain))


@st.composite
def nearly_right(draw: st.DrawFn, first: PayloadType, chain: bytes) -> tuple[PayloadType, bytes]:
    """What should come, with a fault; or with a payload less, or in another order."""
    if draw(st.booleans()):
        return first, draw(damaged(chain))
    payloads = decode_payloads(first, chain)
    return encode_payloads(draw(st.lists(st.sampled_from(payloads), unique=True)) if payloads else ())


@settings(deadline=None)
@given(st.data())
def test_nonsense_of_the_peer(data: st.DataObject) -> None:
    """Nothing is raised, at most one answer goes out, and the kernel holds what the endpoint does."""
    side, octets = reached(*data.draw(st.sampled_from(SEALED)))
    header = Header.decode(octets)
    right = Seal.of(replace(keys_of(side, octets), initiator=not header.from_initiator))
    first, chain = data.draw(nonsense() | nearly_right(*open_message(octets, header, right.incoming)))
    sent = len(side.pair.sent)

    side.tell(Datagram(side.path(), resealed(side, octets, first, chain)))

    assert len(side.pair.sent) - sent <= 1 + header.is_response  # an answer taken may let the next request go
    children = [child for sa in side.sas for child in sa.children]
    assert side.kernel.inbound.keys() == {child.spi_in for child in children}
    assert side.kernel.outbound.keys() <= {child.spi_out for child in children}


# --- what it costs ---------------------------------------------------------------------------------------------------

CALLS = 500  # of functions, Python's and ours, for any datagram; a key exchange takes most of them
CALLS_FOR_AN_OCTET = 8


def calls(act: Callable[[], object]) -> int:
    """How many calls of functions something takes: what it costs on any machine."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    gc.disable()  # its callbacks, where somebody has set any, are calls too
    sys.setprofile(profile)
    try:
        act()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def opening(first: PayloadType, chain: bytes) -> bytes:
    """An IKE_SA_INIT request with these octets behind its header."""
    length = HEADER.size + len(chain)
    header = Header(b"initiatr", bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0, first, length)
    return header.encode() + chain


def chain_of(kind: PayloadType, body: bytes, count: int) -> bytes:
    """A payload many times."""
    following = [kind] * (count - 1) + [PayloadType.NONE]
    return b"".join(PAYLOAD_HEAD.pack(after, 0, PAYLOAD_HEAD.size + len(body)) + body for after in following)


def substructures(body: bytes, count: int, more: int) -> bytes:
    """Proposals or transforms, one as the other."""
    marks = [more] * (count - 1) + [0]
    return b"".join(pack(">BxH", mark, 4 + len(body)) + body for mark in marks)


def proposal(transforms: int, attributes: int = 0) -> bytes:
    encr = pack(">BxH", 1, 20) + pack(">HH", 0x8001, 1) * attributes
    return pack(">BBBB", 1, ProtocolId.IKE, 0, transforms) + substructures(encr, transforms, 3)


SELECTOR = pack(">BBHHH8x", 7, 0, 16, 0, 0xFFFF)
COSTLY = {
    "as many payloads as fit": opening(PayloadType.VENDOR_ID, chain_of(PayloadType.VENDOR_ID, b"", 2041)),
    "as many payloads as are read": opening(PayloadType.NOTIFY, chain_of(PayloadType.NOTIFY, bytes(4), 64)),
    "unknown payloads": opening(PayloadType(200), chain_of(PayloadType(200), b"", 64)),
    "transforms": opening(PayloadType.SA, chain_of(PayloadType.SA, substructures(proposal(253), 1, 2), 1)),
    "attributes": opening(PayloadType.SA, chain_of(PayloadType.SA, substructures(proposal(1, 480), 1, 2), 1)),
    "selectors": opening(PayloadType.TSI, chain_of(PayloadType.TSI, b"\xff\0\0\0" + SELECTOR * 255, 1)),
    "SPIs": opening(PayloadType.DELETE, chain_of(PayloadType.DELETE, pack(">BBH", 3, 4, 2000) + bytes(8000), 1)),
    "one long payload": opening(PayloadType.VENDOR_ID, chain_of(PayloadType.VENDOR_ID, bytes(65000), 1)),
    "a length of zero": opening(PayloadType.VENDOR_ID, b"\x2b\0\0\0" * 1000),
}


@pytest.mark.parametrize("octets", COSTLY.values(), ids=COSTLY)
@pytest.mark.parametrize("at", [0, 2], ids=["nothing is known", "half open"])
def test_costly_datagram(octets: bytes, at: int) -> None:
    """Many small things in a datagram cost no more than their octets, and are limited in number."""
    side, _ = reached(KEY, at)
    cost = calls(lambda: check_untouched(side, octets))
    assert cost <= CALLS + CALLS_FOR_AN_OCTET * min(len(octets), MAX_UNPROTECTED)
    assert cost <= 10_000


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_cost_of_a_damaged_message(data: st.DataObject) -> None:
    """No fault makes a decoder go round without reading on."""
    side, octets = reached(*data.draw(st.sampled_from(MOMENTS)))
    hostile = data.draw(damaged(octets))
    assert calls(lambda: hit(side, hostile)) <= 2 * CALLS + CALLS_FOR_AN_OCTET * len(octets)


@pytest.mark.parametrize(("life", "at"), SEALED, ids=str)
def test_cost_without_the_keys(life: Life, at: int) -> None:
    """Until the ICV has been found right a long message costs as little as a short one, hashing aside."""
    side, octets = reached(life, at)
    costs = set()
    for size in (100, 1000, 10_000, 60_000):
        longer = octets[: HEADER.size + PAYLOAD_HEAD.size] + bytes(size)
        header = replace(Header.decode(octets), length=len(longer)).encode()
        body = PAYLOAD_HEAD.pack(octets[HEADER.size], 0, len(longer) - HEADER.size) + bytes(size)
        costs.add(calls(lambda: check_untouched(side, header + body)))  # noqa: B023 - called at once
    assert len(costs) == 1
    assert costs.pop() < CALLS


def test_an_answer_is_no_larger_than_it_must() -> None:
    """Strangers cannot make us send much more than they do: no Notify of ours has above 32 octets of data."""
    for octets in COSTLY.values():
        side, _ = reached(KEY, 0)
        for effect in hit(side, octets)[1]:
            assert not isinstance(effect, Send) or len(effect.octets) <= HEADER.size + 8 + 32
