"""Wireshark reads every message that the core sends, and our ESP, with nothing but the tables of exported keys."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from edgevpn.daemon.base.key_log import KeyLog
from edgevpn.ike.contract import KeysDerived
from edgevpn.ike.iana import ConfigAttribute, EapCode, EapType, Encr, Integ, TransformType
from edgevpn.ike.peer import Offer
from edgevpn.ike.state import ChildSa
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import Header, Payload
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import (
    Authentication,
    Certificate,
    CertificateRequest,
    Delete,
    Eap,
    IdI,
    IdR,
    KeyExchange,
    Nonce,
    SecurityAssociation,
    TrafficSelectorsI,
    TrafficSelectorsR,
)
from edgevpn.ike.wire.proposal import Proposal, Transform
from edgevpn.ike.wire.selector import TrafficSelector
from tests.support.conversations import SUITES, Message, conversations
from tests.support.pair import Pair
from tests.support.peers import LAN, NO_ESN, TO_RIGHT, mirrored

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.layers.inet import ICMP, IP, UDP
    from scapy.layers.ipsec import ESP
    from scapy.layers.ipsec import SecurityAssociation as EspSa
    from scapy.utils import wrpcap

LEFT, RIGHT = "192.0.2.1", "198.51.100.1"
UNREADABLE = "ChaCha20-Poly1305"  # Wireshark has this cipher for ESP alone; scapy's test reads what it seals
PROPOSAL, TRANSFORM = "2", "3"  # Wireshark counts these substructures among the payloads

Frame = dict[str, list[str]]


def tshark(capture: Path, profile: Path, fields: Iterable[str], *options: str) -> list[Frame]:
    """All values of these fields in each frame; the profile holds the keys."""
    columns = [argument for field in fields for argument in ("-e", field)]
    run = subprocess.run(
        ["tshark", "-n", "-r", capture, *options, "-T", "fields", "-E", "occurrence=a", *columns],
        env={**os.environ, "WIRESHARK_CONFIG_DIR": str(profile)},
        capture_output=True,
        text=True,
        check=True,
    )
    complaints = [line for line in run.stderr.splitlines() if "Running as user" not in line]
    assert not complaints
    rows = (line.split("\t") for line in run.stdout.splitlines())
    return [{field: values.split(",") for field, values in zip(fields, row, strict=True) if values} for row in rows]


# --- IKE -------------------------------------------------------------------------------------------------------------


def of_type(*kinds: type[Payload]) -> Callable[[tuple[Payload, ...]], list[Any]]:
    return lambda payloads: [payload for payload in payloads if isinstance(payload, kinds)]


def proposals(payloads: tuple[Payload, ...]) -> list[Proposal]:
    return [proposal for sa in of_type(SecurityAssociation)(payloads) for proposal in sa.proposals]


def transforms(payloads: tuple[Payload, ...], kind: TransformType | None = None) -> list[Transform]:
    all_of_them = [transform for proposal in proposals(payloads) for transform in proposal.transforms]
    return [transform for transform in all_of_them if kind in (None, transform.transform_type)]


def selectors(payloads: tuple[Payload, ...], version: int | None = None) -> list[TrafficSelector]:
    both = [ts for each in of_type(TrafficSelectorsI, TrafficSelectorsR)(payloads) for ts in each.selectors]
    return [ts for ts in both if version in (None, ts.start_address.version)]


def named(payloads: tuple[Payload, ...]) -> list[bytes]:
    """SPIs outside Delete: of proposals and of notifications."""
    found: list[bytes] = []
    for payload in payloads:
        match payload:
            case SecurityAssociation(offered):
                found += [proposal.spi for proposal in offered]
            case Notify(spi=spi):
                found.append(spi)
    return [spi for spi in found if spi]


def types(payloads: tuple[Payload, ...]) -> list[str]:
    """Payload types with what is inside them, in order."""
    found: list[str] = []
    for payload in payloads:
        found.append(str(int(payload.payload_type)))
        if isinstance(payload, SecurityAssociation):
            for proposal in payload.proposals:
                found += [PROPOSAL, *(TRANSFORM for _ in proposal.transforms)]
    return found


def common_names(payload: Certificate) -> list[str]:
    """Of the certificate's issuer and subject, in the order of the encoding."""
    certificate = x509.load_der_x509_certificate(payload.data)
    return [str(each.value) for name in (certificate.issuer, certificate.subject) for each in name]


def is_identity(payload: Eap) -> bool:
    return payload.eap_type == EapType.IDENTITY and payload.code is EapCode.RESPONSE


def given(payloads: tuple[Payload, ...], attribute: ConfigAttribute) -> list[object]:
    """Addresses that are given, not asked for; those of IPv6 may have a prefix length behind them."""
    attributes = [each for cp in of_type(Configuration)(payloads) for each in cp.attributes]
    return [ip_address(each.value[:16]) for each in attributes if each.value and each.attribute_type == attribute]


FIELDS: dict[str, Callable[[tuple[Payload, ...]], Sequence[object]]] = {
    "isakmp.typepayload": types,
    "isakmp.prop.number": lambda it: [proposal.number for proposal in proposals(it)],
    "isakmp.prop.protoid": lambda it: [int(proposal.protocol) for proposal in proposals(it)],
    "isakmp.spi": lambda it: [spi.hex() for spi in named(it)],
    "isakmp.tf.type": lambda it: [int(each.transform_type) for each in transforms(it)],
    "isakmp.tf.id.encr": lambda it: [int(each.transform_id) for each in transforms(it, TransformType.ENCR)],
    "isakmp.tf.id.prf": lambda it: [int(each.transform_id) for each in transforms(it, TransformType.PRF)],
    "isakmp.tf.id.integ": lambda it: [int(each.transform_id) for each in transforms(it, TransformType.INTEG)],
    "isakmp.tf.id.dh": lambda it: [int(each.transform_id) for each in transforms(it, TransformType.KE)],
    "isakmp.tf.id.esn": lambda it: [int(each.transform_id) for each in transforms(it, TransformType.ESN)],
    "isakmp.ike2.attr.key_length": lambda it: [each.key_length for each in transforms(it) if each.key_length],
    "isakmp.key_exchange.dh_group": lambda it: [int(each.method) for each in of_type(KeyExchange)(it)],
    "isakmp.key_exchange.data": lambda it: [each.data.hex() for each in of_type(KeyExchange)(it)],
    "isakmp.nonce": lambda it: [each.data.hex() for each in of_type(Nonce)(it)],
    "isakmp.id.type": lambda it: [int(each.identification.id_type) for each in of_type(IdI, IdR)(it)],
    "isakmp.id.data.fqdn": lambda it: [each.identification.data.decode() for each in of_type(IdI, IdR)(it)],
    "isakmp.auth.method": lambda it: [int(each.method) for each in of_type(Authentication)(it)],
    "isakmp.auth.data": lambda it: [each.data.hex() for each in of_type(Authentication)(it)],
    "isakmp.notify.protoid": lambda it: [int(each.protocol) for each in of_type(Notify)(it)],
    "isakmp.notify.msgtype": lambda it: [int(each.notify_type) for each in of_type(Notify)(it)],
    "isakmp.cert.encoding": lambda it: [int(each.encoding) for each in of_type(Certificate)(it)],
    "x509sat.uTF8String": lambda it: [name for each in of_type(Certificate)(it) for name in common_names(each)],
    "isakmp.certreq.type": lambda it: [int(each.encoding) for each in of_type(CertificateRequest)(it)],
    "eap.code": lambda it: [int(each.code) for each in of_type(Eap)(it)],
    "eap.id": lambda it: [each.identifier for each in of_type(Eap)(it)],
    "eap.type": lambda it: [int(each.eap_type) for each in of_type(Eap)(it) if each.eap_type is not None],
    "eap.identity": lambda it: [each.data.decode() for each in of_type(Eap)(it) if is_identity(each)],
    "isakmp.cfg.attr.internal_ip4_address": lambda it: given(it, ConfigAttribute.INTERNAL_IP4_ADDRESS),
    "isakmp.cfg.attr.internal_ip4_dns": lambda it: given(it, ConfigAttribute.INTERNAL_IP4_DNS),
    "isakmp.cfg.attr.internal_ip6_address": lambda it: given(it, ConfigAttribute.INTERNAL_IP6_ADDRESS),
    "isakmp.cfg.attr.internal_ip6_dns": lambda it: given(it, ConfigAttribute.INTERNAL_IP6_DNS),
    "isakmp.delete.protoid": lambda it: [int(each.protocol) for each in of_type(Delete)(it)],
    "isakmp.delete.spi": lambda it: [spi.hex() for each in of_type(Delete)(it) for spi in each.spis],
    "isakmp.ts.type": lambda it: [int(ts.ts_type) for ts in selectors(it)],
    "isakmp.ts.protoid": lambda it: [ts.protocol for ts in selectors(it)],
    "isakmp.ts.start_port": lambda it: [ts.start_port for ts in selectors(it)],
    "isakmp.ts.end_port": lambda it: [ts.end_port for ts in selectors(it)],
    "isakmp.ts.start_ipv4": lambda it: [ts.start_address for ts in selectors(it, 4)],
    "isakmp.ts.end_ipv4": lambda it: [ts.end_address for ts in selectors(it, 4)],
    "isakmp.ts.start_ipv6": lambda it: [ts.start_address for ts in selectors(it, 6)],
    "isakmp.ts.end_ipv6": lambda it: [ts.end_address for ts in selectors(it, 6)],
}
FAULTS = ("_ws.malformed", "_ws.expert.severity")
WARNING = 0x600000  # below are notes, such as that something may be a retransmission


def meant(message: Message, readable: bool) -> list[Frame]:
    """What Wireshark should see of a message of ours, a frame for each datagram; all of it is in the last."""
    *pieces, last = (Header.decode(datagram) for datagram in message.datagrams)
    sealed = [] if message.secured is None else [str(int(last.next_payload))]
    payloads = message.payloads() if readable or not sealed else ()
    frame = {name: [str(value) for value in values(payloads)] for name, values in FIELDS.items()}
    frame["isakmp.typepayload"] = [*sealed, *frame["isakmp.typepayload"]]
    whole = heads(last) | {name: values for name, values in frame.items() if values}
    return [*(heads(piece) | {"isakmp.typepayload": sealed} for piece in pieces), whole]


def heads(header: Header) -> Frame:
    return {
        "isakmp.ispi": [header.spi_i.hex()],
        "isakmp.rspi": [header.spi_r.hex()],
        "isakmp.version": ["0x20"],
        "isakmp.exchangetype": [str(int(header.exchange))],
        "isakmp.flags": [f"0x{int(header.flags):02x}"],
        "isakmp.messageid": [f"0x{header.message_id:08x}"],
    }


def test_wireshark_reads_what_was_meant(tmp_path: Path) -> None:
    """Payload by payload, value by value, in every cipher; a wrong ICV or length would be a fault."""
    log, packets, frames = KeyLog(tmp_path / "profile"), [], []
    for seed, (suite, offer) in enumerate(SUITES.items(), 1):
        for said in conversations(offer, seed):
            for secured in said.secrets:
                log.note(KeysDerived(secured))
            for message in said.messages:
                packets += [datagram(octets) for octets in message.datagrams]
                frames += meant(message, suite != UNREADABLE)
    wrpcap(str(tmp_path / "ike.pcap"), packets)

    fields = [*dict.fromkeys(name for frame in frames for name in frame), *FAULTS]
    read = tshark(tmp_path / "ike.pcap", tmp_path / "profile", fields)

    assert len(read) == len(frames)
    for seen, expected in zip(read, frames, strict=True):
        assert without_notes(seen) == expected


def datagram(octets: bytes) -> IP:
    return IP(src=LEFT, dst=RIGHT) / UDP(sport=500, dport=500) / octets


def without_notes(seen: Frame) -> Frame:
    """A frame, and what Wireshark finds wrong with it."""
    worst = max(map(int, seen.pop("_ws.expert.severity", ["0"])))
    return seen | ({"fault": [str(worst)]} if worst >= WARNING else {})


# --- ESP -------------------------------------------------------------------------------------------------------------


def esp(encr: Encr, bits: int, integ: Integ = Integ.NONE) -> Offer:
    check = () if integ is Integ.NONE else (Transform(TransformType.INTEG, integ),)
    return Offer((Transform(TransformType.ENCR, encr, bits), *check, NO_ESN))


ESP_SUITES = {
    ("AES-GCM", None): esp(Encr.AES_GCM_16, 256),
    ("AES-CBC", "HMAC-SHA1-96"): esp(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96),
    ("AES-CBC", "SHA2-256-128"): esp(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128),
    ("AES-CTR", "SHA2-384-192"): esp(Encr.AES_CTR, 192, Integ.HMAC_SHA2_384_192),
    ("AES-CTR", "SHA2-512-256"): esp(Encr.AES_CTR, 256, Integ.HMAC_SHA2_512_256),
}
"""By the names that scapy has for them."""


@pytest.mark.parametrize("side", ["left", "right"])
def test_wireshark_reads_esp(tmp_path: Path, side: str) -> None:
    """What scapy's ESP seals with the keys of a child, in either direction, opens with what either side exported."""
    log, packets = KeyLog(tmp_path / "profile"), []
    for seed, ((crypt, auth), offer) in enumerate(ESP_SUITES.items(), 1):
        pair = with_child(offer, seed)
        end = pair.left if side == "left" else pair.right
        log.note(KeysDerived(end.sa.secured, end.child))
        packets += [packet(pair.left.child, crypt, auth, seed, sent) for sent in (True, False)]
    wrpcap(str(tmp_path / "esp.pcap"), packets)

    checks = ("-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE")
    read = tshark(tmp_path / "esp.pcap", tmp_path / "profile", ["icmp.seq", "esp.icv_good", "_ws.malformed"], *checks)

    assert read == [{"icmp.seq": [str(seed)], "esp.icv_good": ["1"]} for seed in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)]


def with_child(offer: Offer, seed: int) -> Pair:
    peer = replace(TO_RIGHT, children=(replace(LAN, offers=(offer,)),))
    pair = Pair((peer,), (mirrored(peer),), seed=2 * seed)
    pair.left.initiate("right")
    pair.run(1)
    return pair


def packet(child: ChildSa, crypt: str, auth: str | None, seq: int, sent: bool) -> IP:
    """A ping through left's child, which left has asked for; `sent` by left, or by right."""
    encr, integ = (child.keys.encr_i, child.keys.integ_i) if sent else (child.keys.encr_r, child.keys.integ_r)
    outer = IP(src=LEFT, dst=RIGHT) if sent else IP(src=RIGHT, dst=LEFT)
    sa = EspSa(
        ESP,
        spi=int.from_bytes(child.spi_out if sent else child.spi_in, "big"),
        crypt_algo=crypt,
        crypt_key=encr,
        auth_algo=auth,
        auth_key=integ or None,
        tunnel_header=outer,
    )
    return sa.encrypt(IP(src="10.1.0.1", dst="10.2.0.1") / ICMP(seq=seq) / b"hello")
