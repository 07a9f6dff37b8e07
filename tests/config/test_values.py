from contextlib import suppress
from enum import Enum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config import values
from edgevpn.config.errors import Refused, RefusedItems
from edgevpn.config.identity import identity
from edgevpn.config.values import Kind, Ports, choice, duration, integer, many, size, text


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


LENGTH = integer(1, 9)
TIME = duration(30, 7200)
TIME_OR_OFF = duration(30, 7200, or_off=True)
SIZE = size(1000)
WORD = text("a word", "[a-z]+")
COLOUR = choice(Colour)

TAKEN: list[tuple[Kind[Any], object, object]] = [
    (LENGTH, 1, 1),
    (LENGTH, 9, 9),
    (TIME, "30s", 30),
    (TIME, "2m", 120),
    (TIME, " 2 h ", 7200),
    (TIME, 45, 45),
    (TIME_OR_OFF, 0, 0),
    (TIME_OR_OFF, "0s", 0),
    (duration(1, 10**6), "1d", 86400),
    (duration(1, 10**6), "1w", 604800),
    (SIZE, 0, 0),
    (SIZE, 1000, 1000),
    (SIZE, "1kB", 1000),
    (SIZE, "3 MiB", 3 << 20),
    (SIZE, "2GB", 2_000_000_000),
    (SIZE, "1tib", 1 << 40),
    (WORD, "abc", "abc"),
    (COLOUR, "red", Colour.RED),
    (values.FLAG, True, True),
    (values.ADDRESS, "192.0.2.1", ip_address("192.0.2.1")),
    (values.ADDRESS, "fd00::1", ip_address("fd00::1")),
    (values.OWN_ADDRESS, "192.0.2.1", ip_address("192.0.2.1")),
    (values.REMOTES, "any", ()),
    (values.REMOTES, ["any"], ()),
    (values.REMOTES, ["gw_1.example.org.", "192.0.2.1"], ("gw_1.example.org.", ip_address("192.0.2.1"))),
    (values.NETWORK, "10.0.0.0/8", ip_network("10.0.0.0/8")),
    (values.NETWORK, "192.0.2.1", ip_network("192.0.2.1/32")),
    (values.IDENTITY, "carol@example.org", identity("carol@example.org")),
    (values.PEER_IDENTITY, "any", None),
    (values.PEER_IDENTITY, "gw", identity("gw")),
    (values.PORTS, 443, Ports(443, 443)),
    (values.PORTS, "443", Ports(443, 443)),
    (values.PORTS, "1000 - 2000", Ports(1000, 2000)),
    (values.PORTS, "any", Ports(0, 65535)),
    (values.PROTOCOL, "TCP", 6),
    (values.PROTOCOL, 255, 255),
    (values.FILE, "/etc/edgevpn/psk", Path("/etc/edgevpn/psk")),
    (many(LENGTH), 3, (3,)),
    (many(LENGTH), [3, 1], (3, 1)),
]

REFUSED: list[tuple[Kind[Any], object, str]] = [
    (LENGTH, 0, "is too small"),
    (LENGTH, 10, "is too large"),
    (LENGTH, 1.5, "is a fraction, not a number"),
    (LENGTH, True, "is true or false, not a number"),
    (LENGTH, "1", "is a string, not a number"),
    (LENGTH, [1], "is a list, not a number"),
    (LENGTH, {}, "is a table, not a number"),
    (TIME, "29s", "is too small"),
    (TIME, "3h", "is too large"),
    (TIME, 0, "is too small"),
    (TIME, "30", "is not a time"),
    (TIME, "30 sec", "is not a time"),
    (TIME, "-30s", "is not a time"),
    (TIME, "1h30m", "is not a time"),
    (SIZE, 999, "is too small"),
    (SIZE, "99999999TB", "is too large"),
    (SIZE, "10", "is not a size"),
    (WORD, "Abc", "does not look like that"),
    (WORD, "abc\n", "does not look like that"),
    (WORD, 7, "is a number, not a string"),
    (COLOUR, "green", "is none of the choices"),
    (COLOUR, ["red"], "is none of the choices"),
    (values.FLAG, "true", "is a string"),
    (values.FLAG, 1, "is a number"),
    (values.ADDRESS, "192.0.2.256", "is not an IP address"),
    (values.ADDRESS, 3221225985, "is a number, not a string"),
    (values.ADDRESS, "fe80::1%eth0", "has a zone index"),
    (values.OWN_ADDRESS, "::", "is not the address of one host"),
    (values.OWN_ADDRESS, "224.0.0.1", "is not the address of one host"),
    (values.REMOTES, ["any", "192.0.2.1"], '"any" leaves nothing to try in order'),
    (values.REMOTES, [], "is empty"),
    (values.REMOTES, ["gw", "gw"], "gw stands twice"),
    (values.NETWORK, "10.0.0.1/8", "has bits set behind its prefix"),
    (values.NETWORK, "10.0.0.0/33", "is not a network"),
    (values.NETWORK, 10, "is a number, not a string"),
    (values.PEER_IDENTITY, "two words", "neither an address nor a domain name"),
    (values.PORTS, "https", "is not a port"),
    (values.PORTS, "2000-1000", "is out of range"),
    (values.PORTS, 0, "is out of range"),
    (values.PORTS, 65536, "is out of range"),
    (values.PORTS, True, "is true or false, not a string"),
    (values.PROTOCOL, "tpc", "is no protocol that we know by name"),
    (values.PROTOCOL, 256, "is too large"),
    (values.FILE, "psk", "is not an absolute path"),
    (values.FILE, "/etc/\0", "is not an absolute path"),
    (values.IKE_PROPOSAL, 1, "is a number, not a string"),
    (values.ESP_PROPOSAL, "aes256", "no integrity algorithm is named"),
    (many(LENGTH), [], "is empty"),
    (many(LENGTH), [3, 1, 3], "3 stands twice"),
]

REFUSED_REMOTES = {
    "0.0.0.0": "is not the address of one host",  # noqa: S104 - nothing is bound
    "::": "is not the address of one host",
    "224.0.0.1": "is not the address of one host",
    "ff02::1": "is not the address of one host",
    "192.0.2.256": "is neither a host name nor an IP address",
    "-gw.example.org": "is neither a host name nor an IP address",
    "gw example.org": "is neither a host name nor an IP address",
    "": "is neither a host name nor an IP address",
    "gw." + "x" * 64: "is neither a host name nor an IP address",
}


@pytest.mark.parametrize(("kind", "written", "value"), TAKEN)
def test_takes(kind: Kind[Any], written: object, value: object) -> None:
    assert kind.read(written) == value


@pytest.mark.parametrize(("kind", "written", "fault"), REFUSED)
def test_refuses(kind: Kind[Any], written: object, fault: str) -> None:
    with pytest.raises(Refused) as refusal:
        kind.read(written)
    assert refusal.value.fault == fault


@pytest.mark.parametrize("written", REFUSED_REMOTES)
def test_refuses_remote(written: str) -> None:
    with pytest.raises(RefusedItems) as refusals:
        values.REMOTES.read(written)
    assert [fault.fault for _, fault in refusals.value.items] == [REFUSED_REMOTES[written]]


def test_all_bad_items_of_a_list_are_named() -> None:
    with pytest.raises(RefusedItems) as refusals:
        many(LENGTH).read([1, 0, 2, 10])
    assert [(value, fault.fault) for value, fault in refusals.value.items] == [
        (0, "is too small"),
        (10, "is too large"),
    ]


def test_cures() -> None:
    with pytest.raises(Refused) as refusal:
        values.NETWORK.read("10.1.0.5/24")
    assert refusal.value.cure == 'did you mean "10.1.0.0/24"?'
    with pytest.raises(Refused) as refusal:
        values.ADDRESS.read("fe80::1%eth0")
    assert refusal.value.cure == 'write "fe80::1"'


def test_bounds_are_told() -> None:
    assert LENGTH.allowed == "1 to 9"
    assert integer(0, 4096, "packets").allowed == "0 to 4096 packets"
    assert TIME_OR_OFF.allowed == '30s to 2h, such as "90s", "15m", "4h" or "1d", or 0 for never'
    assert COLOUR.allowed == '"red" | "blue"'


TOML_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.times(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
KINDS = [kind for kind in vars(values).values() if isinstance(kind, Kind)] + [LENGTH, TIME, SIZE, WORD, COLOUR]


@given(st.sampled_from(KINDS), TOML_VALUES)
def test_no_value_breaks_a_kind(kind: Kind[Any], written: object) -> None:
    """Whatever TOML can hold is taken or refused."""
    for each in (kind, many(kind)):
        with suppress(Refused, RefusedItems):
            each.read(written)
