from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevpn.pki import wishes
from edgevpn.pki.errors import Reason, WishRefused
from tests.support.certificates import DAY, NOW

BAD_NAMES = ["", " ", " anna", "a\nb", "a\x00", "a\u202eb", "x" * 65, "x" * 65_536]
BAD_HOSTS = [
    "",
    ".",
    "a..b",
    "-a.example",
    "a-.example",
    "a_b.example",
    "*.example.org",
    "büro.example",
    "a b",
    "x" * 64,
]
BAD_IDENTITIES = [
    *BAD_HOSTS,
    "anna@",
    "@example.org",
    "an na@example.org",
    "änna@example.org",
    "a@b@c..d",
    "a" * 300 + "@b",
]


@pytest.mark.parametrize("value", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_bad_names(value: str) -> None:
    with pytest.raises(WishRefused) as refusal:
        wishes.name(value, "device name")
    assert refusal.value.reason is Reason.NOT_ALLOWED
    assert refusal.value.subject.startswith("device name ")
    assert refusal.value.detail == "allowed: 1 to 64 printable characters, no space at either end"
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("value", BAD_HOSTS)
def test_bad_hosts(value: str) -> None:
    with pytest.raises(WishRefused):
        wishes.host(value, "public name")


@pytest.mark.parametrize("value", BAD_IDENTITIES, ids=range(len(BAD_IDENTITIES)))
def test_bad_identities(value: str) -> None:
    with pytest.raises(WishRefused):
        wishes.identity(value, "identity")


def test_good_ones() -> None:
    assert wishes.name("Annas Telefon 電話 'alt' \"neu\"", "name") == "Annas Telefon 電話 'alt' \"neu\""
    assert wishes.host("VPN.Example.org.", "name") == "vpn.example.org"
    assert wishes.identity("Anna@VPN.example.org", "identity") == "Anna@vpn.example.org"
    assert wishes.identity("gw", "identity") == "gw"


def test_other_scripts_are_told_how() -> None:
    with pytest.raises(WishRefused, match="xn--"):
        wishes.host("büro.example", "public name")


def test_a_line_is_not_quoted() -> None:
    """It may be a password."""
    assert wishes.line("hunter2", "password") == "hunter2"
    with pytest.raises(WishRefused) as refusal:
        wishes.line("hunter2\n", "password")
    assert "hunter2" not in str(refusal.value)


def test_lifetime() -> None:
    assert wishes.end(NOW + DAY, NOW, "expiry") == NOW + DAY
    for end in (NOW, NOW - DAY, NOW + timedelta(days=100 * 365)):
        with pytest.raises(WishRefused, match="expiry"):
            wishes.end(end, NOW, "expiry")


@given(st.text(max_size=80))
def test_what_is_taken_is_one_line(value: str) -> None:
    try:
        taken = wishes.name(value, "name")
    except WishRefused as refusal:
        assert str(refusal).isprintable()  # noqa: PT017 - either it is taken, or the refusal is fit for a log
    else:
        assert taken.isprintable()
