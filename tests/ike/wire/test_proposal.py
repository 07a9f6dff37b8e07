"""edgevpn.ike.wire.proposal."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.iana import Encr, Esn, Integ, Ke, Prf, ProtocolId, TransformType
from edgevpn.ike.wire.buffer import Reader
from edgevpn.ike.wire.proposal import Proposal, Transform, decode_proposals, encode_proposals
from tests.support.strategies import near_misses, proposals, security_associations

ENCR, PRF, INTEG, KE, ESN = (
    TransformType.ENCR,
    TransformType.PRF,
    TransformType.INTEG,
    TransformType.KE,
    TransformType.ESN,
)

# The example of RFC 7296 §3.3: ESP with AES-CBC and one of two integrity algorithms, or with AES-GCM.
EXAMPLE = bytes.fromhex(
    "02 00 0050 01 03 04 07 052357bb"
    "03 00 000c 01 00 000c 800e 0080"
    "03 00 000c 01 00 000c 800e 00c0"
    "03 00 000c 01 00 000c 800e 0100"
    "03 00 0008 03 00 0002"
    "03 00 0008 03 00 0005"
    "03 00 0008 05 00 0001"
    "00 00 0008 05 00 0000"
    "00 00 0034 02 03 04 04 35a1d6f2"
    "03 00 000c 01 00 0012 800e 0080"
    "03 00 000c 01 00 0012 800e 0100"
    "03 00 0008 05 00 0001"
    "00 00 0008 05 00 0000"
)
ESNS = (Transform(ESN, Esn.ESN), Transform(ESN, Esn.NO_ESN))
EXAMPLE_PROPOSALS = (
    Proposal(
        1,
        ProtocolId.ESP,
        bytes.fromhex("052357bb"),
        (
            Transform(ENCR, Encr.AES_CBC, 128),
            Transform(ENCR, Encr.AES_CBC, 192),
            Transform(ENCR, Encr.AES_CBC, 256),
            Transform(INTEG, Integ.HMAC_SHA1_96),
            Transform(INTEG, Integ.AES_XCBC_96),
            *ESNS,
        ),
    ),
    Proposal(
        2,
        ProtocolId.ESP,
        bytes.fromhex("35a1d6f2"),
        (Transform(ENCR, Encr.AES_GCM_8, 128), Transform(ENCR, Encr.AES_GCM_8, 256), *ESNS),
    ),
)


def test_example_of_the_rfc() -> None:
    assert encode_proposals(EXAMPLE_PROPOSALS) == EXAMPLE
    assert decode_proposals(Reader(EXAMPLE)) == EXAMPLE_PROPOSALS


def test_transform_ids_have_the_registry_of_their_type() -> None:
    first, _, third = EXAMPLE_PROPOSALS[0].transforms[2:5]
    assert (first.transform_id, third.transform_id) == (Encr.AES_CBC, Integ.AES_XCBC_96)
    (proposal,) = decode_proposals(
        Reader(
            bytes.fromhex(
                "00 00 0028 01 01 00 04"
                "03 00 0008 02 00 0005  03 00 0008 04 00 001f  03 00 0008 06 00 0024  00 00 0008 f1 00 0007"
            )
        )
    )
    ids = [transform.transform_id for transform in proposal.transforms]
    assert ids == [Prf.HMAC_SHA2_256, Ke.CURVE25519, Ke.ML_KEM_768, 7]
    assert [type(number) for number in ids] == [Prf, Ke, Ke, int]


def test_transforms_of_one_type() -> None:
    proposal = EXAMPLE_PROPOSALS[0]
    assert proposal.of_type(ESN) == ESNS
    assert proposal.of_type(PRF) == ()


UNKNOWN_ATTRIBUTES = {
    "two-octet value": "8001 0005",
    "long value": "0001 0003 616263",
    "empty value": "0001 0000",
    "key length as a long value": "000e 0002 0100",
    "several": "8001 0005 0001 0003 616263 8001 0006",
}


@pytest.mark.parametrize("octets", UNKNOWN_ATTRIBUTES.values(), ids=UNKNOWN_ATTRIBUTES)
def test_unknown_attribute_spoils_only_its_transform(octets: str) -> None:
    """The transform equals none of ours, so it is never chosen, and it is returned unmodified; RFC 7296 §3.3.6."""
    body = bytes.fromhex("01 00 0014 800e 0100" + octets)
    transform = Transform.decode(Reader(body))
    assert transform == Transform(ENCR, Encr.AES_GCM_16, 256, bytes.fromhex(octets))
    assert transform != Transform(ENCR, Encr.AES_GCM_16, 256)
    assert transform.encode() == body


def test_key_length_behind_an_unknown_attribute() -> None:
    transform = Transform.decode(Reader(bytes.fromhex("01 00 0014 8001 0005 800e 0100")))
    assert transform == Transform(ENCR, Encr.AES_GCM_16, 256, bytes.fromhex("8001 0005"))


def test_reserved_octets_are_ignored() -> None:
    octets = bytes.fromhex("00 ff 0014 01 01 00 01  00 ff 000c 01 ff 0014 800e 0100")
    (proposal,) = decode_proposals(Reader(octets))
    assert proposal.transforms == (Transform(ENCR, Encr.AES_GCM_16, 256),)


ONE = "0008 04 00 001f"  # the rest of one transform
REFUSED = {
    "no proposal": "",
    "no transform": "00 00 0008 01 01 00 00",
    "transform announced, none there": "00 00 0008 01 01 00 01",
    "unknown protocol": f"00 00 0010 01 09 00 01  00 00 {ONE}",
    "no protocol": f"00 00 0010 01 00 00 01  00 00 {ONE}",
    "IKE with an SPI of 4": f"00 00 0014 01 01 04 01 73706931  00 00 {ONE}",
    "ESP without SPI": f"00 00 0010 01 03 00 01  00 00 {ONE}",
    "ESP with an SPI of 8": f"00 00 0018 01 03 08 01 7370693173706931  00 00 {ONE}",
    "proposal shorter than its head": f"00 00 0003 01 01 00 01  00 00 {ONE}",
    "proposal of length zero": f"00 00 0000 01 01 00 01  00 00 {ONE}",
    "proposal longer than the payload": f"00 00 0011 01 01 00 01  00 00 {ONE}",
    "proposal ends inside its transform": f"00 00 000f 01 01 00 01  00 00 {ONE}",
    "transform of length zero": "00 00 0010 01 01 00 01  00 00 0000 04 00 001f",
    "transform without an id": "00 00 000e 01 01 00 01  00 00 0006 04 00",
    "transform longer than its proposal": "00 00 0010 01 01 00 01  00 00 0009 04 00 001f",
    "last proposal says more": f"02 00 0010 01 01 00 01  00 00 {ONE}",
    "first proposal says last": f"00 00 0010 01 01 00 01  00 00 {ONE}  00 00 0010 02 01 00 01  00 00 {ONE}",
    "a transform's mark on a proposal": f"03 00 0010 01 01 00 01  00 00 {ONE}  00 00 0010 02 01 00 01  00 00 {ONE}",
    "last transform says more": f"00 00 0010 01 01 00 01  03 00 {ONE}",
    "first transform says last": f"00 00 0018 01 01 00 02  00 00 {ONE}  00 00 {ONE}",
    "fewer transforms than announced": f"00 00 0010 01 01 00 02  00 00 {ONE}",
    "more transforms than announced": f"00 00 0018 01 01 00 01  03 00 {ONE}  00 00 {ONE}",
    "number repeated": f"02 00 0010 01 01 00 01  00 00 {ONE}  00 00 0010 01 01 00 01  00 00 {ONE}",
    "number left out": f"02 00 0010 01 01 00 01  00 00 {ONE}  00 00 0010 03 01 00 01  00 00 {ONE}",
    "left over": f"00 00 0010 01 01 00 01  00 00 {ONE}  00",
    "two key lengths": "00 00 0018 01 01 00 01  00 00 0010 01 00 0014 800e 0100 800e 0080",
    "attribute cut": "00 00 0012 01 01 00 01  00 00 000a 01 00 0014 800e",
    "attribute longer than its transform": "00 00 0014 01 01 00 01  00 00 000c 01 00 0014 0001 0001",
}


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_proposals_refuse(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        decode_proposals(Reader(bytes.fromhex(octets)))


def test_accepted_proposal_keeps_its_number() -> None:
    """An answer has one proposal, numbered as the one that was accepted."""
    (proposal,) = decode_proposals(Reader(bytes.fromhex(f"00 00 0010 07 01 00 01  00 00 {ONE}")))
    assert proposal.number == 7


def test_at_most_64_proposals() -> None:
    offer = [Proposal(number + 1, ProtocolId.IKE, b"", (Transform(KE, Ke.CURVE25519),)) for number in range(65)]
    assert decode_proposals(Reader(encode_proposals(tuple(offer[:64])))) == tuple(offer[:64])
    with pytest.raises(InvalidSyntax):
        decode_proposals(Reader(encode_proposals(tuple(offer))))


def test_at_most_2048_octets() -> None:
    def offer(size: int) -> bytes:
        attribute = b"\x00\x01" + (size - 20).to_bytes(2, "big") + bytes(size - 20)
        transform = Transform(KE, Ke.CURVE25519, None, attribute)
        return encode_proposals((Proposal(1, ProtocolId.IKE, b"", (transform,)),))

    assert len(offer(2048)) == 2048
    assert decode_proposals(Reader(offer(2048)))
    with pytest.raises(InvalidSyntax):
        decode_proposals(Reader(offer(2049)))


@given(proposals())
def test_read_back(proposal: Proposal) -> None:
    assert Proposal.decode(Reader(proposal.encode())) == proposal


@given(near_misses(security_associations()))
def test_damaged_proposals(body: bytes) -> None:
    """Damage is refused as InvalidSyntax, or the same is read again from what we would send."""
    with suppress(InvalidSyntax):
        offer = decode_proposals(Reader(body))
        again = encode_proposals(offer)
        assert len(again) == len(body)
        assert decode_proposals(Reader(again)) == offer
