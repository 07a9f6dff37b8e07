"""edgevpn.ike.cookies."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given

from edgevpn.ike.cookies import (
    COOKIE_SIZE,
    TAG_SIZE,
    Cookies,
    Secret,
    Sieve,
    bears_tag,
    is_first,
    is_usual,
    shows_cookie,
)
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import ExchangeType, Flag, Ke, NotifyType
from edgevpn.ike.wire.message import Header, Payload, decode_message, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import KeyExchange, Nonce
from tests.support.first_messages import FIRST, FIRSTS, NOBODY, OTHERS, SPI_I, WITH_COOKIE
from tests.support.strategies import damaged

HERE, THERE = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 9])
HERE6, THERE6 = b"\xfd".ljust(16, b"\1"), b"\xfd".ljust(16, b"\2")
KEY = KeyExchange(Ke.CURVE25519, b"\x09" * 32)
HEADER = Header(SPI_I, NOBODY, ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0)


def asking(*shown: Payload, spi_i: bytes = SPI_I, ni: bytes = b"n" * 32) -> bytes:
    """A first message, as far as it matters."""
    header = Header(spi_i, NOBODY, ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0)
    return encode_message(header, (*shown, KEY, Nonce(ni)))


def shown_to(answer: bytes | None) -> Notify:
    """The cookie that this answer asks for."""
    assert answer is not None
    header = Header.decode(answer)
    assert header.exchange == ExchangeType.IKE_SA_INIT
    assert (header.spi_i, header.spi_r, header.flags, header.message_id) == (SPI_I, NOBODY, Flag.RESPONSE, 0)
    (cookie,) = decode_message(header, answer)
    assert isinstance(cookie, Notify)
    assert cookie.notify_type == NotifyType.COOKIE
    return cookie


# --- what a first message is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", FIRSTS.values(), ids=FIRSTS)
def test_first_messages(octets: bytes) -> None:
    assert is_first(octets)
    assert shows_cookie(octets) == (octets == WITH_COOKIE)


@pytest.mark.parametrize("octets", OTHERS.values(), ids=OTHERS)
def test_who_has_an_ike_sa(octets: bytes) -> None:
    assert not is_first(octets)


@pytest.mark.parametrize("length", range(len(FIRST)))
def test_what_is_cut_off(length: int) -> None:
    """It is judged by what is there."""
    assert is_first(FIRST[:length]) == (length > 19)
    assert not shows_cookie(WITH_COOKIE[: min(length, 35)])
    assert not is_usual(asking()[:length])


ODD = {
    "an SPI of ours": (15, 1),
    "IKEv1": (17, 0x10),
    "a minor version": (17, 0x21),
    "another exchange": (18, 35),
    "a response": (19, 0x20),
    "a message ID": (23, 1),
    "another length": (27, 0),
}


@pytest.mark.parametrize(("at", "value"), ODD.values(), ids=ODD)
def test_what_is_odd(at: int, value: int) -> None:
    usual = asking()
    assert is_usual(usual)
    assert not is_usual(usual[:at] + bytes([value]) + usual[at + 1 :])


def test_an_initiator_without_an_spi_is_odd() -> None:
    assert not is_usual(asking(spi_i=bytes(8)))


# --- the sieve ------------------------------------------------------------------------------------------------------


def test_tag_by_hand() -> None:
    """Two rounds over one word, and over two: a round adds, multiplies, and folds the upper half into the lower."""
    sieve = Sieve(((1, 3), (0xFFFF_FFFF, 5)))
    first = (0x0A00_0001 + 1) * 3
    first ^= first >> 15
    second = (first - 1) * 5 & 0xFFFF_FFFF
    second ^= second >> 15
    assert sieve.tag(bytes([10, 0, 0, 1])) == second.to_bytes(4)
    once_more = Sieve(((0, 1),))
    assert once_more.tag(bytes([0, 0, 0, 1, 0, 0, 0, 2])) == bytes([0, 0, 0, 3])


def test_addresses_have_tags_of_their_own() -> None:
    """Of neighbours, too; and every bit of a tag changes for about half of them."""
    sieve = Sieve.of(b"secret")
    tags = [int.from_bytes(sieve.tag(bytes([10, 0, *number.to_bytes(2)]))) for number in range(4096)]
    assert len(set(tags)) == len(tags)
    for bit in range(32):
        changed = sum((one ^ other) >> bit & 1 for one, other in pairwise(tags))
        assert 0.45 < changed / len(tags) < 0.55
    assert len({sieve.tag(bytes(15) + bytes([number])) for number in range(256)}) == 256
    assert len({sieve.tag(bytes([number]) + bytes(15)) for number in range(256)}) == 256


def test_secrets_have_sieves_of_their_own() -> None:
    assert Sieve.of(b"one").tag(HERE) != Sieve.of(b"other").tag(HERE)
    assert all(factor % 2 for _, factor in Sieve.of(b"one").rounds), "multiplying by it can be undone"


def test_secrets_are_not_shown() -> None:
    cookies = Cookies.fresh(Random(7).randbytes)
    number = cookies.secret.sieve.rounds[0][0]
    assert str(number) not in repr(cookies)
    assert repr(cookies.secret.key) not in repr(cookies)


@pytest.mark.parametrize(("here", "there"), [(HERE, THERE), (HERE6, THERE6)], ids=["IPv4", "IPv6"])
def test_what_falls_through(here: bytes, there: bytes) -> None:
    """The tag of one's own address, in a cookie that stands where it has to."""
    old, new = Sieve.of(b"old"), Sieve.of(b"new")
    shown = asking(Notify(NotifyType.COOKIE, old.tag(here) + bytes(32)))
    assert bears_tag(shown, here, (new, old))
    assert not bears_tag(shown, here, (new,))
    assert not bears_tag(shown, there, (new, old))
    assert not bears_tag(asking(Notify(NotifyType.COOKIE, bytes(COOKIE_SIZE))), here, (new, old))
    assert not bears_tag(asking(Notify(NotifyType.REDIRECTED_FROM, old.tag(here) + bytes(32))), here, (new, old))
    assert not bears_tag(asking(), here, (new, old))
    assert not bears_tag(shown[: 36 + TAG_SIZE - 1], here, (new, old))


# --- cookies --------------------------------------------------------------------------------------------------------


def test_a_cookie_proves_the_address() -> None:
    """It is good for one SPI, nonce and address, and as long as its secret is kept (RFC 7296 §2.6)."""
    cookies = Cookies(Secret.of(b"new"), Secret.of(b"old"))
    cookie = shown_to(cookies.challenge(asking(), HERE))
    assert len(cookie.data) == COOKIE_SIZE
    shown = asking(cookie)

    assert cookies.challenge(shown, HERE) is None
    assert Cookies(Secret.of(b"newer"), Secret.of(b"new")).challenge(shown, HERE) is None
    assert Cookies(Secret.of(b"newest"), Secret.of(b"newer")).challenge(shown, HERE) is not None
    assert cookies.challenge(shown, THERE) is not None
    assert cookies.challenge(asking(cookie, spi_i=b"another "), HERE) is not None
    assert cookies.challenge(asking(cookie, ni=b"m" * 32), HERE) is not None


def test_a_tag_is_no_proof() -> None:
    """Nor is all that can be known of a cookie: each of its octets counts, and nothing may be missing or too much."""
    cookies = Cookies(Secret.of(b"new"), Secret.of(b"old"))
    right = shown_to(cookies.challenge(asking(), HERE)).data
    for at in range(len(right)):
        wrong = right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :]
        assert shown_to(cookies.challenge(asking(Notify(NotifyType.COOKIE, wrong)), HERE)).data == right
    assert cookies.challenge(asking(Notify(NotifyType.COOKIE, right[:-1])), HERE) is not None


def test_only_the_first_payload_is_a_cookie() -> None:
    """RFC 7296 §2.6."""
    cookies = Cookies(Secret.of(b"new"), Secret.of(b"old"))
    cookie = shown_to(cookies.challenge(asking(), HERE))
    late = encode_message(HEADER, (KEY, cookie, Nonce(b"n" * 32)))
    assert shown_to(cookies.challenge(late, HERE)) == cookie


def test_an_answer_is_no_longer_than_what_it_answers() -> None:
    """Or it would be of use against whoever is at a forged address."""
    cookies = Cookies.fresh(Random(7).randbytes)
    answer = cookies.challenge(asking(ni=b"n" * 16), HERE)
    assert answer is not None
    assert len(answer) <= len(asking(ni=b"n" * 16))


def test_the_secret_changes() -> None:
    cookies = Cookies.fresh(Random(7).randbytes)
    later = cookies.renewed(Random(8).randbytes, until=60.0)
    assert later.until == 60.0
    assert later.previous == cookies.secret
    assert later.sieves == (later.secret.sieve, cookies.secret.sieve)
    assert later.secret not in (cookies.secret, cookies.previous)


def test_without_a_nonce_nothing_is_asked_for() -> None:
    with pytest.raises(InvalidSyntax, match="no NONCE payload"):
        Cookies.fresh(Random(7).randbytes).challenge(encode_message(HEADER, (KEY,)), HERE)


@given(damaged(asking()))
def test_damage(octets: bytes) -> None:
    """It is refused as InvalidSyntax, or answered with a cookie."""
    if is_first(octets):
        with suppress(InvalidSyntax):
            assert Cookies.fresh(Random(7).randbytes).challenge(octets, HERE)
