"""Hypothesis strategies: every payload of IKEv2, and octets that almost are one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import pack
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from edgevpn.ike.iana import (
    AuthMethod,
    CertEncoding,
    ConfigAttribute,
    ConfigType,
    EapCode,
    EapType,
    ExchangeType,
    Flag,
    IdType,
    Ke,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformAttribute,
    TransformType,
    TsType,
)
from edgevpn.ike.wire import configuration, notify
from edgevpn.ike.wire.configuration import Configuration
from edgevpn.ike.wire.message import DECODERS, ENCRYPTED, REPEATABLE, Header, Payload
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
    UnknownPayload,
    VendorId,
)
from edgevpn.ike.wire.proposal import FORMAT_TV, TRANSFORM_IDS, Proposal, Transform
from edgevpn.ike.wire.selector import ADDRESSES, ANY_PORTS, OPAQUE_PORTS, TrafficSelector

Registry = TypeVar("Registry", bound=IntEnum)


class Encodable(Protocol):
    """What can be written to the wire."""

    def encode(self) -> bytes: ...


def members(registry: type[Registry], last: int = 0xFF) -> st.SearchStrategy[Registry]:
    """Named members of an open registry, and numbers up to `last` that have no name."""
    return st.sampled_from(list(registry)) | st.integers(0, last).map(registry)


def octets(at_most: int = 40) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=at_most)


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    """A transform attribute that we do not understand, with a value in place or a longer one."""
    number = draw(st.integers(0, 0x7FFF).filter(lambda number: number != TransformAttribute.KEY_LENGTH))
    if draw(st.booleans()):
        return pack(">HH", FORMAT_TV | number, draw(st.integers(0, 0xFFFF)))
    value = draw(octets(8))
    return pack(">HH", number, len(value)) + value


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    transform_type = draw(members(TransformType))
    number = draw(st.integers(0, 40) | st.integers(0, 0xFFFF))
    key_length = draw(st.none() | st.sampled_from([128, 192, 256]))
    unknown = draw(st.just(b"") | attributes())
    return Transform(transform_type, TRANSFORM_IDS.get(transform_type, int)(number), key_length, unknown)


def proposals(number: int = 1) -> st.SearchStrategy[Proposal]:
    names = st.sampled_from([(ProtocolId.IKE, 0), (ProtocolId.IKE, 8), (ProtocolId.AH, 4), (ProtocolId.ESP, 4)])
    return names.flatmap(
        lambda name: st.builds(
            Proposal,
            st.just(number),
            st.just(name[0]),
            st.binary(min_size=name[1], max_size=name[1]),
            st.lists(transforms(), min_size=1, max_size=3).map(tuple),
        )
    )


def security_associations() -> st.SearchStrategy[SecurityAssociation]:
    counts = st.integers(1, 3)
    offers = counts.flatmap(lambda count: st.tuples(*(proposals(number + 1) for number in range(count))))
    return st.builds(SecurityAssociation, offers)


def key_exchanges() -> st.SearchStrategy[KeyExchange]:
    return st.builds(KeyExchange, members(Ke, 0xFFFF), octets())


def identifications() -> st.SearchStrategy[Identification]:
    addresses = st.ip_addresses(v=4).map(lambda it: Identification(IdType.IPV4_ADDR, it.packed)) | st.ip_addresses(
        v=6
    ).map(lambda it: Identification(IdType.IPV6_ADDR, it.packed))
    names = st.builds(
        Identification,
        st.sampled_from([IdType.FQDN, IdType.RFC822_ADDR]),
        st.from_regex(r"[a-z@.]{0,20}", fullmatch=True).map(str.encode),
    )
    opaque = st.builds(Identification, st.sampled_from([IdType.KEY_ID, IdType.DER_ASN1_DN, IdType(201)]), octets())
    return addresses | names | opaque


def certificates() -> st.SearchStrategy[Certificate]:
    return st.builds(Certificate, members(CertEncoding), octets())


def certificate_requests() -> st.SearchStrategy[CertificateRequest]:
    hashes = st.lists(st.binary(min_size=20, max_size=20), max_size=3).map(tuple)
    opaque = st.tuples(st.binary(min_size=1, max_size=30))
    return st.builds(CertificateRequest, st.just(CertEncoding.X509_SIGNATURE), hashes) | st.builds(
        CertificateRequest, st.just(CertEncoding.CRL), opaque
    )


def authentications() -> st.SearchStrategy[Authentication]:
    return st.builds(Authentication, members(AuthMethod), octets())


def nonces() -> st.SearchStrategy[Nonce]:
    return st.builds(Nonce, st.binary(min_size=16, max_size=256))


@st.composite
def notifies(draw: st.DrawFn) -> Notify:
    notify_type = draw(members(NotifyType, 0xFFFF))
    sizes = [size for size in range(66) if size in notify.DATA_SIZES.get(notify_type, range(66))]
    size = draw(st.sampled_from(sizes))
    protocol, spi_size = draw(st.sampled_from([(ProtocolId.NONE, 0), *notify.SPI_SIZE.items()]))
    return Notify(notify_type, draw(_exactly(size)), protocol, draw(_exactly(spi_size)))


def deletes() -> st.SearchStrategy[Delete]:
    spis = st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=5).map(tuple)
    children = st.builds(Delete, st.sampled_from([ProtocolId.AH, ProtocolId.ESP]), spis)
    return st.just(Delete(ProtocolId.IKE)) | children


def vendor_ids() -> st.SearchStrategy[VendorId]:
    return st.builds(VendorId, octets())


@st.composite
def selectors(draw: st.DrawFn) -> TrafficSelector:
    ts_type = draw(st.sampled_from(list(TsType)))
    address, size = ADDRESSES[ts_type]
    largest = 256**size - 1
    near = st.integers(0, 40) | st.integers(0, largest)
    start, end = sorted((draw(near), draw(near)))
    protocol = draw(st.sampled_from([0, 1, 6, 17, 58]))
    ports = draw(st.sampled_from([ANY_PORTS, OPAQUE_PORTS]))
    if protocol:
        ports = draw(st.just(ports) | st.tuples(st.integers(0, 9), st.integers(9, 0xFFFF)))
    return TrafficSelector(ts_type, protocol, *ports, address(start), address(end))


def selector_lists() -> st.SearchStrategy[tuple[TrafficSelector, ...]]:
    return st.lists(selectors(), min_size=1, max_size=4).map(tuple)


@st.composite
def configuration_attributes(draw: st.DrawFn) -> configuration.Attribute:
    attribute_type = draw(members(ConfigAttribute, 0x7FFF))
    sizes = [size for size in range(20) if size in configuration.VALUE_SIZES.get(attribute_type, range(20))]
    return configuration.Attribute(attribute_type, draw(_exactly(draw(st.sampled_from(sizes)))))


def configurations() -> st.SearchStrategy[Configuration]:
    return st.builds(Configuration, members(ConfigType), st.lists(configuration_attributes(), max_size=5).map(tuple))


def eaps() -> st.SearchStrategy[Eap]:
    typed = st.sampled_from([EapCode.REQUEST, EapCode.RESPONSE])
    results = st.sampled_from([EapCode.SUCCESS, EapCode.FAILURE])
    identifiers = st.integers(0, 255)
    return st.builds(Eap, typed, identifiers, members(EapType), octets()) | st.builds(Eap, results, identifiers)


def unknown_payloads() -> st.SearchStrategy[UnknownPayload]:
    numbers = st.integers(1, 255).filter(lambda number: number not in (*DECODERS, *ENCRYPTED))
    return st.builds(UnknownPayload, numbers.map(PayloadType), st.just(False), octets())


PAYLOADS: dict[str, st.SearchStrategy[Payload]] = {
    "SA": security_associations(),
    "KE": key_exchanges(),
    "IDi": st.builds(IdI, identifications()),
    "IDr": st.builds(IdR, identifications()),
    "CERT": certificates(),
    "CERTREQ": certificate_requests(),
    "AUTH": authentications(),
    "Nonce": nonces(),
    "N": notifies(),
    "D": deletes(),
    "V": vendor_ids(),
    "TSi": st.builds(TrafficSelectorsI, selector_lists()),
    "TSr": st.builds(TrafficSelectorsR, selector_lists()),
    "CP": configurations(),
    "EAP": eaps(),
}


@st.composite
def chains(draw: st.DrawFn) -> tuple[Payload, ...]:
    """Payloads that may stand in one message: repeated only where that is allowed."""
    drawn = draw(st.lists(st.one_of(*PAYLOADS.values(), unknown_payloads()), max_size=6))
    return tuple(
        payload
        for index, payload in enumerate(drawn)
        if payload.payload_type in REPEATABLE
        or isinstance(payload, UnknownPayload)
        or payload.payload_type not in [earlier.payload_type for earlier in drawn[:index]]
    )


def headers() -> st.SearchStrategy[Header]:
    """Headers of version 2 that belong to no octets yet."""
    spi = st.binary(min_size=8, max_size=8)
    return st.builds(
        Header,
        spi.filter(any),
        spi,
        members(ExchangeType),
        st.sampled_from([Flag(0), Flag.INITIATOR, Flag.RESPONSE, Flag.INITIATOR | Flag.RESPONSE]),
        st.integers(0, 0xFFFFFFFF),
    )


def near_misses(values: st.SearchStrategy[Encodable]) -> st.SearchStrategy[bytes]:
    """Encoded values with one or two things wrong: a flip, a cut, something added, a length planted anywhere."""
    return values.map(lambda value: value.encode()).flatmap(damaged)


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """`valid` octets with one or two things wrong."""
    for damage in draw(
        st.lists(st.sampled_from([_flip, _cut, _extend, _plant_length, _repeat]), min_size=1, max_size=2)
    ):
        valid = damage(draw, valid)
    return valid


def _flip(draw: st.DrawFn, valid: bytes) -> bytes:
    """One octet becomes any other."""
    return _overwrite(draw, valid, bytes([draw(st.integers(0, 255))]))


def _cut(draw: st.DrawFn, valid: bytes) -> bytes:
    return valid[: draw(st.integers(0, len(valid)))]


def _extend(draw: st.DrawFn, valid: bytes) -> bytes:
    return valid + draw(st.binary(min_size=1, max_size=8))


def _plant_length(draw: st.DrawFn, valid: bytes) -> bytes:
    """Two octets become a number near the borders at which a length or count turns wrong."""
    borders: Sequence[int] = (0, 1, 3, 4, 7, 8, len(valid) - 1, len(valid), len(valid) + 1, 0x7FFF, 0xFFFF)
    length = max(0, draw(st.sampled_from(borders)))
    return _overwrite(draw, valid, length.to_bytes(2, "big"))


def _repeat(draw: st.DrawFn, valid: bytes) -> bytes:
    """A stretch comes twice."""
    start = draw(st.integers(0, len(valid)))
    end = draw(st.integers(start, min(len(valid), start + 16)))
    return valid[:end] + valid[start:]


def _overwrite(draw: st.DrawFn, valid: bytes, patch: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(valid) - len(patch))))
    return valid[:at] + patch + valid[at + len(patch) :]


def _exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)
