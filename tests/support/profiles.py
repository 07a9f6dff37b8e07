"""Devices and sites as an owner might name them, for tests of profiles."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from edgevpn.pki.authority import ServerNames, create_authority, issue_device, issue_site
from edgevpn.pki.bundle import Bundle
from edgevpn.pki.certificate import pem_of
from edgevpn.pki.profiles.profile import CertificateLogin, Gateway, Login, PasswordLogin, Profile, PskLogin
from edgevpn.pki.profiles.site import End, SitePeer
from tests.support.certificates import NOW, p256, rsa_key

P12_PASSWORD = "k3vxq-99abc-mnp45-xyz23"
PASSWORD = "correct 'horse' \"電池\" $staple; `n"
PSK = 'kq8Z"x$ye\\3bW9-mH27dLpQ5'

AUTHORITY = create_authority("Zuhause CA 家", p256(), NOW)
NAMES = {
    "plain": ("Home", "phone"),
    "quotes": ("Anna's “Büro” & <b>Co</b>", 'O’Neill\'s "phone" `$x`'),
    "Japanese": ("自宅 の VPN", "太郎の電話"),
}


def gateway(name: str = "Home", *, public: bool = False) -> Gateway:
    ca = None if public else AUTHORITY.certificate
    return Gateway(name, "vpn.example.org", "vpn.example.org", ca, ca)


def password_login(*, known: bool = True) -> PasswordLogin:
    return PasswordLogin("anna", PASSWORD if known else "")


def certificate_login(key: object = None) -> CertificateLogin:
    private = key or rsa_key(2048)
    certificate = issue_device(AUTHORITY, private.public_key(), "phone", "phone.vpn.example.org", NOW)  # type: ignore[attr-defined]
    return CertificateLogin(Bundle(private, certificate, (AUTHORITY.certificate,)), P12_PASSWORD)  # type: ignore[arg-type]


LOGINS: dict[str, Login] = {
    "password": password_login(),
    "password asked": password_login(known=False),
    "certificate": certificate_login(),
    "psk": PskLogin(PSK),
}


def within_eap() -> Profile:
    """One whose certificate is shown within EAP."""
    return replace(profile("certificate"), login=replace(certificate_login(), within_eap=True))


def profile(login: str = "password", names: str = "plain", *, split: bool = False, public: bool = False) -> Profile:
    gateway_name, device = NAMES[names]
    return Profile(
        device=device,
        identity="phone.vpn.example.org",
        gateway=gateway(gateway_name, public=public),
        login=LOGINS[login],
        networks=(ip_network("192.168.1.0/24"), ip_network("fd00:1::/64")) if split else (),
        dns=(ip_address("192.168.1.1"), ip_address("fd00:1::1")) if split else (),
        domains=("lan.example.org", "home.arpa") if split else (),
    )


def site_peer(*, certificate: bool = False, called: bool = True, identity: str = "branch.example.org") -> SitePeer:
    """A branch office, as its own gateway sees its tunnel to us."""
    here = End("Branch Zürich", "", identity, (ip_network("10.2.0.0/16"), ip_network("fd00:2::/64")))
    there = End("Home", "vpn.example.org" if called else "", "vpn.example.org", (ip_network("192.168.1.0/24"),))
    if not certificate:
        return SitePeer(here, there, PskLogin(PSK))
    key = p256()
    issued = issue_site(AUTHORITY, key.public_key(), ServerNames(("branch.example.org",)), NOW)
    login = CertificateLogin(Bundle(key, issued, (AUTHORITY.certificate,)), P12_PASSWORD)
    return SitePeer(here, there, login, pem_of(AUTHORITY.certificate))
