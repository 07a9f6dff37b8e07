"""The table of `edgevpn offload`, as people read it."""

from __future__ import annotations

from edgevpn.api.records import CipherFound, OffloadReport, SaFound
from edgevpn.cli.offload import offload_text

GCM: CipherFound = {
    "algorithm": "aes256gcm16",
    "verdict": "works",
    "detail": "",
    "driver": "rfc4106-gcm-aesni",
    "accelerator": False,
    "is_async": True,
    "bits_per_second": 2_345_600_000,
    "packets_per_second": 209_000,
}
BROKEN: CipherFound = {
    **GCM,
    "algorithm": "aes256-sha256",
    "verdict": "drops",
    "detail": "a packet of 64 octets did not arrive",
    "driver": "authenc-eip93",
    "accelerator": True,
    "bits_per_second": 0,
    "packets_per_second": 0,
}
OUT: SaFound = {
    "owner": "office",
    "child": "lan",
    "direction": "out",
    "spi": "c0000002",
    "suite": "aes256gcm16",
    "algorithm": "aes256gcm16",
    "carrier": "crypto(wan)",
    "why": "",
}
IN: SaFound = {**OUT, "direction": "in", "carrier": "cpu", "why": "XFRM if_id is not supported in RX path"}
PHONE: SaFound = {**IN, "owner": "phone", "child": "road", "algorithm": "aes128ctr", "why": "wan is full"}
REPORT: OffloadReport = {
    "untried": "",
    "ciphers": [GCM, BROKEN],
    "cards": [
        {"device": "lte", "feature": "none", "checksum": False, "why": ""},
        {"device": "wan", "feature": "on", "checksum": True, "why": ""},
    ],
    "sas": [IN, OUT, PHONE],
}

TABLE = """\
DEVICE  FEATURE            ALGORITHM      DRIVER             MODE   SELF-TEST  MBIT/S  PACKETS/S  SAS
cpu     -                  aes256gcm16    rfc4106-gcm-aesni  async  works      2346    209000     office/lan in
engine  -                  aes256-sha256  authenc-eip93      async  drops      -       -          -
cpu     -                  aes128ctr      -                  -      untried    -       -          phone/road in
lte     none               -              -                  -      -          -       -          -
wan     esp-hw-offload on  -              -                  -      -          -       -          office/lan out

aes256-sha256: a packet of 64 octets did not arrive
office/lan in: no network card, as XFRM if_id is not supported in RX path
phone/road in: no network card, as wan is full"""


def words_of(text: str) -> list[list[str]]:
    """By line; how wide a column is does not matter."""
    return [line.split() for line in text.split("\n")]


def test_for_people() -> None:
    assert words_of(offload_text(REPORT)) == words_of(TABLE)


def test_both_directions_of_a_child_share_a_line() -> None:
    both: OffloadReport = {**REPORT, "sas": [IN, {**OUT, "carrier": "cpu"}]}
    assert "office/lan in out" in offload_text(both)


def test_where_nothing_was_tried() -> None:
    nothing: OffloadReport = {"untried": "crypto.self_test is off", "ciphers": [], "cards": [], "sas": []}
    assert offload_text(nothing) == "The ciphers were not tried: crypto.self_test is off."


def test_a_card_that_cannot_be_asked() -> None:
    dumb: OffloadReport = {
        **REPORT,
        "cards": [{"device": "tun0", "feature": "none", "checksum": False, "why": "this interface tells no features"}],
    }
    assert "tun0: this interface tells no features" in offload_text(dumb)
