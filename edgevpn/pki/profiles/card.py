"""What somebody types into a device that reads no file: first what to install, then its form line by line.

A card's PKCS #12 is of the old kind: Apple's systems, and Android before 12, do not read the modern one.
"""

from __future__ import annotations

from dataclasses import field

from edgevpn.frozen import dataclass
from edgevpn.pki.certificate import der_of
from edgevpn.pki.container import Container, pkcs12_file
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Media, Profile, PskLogin


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a form: what it is called there, what to type or choose, and what to know about it."""

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


def needs_ca(profile: Profile) -> bool:
    """Whether the CA has to be installed before the gateway is believed."""
    return profile.gateway.ca is not None and not isinstance(profile.login, PskLogin)


def password_line(label: str, password: str) -> Line:
    """The password, or that its user knows it."""
    return Line(label, password or "(your password)", secret=bool(password))


def files(profile: Profile, made: Card) -> tuple[Artifact, ...]:
    """The card as a page and as text, and the files that it speaks of."""
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


def _certificates(profile: Profile) -> tuple[Artifact, ...]:
    made = []
    if needs_ca(profile) and profile.gateway.ca is not None:
        made.append(Artifact(profile.file_name("cer"), Media.CERTIFICATE, der_of(profile.gateway.ca)))
    if isinstance(profile.login, CertificateLogin):
        octets = pkcs12_file(profile.login.bundle, profile.device, profile.login.password, Container.OLD)
        made.append(Artifact(profile.file_name("p12"), Media.PKCS12, octets, secret=True))
    return tuple(made)
