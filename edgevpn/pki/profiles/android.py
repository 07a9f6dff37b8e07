"""A card for Android's own client, which reads no file, in the order of its form.

The client compares the server address with the certificate, so that the address has to be typed exactly as it stands
here.
"""

from __future__ import annotations

from edgevpn.pki.profiles.card import Card, Line, needs_ca, password_line
from edgevpn.pki.profiles.profile import CertificateLogin, PasswordLogin, Profile, PskLogin

TYPES = {
    PasswordLogin: "IKEv2/IPSec MSCHAPv2",
    CertificateLogin: "IKEv2/IPSec RSA",
    PskLogin: "IKEv2/IPSec PSK",
}


def card(profile: Profile) -> Card:
    """The card of a device."""
    steps = (*_installs(profile), "Settings, Network & internet, VPN, + (add)", "Fill in the form, save, and connect")
    head = (
        Line("Name", profile.connection, "any name will do"),
        Line("Type", TYPES[type(profile.login)]),
        Line("Server address", profile.gateway.address, "exactly so"),
        Line("IPSec identifier", profile.identity, "exactly so; it tells this device from the others"),
    )
    return Card(profile.title, steps, (*head, *_login(profile)))


def _installs(profile: Profile) -> list[str]:
    steps = []
    where = "Settings, Security, Encryption & credentials, Install a certificate"
    if needs_ca(profile):
        steps.append(f"{where}, CA certificate: {profile.file_name('cer')}")
    if isinstance(profile.login, CertificateLogin):
        steps.append(f"{where}, VPN & app user certificate: {profile.file_name('p12')}, with its password")
    return steps


def _login(profile: Profile) -> tuple[Line, ...]:
    ca = 'the one just installed; not "don\'t verify server"' if needs_ca(profile) else ""
    server = Line("IPSec server certificate", "(received from server)")
    authority = Line("IPSec CA certificate", profile.gateway.issuer_name or "System", ca)
    match profile.login:
        case PskLogin(psk=psk):
            return (Line("IPSec pre-shared key", psk, secret=True),)
        case CertificateLogin():
            return (Line("IPSec user certificate", profile.device, "the one just installed"), authority, server)
        case PasswordLogin(user=user, password=password):
            return (authority, server, Line("Username", user), password_line("Password", password))
