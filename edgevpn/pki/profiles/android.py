"""A card for Android's own client, which reads no file: what to install, and what to type, in the order of its form.

The client compares the server address with the certificate, so that the address has to be typed exactly as it stands
here. Its PKCS #12 is of the old kind: Android before 12 does not read the modern one.
"""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import der_of
from edgevpn.pki.container import Container, pkcs12_file
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Media, PasswordLogin, Profile, PskLogin

TYPES = {
    PasswordLogin: "IKEv2/IPSec MSCHAPv2",
    CertificateLogin: "IKEv2/IPSec RSA",
    PskLogin: "IKEv2/IPSec PSK",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the phone's form: what it is called there, what to type or choose, and what to know about it."""

    label: str
    value: str = field(repr=False)
    note: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """What to do first, and what to fill in then."""

    title: str
    steps: tuple[str, ...]
    lines: tuple[Line, ...]


def card(profile: Profile) -> Card:
    """The card of a device."""
    steps = (*_installs(profile), "Settings, Network & internet, VPN, + (add)", "Fill in the form, save, and connect")
    head = (
        Line("Name", profile.connection, "any name will do"),
        Line("Type", TYPES[type(profile.login)]),
        Line("Server address", profile.gateway.address, "exactly so"),
        Line("IPSec identifier", profile.identity, "exactly so; it tells this device from the others"),
    )
    return Card(f"{profile.device}: VPN {profile.gateway.name}", steps, (*head, *_login(profile)))


def files(profile: Profile) -> tuple[Artifact, ...]:
    """The card as a page and as text, and the files that it speaks of."""
    made = card(profile)
    secret = any(line.secret for line in made.lines)
    cards = (
        Artifact(profile.file_name("html"), Media.HTML, html(made).encode(), secret=secret),
        Artifact(profile.file_name("txt"), Media.TEXT, text(made).encode(), secret=secret),
    )
    return (*cards, *_certificates(profile))


def text(made: Card) -> str:
    """The card as plain text."""
    width = max(len(line.label) for line in made.lines)
    steps = [f"{number}. {step}" for number, step in enumerate(made.steps, 1)]
    lines = [
        f"  {line.label:<{width}}  {line.value}" + (f"   ({line.note})" if line.note else "") for line in made.lines
    ]
    return "\n".join([made.title, "", *steps, "", *lines, ""])


def html(made: Card) -> str:
    """The card as a page of its own: nothing is loaded from elsewhere, nothing runs."""
    from html import escape  # with a name for every character that has one: half a megabyte

    steps = "".join(f"<li>{escape(step)}</li>" for step in made.steps)
    rows = "".join(
        f"<tr><th scope=row>{escape(line.label)}</th><td><code>{escape(line.value)}</code></td>"
        f"<td>{escape(line.note)}</td></tr>"
        for line in made.lines
    )
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(made.title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(made.title)}</h1><ol>{steps}</ol><table>{rows}</table></body></html>\n"
    )


_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:1rem auto;max-width:40rem;padding:0 1rem}"
    "th{text-align:left;padding-right:1rem;white-space:nowrap}td,th{vertical-align:top;padding-bottom:.5rem}"
    "code{user-select:all;overflow-wrap:anywhere}"
)


def _installs(profile: Profile) -> list[str]:
    steps = []
    where = "Settings, Security, Encryption & credentials, Install a certificate"
    if _needs_ca(profile):
        steps.append(f"{where}, CA certificate: {profile.file_name('cer')}")
    if isinstance(profile.login, CertificateLogin):
        steps.append(f"{where}, VPN & app user certificate: {profile.file_name('p12')}, with its password")
    return steps


def _login(profile: Profile) -> tuple[Line, ...]:
    ca = 'the one just installed; not "don\'t verify server"' if _needs_ca(profile) else ""
    server = Line("IPSec server certificate", "(received from server)")
    match profile.login:
        case PskLogin(psk=psk):
            return (Line("IPSec pre-shared key", psk, secret=True),)
        case CertificateLogin():
            user = Line("IPSec user certificate", profile.device, "the one just installed")
            return (user, Line("IPSec CA certificate", profile.gateway.issuer_name or "System", ca), server)
        case PasswordLogin(user=user_name, password=password):
            secret = Line("Password", password or "(your password)", secret=bool(password))
            authority = Line("IPSec CA certificate", profile.gateway.issuer_name or "System", ca)
            return (authority, server, Line("Username", user_name), secret)


def _needs_ca(profile: Profile) -> bool:
    return profile.gateway.ca is not None and not isinstance(profile.login, PskLogin)


def _certificates(profile: Profile) -> tuple[Artifact, ...]:
    made = []
    if _needs_ca(profile) and profile.gateway.ca is not None:
        made.append(Artifact(profile.file_name("cer"), Media.CERTIFICATE, der_of(profile.gateway.ca)))
    if isinstance(profile.login, CertificateLogin):
        octets = pkcs12_file(profile.login.bundle, profile.device, profile.login.password, Container.OLD)
        made.append(Artifact(profile.file_name("p12"), Media.PKCS12, octets, secret=True))
    return tuple(made)
