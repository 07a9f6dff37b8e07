"""edgevpn.ike.wire.notify."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import NotifyType, ProtocolId
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.notify import Notify
from tests.support.strategies import near_misses, notifies

OCTETS = {
    "00 00 4000": Notify(NotifyType.INITIAL_CONTACT),
    "00 00 0007": Notify(NotifyType.INVALID_SYNTAX),
    "00 00 0011 0013": Notify(NotifyType.INVALID_KE_PAYLOAD, b"\x00\x13"),
    "00 00 4006 aa": Notify(NotifyType.COOKIE, b"\xaa"),
    "03 04 4009 73706931": Notify(NotifyType.REKEY_SA, protocol=ProtocolId.ESP, spi=b"spi1"),
    "02 04 0027 73706931 4500": Notify(NotifyType.INVALID_SELECTORS, b"\x45\x00", ProtocolId.AH, b"spi1"),
    "01 08 4000 7370693173706932": Notify(NotifyType.INITIAL_CONTACT, b"", ProtocolId.IKE, b"spi1spi2"),
    "00 00 9c40 6162": Notify(NotifyType(40000), b"ab"),
}


@pytest.mark.parametrize(("octets", "notify"), OCTETS.items())
def test_notify_octets(octets: str, notify: Notify) -> None:
    assert notify.encode() == bytes.fromhex(octets)
    assert Notify.decode(Reader(bytes.fromhex(octets))) == notify


@pytest.mark.parametrize("protocol", ["01", "03", "ff"])
def test_protocol_of_no_spi_is_ignored(protocol: str) -> None:
    """RFC 7296 §3.10: if the SPI field is empty, the Protocol ID must be ignored."""
    assert Notify.decode(Reader(bytes.fromhex(f"{protocol} 00 4000"))) == Notify(NotifyType.INITIAL_CONTACT)


DATA_SIZES = {
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: {1},
    NotifyType.INVALID_KE_PAYLOAD: {2},
    NotifyType.SET_WINDOW_SIZE: {4},
    NotifyType.IPCOMP_SUPPORTED: {3},
    NotifyType.NAT_DETECTION_SOURCE_IP: {20},
    NotifyType.NAT_DETECTION_DESTINATION_IP: {20},
    NotifyType.COOKIE: set(range(1, 65)),
    NotifyType.ADDITIONAL_IP4_ADDRESS: {4},
    NotifyType.ADDITIONAL_IP6_ADDRESS: {16},
    NotifyType.COOKIE2: set(range(8, 65)),
    NotifyType.AUTH_LIFETIME: {4},
    NotifyType.SIGNATURE_HASH_ALGORITHMS: set(range(2, 65, 2)),
    NotifyType.INVALID_SYNTAX: set(range(70)),
    NotifyType(40000): set(range(70)),
}


@pytest.mark.parametrize(("notify_type", "sizes"), DATA_SIZES.items())
def test_data_sizes(notify_type: NotifyType, sizes: set[int]) -> None:
    accepted = set()
    for size in range(70):
        with suppress(InvalidSyntax):
            Notify.decode(Reader(Notify(notify_type, bytes(size)).encode()))
            accepted.add(size)
    assert accepted == sizes


REFUSED = {
    "cut": "00 00 40",
    "SPI of no protocol": "00 04 4009 73706931",
    "SPI of an unknown protocol": "04 04 4009 73706931",
    "ESP SPI of 8": "03 08 4009 7370693173706931",
    "AH SPI of 2": "02 02 4009 7370",
    "IKE SPI of 4": "01 04 4009 73706931",
    "SPI cut": "03 04 4009 737069",
    "data of a wrong size": "00 00 4005" + "ab" * 32,
}


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_notify_refuses(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        Notify.decode(Reader(bytes.fromhex(octets)))


@given(near_misses(notifies()))
def test_damaged_notify(body: bytes) -> None:
    """Damage is refused as InvalidSyntax, or what was read is what was sent, but for a protocol without SPI."""
    with suppress(InvalidSyntax):
        notify = Notify.decode(Reader(body))
        assert notify.encode()[1:] == body[1:]
        assert notify.encode()[0] == (body[0] if notify.spi else ProtocolId.NONE)
