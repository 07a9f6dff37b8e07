"""edgevpn.simulate.echo: scapy reads what is sent, and makes what comes back."""

from __future__ import annotations

import warnings
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.simulate.echo import PAYLOAD, Heard, ends_of, heard, request

with warnings.catch_warnings():  # the import itself warns of ciphers that are about to go
    warnings.simplefilter("ignore")
    from scapy.layers.inet import ICMP, IP, UDP
    from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

HERE_4, THERE_4, ROUTER_4 = map(ip_address, ("10.9.0.2", "10.1.0.2", "10.1.0.1"))
HERE_6, THERE_6, ROUTER_6 = map(ip_address, ("fd09::2", "fd01::2", "fd01::1"))
REQUEST_4, REQUEST_6 = request(HERE_4, THERE_4, 0x1234, 7), request(HERE_6, THERE_6, 0x1234, 7)


def whole(packet: Any) -> bytes:
    """With all lengths and checksums."""
    return bytes(packet)


def test_request_v4() -> None:
    read = IP(REQUEST_4)
    assert (read.src, read.dst, read[ICMP].type, read[ICMP].id, read[ICMP].seq) == (
        str(HERE_4),
        str(THERE_4),
        8,
        0x1234,
        7,
    )
    assert bytes(read[ICMP].payload) == PAYLOAD
    sums = read.chksum, read[ICMP].chksum
    del read.chksum, read[ICMP].chksum
    again = IP(bytes(read))
    assert (again.chksum, again[ICMP].chksum, again.len) == (*sums, len(REQUEST_4))


def test_request_v6() -> None:
    read = IPv6(REQUEST_6)
    echo = read[ICMPv6EchoRequest]
    assert (read.src, read.dst, echo.id, echo.seq) == (str(HERE_6), str(THERE_6), 0x1234, 7)
    assert bytes(echo.data) == PAYLOAD
    told = echo.cksum
    del echo.cksum
    assert IPv6(bytes(read))[ICMPv6EchoRequest].cksum == told


def back_4(message: Any, sender: object = THERE_4) -> bytes:
    return whole(IP(src=str(sender), dst=str(HERE_4)) / message)


def back_6(message: Any, sender: object = THERE_6) -> bytes:
    return whole(IPv6(src=str(sender), dst=str(HERE_6)) / message)


ANSWER_4 = back_4(ICMP(type=0, id=0x1234, seq=7) / PAYLOAD)
ANSWER_6 = back_6(ICMPv6EchoReply(id=0x1234, seq=7, data=PAYLOAD))

HEARD = {
    "answer": (ANSWER_4, Heard(THERE_4, 0x1234, 7, answers=True)),
    "answer of IPv6": (ANSWER_6, Heard(THERE_6, 0x1234, 7, answers=True)),
    "unreachable": (
        back_4(ICMP(type=3, code=1) / IP(REQUEST_4), ROUTER_4),
        Heard(ROUTER_4, 0x1234, 7, answers=False),
    ),
    "too far": (
        back_4(ICMP(type=11) / IP(REQUEST_4[:28]), ROUTER_4),
        Heard(ROUTER_4, 0x1234, 7, answers=False),
    ),
    "unreachable by IPv6": (
        back_6(ICMPv6DestUnreach(code=3) / IPv6(REQUEST_6), ROUTER_6),
        Heard(ROUTER_6, 0x1234, 7, answers=False),
    ),
    "unreachable, but of another's": (back_4(ICMP(type=3) / IP(src=str(HERE_4), dst=str(THERE_4)) / UDP()), None),
    "unreachable, but of an answer": (back_6(ICMPv6DestUnreach() / IPv6(ANSWER_6)), None),
    "a request": (REQUEST_4, None),
    "a request of IPv6": (REQUEST_6, None),
    "redirect": (back_4(ICMP(type=5) / IP(REQUEST_4)), None),
    "UDP": (back_4(UDP()), None),
    "UDP of IPv6": (back_6(UDP()), None),
    "damaged": (ANSWER_4[:-1] + b"x", None),
    "damaged, of IPv6": (ANSWER_6[:-1] + b"x", None),
    "empty": (b"", None),
    "of no version": (b"\x55" * 60, None),
    "cut off": (ANSWER_4[:19], None),
    "cut off, of IPv6": (ANSWER_6[:42], None),
}


@pytest.mark.parametrize(("packet", "says"), HEARD.values(), ids=HEARD)
def test_what_comes_back(packet: bytes, says: Heard | None) -> None:
    assert heard(packet) == says


@given(st.sampled_from([packet for packet, _ in HEARD.values()]), st.binary(max_size=80), st.integers(0, 80))
def test_any_octets(packet: bytes, other: bytes, at: int) -> None:
    """Whatever a gateway sends, nothing breaks."""
    heard(packet[:at] + other)
    heard(packet[:at] + other + packet[at + len(other) :])


def test_ends() -> None:
    assert ends_of(REQUEST_4) == (HERE_4, THERE_4)
    assert ends_of(REQUEST_6) == (HERE_6, THERE_6)
    for nothing in (b"", REQUEST_4[:19], REQUEST_6[:39], b"\x50" * 40):
        assert ends_of(nothing) is None
