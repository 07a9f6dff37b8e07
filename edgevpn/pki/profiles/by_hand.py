"""Cards for Apple's systems and Windows without a profile or script, and one for all other devices.

Windows' own form says nothing of algorithms and routes: untouched, it offers MODP-1024 alone and sends only the network
of its address through the tunnel. What its form lacks are commands at the end of its card.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgevpn.pki.profiles.card import Card, Line, needs_ca, password_line
from edgevpn.pki.profiles.profile import CertificateLogin, PasswordLogin, Profile, PskLogin, unsupported
from edgevpn.pki.profiles.windows import ALGORITHMS, connection_name, quoted, routes, within_eap

FILL_IN = "Fill in the form, save, and connect"


def iphone(profile: Profile) -> Card:
    """For an iPhone or iPad."""
    where = "install it: Settings, General, VPN & Device Management"
    trusted = "then trust it: Settings, General, About, Certificate Trust Settings"
    steps = (*_opened(profile, f"{where}; {trusted}", where), "Settings, General, VPN, Add VPN Configuration", FILL_IN)
    return Card(profile.title, steps, (*_apple("Description", "Server", profile), *_iphone_login(profile)))


def mac(profile: Profile) -> Card:
    """For a Mac."""
    trusted = "add it to the keychain System, and there set it to Always Trust"
    steps = (*_opened(profile, trusted, "add it to the keychain System"), "System Settings, VPN, Add VPN Configuration")
    return Card(
        profile.title, (*steps, FILL_IN), (*_apple("Display name", "Server address", profile), *_mac_login(profile))
    )


def windows(profile: Profile) -> Card:
    """For a PC whose owner runs no script. Raises WishRefused for a pre-shared key, which Windows does not take."""
    ca = _placed("Local Machine", "Trusted Root Certification Authorities")
    certificate = _placed("Current User" if within_eap(profile) else "Local Machine", "Personal")
    steps = (
        *_opened(profile, ca, certificate),
        "Settings, Network & internet, VPN, Add VPN: fill in the form, and save",
        "In a PowerShell window of the same user, run the command that stands last; without it the gateway refuses",
        "Connect",
    )
    head = (
        Line("VPN provider", "Windows (built-in)"),
        Line("Connection name", connection_name(profile)),
        Line("Server name or address", profile.gateway.address, "exactly so"),
        Line("VPN type", "IKEv2"),
    )
    command = Line("In PowerShell", "; ".join(_commands(profile)))
    return Card(profile.title, steps, (*head, *_windows_login(profile), command))


def other(profile: Profile) -> Card:
    """For any client: what it has to know, in the words of IKEv2."""
    ca, certificate = "trust it, for the VPN's server", "import it, with its password"
    steps = (
        *_opened(profile, ca, certificate),
        "Make a VPN connection of the kind IKEv2, and fill in what stands here",
    )
    lines = (
        Line("Name", profile.connection, "any name will do"),
        Line("Type", "IKEv2"),
        Line("Server address", profile.gateway.address, "exactly so"),
        Line("Server identity", profile.gateway.identity, "remote ID"),
        Line("Device identity", profile.identity, "local ID"),
        *_other_login(profile),
        Line("Networks", ", ".join(map(str, profile.networks)) or "all"),
    )
    return Card(profile.title, steps, lines)


def _placed(whose: str, store: str) -> str:
    return f"Install, {whose}, place it in: {store}"


def _opened(profile: Profile, ca: str, certificate: str) -> Iterator[str]:
    """What to do with the files that come with the card."""
    if needs_ca(profile):
        yield f"Open {profile.file_name('cer')} on the device and {ca}"
    if isinstance(profile.login, CertificateLogin):
        yield f"Open {profile.file_name('p12')}, with its password, and {certificate}"


def _apple(name: str, server: str, profile: Profile) -> tuple[Line, ...]:
    return (
        Line("Type", "IKEv2"),
        Line(name, profile.connection, "any name will do"),
        Line(server, profile.gateway.address, "exactly so"),
        Line("Remote ID", profile.gateway.identity, "exactly so"),
        Line("Local ID", profile.identity, "exactly so"),
    )


def _iphone_login(profile: Profile) -> tuple[Line, ...]:
    match profile.login:
        case PasswordLogin(user=user, password=password):
            return (
                Line("User Authentication", "Username"),
                Line("Username", user),
                password_line("Password", password),
            )
        case CertificateLogin():
            certificate = Line("Certificate", profile.device, "the one just installed")
            return (Line("User Authentication", "None"), Line("Use Certificate", "on"), certificate)
        case PskLogin(psk=psk):
            secret = Line("Secret", psk, secret=True)
            return (Line("User Authentication", "None"), Line("Use Certificate", "off"), secret)


def _mac_login(profile: Profile) -> tuple[Line, ...]:
    match profile.login:
        case PasswordLogin(user=user, password=password):
            return (Line("Authentication", "Username"), Line("Username", user), password_line("Password", password))
        case CertificateLogin():
            return (Line("Authentication", "None"), Line("Certificate", profile.device, "the one just installed"))
        case PskLogin(psk=psk):
            return (Line("Authentication", "None"), Line("Shared Secret", psk, secret=True))


def _windows_login(profile: Profile) -> tuple[Line, ...]:
    kind = "Type of sign-in info"
    match profile.login:
        case PasswordLogin(user=user, password=password):
            return (Line(kind, "User name and password"), Line("User name", user), password_line("Password", password))
        case CertificateLogin():
            return (Line(kind, "Certificate"),)
        case PskLogin():
            raise unsupported("a pre-shared key on Windows", "give this device a password or a certificate")


def _other_login(profile: Profile) -> tuple[Line, ...]:
    match profile.login:
        case PasswordLogin(user=user, password=password):
            kind = Line("Login", "user name and password (EAP-MSCHAPv2)")
            return (kind, Line("User name", user), password_line("Password", password))
        case CertificateLogin():
            how = "certificate, shown within EAP (EAP-TLS)" if within_eap(profile) else "certificate"
            return (Line("Login", how), Line("Certificate", profile.device, "the one just installed"))
        case PskLogin(psk=psk):
            return (Line("Login", "pre-shared key"), Line("Pre-shared key", psk, secret=True))


def _commands(profile: Profile) -> Iterator[str]:
    name = quoted(connection_name(profile))
    algorithms = " ".join(f"-{parameter} {value}" for parameter, value in ALGORITHMS.items())
    yield f"Set-VpnConnectionIPsecConfiguration -ConnectionName {name} {algorithms} -Force"
    if isinstance(profile.login, CertificateLogin) and not within_eap(profile):
        yield f"Set-VpnConnection -Name {name} -AuthenticationMethod MachineCertificate -Force"
    yield f"Set-VpnConnection -Name {name} -SplitTunneling {'$true' if profile.networks else '$false'} -Force"
    for network in routes(profile):
        yield f"Add-VpnConnectionRoute -ConnectionName {name} -DestinationPrefix {network}"
