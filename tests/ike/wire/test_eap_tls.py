from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.errors import InvalidSyntax
from edgevpn.ike.wire.eap_tls import TlsPacket
from tests.support.strategies import near_misses

WRITTEN = {
    "start": ("20", TlsPacket(start=True)),
    "acknowledgement": ("00", TlsPacket()),
    "whole message": ("00 16030100", TlsPacket(b"\x16\x03\x01\x00")),
    "whole message that says its length": ("80 00000002 1603", TlsPacket(b"\x16\x03", total=2)),
    "first fragment": ("c0 00000004 1603", TlsPacket(b"\x16\x03", total=4, more=True)),
    "fragment in the middle": ("40 0100", TlsPacket(b"\x01\x00", more=True)),
}
REFUSED = {
    "nothing at all": "",
    "a length cut short": "80 000000",
    "more than its length": "80 00000001 1603",
}


@pytest.mark.parametrize(("octets", "packet"), WRITTEN.values(), ids=WRITTEN)
def test_packet_octets(octets: str, packet: TlsPacket) -> None:
    assert packet.encode() == bytes.fromhex(octets)
    assert TlsPacket.decode(bytes.fromhex(octets)) == packet


def test_reserved_flags_say_nothing() -> None:
    """Set to zero when sending, ignored on receipt; RFC 5216 §3.1."""
    assert TlsPacket.decode(b"\x1f\x16") == TlsPacket(b"\x16")


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_packet_refuses(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        TlsPacket.decode(bytes.fromhex(octets))


packets = st.builds(
    TlsPacket, st.binary(max_size=20), st.none() | st.integers(20, 2**32 - 1), more=st.booleans(), start=st.booleans()
)


@given(near_misses(packets))
def test_damaged_packet(body: bytes) -> None:
    """Damage is refused as InvalidSyntax, or what was read is what was sent but for reserved flags."""
    with suppress(InvalidSyntax):
        packet = TlsPacket.decode(body)
        assert packet.encode() == bytes([body[0] & 0xE0]) + body[1:]
