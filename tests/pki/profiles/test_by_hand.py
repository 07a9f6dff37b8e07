"""Forms as Apple's systems and Windows show them; parameters of commands are those of Microsoft's reference."""

from collections.abc import Callable

import pytest

from edgevpn.pki.errors import PkiError
from edgevpn.pki.profiles.by_hand import iphone, mac, other, windows
from edgevpn.pki.profiles.card import Card
from edgevpn.pki.profiles.profile import Profile
from edgevpn.pki.profiles.windows import ALGORITHMS
from tests.support import powershell
from tests.support.profiles import NAMES, PASSWORD, PSK, profile, within_eap

Maker = Callable[[Profile], Card]

FORMS: dict[tuple[Maker, str], list[str]] = {
    (iphone, "password"): ["User Authentication=Username", "Username=anna", f"Password={PASSWORD}"],
    (iphone, "certificate"): ["User Authentication=None", "Use Certificate=on", "Certificate=phone"],
    (iphone, "psk"): ["User Authentication=None", "Use Certificate=off", f"Secret={PSK}"],
    (mac, "password"): ["Authentication=Username", "Username=anna", f"Password={PASSWORD}"],
    (mac, "certificate"): ["Authentication=None", "Certificate=phone"],
    (mac, "psk"): ["Authentication=None", f"Shared Secret={PSK}"],
    (other, "password asked"): [
        "Login=user name and password (EAP-MSCHAPv2)",
        "User name=anna",
        "Password=(your password)",
        "Networks=all",
    ],
    (other, "psk"): ["Login=pre-shared key", f"Pre-shared key={PSK}", "Networks=all"],
}


@pytest.mark.parametrize(("make", "login"), FORMS, ids=[f"{make.__name__}-{login}" for make, login in FORMS])
def test_lines_of_the_form(make: Maker, login: str) -> None:
    lines = [f"{line.label}={line.value}" for line in make(profile(login)).lines]
    assert lines[5:] == FORMS[make, login]
    assert "Type=IKEv2" in lines[:2]
    assert [line.rpartition("=")[2] for line in lines[2:5]] == [
        "vpn.example.org",
        "vpn.example.org",
        "phone.vpn.example.org",
    ]


@pytest.mark.parametrize("make", [iphone, mac, windows, other])
def test_what_to_install_first(make: Maker) -> None:
    ca, certificate, *_ = make(profile("certificate")).steps
    assert "home-phone.cer" in ca
    assert "home-phone.p12, with its password" in certificate
    asks_nothing = make(profile("password", public=True)).steps
    assert not any("home-phone" in step for step in asks_nothing)


def commands(given: Profile) -> str:
    """What a PC is told beside its form."""
    line = windows(given).lines[-1]
    assert line.label == "In PowerShell"
    return line.value


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("login", ["password", "certificate"])
@pytest.mark.parametrize("split", [False, True])
def test_windows_is_raised_above_modp_1024(login: str, names: str, split: bool) -> None:
    """All algorithms, the way into the tunnel, and the routes: the form has none of these."""
    given = profile(login, names, split=split)
    root = powershell.parse(commands(given))
    found = powershell.commands(root)
    assert found.pop("Set-VpnConnectionIPsecConfiguration") == {"ConnectionName", "Force", *ALGORITHMS}
    allowed = {"Name", "SplitTunneling", "Force"} | ({"AuthenticationMethod"} if login == "certificate" else set())
    assert found.pop("Set-VpnConnection") == allowed
    assert found == ({"Add-VpnConnectionRoute": {"ConnectionName", "DestinationPrefix"}} if split else {})
    name = windows(given).lines[1].value
    assert set(powershell.strings(root)) == {name}
    assert ("-SplitTunneling $true" in commands(given)) is split
    for network in given.networks:
        assert f"-DestinationPrefix {network}" in commands(given)


def test_windows_form() -> None:
    lines = {line.label: line.value for line in windows(profile("password")).lines}
    assert (lines["VPN type"], lines["Server name or address"]) == ("IKEv2", "vpn.example.org")
    assert (lines["User name"], lines["Password"]) == ("anna", PASSWORD)


def test_certificate_within_eap() -> None:
    """Windows has it in its form, and looks for the certificate at the user; any other client is told."""
    card = windows(within_eap())
    assert any("Current User, place it in: Personal" in step for step in card.steps)
    assert "MachineCertificate" not in card.lines[-1].value
    assert [line.value for line in card.lines if line.label == "Type of sign-in info"] == ["Certificate"]
    assert [line.value for line in other(within_eap()).lines if "EAP-TLS" in line.value]


def test_windows_has_no_pre_shared_keys() -> None:
    with pytest.raises(PkiError):
        windows(profile("psk"))
