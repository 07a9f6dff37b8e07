"""edgevpn.daemon.attempts.asked: what is written is read back as it was; what anybody else has written does no harm."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.api import records
from edgevpn.daemon.attempts.asked import LONGEST, Negotiation, Unreadable, called, kept, read, told, written
from edgevpn.ike.evidence import Asked, Names, OtherMethod, PpkNamed, Refusal
from edgevpn.ike.iana import AuthMethod, ExchangeType, IdType, Ke, NotifyType, ProtocolId
from edgevpn.ike.negotiate import proposals, without_ke
from edgevpn.ike.peer import Wants
from edgevpn.ike.state import Address, Path
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Proposal
from tests.support import strategies
from tests.support.pair import LEFT, RIGHT
from tests.support.peers import ESP_OFFER, IKE_OFFER, LAN, LEFT_ID, RIGHT_ID, TO_RIGHT, selectors
from tests.support.shapes import misfits

OFFICE = Asked(
    local=RIGHT,
    remote=LEFT,
    ike=proposals((IKE_OFFER,), ProtocolId.IKE, b""),
    idi=LEFT_ID,
    idr=RIGHT_ID,
    method=AuthMethod.SHARED_KEY,
    ppk=PpkNamed(b"\2winter", without=True),
    wants=Wants(True, False, (ip_address("10.9.0.7"),)),
    esp=proposals((ESP_OFFER,), ProtocolId.ESP, b""),
    tsi=selectors("10.1.0.0/24"),
    tsr=selectors("10.2.0.0/24"),
)
OFFICE_AS_TEXT = {
    "began": "peer",
    "local": "198.51.100.1",
    "remote": "192.0.2.1",
    "peer": "",
    "ike": ["aes256gcm16-prfsha256-x25519-ecp256"],
    "idi": "FQDN:left.example",
    "idr": "FQDN:right.example",
    "auth": "SHARED_KEY",
    "user": "",
    "ppk": ["USE_PPK", "FIXED:winter", "NO_PPK_AUTH"],
    "wants": ["ipv4", "10.9.0.7"],
    "child": "",
    "esp": ["aes256gcm16-x25519-none-noesn"],
    "tsi": ["10.1.0.0-10.1.0.255/0/0-65535"],
    "tsr": ["10.2.0.0-10.2.0.255/0/0-65535"],
    "refused": "",
    "exchange": "",
    "wanted": "",
}


def test_a_person_can_read_it() -> None:
    record = written(Negotiation(OFFICE))
    assert record == OFFICE_AS_TEXT
    assert misfits(record, records.Asked) == []


def back(negotiation: Negotiation) -> Negotiation:
    """Through the text of a bundle."""
    record = written(negotiation)
    assert record is not None
    return read(json.loads(json.dumps(record)))


hosts = st.one_of(st.builds(IPv4Address, st.integers(0, 2**32 - 1)), st.builds(IPv6Address, st.integers(0, 2**128 - 1)))


def offered() -> st.SearchStrategy[tuple[Proposal, ...]]:
    """Proposals as an SA payload has them, without their SPIs."""
    return strategies.security_associations().map(
        lambda sa: tuple(replace(each, number=number, spi=b"") for number, each in enumerate(sa.proposals, 1))
    )


@st.composite
def anything_asked(draw: st.DrawFn) -> Asked:
    idi = draw(st.none() | strategies.identifications().map(lambda each: replace(each, reserved=bytes(3))))
    return Asked(
        local=draw(hosts),
        remote=draw(hosts),
        ike=draw(offered()),
        idi=idi,
        idr=draw(st.none() | strategies.identifications()),
        method=draw(st.none() | strategies.members(AuthMethod)) if idi else None,
        user=draw(st.text(max_size=40)),
        ppk=draw(st.none() | st.builds(PpkNamed, st.none() | st.binary(max_size=40), st.booleans())),
        wants=draw(st.none() | st.builds(Wants, st.just(True), st.booleans(), st.tuples(hosts))),
        esp=draw(offered()),
        tsi=draw(strategies.selector_lists()),
        tsr=draw(strategies.selector_lists()),
    )


@given(anything_asked())
def test_whatever_a_peer_asks_comes_back(asked: Asked) -> None:
    """And on the way nothing in it commands a terminal, marks up a page, or is without end."""
    record: Any = written(Negotiation(asked))
    if record is None:
        return
    assert back(Negotiation(asked)) == Negotiation(asked)
    texts = [text for value in record.values() for text in ([value] if isinstance(value, str) else value)]
    assert all(text.isascii() and text.isprintable() and not set(text) & set("<>") for text in texts)
    assert sum(map(len, texts)) <= LONGEST


def test_too_much_is_not_kept() -> None:
    endless = Identification(IdType.KEY_ID, b"x" * LONGEST)
    assert written(Negotiation(replace(OFFICE, idi=endless))) is None
    assert kept(Negotiation(replace(OFFICE, idi=endless))) == ""


def test_kept_until_it_is_told() -> None:
    assert told(kept(Negotiation(OFFICE))) == written(Negotiation(OFFICE))
    assert told(kept(None)) is None


ANSWERS = {
    "it refuses": Refusal(NotifyType.NO_PROPOSAL_CHOSEN, ExchangeType.IKE_AUTH),
    "it refuses in a way that nobody knows": Refusal(NotifyType(12345), ExchangeType.CREATE_CHILD_SA),
    "it wants another method": OtherMethod(Ke.ECP_384, ()),
    "it wants a method without a keyword": OtherMethod(Ke.ML_KEM_768, ()),
    "it is somebody else": Names(LEFT_ID, ()),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answers_come_back(answer: Refusal | OtherMethod | Names) -> None:
    assert back(Negotiation(OFFICE, answer)).answer == answer


def test_what_we_ask() -> None:
    """Within IKE_AUTH a child has no key exchange of its own (RFC 7296 §1.2)."""
    path = Path(Address(LEFT, 500), Address(RIGHT, 500))
    first = called(TO_RIGHT, path, "", Refusal(NotifyType.TS_UNACCEPTABLE, ExchangeType.IKE_AUTH))
    assert first.asked.esp == proposals(without_ke((ESP_OFFER,)), ProtocolId.ESP, b"")
    assert (first.asked.idi, first.asked.child, first.asked.tsr) == (LEFT_ID, "lan", LAN.ts_remote)
    later = called(TO_RIGHT, path, "lan", Refusal(NotifyType.TS_UNACCEPTABLE, ExchangeType.CREATE_CHILD_SA))
    assert later.asked.esp == proposals((ESP_OFFER,), ProtocolId.ESP, b"")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no address": ({"local": "office"}, 'local: "office" cannot be read'),
    "no text": ({"remote": 7}, "remote: is no text, or too long a one"),
    "endless": ({"idi": "FQDN:" + "x" * LONGEST}, "idi: is no text, or too long a one"),
    "no list": ({"ike": "aes256"}, "ike: is no list"),
    "no algorithm": ({"ike": ["aes256", "rot13"]}, 'ike[1]: "rot13" cannot be read'),
    "no number": ({"esp": ["1.99999999.."]}, 'esp[0]: "1.99999999.." cannot be read'),
    "too large a number": ({"esp": ["1.99999.."]}, 'esp[0]: "1.99999.." cannot be read'),
    "no type": ({"idi": "alice"}, 'idi: "alice" cannot be read'),
    "no octets": ({"idr": "KEY_ID:#0"}, 'idr: "KEY_ID:#0" cannot be read'),
    "no user": ({"user": "#ff"}, 'user: "#ff" cannot be read'),
    "no method": ({"auth": "HANDSHAKE"}, 'auth: "HANDSHAKE" cannot be read'),
    "no family": ({"wants": ["ipv5"]}, 'wants[0]: "ipv5" cannot be read'),
    "no selector": ({"tsi": ["10.1.0.0/24"]}, 'tsi[0]: "10.1.0.0/24" cannot be read'),
    "a selector of two families": (
        {"tsr": ["10.1.0.0-fd00::1/0/0-65535"]},
        'tsr[0]: "10.1.0.0-fd00::1/0/0-65535" cannot be read',
    ),
    "nobody began": ({"began": "they"}, 'began: "they" cannot be read'),
    "no answer": ({"began": "us", "idr": ""}, "idr: is empty, and there is no other answer"),
    "no notify": ({"began": "us", "refused": "NO"}, 'refused: "NO" cannot be read'),
    "a command": ({"auth": "\x1b[2J"}, 'auth: "\\x1b[2J" cannot be read'),
}


@pytest.mark.parametrize(("damage", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said(damage: dict[str, Any], said: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(OFFICE_AS_TEXT | damage)
    assert str(refusal.value) == said


@pytest.mark.parametrize("record", [None, [], "x"])
def test_what_is_no_record(record: object) -> None:
    with pytest.raises(Unreadable):
        read(record)
