"""An independent decoder, the IKEv2 layer of scapy, reads every payload that we write, and we read what it writes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from edgevpn.ike.iana import (
    AuthMethod,
    CertEncoding,
    ConfigAttribute,
    ConfigType,
    EapCode,
    EapType,
    Encr,
    Esn,
    ExchangeType,
    Flag,
    IdType,
    Integ,
    Ke,
    NotifyType,
    PayloadType,
    Prf,
    ProtocolId,
    TransformType,
)
from edgevpn.ike.wire.configuration import Attribute, Configuration
from edgevpn.ike.wire.message import DECODERS, Header, Payload, decode_message, encode_message
from edgevpn.ike.wire.notify import Notify
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
    VendorId,
)
from edgevpn.ike.wire.proposal import Proposal, Transform
from edgevpn.ike.wire.selector import TrafficSelector

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.contrib import ikev2 as scapy
    from scapy.layers.eap import EAP

HEADER = Header(b"initiatr", b"respondr", ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0x01020304)
LAST = VendorId(b"last of all")

IKE = Proposal(
    1,
    ProtocolId.IKE,
    b"rekeyspi",
    (
        Transform(TransformType.ENCR, Encr.AES_CBC, 256),
        Transform(TransformType.PRF, Prf.HMAC_SHA2_256),
        Transform(TransformType.INTEG, Integ.HMAC_SHA2_256_128),
        Transform(TransformType.KE, Ke.CURVE25519),
    ),
)
ESP = Proposal(
    2,
    ProtocolId.ESP,
    b"spi1",
    (Transform(TransformType.ENCR, Encr.AES_GCM_16, 128), Transform(TransformType.ESN, Esn.NO_ESN)),
)
LAN = TrafficSelector.from_network(ip_network("192.0.2.0/24"), 6, (80, 443))
LAN_6 = TrafficSelector.from_network(ip_network("2001:db8::/32"))

FIELDS: dict[str, tuple[Payload, dict[str, object]]] = {
    "KE": (KeyExchange(Ke.ECP_256, b"public"), {"group": 19, "res2": 0, "ke": b"public"}),
    "IDi": (IdI(Identification(IdType.FQDN, b"vpn.example")), {"IDtype": 2, "res2": 0, "ID": b"vpn.example"}),
    "IDr": (IdR(Identification(IdType.IPV4_ADDR, b"\xc0\x00\x02\x01")), {"IDtype": 1, "res2": 0, "ID": "192.0.2.1"}),
    "CERT": (Certificate(CertEncoding.HASH_AND_URL_X509, b"hash"), {"cert_encoding": 12, "cert_data": b"hash"}),
    "CERTREQ": (
        CertificateRequest(CertEncoding.X509_SIGNATURE, (b"A" * 20, b"B" * 20)),
        {"cert_encoding": 4, "cert_authority": b"A" * 20 + b"B" * 20},
    ),
    "AUTH": (
        Authentication(AuthMethod.DIGITAL_SIGNATURE, b"signature"),
        {"auth_type": 14, "res2": 0, "load": b"signature"},
    ),
    "Nonce": (Nonce(b"n" * 32), {"nonce": b"n" * 32}),
    "N": (
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, b"h" * 20),
        {"proto": 0, "SPIsize": 0, "type": 16388, "SPI": b"", "notify": b"h" * 20},
    ),
    "N with SPI": (
        Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"spi1"),
        {"proto": 3, "SPIsize": 4, "type": 16393, "SPI": b"spi1"},
    ),
    "D": (
        Delete(ProtocolId.ESP, (b"spi1", b"spi2")),
        {"proto": 3, "SPIsize": 4, "SPInum": 2, "SPI": [b"spi1", b"spi2"]},
    ),
    "V": (VendorId(b"vendor"), {"vendorID": b"vendor"}),
    "EAP": (
        Eap(EapCode.RESPONSE, 7, EapType.MSCHAPV2, b"response"),
        {"load": bytes.fromhex("02 07 000d 1a") + b"response"},
    ),
}


def written(payload: Payload) -> Any:
    """What scapy reads where `payload` stands in a whole IKE_SA_INIT message, followed by another."""
    message = scapy.IKEv2(encode_message(HEADER, (payload, LAST)))
    assert message.payload.payload.vendorID == LAST.data
    return message.payload


@pytest.mark.parametrize(("payload", "fields"), FIELDS.values(), ids=FIELDS)
def test_fields(payload: Payload, fields: dict[str, object]) -> None:
    read = written(payload)
    assert {name: getattr(read, name) for name in fields} == fields
    assert read.length == 4 + len(payload.encode())


def test_header() -> None:
    read = scapy.IKEv2(encode_message(HEADER, (LAST,)))
    assert (read.init_SPI, read.resp_SPI) == (b"initiatr", b"respondr")
    assert (read.next_payload, read.version, read.exch_type) == (PayloadType.VENDOR_ID, 0x20, 34)
    assert (str(read.flags), read.id, read.length) == ("Initiator", 0x01020304, 28 + 4 + len(LAST.data))


def test_security_association() -> None:
    first = written(SecurityAssociation((IKE, ESP))).prop
    second = first.payload
    assert [(each.proposal, each.proto, each.SPI, each.trans_nb) for each in (first, second)] == [
        (1, 1, b"rekeyspi", 4),
        (2, 3, b"spi1", 2),
    ]
    assert transforms(first) == [(1, 12, 256), (2, 5, None), (3, 12, None), (4, 31, None)]
    assert transforms(second) == [(1, 20, 128), (5, 0, None)]


def transforms(proposal: Any) -> list[tuple[int, int, int | None]]:
    """Type, ID and key length of each transform that scapy sees."""
    seen, transform = [], proposal.trans
    while isinstance(transform, scapy.IKEv2_Transform):
        seen.append((transform.transform_type, transform.transform_id, transform.key_length))
        transform = transform.payload
    return seen


@pytest.mark.parametrize("payload_class", [TrafficSelectorsI, TrafficSelectorsR])
def test_traffic_selectors(payload_class: Callable[[tuple[TrafficSelector, ...]], Payload]) -> None:
    read = written(payload_class((LAN, LAN_6)))
    four, six = read.traffic_selector
    assert read.number_of_TSs == 2
    assert (four.TS_type, four.IP_protocol_ID, four.length, four.start_port, four.end_port) == (7, 6, 16, 80, 443)
    assert (four.starting_address_v4, four.ending_address_v4) == ("192.0.2.0", "192.0.2.255")
    assert (six.TS_type, six.IP_protocol_ID, six.length, six.start_port, six.end_port) == (8, 0, 40, 0, 65535)
    assert (six.starting_address_v6, six.ending_address_v6) == ("2001:db8::", "2001:db8:" + ":".join(["ffff"] * 6))


def test_configuration() -> None:
    address, name_server, domain = (
        Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS, b"\xc0\x00\x02\x05"),
        Attribute(ConfigAttribute.INTERNAL_IP6_DNS, bytes.fromhex("20010db8000000000000000000000001")),
        Attribute(ConfigAttribute.INTERNAL_DNS_DOMAIN, b"lan"),
    )
    read = written(Configuration(ConfigType.REPLY, (address, name_server, domain)))
    assert (read.CFGType, read.res2) == (2, 0)
    assert [(each.type, each.length, each.value) for each in read.attributes] == [
        (1, 4, "192.0.2.5"),
        (10, 16, "2001:db8::1"),
        (25, 3, b"lan"),
    ]


def test_eap_message() -> None:
    read = EAP(Eap(EapCode.RESPONSE, 9, EapType.IDENTITY, b"joe").encode())
    assert (read.code, read.id, read.len, read.type, read.identity) == (2, 9, 8, 1, b"joe")
    success = EAP(Eap(EapCode.SUCCESS, 9).encode())
    assert (success.code, success.id, success.len) == (3, 9, 4)


def test_every_payload_is_read_by_scapy() -> None:
    tested = {payload.payload_type for payload, _ in FIELDS.values()}
    assert DECODERS.keys() - tested == {PayloadType.SA, PayloadType.TSI, PayloadType.TSR, PayloadType.CP}


def test_we_read_what_scapy_writes() -> None:
    proposal = scapy.IKEv2_Proposal(
        trans_nb=2,
        trans=scapy.IKEv2_Transform(next_payload=3, length=12, transform_type=1, transform_id=20, key_length=256)
        / scapy.IKEv2_Transform(next_payload=0, transform_type=4, transform_id=31),
    )
    message = (
        scapy.IKEv2(init_SPI=b"initiatr", resp_SPI=bytes(8), next_payload=33, exch_type=34, flags="Initiator")
        / scapy.IKEv2_SA(next_payload=34, prop=proposal)
        / scapy.IKEv2_KE(next_payload=40, group=31, ke=b"k" * 32)
        / scapy.IKEv2_Nonce(next_payload=41, nonce=b"n" * 16)
        / scapy.IKEv2_Notify(next_payload=0, proto=0, type=16390, notify=b"cookie")
    )
    datagram = bytes(message)
    header = Header.decode(datagram)
    assert (header.exchange, header.flags) == (ExchangeType.IKE_SA_INIT, Flag.INITIATOR)
    assert decode_message(header, datagram) == (
        SecurityAssociation(
            (
                Proposal(
                    1,
                    ProtocolId.IKE,
                    b"",
                    (
                        Transform(TransformType.ENCR, Encr.AES_GCM_16, 256),
                        Transform(TransformType.KE, Ke.CURVE25519),
                    ),
                ),
            )
        ),
        KeyExchange(Ke.CURVE25519, b"k" * 32),
        Nonce(b"n" * 16),
        Notify(NotifyType.COOKIE, b"cookie"),
    )
