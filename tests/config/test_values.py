from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.config import values
from edgevpn.config.errors import Refused, RefusedItems
from edgevpn.config.identity import identity
from edgevpn.config.kinds import Kind, many
from edgevpn.config.proposals import esp_proposal, ike_proposal
from edgevpn.config.ranges import address_range
from edgevpn.config.values import Ports, printable
from tests.support.json_schema import takes

LABEL = printable(9)

TAKEN: list[tuple[Kind[Any], object, object]] = [
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
    (values.HOST_ADDRESS, "fd00::1", ip_address("fd00::1")),
    (values.V4, "192.0.2.1", ip_address("192.0.2.1")),
    (values.V6, "fd00::1", ip_address("fd00::1")),
    (values.HOST, "vpn.example.org", "vpn.example.org"),
    (values.V4_RANGE, "10.9.0.0/24", address_range("10.9.0.0/24")),
    (values.V6_RANGE, "::9:0:0:0/80", address_range("::9:0:0:0/80")),
    (values.DOMAIN, "corp.example", "corp.example"),
    (values.DOMAIN, "lan", "lan"),
    (values.INTERFACE, "br-lan", "br-lan"),
    (values.INTERFACE, "eth0.2", "eth0.2"),
    (values.IKE_PROPOSAL, "aes256gcm16-prfsha384-x25519", ike_proposal("aes256gcm16-prfsha384-x25519")),
    (values.ESP_PROPOSAL, "aes256gcm16", esp_proposal("aes256gcm16")),
    (values.ORDER, "measured", ()),
    (values.ORDER, ["measured"], ()),
    (values.ORDER, "AES128GCM", ("aes128gcm16",)),
    (values.ORDER, ["chacha20poly1305", "aes128"], ("chacha20poly1305", "aes128")),
    (values.EXPIRY, "2027-03-31", datetime(2027, 4, 1, tzinfo=UTC)),
    (values.EXPIRY, "2027-03-31T12:00:00+09:00", datetime(2027, 3, 31, 3, tzinfo=UTC)),
    (LABEL, "Anna's 電話", "Anna's 電話"),
]

DATES = {
    "a day, to its end": (date(2027, 3, 31), datetime(2027, 4, 1, tzinfo=UTC)),
    "a moment without an offset": (datetime(2027, 3, 31, 12), datetime(2027, 3, 31, 12, tzinfo=UTC)),  # noqa: DTZ001
    "a moment elsewhere": (
        datetime(2027, 3, 31, 12, tzinfo=timezone(timedelta(hours=9))),
        datetime(2027, 3, 31, 3, tzinfo=UTC),
    ),
}

REFUSED: list[tuple[Kind[Any], object, str]] = [
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
    (values.FILE, "/etc/\0", "holds characters that cannot be shown"),
    (values.IKE_PROPOSAL, 1, "is a number, not a string"),
    (values.ESP_PROPOSAL, "aes256", "no integrity algorithm is named"),
    (values.FILE, "/etc/\n", "holds characters that cannot be shown"),
    (values.HOST_ADDRESS, "0.0.0.0", "is not the address of one host"),  # noqa: S104 - nothing is bound
    (values.V4, "fd00::1", "is an IPv6 address"),
    (values.V6, "192.0.2.1", "is an IPv4 address"),
    (values.V4_RANGE, "fd09::/64", "is of IPv6"),
    (values.V6_RANGE, "10.9.0.0/24", "is of IPv4"),
    (values.V4_RANGE, "127.0.0.0/8", "are no addresses that a host can have"),
    (values.V4_RANGE, "224.0.0.0/24", "are no addresses that a host can have"),
    (values.DOMAIN, "corp example", "is of another form"),
    (values.DOMAIN, "-corp.example", "is of another form"),
    (values.DOMAIN, "x" * 64, "is of another form"),
    (values.DOMAIN, ".".join(["x" * 60] * 5), "is of another form"),
    (values.INTERFACE, "a-name-that-is-too-long", "is of another form"),
    (values.INTERFACE, "..", "is of another form"),
    (values.INTERFACE, "eth0; reboot", "is of another form"),
    (values.EXPIRY, "tomorrow", "is not a date"),
    (values.EXPIRY, 20270331, "is a number, not a date"),
    (values.EXPIRY, time(12), "is a date or time, not a date"),
    (values.EXPIRY, date.max, "is out of all bounds"),
    (LABEL, "", "is empty"),
    (LABEL, "1234567890", "is too long"),
    (LABEL, "a\nb", "holds characters that cannot be shown"),
    (LABEL, "a\u202eb", "holds characters that cannot be shown"),
]

REFUSED_ORDERS = {
    "sha256": '"sha256" is no cipher but an integrity algorithm',
    "x25519": '"x25519" is no cipher but a key exchange',
    "3des": '"3des" is refused: 3DES has 64-bit blocks that repeat within one busy hour',
    "aes257": '"aes257" is no algorithm that we know',
}

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
    assert takes(kind.schema, written)
    assert kind.read(kind.write(value)) == value
    assert takes(kind.schema, kind.write(value))


@pytest.mark.parametrize("written", DATES)
def test_expiry(written: str) -> None:
    value, moment = DATES[written]
    assert values.EXPIRY.read(value) == moment
    assert values.EXPIRY.read(values.EXPIRY.write(moment)) == moment


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


@pytest.mark.parametrize("written", REFUSED_ORDERS)
def test_refuses_order(written: str) -> None:
    with pytest.raises(RefusedItems) as refusals:
        values.ORDER.read(["aes128", written])
    assert [fault.fault for _, fault in refusals.value.items] == [REFUSED_ORDERS[written]]


def test_cures() -> None:
    with pytest.raises(Refused) as refusal:
        values.NETWORK.read("10.1.0.5/24")
    assert refusal.value.cure == 'did you mean "10.1.0.0/24"?'
    with pytest.raises(Refused) as refusal:
        values.ADDRESS.read("fe80::1%eth0")
    assert refusal.value.cure == 'write "fe80::1"'


def test_ports_as_text() -> None:
    assert [str(values.PORTS.read(each)) for each in ("any", 443, "8000-8010")] == ["any", "443", "8000-8010"]


TOML_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.times(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
KINDS = [kind for kind in vars(values).values() if isinstance(kind, Kind)] + [LABEL]


@given(st.sampled_from(KINDS), TOML_VALUES)
def test_no_value_breaks_a_kind(kind: Kind[Any], written: object) -> None:
    """Whatever TOML can hold is taken or refused."""
    for each in (kind, many(kind)):
        with suppress(Refused, RefusedItems):
            each.read(written)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_every_moment_is_read_again(moment: datetime) -> None:
    """As a date where it is the end of one."""
    utc = moment.replace(tzinfo=UTC)
    assert values.EXPIRY.read(values.EXPIRY.write(utc)) == utc
