from datetime import date

import pytest

from edgevpn.config.errors import Path, Refused
from edgevpn.config.nouns import setting_at
from edgevpn.config.words import path_of, value_of

PATHS: dict[str, Path] = {
    "site.office.mtu": ("site", "office", "mtu"),
    "version": ("version",),
    'device."Anna\'s phone".owner': ("device", "Anna's phone", "owner"),
    " gateway . id ": ("gateway", "id"),
}

NO_PATHS = [
    "",
    "site office",
    "site.office.",
    "mtu = 1",
    "a = {b = 1}\nc",
    "a\nb",
    "a = 1 #",
    "[site]",
    "x = true #",
    ".".join("a" * 2000),
]


@pytest.mark.parametrize("text", PATHS)
def test_keys_as_in_the_file(text: str) -> None:
    assert path_of(text) == PATHS[text]


@pytest.mark.parametrize("text", NO_PATHS)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(Refused, match="is not a key"):
        path_of(text)


@pytest.mark.parametrize(
    ("key", "words", "value"),
    [
        ("site.office.mtu", ["1400"], 1400),
        ("site.office.remote", ["office.example.org"], "office.example.org"),
        ("site.office.remote", ["office.example.org", "192.0.2.7"], ["office.example.org", "192.0.2.7"]),
        ("site.office.remote", ['["office.example.org", "192.0.2.7"]'], ["office.example.org", "192.0.2.7"]),
        ("site.office.encap", ["true"], True),
        ("site.office.psk", ["0x00112233"], "0x00112233"),
        ("site.office.psk", ['"quoted"'], "quoted"),
        ("gateway.nat_keepalive", ["30s"], "30s"),
        ("gateway.nat_keepalive", ["30"], 30),
        ("device.phone.owner", ["true"], "true"),
        ("device.phone.owner", ["2027"], "2027"),
        ("device.phone.expires", ["2027-03-31"], date(2027, 3, 31)),
        ("site.office.local_ports", ["443"], 443),
        ("site.office.local_ports", ["any"], "any"),
        ("pool.staff.logins", ["psk", "password"], ["psk", "password"]),
        ("pool.staff.domains", ["1", "2"], ["1", "2"]),
    ],
)
def test_values(key: str, words: list[str], value: object) -> None:
    found = value_of(setting_at(path_of(key)), words)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "words", "value"),
    [
        ("site.office.mtu", ["1"], 1),
        ("site.office.mtu", ["wide"], "wide"),
        ("site.office.encap", ["yes"], "yes"),
        ("site.office.mtu", ["1400", "1500"], [1400, 1500]),
        ("gateway.nat_keepalive", ["[" * 9999], "[" * 9999),
        ("gateway.nat_keepalive", ["20s\nx = 1"], "20s\nx = 1"),
        ("gateway.listen", ["192.0.2.1", "here"], ["192.0.2.1", "here"]),
    ],
)
def test_values_that_no_key_takes(key: str, words: list[str], value: object) -> None:
    """They are handed on as they are meant, to be refused with a reason."""
    assert value_of(setting_at(path_of(key)), words) == value
