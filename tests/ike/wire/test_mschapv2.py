from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.wire.mschapv2 import (
    Acknowledgement,
    AuthenticatorPacket,
    Challenge,
    ChallengeResponse,
    Failure,
    OpCode,
    PeerPacket,
    Success,
    decode_request,
    decode_response,
)
from tests.support.strategies import near_misses

CHALLENGE, PROOF = bytes(range(16)), bytes(range(20))
HEX_CHALLENGE, HEX_PROOF = CHALLENGE.hex().upper().encode(), PROOF.hex().upper().encode()

REQUESTS: dict[str, tuple[AuthenticatorPacket, bytes]] = {
    "challenge": (Challenge(7, CHALLENGE, b"gw"), b"\x01\x07\x00\x17\x10" + CHALLENGE + b"gw"),
    "challenge of nobody": (Challenge(7, CHALLENGE), b"\x01\x07\x00\x15\x10" + CHALLENGE),
    "success": (Success(8, PROOF, b"Hi"), b"\x03\x08\x00\x33S=" + HEX_PROOF + b" M=Hi"),
    "failure": (
        Failure(9, 691, False, CHALLENGE, b"No"),
        b"\x04\x09\x00\x39E=691 R=0 C=" + HEX_CHALLENGE + b" V=3 M=No",
    ),
    "failure that may be tried again": (
        Failure(9, 691, True, CHALLENGE),
        b"\x04\x09\x00\x37E=691 R=1 C=" + HEX_CHALLENGE + b" V=3 M=",
    ),
}

RESPONSES: dict[str, tuple[PeerPacket, bytes]] = {
    "response": (
        ChallengeResponse(7, CHALLENGE, bytes(24), b"alice"),
        b"\x02\x07\x00\x3b\x31" + CHALLENGE + bytes(8) + bytes(24) + b"\x00alice",
    ),
    "success seen": (Acknowledgement(OpCode.SUCCESS), b"\x03"),
    "failure seen": (Acknowledgement(OpCode.FAILURE), b"\x04"),
}


@pytest.mark.parametrize(("packet", "octets"), REQUESTS.values(), ids=REQUESTS)
def test_request_octets(packet: AuthenticatorPacket, octets: bytes) -> None:
    assert packet.encode() == octets
    assert decode_request(octets) == packet


@pytest.mark.parametrize(("packet", "octets"), RESPONSES.values(), ids=RESPONSES)
def test_response_octets(packet: PeerPacket, octets: bytes) -> None:
    assert packet.encode() == octets
    assert decode_response(octets) == packet


def head(operation: int, content: bytes) -> bytes:
    return bytes([operation, 1]) + (4 + len(content)).to_bytes(2, "big") + content


REFUSED_REQUESTS = {
    "nothing": b"",
    "unknown operation": head(9, b""),
    "a peer's response": head(2, bytes(50)),
    "length too long": b"\x01\x01\x00\xff\x10" + CHALLENGE,
    "length too short": b"\x01\x01\x00\x04\x10" + CHALLENGE,
    "challenge of 8 octets": head(1, b"\x08" + bytes(16)),
    "challenge cut short": head(1, b"\x10" + bytes(15)),
    "name of 257 octets": head(1, b"\x10" + CHALLENGE + b"n" * 257),
    "success without a proof": head(3, b"M=welcome"),
    "half a proof": head(3, b"S=" + HEX_PROOF[:30]),
    "failure without an error": head(4, b"R=1"),
}


@pytest.mark.parametrize("octets", REFUSED_REQUESTS.values(), ids=REFUSED_REQUESTS)
def test_refused_request(octets: bytes) -> None:
    with pytest.raises(InvalidSyntax):
        decode_request(octets)


REFUSED_RESPONSES = {
    "nothing": b"",
    "unknown operation": b"\x09",
    "an authenticator's challenge": head(1, b"\x10" + CHALLENGE),
    "a change of password": head(7, bytes(582)),
    "value of 48 octets": head(2, b"\x30" + bytes(48)),
    "value cut short": head(2, b"\x31" + bytes(48)),
    "length too long": b"\x02\x01\x00\xff\x31" + bytes(49),
    "name of 257 octets": head(2, b"\x31" + bytes(49) + b"n" * 257),
}


@pytest.mark.parametrize("octets", REFUSED_RESPONSES.values(), ids=REFUSED_RESPONSES)
def test_refused_response(octets: bytes) -> None:
    with pytest.raises(InvalidSyntax):
        decode_response(octets)


def test_terse_failure() -> None:
    """Servers leave out what they do not use; a challenge may be missing where no retry is allowed."""
    assert decode_request(head(4, b"E=691 R=0")) == Failure(1, 691, False)
    assert decode_request(head(4, b"E=648 R=0 V=3 M=E=1 R=1")) == Failure(1, 648, False, None, b"E=1 R=1")


def test_wordy_acknowledgement() -> None:
    """Some peers send a whole header with it."""
    assert decode_response(head(3, b"")) == Acknowledgement(OpCode.SUCCESS)


def test_secrets_are_not_shown() -> None:
    assert "nt_response" not in repr(ChallengeResponse(7, CHALLENGE, bytes(24), b"alice"))
    assert "proof" not in repr(Success(8, PROOF))


challenges = st.builds(Challenge, st.integers(0, 255), st.binary(min_size=16, max_size=16), st.binary(max_size=256))
responses = st.builds(
    ChallengeResponse,
    st.integers(0, 255),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=24, max_size=24),
    st.binary(max_size=256),
)


@given(near_misses(challenges))
def test_damaged_challenge(octets: bytes) -> None:
    """Damage is refused as InvalidSyntax, or what was read is exactly what was sent."""
    with suppress(InvalidSyntax):
        packet = decode_request(octets)
        assert not isinstance(packet, Challenge) or packet.encode() == octets


@given(near_misses(responses))
def test_damaged_response(octets: bytes) -> None:
    """As above, but that reserved octets and flags are not looked at."""
    with suppress(InvalidSyntax):
        packet = decode_response(octets)
        if isinstance(packet, ChallengeResponse):
            again = packet.encode()
            assert again[:21] + again[29:53] + again[54:] == octets[:21] + octets[29:53] + octets[54:]
