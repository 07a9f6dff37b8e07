"""edgevpn.simulate.esp: published packets, scapy as the other end, and what does not pass."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.ike.crypto.suite import CIPHERS, INTEGRITIES, ChildSuite
from edgevpn.ike.iana import Encr, Integ
from edgevpn.simulate.esp import EspError, Inbound, Inside, Outbound, seal_of
from edgevpn.simulate.replay import HALF
from tests.support.chance import Chance
from tests.support.vectors import Vector, each_vector

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.layers.inet import ICMP, IP
    from scapy.layers.ipsec import ESP
    from scapy.layers.ipsec import SecurityAssociation as EspSa

SPI = b"spi1"
PING = Inside(4, bytes(IP(src="10.9.0.2", dst="10.1.0.2") / ICMP() / b"hello"))
INTEGS = [integ for integ in INTEGRITIES if integ is not Integ.NONE]
SUITES = {
    f"{encr.name} {bits} {integ.name}{' ESN' if esn else ''}": ChildSuite(encr, bits, integ, esn)
    for encr, cipher in CIPHERS.items()
    for bits in cipher.key_sizes
    for integ in ([Integ.NONE] if cipher.is_aead else INTEGS)
    for esn in (False, True)
}
EVERY_SUITE = pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
CBC = SUITES["AES_CBC 256 HMAC_SHA2_256_128"]
GCM = SUITES["AES_GCM_16 256 NONE"]

SCAPY_CIPHERS = {
    Encr.AES_CBC: "AES-CBC",
    Encr.AES_CTR: "AES-CTR",
    Encr.AES_GCM_16: "AES-GCM",
    Encr.AES_CCM_16: "AES-CCM",
    Encr.CHACHA20_POLY1305: "CHACHA20-POLY1305",
}
SCAPY_INTEGRITIES = {
    Integ.NONE: "NULL",
    Integ.HMAC_SHA1_96: "HMAC-SHA1-96",
    Integ.HMAC_SHA2_256_128: "SHA2-256-128",
    Integ.HMAC_SHA2_384_192: "SHA2-384-192",
    Integ.HMAC_SHA2_512_256: "SHA2-512-256",
    Integ.AES_CMAC_96: "AES-CMAC-96",
}
SCAPYS = {
    name: suite for name, suite in SUITES.items() if suite.encr in SCAPY_CIPHERS and suite.integ in SCAPY_INTEGRITIES
}


def keys(suite: ChildSuite) -> tuple[bytes, bytes]:
    """They count up from zero, and from 100."""
    return bytes(range(suite.encr_key_length)), bytes(range(100, 100 + suite.integ_key_length))


def sender(suite: ChildSuite, last: int = 0) -> Outbound:
    return Outbound(SPI, seal_of(suite, *keys(suite)), suite.esn, Chance(1), last)


def receiver(suite: ChildSuite) -> Inbound:
    return Inbound(seal_of(suite, *keys(suite)), suite.esn)


def scapys(suite: ChildSuite) -> Any:
    """The same SA as scapy has it."""
    encr, integ = keys(suite)
    return EspSa(
        ESP,
        spi=int.from_bytes(SPI),
        crypt_algo=SCAPY_CIPHERS[suite.encr],
        crypt_key=encr,
        crypt_icv_size=16 if CIPHERS[suite.encr].is_aead else None,
        auth_algo=SCAPY_INTEGRITIES[suite.integ],
        auth_key=integ or None,
        tunnel_header=IP(src="192.0.2.1", dst="192.0.2.2"),
        esn_en=suite.esn,
    )


@each_vector("esp")
def test_published(vector: Vector) -> None:
    """One way and the other; the upper half of a number is not in the packet."""
    suite = ChildSuite(encr := Encr[vector["encr"]], _bits(encr, vector.octets("key")), Integ.NONE, False)
    seal, number = seal_of(suite, vector.octets("key"), b""), vector.octets("number")
    head, high = vector.octets("spi") + number[-4:], number[:-4]
    iv, sealed = vector.octets("sealed")[:8], vector.octets("sealed")
    assert seal.open(head, high, sealed) == vector.octets("plaintext")
    assert seal.seal(head, high, iv, vector.octets("plaintext")) == sealed


def _bits(encr: Encr, key: bytes) -> int:
    cipher = CIPHERS[encr]
    return next(bits for bits in cipher.key_sizes if cipher.key_length(bits) == len(key))


@EVERY_SUITE
def test_one_end_to_the_other(suite: ChildSuite) -> None:
    there, here = sender(suite), receiver(suite)
    for size in range(40):
        inside = Inside(41, bytes(size))
        sealed = there.seal(inside)
        assert (len(sealed) % 4, sealed[:4]) == (0, SPI)
        assert here.open(sealed) == inside


@pytest.mark.parametrize("suite", SCAPYS.values(), ids=SCAPYS)
def test_scapy_at_the_other_end(suite: ChildSuite) -> None:
    ours, theirs = sender(suite), scapys(suite)
    for _ in range(3):
        opened = theirs.decrypt(IP() / ESP(ours.seal(PING)))
        assert bytes(opened) == PING.packet
    here = receiver(suite)
    for _ in range(3):
        assert here.open(bytes(scapy_sealed(theirs)[ESP])) == PING


def scapy_sealed(association: Any) -> Any:
    return association.encrypt(IP(PING.packet))


@given(st.data())
def test_damage_is_found(data: st.DataObject) -> None:
    suite = data.draw(st.sampled_from([CBC, GCM]))
    sealed = bytearray(sender(suite).seal(PING))
    sealed[data.draw(st.integers(4, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EspError, match=r"wrong ICV|sequence number"):
        receiver(suite).open(bytes(sealed))


@EVERY_SUITE
def test_too_short(suite: ChildSuite) -> None:
    sealed = sender(suite).seal(Inside(59, b""))
    for length in (4, 8, 20):
        with pytest.raises(EspError, match=r"too short|wrong ICV|ciphertext of"):
            receiver(suite).open(sealed[:length])


def test_each_passes_once() -> None:
    """Late is not too late, but twice is once too often; what is not the peer's changes nothing."""
    there, here = sender(GCM), receiver(GCM)
    first, second, third = (there.seal(PING) for _ in range(3))
    assert here.open(second) == here.open(first) == PING
    for again in (first, second):
        with pytest.raises(EspError, match="has come before"):
            here.open(again)
    forged = third[:7] + b"\xff" + third[8:]
    with pytest.raises(EspError, match="wrong ICV"):
        here.open(forged)
    assert here.open(third) == PING


def test_padding_beyond_the_packet() -> None:
    seal = seal_of(GCM, *keys(GCM))
    head = SPI + bytes([0, 0, 0, 1])
    with pytest.raises(EspError, match="padding of 3 octets in 4"):
        receiver(GCM).open(head + seal.seal(head, b"", bytes(8), bytes([1, 2, 3, 4])))


def test_ciphertext_of_no_whole_blocks() -> None:
    seal = seal_of(CBC, *keys(CBC))
    head, body = SPI + bytes([0, 0, 0, 1]), bytes(16 + 15)
    with pytest.raises(EspError, match="ciphertext of 15 octets"):
        receiver(CBC).open(head + body + seal.mac(seal.integrity_key, head + body)[:16])  # type: ignore[union-attr]


def test_numbers_are_used_up() -> None:
    """An SA without ESN ends at 32 bits, one with goes on; a number never comes twice (RFC 4303 §3.3.3)."""
    short = sender(GCM, HALF - 2)
    assert short.seal(PING)[4:8] == b"\xff\xff\xff\xff"
    with pytest.raises(EspError, match="used up"):
        short.seal(PING)
    extended = SUITES["AES_GCM_16 256 NONE ESN"]
    here = receiver(extended)
    assert here.open(sender(extended, HALF // 2).seal(PING)) == PING
    there = sender(extended, HALF - 3)
    assert [here.open(there.seal(PING)) for _ in range(4)] == [PING] * 4


def test_keys_are_not_shown() -> None:
    for suite in (GCM, CBC):
        shown = repr(seal_of(suite, *keys(suite)))
        assert all(name not in shown for name in ("key", "aead", "salt"))
