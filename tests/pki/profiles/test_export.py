from dataclasses import replace

import pytest

from edgevpn.pki.errors import PkiError, Reason
from edgevpn.pki.profiles.apple import AlwaysExcept
from edgevpn.pki.profiles.export import CARDS, PeerTarget, Target, card, export, export_site
from edgevpn.pki.profiles.profile import Ppk
from tests.support.profiles import LOGINS, profile, site_peer, within_eap

WITHOUT_PSK = {Target.WINDOWS, Target.WINDOWS_CARD, Target.STRONGSWAN_APP}
FIRST = {
    Target.APPLE: "mobileconfig",
    Target.WINDOWS: "ps1",
    Target.STRONGSWAN_APP: "sswan",
    Target.NETWORK_MANAGER: "nmconnection",
    Target.SWANCTL: "conf",
    **dict.fromkeys(CARDS, "html"),
}


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("login", LOGINS)
def test_every_platform_and_login(target: Target, login: str) -> None:
    if login == "psk" and target in WITHOUT_PSK:
        with pytest.raises(PkiError) as refusal:
            export(profile(login), target)
        assert refusal.value.reason is Reason.NOT_ALLOWED
        return
    made = export(profile(login), target)
    assert made[0].name == f"home-phone.{FIRST[target]}"
    assert len({artifact.name for artifact in made}) == len(made)
    assert all(artifact.octets for artifact in made)


@pytest.mark.parametrize("target", Target)
def test_a_post_quantum_key_that_a_platform_does_not_know(target: Target) -> None:
    """No profile is made that could not connect."""
    required, optional = (replace(profile(), ppk=Ppk("winter", bytes(32), each)) for each in (True, False))
    assert export(optional, target)
    if target in (Target.APPLE, Target.SWANCTL):
        assert export(required, target)
    else:
        with pytest.raises(PkiError, match="ppk_required = false"):
            export(required, target)


@pytest.mark.parametrize("target", Target)
def test_eap_tls_is_for_those_that_can_be_told(target: Target) -> None:
    if target in (Target.ANDROID_CARD, Target.IPHONE_CARD, Target.MAC_CARD):
        for make in (export, card):
            with pytest.raises(PkiError, match="EAP-TLS"):
                make(within_eap(), target)
    else:
        assert export(within_eap(), target)


def test_demand_is_apples() -> None:
    assert b"SSIDMatch" in export(profile(), Target.APPLE, AlwaysExcept(("Home",)))[0].octets


def test_same_again() -> None:
    """Profiles depend on nothing but what they are made from; PKCS #12 alone is salted."""
    for target in Target:
        assert [a.octets for a in export(profile(), target)] == [a.octets for a in export(profile(), target)]


@pytest.mark.parametrize("target", PeerTarget)
def test_every_kind_of_peer(target: PeerTarget) -> None:
    for certificate in (False, True):
        assert export_site(site_peer(certificate=certificate), target)[0].octets
