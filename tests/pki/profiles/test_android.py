import pytest

from edgevpn.pki.profiles.android import card
from tests.support.profiles import profile

HEAD = ["Name", "Type", "Server address", "IPSec identifier"]
FORMS = {
    "psk": ("IKEv2/IPSec PSK", [*HEAD, "IPSec pre-shared key"]),
    "certificate": (
        "IKEv2/IPSec RSA",
        [*HEAD, "IPSec user certificate", "IPSec CA certificate", "IPSec server certificate"],
    ),
    "password": (
        "IKEv2/IPSec MSCHAPv2",
        [*HEAD, "IPSec CA certificate", "IPSec server certificate", "Username", "Password"],
    ),
}


@pytest.mark.parametrize("login", FORMS)
def test_lines_in_the_order_of_the_phones_form(login: str) -> None:
    kind, labels = FORMS[login]
    made = card(profile(login))
    assert [line.label for line in made.lines] == labels
    values = {line.label: line.value for line in made.lines}
    assert values["Type"] == kind
    assert values["Server address"] == "vpn.example.org"
    assert values["IPSec identifier"] == "phone.vpn.example.org"


def test_what_to_install_first() -> None:
    assert [step.rpartition(": ")[2] for step in card(profile("certificate")).steps[:2]] == [
        "home-phone.cer",
        "home-phone.p12, with its password",
    ]
    assert "home-phone.cer" in card(profile("password")).steps[0]
    assert len(card(profile("psk")).steps) == len(card(profile("password", public=True)).steps) == 2
