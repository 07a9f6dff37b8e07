"""edgevpn.daemon.visitors.dhcp: the octets of a DHCPINFORM and of its answer."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.daemon.visitors.dhcp import HEAD, MAX_OPTION, SHORTEST, Inform, NotInform, Told, decode, encode

CLIENT, SERVER = IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1")
COOKIE = bytes.fromhex("63825363")


def request(
    options: str = "35 01 08  37 03 06 0f f9  ff", *, operation: int = 1, client: bytes = CLIENT.packed
) -> bytes:
    """A DHCPINFORM by hand, RFC 2131 §2: op, htype, hlen, hops; xid; secs, flags; addresses; chaddr; names."""
    head = bytes([operation, 8, 6, 0]) + bytes.fromhex("cafe0001 0000 8000") + client + bytes(12)
    return head + b"\x52\x41\x53\x20\x00\x01".ljust(16, b"\0") + bytes(192) + COOKIE + bytes.fromhex(options)


def options_of(octets: bytes) -> dict[int, bytes]:
    """What an answer tells, in its order."""
    found, at = {}, HEAD.size
    while octets[at] != 255:
        found[octets[at]] = octets[at + 2 : at + 2 + octets[at + 1]]
        at += 2 + octets[at + 1]
    return found


TOLD = Told((SERVER,), "example.org", (IPv4Network("192.168.1.0/24"), IPv4Network("10.0.0.0/8")))


def test_request_octets() -> None:
    asked = decode(request())
    assert (asked.transaction, asked.flags, asked.client, asked.wants) == (0xCAFE0001, 0x8000, CLIENT, (6, 15, 249))
    assert asked.hardware.startswith(b"RAS ")


def test_answer_octets() -> None:
    """The DHCPACK repeats transaction and hardware, lends nothing, and each route has as much of itself as it needs."""
    answer = encode(decode(request()), SERVER, TOLD)
    assert answer[:8] == bytes([2, 8, 6, 0]) + bytes.fromhex("cafe0001")
    assert answer[10:20] == bytes.fromhex("8000") + CLIENT.packed + bytes(4)  # flags, ciaddr; yiaddr stays empty
    assert answer[28:44] == request()[28:44]
    assert len(answer) == SHORTEST
    assert options_of(answer) == {
        53: b"\5",
        54: SERVER.packed,
        6: SERVER.packed,
        15: b"example.org",
        249: bytes.fromhex("18 c0a801 0a090001  08 0a 0a090001"),
    }


def test_only_what_is_asked_for_and_there() -> None:
    assert list(options_of(encode(decode(request("35 01 08 37 02 79 79 ff")), SERVER, TOLD))) == [53, 54, 121]
    assert list(options_of(encode(decode(request()), SERVER, Told()))) == [53, 54]
    assert list(options_of(encode(decode(request("35 01 08 ff")), SERVER, TOLD))) == [53, 54]
    assert list(options_of(encode(decode(request("35 01 08 37 03 35 36 06 ff")), SERVER, TOLD))) == [53, 54, 6]


def test_whole_routes_alone() -> None:
    """An option holds 255 octets: 28 routes to hosts' networks of nine octets each, and no part of another."""
    networks = tuple(IPv4Network((number << 8, 32)) for number in range(1, 60))
    routes = options_of(encode(decode(request()), SERVER, Told(networks=networks)))[249]
    assert len(routes) == MAX_OPTION // 9 * 9


def test_default_route() -> None:
    routes = options_of(encode(decode(request()), SERVER, Told(networks=(IPv4Network("0.0.0.0/0"),))))[249]
    assert routes == b"\0" + SERVER.packed


REFUSED = {
    "short": request()[: HEAD.size - 1],
    "an answer": request(operation=2),
    "no cookie": request().replace(COOKIE, bytes(4)),
    "hardware address too long": request()[:2] + b"\x11" + request()[3:],
    "a discover": request("35 01 01 ff"),
    "no type": request("37 01 f9 ff"),
    "type of two octets": request("35 02 08 08 ff"),
    "cut off": request("35 01 08 37 09 f9"),
    "cut off before its size": request("35 01 08 37"),
    "no address": request(client=bytes(4)),
    "many addresses": request(client=bytes([224, 0, 0, 1])),
}


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_refused(octets: bytes) -> None:
    with pytest.raises(NotInform):
        decode(octets)


def test_padding_and_what_comes_twice() -> None:
    assert decode(request("00 00 35 01 08 35 01 01 37 01 f9 00 ff 37")).wants == (249,)


@given(st.binary(max_size=80))
def test_any_options(options: bytes) -> None:
    """Whatever a client sends, it is refused or can be answered."""
    with suppress(NotInform):
        asked = decode(request()[: HEAD.size] + options)
        assert isinstance(asked, Inform)
        assert options_of(encode(asked, SERVER, TOLD))[53] == b"\5"
