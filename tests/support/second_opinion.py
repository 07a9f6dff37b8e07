"""Others read our messages: scapy's IKEv2 layer, after a decryption that knows nothing but the exported keys.

What is read is put into tuples, first the payload type, so that it can be compared with what we read ourselves.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, GCM

from edgevpn.ike.iana import IdType, PayloadType
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import Payload
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

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.contrib import ikev2 as scapy
    from scapy.packet import NoPayload, Packet

Reading = tuple[Any, ...]

HEADER_SIZE = 28
HEAD_SIZES = {46: 4, 53: 8}  # of an SK payload, and of SKF, which has Fragment Number and Total Fragments behind it
FLAG_INITIATOR = 0x08


# --- a table of exported keys, and what it opens ---------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of `ikev2_decryption_table`; also one that Wireshark is not to read."""

    spis: tuple[str, str]
    encryption_keys: tuple[bytes, bytes]
    encryption: str
    integrity_keys: tuple[bytes, bytes]
    integrity: str

    @classmethod
    def parse(cls, line: str) -> Row:
        spi_i, spi_r, sk_ei, sk_er, encryption, sk_ai, sk_ar, integrity = next(csv.reader([line.removeprefix("# ")]))
        keys = (bytes.fromhex(sk_ei), bytes.fromhex(sk_er)), (bytes.fromhex(sk_ai), bytes.fromhex(sk_ar))
        return cls((spi_i, spi_r), keys[0], encryption, keys[1], integrity)


HASHES = {"SHA1_96": ("sha1", 12), "SHA2_256": ("sha256", 16), "SHA2_384": ("sha384", 24), "SHA2_512": ("sha512", 32)}
UNCHECKED_ICV = 12  # "ANY 96-bits"


def decrypt(datagrams: tuple[bytes, ...], row: Row) -> tuple[int, bytes]:
    """Type of the first payload in the SK payload, or the SKF payloads, and the chain of all."""
    return datagrams[0][HEADER_SIZE], b"".join(_decrypted(datagram, row) for datagram in datagrams)


def _decrypted(datagram: bytes, row: Row) -> bytes:
    side = 0 if datagram[19] & FLAG_INITIATOR else 1
    start = HEADER_SIZE + HEAD_SIZES[datagram[16]]
    key, body = row.encryption_keys[side], datagram[start:]
    if "CBC" in row.encryption or "CTR" in row.encryption:
        icv = _checked(datagram, row, row.integrity_keys[side])
        padded = _deciphered(row.encryption, key, body[:-icv])
    else:
        padded = _opened(row.encryption, key, body, datagram[:start])
    return padded[: len(padded) - 1 - padded[-1]]


def _checked(datagram: bytes, row: Row, key: bytes) -> int:
    """Octets of the ICV, which is right if we have the algorithm's key."""
    name = next((name for name in HASHES if name in row.integrity), None)
    if name is None:
        return UNCHECKED_ICV
    algorithm, length = HASHES[name]
    assert hmac.new(key, datagram[:-length], getattr(hashlib, algorithm)).digest()[:length] == datagram[-length:]
    return length


def _deciphered(encryption: str, key: bytes, body: bytes) -> bytes:
    if "CBC" in encryption:
        decryptor = Cipher(AES(key), CBC(body[:16])).decryptor()
        return decryptor.update(body[16:]) + decryptor.finalize()
    decryptor = Cipher(AES(key[:-4]), CTR(key[-4:] + body[:8] + b"\0\0\0\1")).decryptor()
    return decryptor.update(body[8:])


def _opened(encryption: str, key: bytes, body: bytes, associated: bytes) -> bytes:
    iv, sealed = body[:8], body[8:]
    if "CHACHA20" in encryption:
        return ChaCha20Poly1305(key[:-4]).decrypt(key[-4:] + iv, sealed, associated)
    found = re.search(r"with (\d+) octet ICV", encryption)
    assert found is not None
    icv = int(found[1])
    if "CCM" in encryption:
        return AESCCM(key[:-3], icv).decrypt(key[-3:] + iv, sealed, associated)
    decryptor = Cipher(AES(key[:-4]), GCM(key[-4:] + iv, sealed[-icv:], icv)).decryptor()
    decryptor.authenticate_additional_data(associated)
    return decryptor.update(sealed[:-icv]) + decryptor.finalize()


# --- what scapy reads ------------------------------------------------------------------------------------------------


def header_by_scapy(datagram: bytes) -> Reading:
    """SPIs, first payload, version, exchange, flags, message ID and length."""
    it = scapy.IKEv2(datagram)
    return it.init_SPI, it.resp_SPI, it.next_payload, it.version, it.exch_type, int(it.flags), it.id, it.length


def read_by_scapy(datagram: bytes, first: int, chain: bytes) -> list[Reading]:
    """The payloads of a message, as if they had stood in it unencrypted."""
    length = (HEADER_SIZE + len(chain)).to_bytes(4, "big")
    message = scapy.IKEv2(datagram[:16] + bytes([first]) + datagram[17:24] + length + chain)
    return list(_layers(message))


def _layers(message: Packet) -> Iterator[Reading]:
    number, layer = message.next_payload, message.payload
    while not isinstance(layer, NoPayload):
        yield (number, *READERS[type(layer)](layer))
        number, layer = layer.next_payload, layer.payload
    assert number == 0


def _proposals(layer: Packet) -> Reading:
    found, proposal = [], layer.prop
    while isinstance(proposal, scapy.IKEv2_Proposal):
        found.append((proposal.proposal, proposal.proto, bytes(proposal.SPI or b""), _transforms(proposal)))
        proposal = proposal.payload
    return tuple(found)


def _transforms(proposal: Packet) -> Reading:
    found, transform = [], proposal.trans
    while isinstance(transform, scapy.IKEv2_Transform):
        found.append((transform.transform_type, transform.transform_id, transform.key_length))
        transform = transform.payload
    assert len(found) == proposal.trans_nb
    return tuple(found)


def _selectors(layer: Packet) -> Reading:
    assert layer.number_of_TSs == len(layer.traffic_selector)
    return tuple(
        (
            ts.TS_type,
            ts.IP_protocol_ID,
            ts.start_port,
            ts.end_port,
            ts.starting_address_v4 if ts.TS_type == 7 else ts.starting_address_v6,
            ts.ending_address_v4 if ts.TS_type == 7 else ts.ending_address_v6,
        )
        for ts in layer.traffic_selector
    )


READERS: dict[type[Packet], Callable[[Packet], Reading]] = {
    scapy.IKEv2_SA: _proposals,
    scapy.IKEv2_KE: lambda it: (it.group, it.ke),
    scapy.IKEv2_IDi: lambda it: (it.IDtype, it.ID),
    scapy.IKEv2_IDr: lambda it: (it.IDtype, it.ID),
    scapy.IKEv2_AUTH: lambda it: (it.auth_type, it.load),
    scapy.IKEv2_Nonce: lambda it: (it.nonce,),
    scapy.IKEv2_Notify: lambda it: (it.proto, it.type, it.SPI, it.notify),
    scapy.IKEv2_Delete: lambda it: (it.proto, tuple(it.SPI)),
    scapy.IKEv2_TSi: _selectors,
    scapy.IKEv2_TSr: _selectors,
    scapy.IKEv2_CERT: lambda it: (it.cert_encoding, bytes(it.cert_data)),
    scapy.IKEv2_CERTREQ: lambda it: (it.cert_encoding, it.cert_authority),
    scapy.IKEv2_CP: lambda it: (it.CFGType, tuple((each.type, each.length) for each in it.attributes)),
    scapy.IKEv2_EAP: lambda it: (it.load,),
}


# --- what we read ----------------------------------------------------------------------------------------------------


def read_by_us(payloads: tuple[Payload, ...]) -> list[Reading]:
    """The same tuples of our own payloads."""
    return [(int(payload.payload_type), *_ours(payload)) for payload in payloads]


def _ours(payload: Payload) -> Reading:
    match payload:
        case SecurityAssociation(proposals):
            return tuple(
                (
                    proposal.number,
                    proposal.protocol,
                    proposal.spi,
                    tuple((t.transform_type, t.transform_id, t.key_length) for t in proposal.transforms),
                )
                for proposal in proposals
            )
        case KeyExchange(method, data):
            return method, data
        case IdI(identification) | IdR(identification):
            assert identification.id_type not in (IdType.IPV4_ADDR, IdType.IPV6_ADDR), "scapy has text for these"
            return identification.id_type, identification.data
        case Authentication(method, data):
            return method, data
        case Nonce(data):
            return (data,)
        case Notify(notify_type, data, protocol, spi):
            return protocol, notify_type, spi, data
        case Delete(protocol, spis):
            return protocol, spis
        case TrafficSelectorsI(selectors) | TrafficSelectorsR(selectors):
            return tuple(
                (ts.ts_type, ts.protocol, *ts.ports, str(ts.start_address), str(ts.end_address)) for ts in selectors
            )
        case Certificate(encoding, data):
            return encoding, data
        case CertificateRequest(encoding, authorities):
            return encoding, b"".join(authorities)
        case Configuration(cfg_type, attributes):
            return cfg_type, tuple((each.attribute_type, len(each.value)) for each in attributes)
        case Eap():
            return (payload.encode(),)
        case _:
            raise AssertionError(f"{PayloadType(payload.payload_type).name} is not compared")
