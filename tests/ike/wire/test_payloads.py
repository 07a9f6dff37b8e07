"""edgevpn.ike.wire.payloads."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.dn import der_of
from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import (
    AuthMethod,
    CertEncoding,
    EapCode,
    EapType,
    IdType,
    Ke,
    PayloadType,
    ProtocolId,
    TransformType,
)
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.message import DECODERS, Payload
from edgevpn.ike.wire.payloads import (
    Authentication,
    Certificate,
    CertificateRequest,
    Delete,
    Eap,
    Identification,
    IdI,
    IdR,
    KeyExchange,
    Nonce,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
    UnknownPayload,
    VendorId,
)
from edgevpn.ike.wire.proposal import Proposal, Transform
from edgevpn.ike.wire.selector import TrafficSelector
from tests.support.strategies import PAYLOADS, damaged

LAN = TrafficSelector.from_network(ip_network("192.0.2.0/24"))
ALL_6 = TrafficSelector.from_network(ip_network("::/0"))
CURVE25519 = Transform(TransformType.KE, Ke.CURVE25519)
CA_1, CA_2 = b"A" * 20, b"B" * 20

OCTETS: dict[str, tuple[str, Payload]] = {
    "SA": (
        "00 00 0010 01 01 00 01  00 00 0008 04 00 001f",
        SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", (CURVE25519,)),)),
    ),
    "KE": ("0013 0000 616263", KeyExchange(Ke.ECP_256, b"abc")),
    "KE of an unknown method": ("f001 0000", KeyExchange(Ke(0xF001), b"")),
    "IDi": ("02 000000 6776", IdI(Identification(IdType.FQDN, b"gv"))),
    "IDi empty, as Android sends it": ("02 000000", IdI(Identification(IdType.FQDN, b""))),
    "IDr": ("01 000000 c0000201", IdR(Identification(IdType.IPV4_ADDR, b"\xc0\x00\x02\x01"))),
    "IDr of IPv6": (
        "05 000000 20010db8000000000000000000000001",
        IdR(Identification(IdType.IPV6_ADDR, bytes.fromhex("20010db8000000000000000000000001"))),
    ),
    "IDr key": ("0b 000000 000d0a", IdR(Identification(IdType.KEY_ID, b"\0\r\n"))),
    "CERT": ("04 3082", Certificate(CertEncoding.X509_SIGNATURE, b"\x30\x82")),
    "CERTREQ": (f"04 {CA_1.hex()} {CA_2.hex()}", CertificateRequest(CertEncoding.X509_SIGNATURE, (CA_1, CA_2))),
    "CERTREQ of anything": ("04", CertificateRequest(CertEncoding.X509_SIGNATURE)),
    "CERTREQ for a URL": (f"0c {CA_1.hex()}", CertificateRequest(CertEncoding.HASH_AND_URL_X509, (CA_1,))),
    "CERTREQ opaque": ("0f 6162", CertificateRequest(CertEncoding.RAW_PUBLIC_KEY, (b"ab",))),
    "AUTH": ("0e 000000 6162", Authentication(AuthMethod.DIGITAL_SIGNATURE, b"ab")),
    "Nonce": ("00112233445566778899aabbccddeeff", Nonce(bytes.fromhex("00112233445566778899aabbccddeeff"))),
    "longest nonce": ("ab" * 256, Nonce(b"\xab" * 256)),
    "D of the IKE SA": ("01 00 0000", Delete(ProtocolId.IKE)),
    "D": ("03 04 0002 73706931 73706932", Delete(ProtocolId.ESP, (b"spi1", b"spi2"))),
    "D of nothing": ("03 04 0000", Delete(ProtocolId.ESP)),
    "D of AH": ("02 04 0001 73706931", Delete(ProtocolId.AH, (b"spi1",))),
    "V": ("6162", VendorId(b"ab")),
    "TSi": ("01 000000 07 00 0010 0000 ffff c0000200 c00002ff", TrafficSelectorsI((LAN,))),
    "TSr": (
        f"02 000000 07 00 0010 0000 ffff c0000200 c00002ff08 00 0028 0000 ffff {'00' * 16} {'ff' * 16}",
        TrafficSelectorsR((LAN, ALL_6)),
    ),
    "EAP request": ("01 07 0005 01", Eap(EapCode.REQUEST, 7, EapType.IDENTITY)),
    "EAP response": ("02 07 0008 01 6a6f65", Eap(EapCode.RESPONSE, 7, EapType.IDENTITY, b"joe")),
    "EAP success": ("03 08 0004", Eap(EapCode.SUCCESS, 8)),
    "EAP failure": ("04 08 0004", Eap(EapCode.FAILURE, 8)),
}


@pytest.mark.parametrize(("octets", "payload"), OCTETS.values(), ids=OCTETS)
def test_payload_octets(octets: str, payload: Payload) -> None:
    body = bytes.fromhex(octets)
    assert payload.encode() == body
    assert DECODERS[payload.payload_type](Reader(body)) == payload


IGNORED: dict[str, tuple[str, Payload]] = {
    "KE": ("0013 beef 616263", KeyExchange(Ke.ECP_256, b"abc")),
    "AUTH": ("02 c0ffee 6162", Authentication(AuthMethod.SHARED_KEY, b"ab")),
    "TSi": ("01 c0ffee 07 00 0010 0000 ffff c0000200 c00002ff", TrafficSelectorsI((LAN,))),
    "IDi": ("02 c0ffee 6776", IdI(Identification(IdType.FQDN, b"gv"))),
}


@pytest.mark.parametrize(("octets", "payload"), IGNORED.values(), ids=IGNORED)
def test_reserved_octets_are_ignored(octets: str, payload: Payload) -> None:
    assert DECODERS[payload.payload_type](Reader(bytes.fromhex(octets))) == payload


def test_identification_keeps_reserved_octets_for_auth() -> None:
    """RestOfInitIDPayload is signed with the octets that were sent; RFC 7296 §2.15."""
    body = bytes.fromhex("02 c0ffee 6776")
    assert IdI.decode(Reader(body)).identification.encode() == body


def test_the_two_sides_are_different_payloads() -> None:
    joe = Identification(IdType.KEY_ID, b"joe")
    assert len({IdI(joe), IdR(joe)}) == 2
    assert len({TrafficSelectorsI((LAN,)), TrafficSelectorsR((LAN,))}) == 2


def test_eap_data_stays_out_of_logs() -> None:
    assert "hunter2" not in repr(Eap(EapCode.RESPONSE, 1, EapType.MSCHAPV2, b"hunter2"))


REFUSED: dict[str, tuple[PayloadType, str]] = {
    "SA without proposal": (PayloadType.SA, ""),
    "KE without method": (PayloadType.KE, "00"),
    "KE without reserved octets": (PayloadType.KE, "0013 00"),
    "IDi without type": (PayloadType.IDI, ""),
    "IDi without reserved octets": (PayloadType.IDI, "02 0000"),
    "IPv4 identity of 3 octets": (PayloadType.IDI, "01 000000 c00002"),
    "IPv4 identity of 16 octets": (PayloadType.IDR, "01 000000 20010db8000000000000000000000001"),
    "IPv6 identity of 4 octets": (PayloadType.IDR, "05 000000 c0000201"),
    "empty IPv4 identity": (PayloadType.IDI, "01 000000"),
    "NUL in a name": (PayloadType.IDI, "02 000000 61 00 62"),
    "newline in a name": (PayloadType.IDI, "02 000000 61 0a"),
    "carriage return in an address of mail": (PayloadType.IDI, "03 000000 0d"),
    "CERT without encoding": (PayloadType.CERT, ""),
    "CERTREQ without encoding": (PayloadType.CERTREQ, ""),
    "CERTREQ with a hash cut": (PayloadType.CERTREQ, f"04 {CA_1.hex()} {CA_2[:19].hex()}"),
    "AUTH without reserved octets": (PayloadType.AUTH, "02 0000"),
    "nonce of 15": (PayloadType.NONCE, "00" * 15),
    "nonce of 257": (PayloadType.NONCE, "00" * 257),
    "D: unknown protocol": (PayloadType.DELETE, "09 00 0000"),
    "D: no protocol": (PayloadType.DELETE, "00 00 0000"),
    "D: IKE names no SPI": (PayloadType.DELETE, "01 04 0001 73706931"),
    "D: IKE names no SPI of 8 octets either": (PayloadType.DELETE, "01 08 0001 7370693173706931"),
    "D: SPI of no octets, many": (PayloadType.DELETE, "01 00 ffff"),
    "D: SPI of 8 octets": (PayloadType.DELETE, "03 08 0001 7370693173706931"),
    "D: SPI of no octets": (PayloadType.DELETE, "03 00 0001 73706931"),
    "D: count too high": (PayloadType.DELETE, "03 04 0002 73706931"),
    "D: count too low": (PayloadType.DELETE, "03 04 0001 73706931 73706932"),
    "D: left over": (PayloadType.DELETE, "03 04 0001 73706931 00"),
    "D: left over after IKE": (PayloadType.DELETE, "01 00 0000 00"),
    "TSi: no selector": (PayloadType.TSI, "00 000000"),
    "TSi: fewer than announced": (PayloadType.TSI, "02 000000 07 00 0010 0000 ffff c0000200 c00002ff"),
    "TSr: more than announced": (PayloadType.TSR, "01 000000" + "07 00 0010 0000 ffff c0000200 c00002ff" * 2),
    "TSr: unknown type": (PayloadType.TSR, "01 000000 0a 00 0010 0000 ffff c0000200 c00002ff"),
    "EAP: unknown code": (PayloadType.EAP, "05 07 0004"),
    "EAP: shorter than its head": (PayloadType.EAP, "03 07 00"),
    "EAP: longer than its payload": (PayloadType.EAP, "01 07 0006 01"),
    "EAP: shorter than its payload": (PayloadType.EAP, "01 07 0005 01 6a"),
    "EAP: request without type": (PayloadType.EAP, "01 07 0004"),
    "EAP: success with a type": (PayloadType.EAP, "03 07 0005 01"),
}


@pytest.mark.parametrize(("payload_type", "octets"), REFUSED.values(), ids=REFUSED)
def test_payload_refuses(payload_type: PayloadType, octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        DECODERS[payload_type](Reader(bytes.fromhex(octets)))


def test_every_known_payload_has_a_strategy() -> None:
    """Nobody adds a payload that the tests below do not see."""
    assert len(PAYLOADS) == len(DECODERS)


@pytest.mark.parametrize("name", PAYLOADS)
@given(st.data())
def test_payload_read_back(name: str, data: st.DataObject) -> None:
    payload = data.draw(PAYLOADS[name])
    assert DECODERS[payload.payload_type](Reader(payload.encode())) == payload


@pytest.mark.parametrize("name", PAYLOADS)
@given(st.data())
def test_damaged_payload(name: str, data: st.DataObject) -> None:
    """Damage is refused as InvalidSyntax, or the same is read again from what we would send."""
    valid = data.draw(PAYLOADS[name])
    body = data.draw(damaged(valid.encode()))
    decode = DECODERS[valid.payload_type]
    with suppress(InvalidSyntax):
        read = decode(Reader(body))
        assert len(read.encode()) == len(body)
        assert decode(Reader(read.encode())) == read


def test_unknown_payload_is_kept() -> None:
    payload = UnknownPayload(PayloadType(200), True, b"body")
    assert payload.payload_type == 200
    assert payload.encode() == b"body"


OF_TWO_LINES = der_of((("2.5.4.3", "g\nw"),))

NAMES = {
    "192.0.2.1": Identification(IdType.IPV4_ADDR, bytes((192, 0, 2, 1))),
    "2001:db8::1": Identification(IdType.IPV6_ADDR, bytes.fromhex("20010db8000000000000000000000001")),
    "a.example": Identification(IdType.FQDN, b"a.example"),
    "me@example.org": Identification(IdType.RFC822_ADDR, b"me@example.org"),
    "keyid:office 7": Identification(IdType.KEY_ID, b"office 7"),
    "@#0aff": Identification(IdType.KEY_ID, b"\n\xff"),
    "C=CH, CN=gw": Identification(IdType.DER_ASN1_DN, der_of((("2.5.4.6", "CH"), ("2.5.4.3", "gw")))),
    "@#300100": Identification(IdType.DER_ASN1_DN, b"0\x01\0"),
    f"@#{OF_TWO_LINES.hex()}": Identification(IdType.DER_ASN1_DN, OF_TWO_LINES),
}


@pytest.mark.parametrize(("text", "identification"), NAMES.items(), ids=NAMES)
def test_identification_for_people(text: str, identification: Identification) -> None:
    assert str(identification) == text
