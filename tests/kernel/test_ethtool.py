"""edgevpn.kernel.ethtool: octets by hand; what real devices say is in tests/lab/test_offload.py."""

from __future__ import annotations

import pytest

from edgevpn.kernel.ethtool import Features, family_request, features_request, read_features
from edgevpn.kernel.netlink import HEADER, attribute
from edgevpn.kernel.spec import DeviceFeatures

ESP, CHECKSUM, OTHER = b"esp-hw-offload\0", b"esp-tx-csum-hw-offload\0", b"rx-gro\0"
NOMASK, BITS, BIT, NAME, VALUE = 1, 3, 1, 2, 3


def bit(name: bytes, *, value: bool = False) -> bytes:
    return attribute(BIT, attribute(NAME, name) + (attribute(VALUE, b"") if value else b""))


def bitset(*names: bytes) -> bytes:
    """Without a mask: who is named is set."""
    return attribute(NOMASK, b"") + attribute(BITS, b"".join(map(bit, names)))


def masked(*names: bytes, of: tuple[bytes, ...]) -> bytes:
    """With a mask: those are set that say so."""
    return attribute(BITS, b"".join(bit(name, value=name in names) for name in of))


def answer(able: bytes, active: bytes) -> bytes:
    body = bytes(4) + attribute(Features.HW, able) + attribute(Features.ACTIVE, active)
    return HEADER.pack(HEADER.size + len(body), 21, 0, 1, 0) + body


def test_requests() -> None:
    assert family_request().body.hex() == "03010000" + "0c000200" + b"ethtool\0".hex()
    asked = features_request(21, "wan")
    assert asked.type == 21
    assert asked.body.hex() == "0b010000" + "0c000180" + "08000200" + b"wan\0".hex()


ANSWERS = {
    "all": (bitset(ESP, CHECKSUM), bitset(ESP, CHECKSUM, OTHER), DeviceFeatures(True, True, True)),
    "switched off": (masked(ESP, of=(ESP, OTHER)), bitset(OTHER), DeviceFeatures(able=True)),
    "nothing": (bitset(OTHER), bitset(OTHER), DeviceFeatures()),
    "off in a mask": (masked(of=(ESP,)), masked(OTHER, of=(ESP, OTHER)), DeviceFeatures()),
    "without checksums": (bitset(ESP), bitset(ESP), DeviceFeatures(esp=True, able=True)),
}


@pytest.mark.parametrize(("able", "active", "found"), ANSWERS.values(), ids=ANSWERS)
def test_answers(able: bytes, active: bytes, found: DeviceFeatures) -> None:
    assert read_features(answer(able, active)) == found


def test_an_answer_without_features() -> None:
    with pytest.raises(ValueError, match="no features"):
        read_features(HEADER.pack(20, 21, 0, 1, 0) + bytes(4))
