from dataclasses import replace

import pytest

from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.profiles.profile import Gateway, PasswordLogin, PskLogin, host_or_address, slug
from tests.support.profiles import PASSWORD, PSK, certificate_login, gateway, profile


def test_uuids_are_stable_and_differ() -> None:
    """The same device's next profile replaces this one; another device's does not."""
    ours = profile()
    assert ours.uuid("vpn") == profile("psk", "Japanese").uuid("vpn")
    assert ours.uuid("vpn") != ours.uuid("ca")
    assert ours.uuid("vpn") != replace(ours, identity="tablet.vpn.example.org").uuid("vpn")


def test_file_names_are_plain() -> None:
    assert profile().file_name("ps1") == "home-phone.ps1"
    assert profile("password", "quotes").file_name("ps1") == "anna-s-b-ro-b-co-b-o-neill-s-phone-x.ps1"
    japanese = profile("password", "Japanese").file_name("ps1")
    assert japanese.isascii()
    assert japanese.startswith("vpn-")
    assert slug("家") != slug("電話")
    assert len(slug("x" * 64_000)) == 40


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 65, "\u202ea"])
def test_names_that_are_none(name: str) -> None:
    for make in (
        lambda: replace(profile(), device=name),
        lambda: replace(gateway(), name=name),
    ):
        with pytest.raises(PkiError) as refusal:
            make()
        assert refusal.value.reason is Reason.NOT_ALLOWED


def test_fields_are_named() -> None:
    with pytest.raises(PkiError, match="public name"):
        Gateway("Home", "two words", "vpn.example.org", None, None)
    with pytest.raises(PkiError, match="domain"):
        replace(profile(), domains=("-",))
    with pytest.raises(PkiError, match="user name"):
        PasswordLogin("a\0b")
    with pytest.raises(PkiError, match="identity of the device"):
        replace(profile(), login=certificate_login(), identity="Annas Telefon")
    assert replace(profile("psk"), identity="Annas Telefon").identity == "Annas Telefon"


def test_addresses() -> None:
    assert host_or_address("192.0.2.1", "x") == "192.0.2.1"
    assert host_or_address("2001:DB8::1", "x") == "2001:db8::1"
    assert host_or_address("VPN.example.org", "x") == "vpn.example.org"
    for wrong in ("2001:db8::1::", "a:b", ""):
        with pytest.raises(PkiError):
            host_or_address(wrong, "x")


def test_secrets_do_not_show() -> None:
    with pytest.raises(PkiError) as refusal:
        PskLogin(f"{PSK}\n")
    assert PSK not in str(refusal.value)
    for login in ("password", "certificate", "psk"):
        shown = repr(profile(login))
        assert PASSWORD not in shown
        assert PSK not in shown
        assert "k3vxq" not in shown
